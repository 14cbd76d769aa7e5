//! The last versions of members that are forgotten, so that no replay brings them back.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rumormill_transport_api::NodeId;

use crate::{record::Version, time::Time};

/// A bounded number of tombstones; of more, the oldest go.
#[derive(Debug)]
pub(crate) struct Tombstones {
    stones: BTreeMap<NodeId, (Version, Time)>,
    oldest: BTreeSet<(Time, NodeId)>,
    most: usize,
}

impl Tombstones {
    pub(crate) fn new(most: usize) -> Self {
        Self { stones: BTreeMap::new(), oldest: BTreeSet::new(), most }
    }

    /// Remembers the version that was there last.
    pub(crate) fn bury(&mut self, node: NodeId, version: Version, now: Time) {
        self.raise(node);
        if self.most <= self.stones.len()
            && let Some((_, oldest)) = self.oldest.first().copied()
        {
            self.raise(oldest);
        }
        self.stones.insert(node, (version, now));
        self.oldest.insert((now, node));
    }

    /// Whether this version, or a later one, is dead.
    pub(crate) fn holds(&self, node: NodeId, version: Version) -> bool {
        self.stones.get(&node).is_some_and(|(dead, _)| version <= *dead)
    }

    /// Forgets the member, which has come back.
    pub(crate) fn raise(&mut self, node: NodeId) {
        if let Some((_, since)) = self.stones.remove(&node) {
            self.oldest.remove(&(since, node));
        }
    }

    /// Forgets those that are older than `age`.
    pub(crate) fn expire(&mut self, now: Time, age: Duration) {
        while let Some((since, node)) = self.oldest.first().copied() {
            if now.since(since) < age {
                return;
            }
            self.raise(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time(Duration::from_secs(seconds))
    }

    #[test]
    fn the_dead_stay_dead_until_a_later_version() {
        let (node, version) = (|byte| NodeId([byte; 32]), |n| Version { epoch: 1, n });
        let mut stones = Tombstones::new(2);
        stones.bury(node(1), version(5), at(0));
        assert!(stones.holds(node(1), version(5)) && stones.holds(node(1), version(4)));
        assert!(!stones.holds(node(1), version(6)) && !stones.holds(node(2), version(1)));
        stones.bury(node(2), version(1), at(1));
        stones.bury(node(3), version(1), at(2));
        assert!(!stones.holds(node(1), version(5)), "there was room for two");
        stones.expire(at(11), Duration::from_secs(10));
        assert!(!stones.holds(node(2), version(1)) && stones.holds(node(3), version(1)));
        stones.raise(node(3));
        assert!(stones.stones.is_empty() && stones.oldest.is_empty());
    }
}
