//! What becomes of messages that were published to be acknowledged.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::PublishError;

/// That a message is queued, in the broker's memory, for everybody who was subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its number in the topic. In a topic that blocks it may be a later one, if messages of other
    /// publishers came between those that were sent together.
    pub seq: u64,
    /// For how many subscribers it was queued; in a queue, how many there were.
    pub subscribers: u32,
}

/// A message on its way: resolves with its [`Receipt`], or with what became of it instead.
///
/// To drop it takes nothing back. It resolves at the latest when the conn is lost, when
/// [`ClientConfig::acknowledge`](crate::ClientConfig::acknowledge) has passed since the message was
/// sent, or when the client is closed or dropped; a message that cannot be sent waits for the next
/// conn.
#[derive(Debug)]
#[must_use = "it tells whether the message has arrived"]
pub struct Submitted {
    fate: Arc<Fate>,
    /// Which message of the block.
    index: u32,
    slot: Option<usize>,
}

/// What becomes of one block, with those who wait to hear of it.
#[derive(Debug, Default)]
pub(super) struct Fate(Mutex<State>);

/// The receipt of the first message of a block, or what became of all of them instead.
pub(super) type Outcome = Result<Receipt, PublishError>;

/// Outcomes that are told when the lock under which they were found is let go of.
pub(super) type Outcomes = Vec<(Arc<Fate>, Outcome)>;

#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    wakers: Vec<Waker>,
}

impl Fate {
    /// Tells everybody who waits; the first outcome counts.
    pub(super) fn settle(&self, outcome: Outcome) {
        let wakers = {
            let mut state = self.lock();
            state.outcome.get_or_insert(outcome);
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells each its outcome.
pub(super) fn settle_all(outcomes: &mut Outcomes) {
    outcomes.drain(..).for_each(|(fate, outcome)| fate.settle(outcome));
}

impl Submitted {
    pub(super) fn new(fate: Arc<Fate>, index: u32) -> Self {
        Self { fate, index, slot: None }
    }
}

impl Future for Submitted {
    type Output = Result<Receipt, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let fate = Arc::clone(&self.fate);
        let mut state = fate.lock();
        if let Some(outcome) = state.outcome {
            let index = u64::from(self.index);
            return Poll::Ready(outcome.map(|first| Receipt { seq: first.seq + index, ..first }));
        }
        match self.slot.and_then(|slot| state.wakers.get_mut(slot)) {
            Some(waker) => waker.clone_from(cx.waker()),
            None => {
                self.slot = Some(state.wakers.len());
                state.wakers.push(cx.waker().clone());
            }
        }
        Poll::Pending
    }
}
