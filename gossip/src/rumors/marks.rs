//! From which number on a joiner is promised the rumors of each origin.
//!
//! Whoever meets a cluster is told once how far each origin has come. Nobody has signed that, so it moves
//! no window: it only says what the joiner is to ask for, and what it is to miss.

use std::{collections::BTreeMap, time::Duration};

use crate::{accusation::Brief, rumors::words::Mark, time::Time};

/// How far each origin had come when this node came.
#[derive(Debug)]
pub(crate) struct Marks {
    told: BTreeMap<Brief, Mark>,
    asking: Option<Asking>,
    most: usize,
}

#[derive(Clone, Copy, Debug)]
struct Asking {
    again: Time,
    left: u32,
}

/// How long one that was asked has time to answer.
const AGAIN: Duration = Duration::from_secs(1);
/// How many are asked until it is taken for granted that nobody was there before.
const ASKED: u32 = 4;

impl Marks {
    /// Those of a node that was there first: all is promised. At most so many are remembered; origins
    /// beyond are taken for new ones.
    pub(crate) fn new(most: usize) -> Self {
        Self { told: BTreeMap::new(), asking: None, most }
    }

    /// This node has met somebody who was there before.
    pub(crate) fn begin(&mut self, now: Time) {
        self.asking.get_or_insert(Asking { again: now + AGAIN, left: ASKED });
    }

    /// Whether it is not known yet where to begin.
    pub(crate) fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// When somebody else is to be asked.
    pub(crate) fn next(&self) -> Option<Time> {
        self.asking.map(|asking| asking.again)
    }

    /// Whether somebody else is to be asked now.
    pub(crate) fn is_due(&mut self, now: Time) -> bool {
        let Some(asking) = self.asking.as_mut().filter(|asking| asking.again <= now) else {
            return false;
        };
        *asking = Asking { again: now + AGAIN, left: asking.left.saturating_sub(1) };
        true
    }

    /// Whether so many were asked in vain that nobody can have been there before.
    pub(crate) fn is_hopeless(&self) -> bool {
        self.asking.is_some_and(|asking| asking.left == 0)
    }

    pub(crate) fn hear(&mut self, mark: Mark) {
        if self.told.len() < self.most || self.told.contains_key(&mark.by) {
            self.told.insert(mark.by, mark);
        }
    }

    /// No more will be told.
    pub(crate) fn end(&mut self) {
        self.asking = None;
    }

    /// From which number on an origin's rumors are promised, of which `number` was heard first; at least 1.
    pub(crate) fn promised(&self, by: Brief, epoch: u64, number: u64) -> u64 {
        match self.told.get(&by) {
            Some(mark) if mark.epoch == epoch => mark.highest.saturating_add(1),
            Some(mark) if epoch < mark.epoch => number.max(1),
            None if self.is_asking() => number.max(1),
            Some(_) | None => 1,
        }
    }

    pub(crate) fn told(&self) -> impl Iterator<Item = &Mark> {
        self.told.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BY: Brief = [1; 8];

    fn at(seconds: u64) -> Time {
        Time(Duration::from_secs(seconds))
    }

    fn mark(epoch: u64, highest: u64) -> Mark {
        Mark { by: BY, epoch, highest }
    }

    #[test]
    fn a_joiner_begins_where_it_is_told() {
        let mut marks = Marks::new(1);
        assert_eq!(marks.promised(BY, 5, 77), 1, "it was there first");
        marks.begin(at(0));
        assert_eq!(marks.promised(BY, 5, 77), 77, "it knows nothing yet");
        marks.hear(mark(5, 40));
        marks.hear(Mark { by: [2; 8], ..mark(5, 40) });
        assert_eq!((marks.promised(BY, 5, 77), marks.promised(BY, 6, 77)), (41, 1));
        assert_eq!(marks.promised(BY, 4, 77), 77, "of an earlier start");
        assert_eq!(marks.told().count(), 1, "there was room for one");
        marks.hear(mark(5, u64::MAX));
        marks.end();
        assert_eq!((marks.promised(BY, 5, 77), marks.next()), (u64::MAX, None));
        assert_eq!(marks.promised([2; 8], 5, 77), 1, "it has come since");
    }

    #[test]
    fn some_are_asked_and_then_it_was_the_first() {
        let mut marks = Marks::new(1);
        assert!(!marks.is_due(at(0)) && !marks.is_hopeless());
        marks.begin(at(0));
        marks.begin(at(9));
        assert!(!marks.is_due(at(0)));
        for second in 1..=4 {
            assert!(!marks.is_hopeless() && marks.is_due(at(second)) && !marks.is_due(at(second)));
        }
        assert!(marks.is_hopeless());
    }
}
