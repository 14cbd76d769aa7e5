//! What becomes of messages that were published to be acknowledged.

use std::{
    future::Future,
    ops::Range,
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
struct Fate(Mutex<State>);

/// Messages of one block that fare alike: all of them, until it is parted.
#[derive(Clone, Debug)]
pub(super) struct Share {
    fate: Arc<Fate>,
    messages: Range<u32>,
}

/// The receipt of the first message of a share, or what became of all of them instead.
pub(super) type Outcome = Result<Receipt, PublishError>;

/// Outcomes that are told when the lock under which they were found is let go of.
pub(super) type Outcomes = Vec<(Share, Outcome)>;

#[derive(Debug, Default)]
struct State {
    /// The first that is about a message counts.
    outcomes: Vec<(Range<u32>, Outcome)>,
    wakers: Vec<Waker>,
}

impl State {
    fn outcome(&self, index: u32) -> Option<Outcome> {
        let (messages, outcome) = self.outcomes.iter().find(|told| told.0.contains(&index))?;
        let after = u64::from(index - messages.start);
        // The broker says what it likes.
        let seq = |first: Receipt| first.seq.saturating_add(after);
        Some(outcome.map(|first| Receipt { seq: seq(first), ..first }))
    }
}

impl Fate {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// All messages of a block, however many there will be.
    const ALL: Range<u32> = 0..u32::MAX;

    /// What is told of one message of a block that is not parted yet.
    pub(super) fn submitted(&self, index: u32) -> Submitted {
        Submitted { fate: Arc::clone(&self.fate), index, slot: None }
    }

    /// The first `count` messages, which this share loses.
    pub(super) fn split_front(&mut self, count: u32) -> Self {
        let at = self.messages.start.saturating_add(count).min(self.messages.end);
        let messages = self.messages.start..at;
        self.messages.start = at;
        Self { fate: Arc::clone(&self.fate), messages }
    }

    /// Tells everybody who waits; the first outcome counts.
    fn settle(self, outcome: Outcome) {
        let is_all = self.messages == Self::ALL;
        let wakers = {
            let mut state = self.fate.lock();
            state.outcomes.push((self.messages, outcome));
            match is_all {
                true => std::mem::take(&mut state.wakers),
                // Those who wait for the other share keep their slots.
                false => state.wakers.clone(),
            }
        };
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Default for Share {
    fn default() -> Self {
        Self { fate: Arc::default(), messages: Self::ALL }
    }
}

/// Tells each its outcome.
pub(super) fn settle_all(outcomes: &mut Outcomes) {
    outcomes.drain(..).for_each(|(share, outcome)| share.settle(outcome));
}

impl Future for Submitted {
    type Output = Result<Receipt, PublishError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let fate = Arc::clone(&self.fate);
        let mut state = fate.lock();
        if let Some(outcome) = state.outcome(self.index) {
            return Poll::Ready(outcome);
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
