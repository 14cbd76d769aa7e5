//! When topics have to be looked at.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::{
    Hub,
    errands::Errands,
    slot::{Slot, State},
};

/// When topics have to be looked at: each stands here once at most.
#[derive(Default)]
pub(crate) struct Timer {
    dues: Mutex<BTreeMap<(Instant, u64), Arc<Slot>>>,
    sooner: Notify,
}

impl Timer {
    /// Has a topic looked at when it is due, while its lock is held. That it is due later than it was
    /// is found out when it is looked at.
    pub(crate) fn watch(&self, slot: &Arc<Slot>, state: &mut State) {
        let Some(due) = state.topic.deadline() else { return };
        if state.due.is_some_and(|known| known <= due) {
            return;
        }
        let mut dues = self.dues();
        if let Some(known) = state.due.replace(due) {
            dues.remove(&(known, slot.number));
        }
        dues.insert((due, slot.number), slot.clone());
        if dues.first_key_value().is_some_and(|(first, _)| *first == (due, slot.number)) {
            self.sooner.notify_one();
        }
    }

    /// Forgets a topic that was removed, while its lock is held.
    pub(crate) fn forget(&self, slot: &Slot, state: &mut State) {
        if let Some(known) = state.due.take() {
            self.dues().remove(&(known, slot.number));
        }
    }

    /// Waits until a topic is due.
    async fn next(&self) -> Arc<Slot> {
        loop {
            let first = self.dues().first_key_value().map(|((due, _), _)| *due);
            match first {
                None => self.sooner.notified().await,
                Some(due) if due <= Instant::now() => {
                    if let Some((_, slot)) = self.dues().pop_first() {
                        return slot;
                    }
                }
                // That it is due, or that another is sooner.
                Some(due) => drop(timeout_at(due, self.sooner.notified()).await),
            }
        }
    }

    fn dues(&self) -> MutexGuard<'_, BTreeMap<(Instant, u64), Arc<Slot>>> {
        self.dues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at topics when they are due, for ever.
pub(crate) async fn run(hub: Arc<Hub>) {
    let mut errands = Errands::of(&hub);
    loop {
        let slot = hub.timer.next().await;
        errands.with(&slot, |state, now, out| {
            state.due = None;
            state.topic.wake(now, out);
        });
        errands.run();
    }
}
