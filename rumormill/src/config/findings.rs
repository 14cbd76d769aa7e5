//! What was found to be wrong, as it is found.

use super::{
    place::{Layer, Place},
    problem::{Error, Fault, Problem},
};

/// What was found to be wrong, with its place among all.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<((Layer, usize), Problem)>,
    more: usize,
}

impl Findings {
    pub(super) fn push(
        &mut self,
        place: &Place,
        key: impl Into<Box<str>>,
        value: Option<Box<str>>,
        fault: Fault,
    ) {
        if MOST <= self.found.len() {
            self.more += 1;
            return;
        }
        let problem = Problem { origin: place.origin.clone(), key: key.into(), value, fault };
        self.found.push((place.order, problem));
    }

    /// Whether there is no use in looking closely at more of them.
    pub(super) fn are_full(&self) -> bool {
        MOST <= self.found.len()
    }

    /// Counts one that nobody will see.
    pub(super) fn count(&mut self) {
        self.more += 1;
    }

    /// # Errors
    /// [`Error`] if anything is wrong.
    pub(super) fn finish(mut self) -> Result<Self, Error> {
        // Stable: what is at one place stays in the order in which it was found.
        self.found.sort_by_key(|(order, _)| *order);
        let problems: Vec<_> = self.found.into_iter().map(|(_, problem)| problem).collect();
        match problems.is_empty() {
            true => Ok(Self::default()),
            false => Err(Error { problems, more: self.more }),
        }
    }
}

/// Problems that are told; more are counted. Nobody reads them, and a file may have 100,000.
const MOST: usize = 100;
