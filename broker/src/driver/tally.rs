//! What happened to conns.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rumormill_transport_api::{Counter, Histogram};

use crate::CutReason;

/// What happened to conns, and what has no topic to be counted at.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) accepted: Counter,
    pub(crate) closed: Counter,
    pub(crate) failed_accepts: Counter,
    pub(crate) refused: Counter,
    pub(crate) dead_letters_lost: Counter,
    pub(crate) late_confirmations: Counter,
    slow: Mutex<Slow>,
}

#[derive(Default)]
struct Slow {
    cut: BTreeMap<CutReason, u64>,
    routing: Histogram,
}

impl Tally {
    pub(crate) fn cut(&self, reason: CutReason) {
        *self.slow().cut.entry(reason).or_default() += 1;
    }

    pub(crate) fn cuts(&self) -> BTreeMap<CutReason, u64> {
        self.slow().cut.clone()
    }

    pub(crate) fn routed(&self, took: Duration) {
        self.slow().routing.record(took);
    }

    pub(crate) fn routing(&self) -> Histogram {
        self.slow().routing.clone()
    }

    fn slow(&self) -> MutexGuard<'_, Slow> {
        self.slow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
