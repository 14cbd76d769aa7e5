//! What members say of themselves beyond their records: fetched when it has changed, and kept.
//!
//! A record tells of metadata by their hash, so whoever has them can pass them on. The one who told of
//! the record is asked first, since it has asked before; then the member itself; then anybody.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use rumormill_transport_api::NodeId;

use crate::{record::told_by, time::Time};

/// The metadata of others.
#[derive(Debug, Default)]
pub(crate) struct Metadata {
    kept: BTreeMap<NodeId, Bytes>,
    wanted: BTreeMap<NodeId, Wanted>,
    /// When somebody is asked again.
    due: BTreeSet<(Time, NodeId)>,
}

#[derive(Debug)]
struct Wanted {
    hash: [u8; 16],
    teller: NodeId,
    tries: u32,
    next: Time,
}

/// A question for metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) about: NodeId,
    pub(crate) hash: [u8; 16],
    /// Whom to ask; anybody, if there is nobody better.
    pub(crate) whom: Option<NodeId>,
}

/// The longest wait between two questions: this many doublings of the shortest.
const DOUBLINGS: u32 = 5;

impl Metadata {
    /// Those of a member, if they are what its record tells of.
    pub(crate) fn of(&self, node: NodeId, hash: &[u8; 16]) -> Option<Bytes> {
        if *hash == [0; 16] {
            return Some(Bytes::new());
        }
        self.kept.get(&node).filter(|bytes| told_by(bytes) == *hash).cloned()
    }

    /// A record has come that tells of metadata.
    pub(crate) fn heard_of(&mut self, node: NodeId, hash: [u8; 16], teller: NodeId, now: Time) {
        self.stop(node);
        if self.of(node, &hash).is_none() {
            self.due.insert((now, node));
            self.wanted.insert(node, Wanted { hash, teller, tries: 0, next: now });
        }
    }

    /// Takes what has arrived, if it is wanted; tells whether it was.
    pub(crate) fn take(&mut self, node: NodeId, bytes: Bytes) -> bool {
        let is_wanted = self.wanted.get(&node).is_some_and(|wanted| wanted.hash == told_by(&bytes));
        if is_wanted {
            self.stop(node);
            self.kept.insert(node, bytes);
        }
        is_wanted
    }

    /// Drops what is known of a member that is gone.
    pub(crate) fn forget(&mut self, node: NodeId) {
        self.stop(node);
        self.kept.remove(&node);
    }

    /// When somebody has to be asked.
    pub(crate) fn next(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| *due)
    }

    /// A question that is due; the next for the same is due `after` that, and later each time.
    pub(crate) fn overdue(&mut self, now: Time, after: Duration) -> Option<Question> {
        let (_, about) = self.due.first().copied().filter(|(due, _)| *due <= now)?;
        let wanted = self.wanted.get_mut(&about)?;
        self.due.remove(&(wanted.next, about));
        wanted.next = now + after.saturating_mul(1 << wanted.tries.min(DOUBLINGS));
        wanted.tries = wanted.tries.saturating_add(1);
        self.due.insert((wanted.next, about));
        let whom = match wanted.tries {
            1 => Some(wanted.teller),
            tries => (tries % 2 == 0).then_some(about),
        };
        Some(Question { about, hash: wanted.hash, whom })
    }

    /// Ends asking for those of a member.
    pub(crate) fn stop(&mut self, node: NodeId) {
        if let Some(wanted) = self.wanted.remove(&node) {
            self.due.remove(&(wanted.next, node));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: NodeId = NodeId([1; 32]);
    const TELLER: NodeId = NodeId([2; 32]);
    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Time {
        Time(Duration::from_secs(seconds))
    }

    #[test]
    fn what_is_wanted_is_asked_for_until_it_comes() {
        let (mut metadata, hash) = (Metadata::default(), told_by(b"blue"));
        metadata.heard_of(SUBJECT, hash, TELLER, at(0));
        let mut asked = |now| metadata.overdue(at(now), SECOND).map(|question| question.whom);
        assert_eq!([asked(0), asked(0)], [Some(Some(TELLER)), None]);
        assert_eq!([asked(1), asked(2)], [Some(Some(SUBJECT)), None]);
        assert_eq!([asked(3), asked(7)], [Some(None), Some(Some(SUBJECT))]);
        assert!(!metadata.take(SUBJECT, "red".into()), "nobody else's word");
        assert!(!metadata.take(TELLER, "blue".into()), "not asked for");
        assert_eq!((metadata.of(SUBJECT, &hash), metadata.next()), (None, Some(at(15))));
        assert!(metadata.take(SUBJECT, "blue".into()));
        assert_eq!((metadata.of(SUBJECT, &hash), metadata.next()), (Some("blue".into()), None));
    }

    #[test]
    fn what_is_known_is_not_asked_for() {
        let (mut metadata, blue) = (Metadata::default(), told_by(b"blue"));
        metadata.heard_of(SUBJECT, [0; 16], TELLER, at(0));
        assert_eq!((metadata.of(SUBJECT, &[0; 16]), metadata.next()), (Some(Bytes::new()), None));
        metadata.heard_of(SUBJECT, blue, TELLER, at(0));
        assert!(metadata.take(SUBJECT, "blue".into()));
        metadata.heard_of(SUBJECT, blue, TELLER, at(1));
        assert_eq!(metadata.next(), None);
        metadata.heard_of(SUBJECT, told_by(b"red"), TELLER, at(2));
        assert_eq!(metadata.of(SUBJECT, &told_by(b"red")), None, "the old is not the new");
        metadata.forget(SUBJECT);
        assert_eq!((metadata.of(SUBJECT, &blue), metadata.next()), (None, None));
    }
}
