//! The log of a run while it grows, shared by all that write to it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::nodes::{
    log::{Entry, What},
    scenario::Scenario,
    truth::Truth,
};

/// The log of a run, and what is so by it; clones are the same.
#[derive(Clone)]
pub(crate) struct Journal(Arc<Mutex<Inner>>);

struct Inner {
    began: Instant,
    entries: Vec<Entry>,
    truth: Truth,
}

impl Journal {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let (began, truth) = (Instant::now(), Truth::new(scenario));
        Self(Arc::new(Mutex::new(Inner { began, entries: Vec::new(), truth })))
    }

    pub(crate) fn write(&self, what: What) {
        let mut inner = self.lock();
        let entry = Entry { at: inner.began.elapsed(), what };
        inner.truth.follow(&entry);
        inner.entries.push(entry);
    }

    pub(crate) fn truth<T>(&self, ask: impl FnOnce(&Truth) -> T) -> T {
        ask(&self.lock().truth)
    }

    pub(crate) fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.lock().entries)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
