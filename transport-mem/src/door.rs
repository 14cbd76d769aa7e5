//! Where conns wait to be accepted.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rumormill_transport_api::Counters;
use tokio::{sync::Notify, time::Instant};

use crate::{MemConn, Settings, place::Place, wait::Due};

/// What a listener shares with those who dial it.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) place: Place,
    pub(crate) settings: Settings,
    pub(crate) counters: Arc<Counters>,
    /// The number of the transport instance that listens.
    pub(crate) instance: u64,
    pub(crate) arrived: Notify,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    waiting: BTreeMap<Key, MemConn>,
    is_open: bool,
}

/// When a conn may be accepted, and its number.
pub(crate) type Key = (Instant, u64);

/// Why a conn was not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The listener is gone.
    Closed,
    /// Too many wait already.
    Full,
}

impl Door {
    pub(crate) fn new(
        place: Place,
        settings: Settings,
        counters: Arc<Counters>,
        instance: u64,
    ) -> Self {
        let state = Mutex::new(State { waiting: BTreeMap::new(), is_open: true });
        Self { place, settings, counters, instance, arrived: Notify::new(), state }
    }

    /// Lets a conn wait to be accepted, which is made only if it is admitted.
    pub(crate) fn admit(&self, key: Key, conn: impl FnOnce() -> MemConn) -> Result<(), Refusal> {
        let mut state = self.lock();
        if !state.is_open {
            return Err(Refusal::Closed);
        }
        if self.settings.backlog.get() <= state.waiting.len() {
            self.counters.conns_refused.add(1);
            return Err(Refusal::Full);
        }
        state.waiting.insert(key, conn());
        self.arrived.notify_one();
        Ok(())
    }

    /// Moves a conn that still waits to an earlier time.
    pub(crate) fn hasten(&self, from: Key, to: Key) {
        let mut state = self.lock();
        if let Some(conn) = state.waiting.remove(&from) {
            state.waiting.insert(to, conn);
            self.arrived.notify_one();
        }
    }

    /// The conn that has waited longest, or how long to wait for one.
    pub(crate) fn next(&self, now: Instant) -> Due<MemConn> {
        let mut state = self.lock();
        match state.waiting.first_entry() {
            None => Due::Later(None),
            Some(first) if now < first.key().0 => Due::Later(Some(first.key().0)),
            Some(first) => Due::Now(first.remove()),
        }
    }

    /// Admits nobody any more; what still waits is the caller's to drop.
    pub(crate) fn close(&self) -> BTreeMap<Key, MemConn> {
        let mut state = self.lock();
        state.is_open = false;
        mem::take(&mut state.waiting)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
