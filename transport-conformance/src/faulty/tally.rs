//! What happened.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many messages, and conns, of a [`Faulty`](crate::Faulty) transport met which fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that vanished. Those lost by a cut are not among them.
    pub dropped: u64,
    /// Messages that were sent on twice.
    pub duplicated: u64,
    /// Messages that the next one overtook by the fault `reorder`. What jitter reorders is not
    /// among them.
    pub reordered: u64,
    /// Messages, copies included, that a reader kept waiting for `delay` or `jitter`.
    pub delayed: u64,
    /// Conns that were cut.
    pub cut: u64,
}

/// The numbers of a [`Tally`] that many halves add to.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) dropped: Count,
    pub(super) duplicated: Count,
    pub(super) reordered: Count,
    pub(super) delayed: Count,
    pub(super) cut: Count,
}

/// One number.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Counts {
    pub(super) fn tally(&self) -> Tally {
        Tally {
            dropped: self.dropped.so_far(),
            duplicated: self.duplicated.so_far(),
            reordered: self.reordered.so_far(),
            delayed: self.delayed.so_far(),
            cut: self.cut.so_far(),
        }
    }
}

impl Count {
    pub(super) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn so_far(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
