//! What is still to be spread, and which of it goes with the next packet.
//!
//! SWIM's infection-style dissemination: each update is sent a bounded number of times, those that were
//! sent least first. News replace what they make void.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use bytes::{BufMut, Bytes, BytesMut};
use rumormill_transport_api::NodeId;

/// Updates that are being spread.
#[derive(Debug, Default)]
pub(crate) struct Spread {
    items: BTreeMap<Key, Item>,
    /// The order in which they are sent.
    order: BTreeSet<Place>,
    /// Counts what was put in, so that what is newer goes first.
    count: u64,
    most: usize,
    /// Updates that had to go because there were too many.
    pub(crate) dropped: u64,
}

/// What an update is about: of each there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Record(NodeId),
    Accusation { about: NodeId, by: NodeId },
}

#[derive(Debug)]
struct Item {
    bytes: Bytes,
    place: Place,
}

/// How often it was sent, and when it was put in.
type Place = (u32, Reverse<u64>, Key);

/// Updates that do not fit and are passed over in one packet, in case smaller ones come.
const LOOKED_AT: usize = 8;

impl Spread {
    /// One that holds this many updates, at most; of more, those that were sent most go, counted.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Puts a record in, which makes void what was said about its subject before.
    pub(crate) fn record(&mut self, node: NodeId, bytes: Bytes) {
        self.forget(node);
        self.put(Key::Record(node), bytes);
    }

    /// Puts an accusation in.
    pub(crate) fn accusation(&mut self, about: NodeId, by: NodeId, bytes: Bytes) {
        self.put(Key::Accusation { about, by }, bytes);
    }

    /// Takes out all accusations against a member.
    pub(crate) fn acquit(&mut self, about: NodeId) {
        let (first, last) = (NodeId([0; 32]), NodeId([255; 32]));
        let range = Key::Accusation { about, by: first }..=Key::Accusation { about, by: last };
        let void: Vec<Key> = self.items.range(range).map(|(key, _)| *key).collect();
        void.into_iter().for_each(|key| self.remove(key));
    }

    /// Takes out everything about a member.
    pub(crate) fn forget(&mut self, node: NodeId) {
        self.remove(Key::Record(node));
        self.acquit(node);
    }

    /// An accusation against this member that is being spread.
    pub(crate) fn against(&self, about: NodeId) -> Option<Key> {
        let from = Key::Accusation { about, by: NodeId([0; 32]) };
        let (key, _) = self.items.range(from..).next()?;
        matches!(key, Key::Accusation { about: other, .. } if *other == about).then_some(*key)
    }

    /// Appends as many updates as `into` has room for until it is `room` bytes long, `first` before all
    /// others, and takes out those that were sent `limit` times.
    pub(crate) fn fill(
        &mut self,
        into: &mut BytesMut,
        room: usize,
        limit: u32,
        first: Option<Key>,
    ) {
        let (mut taken, mut misfits) = (Vec::new(), 0);
        let others = self.order.iter().map(|(_, _, key)| *key).filter(|key| Some(*key) != first);
        for key in first.into_iter().chain(others) {
            let Some(item) = self.items.get(&key) else { continue };
            match into.len() + item.bytes.len() <= room {
                true => {
                    into.put_slice(&item.bytes);
                    taken.push(key);
                }
                false if misfits < LOOKED_AT => misfits += 1,
                false => break,
            }
        }
        taken.into_iter().for_each(|key| self.sent(key, limit));
    }

    fn sent(&mut self, key: Key, limit: u32) {
        let Some(item) = self.items.get_mut(&key) else { return };
        self.order.remove(&item.place);
        item.place.0 += 1;
        match item.place.0 < limit {
            true => _ = self.order.insert(item.place),
            false => _ = self.items.remove(&key),
        }
    }

    fn put(&mut self, key: Key, bytes: Bytes) {
        self.remove(key);
        if self.most <= self.items.len()
            && let Some((_, _, most_sent)) = self.order.last().copied()
        {
            self.remove(most_sent);
            self.dropped += 1;
        }
        self.count += 1;
        let place = (0, Reverse(self.count), key);
        self.order.insert(place);
        self.items.insert(key, Item { bytes, place });
    }

    fn remove(&mut self, key: Key) {
        if let Some(item) = self.items.remove(&key) {
            self.order.remove(&item.place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(byte: u8) -> NodeId {
        NodeId([byte; 32])
    }

    fn spread(nodes: impl IntoIterator<Item = u8>) -> Spread {
        let mut spread = Spread::new(100);
        nodes.into_iter().for_each(|byte| spread.record(node(byte), vec![byte; 10].into()));
        spread
    }

    /// The first byte of each update of a packet.
    fn packet(spread: &mut Spread, room: usize, limit: u32) -> Vec<u8> {
        let mut into = BytesMut::new();
        spread.fill(&mut into, room, limit, None);
        assert!(into.len() <= room);
        into.chunks(10).map(|update| update[0]).collect()
    }

    #[test]
    fn the_least_sent_go_first_and_the_newest_of_them() {
        let mut spread = spread([1, 2, 3]);
        assert_eq!(packet(&mut spread, 25, 2), [3, 2]);
        assert_eq!(packet(&mut spread, 25, 2), [1, 3], "3 was sent twice, which is the limit");
        spread.record(node(4), vec![4; 10].into());
        assert_eq!(packet(&mut spread, 100, 2), [4, 2, 1]);
        assert_eq!(packet(&mut spread, 100, 2), [4]);
        assert!(spread.is_empty() && spread.order.is_empty());
    }

    #[test]
    fn news_replace_what_they_make_void() {
        let mut spread = spread([1, 2]);
        spread.accusation(node(1), node(2), vec![8; 10].into());
        spread.accusation(node(1), node(3), vec![9; 10].into());
        assert_eq!(spread.against(node(1)), Some(Key::Accusation { about: node(1), by: node(2) }));
        assert_eq!((spread.against(node(0)), spread.against(node(2))), (None, None));
        spread.record(node(1), vec![7; 10].into());
        assert_eq!(packet(&mut spread, 100, 9), [7, 2]);
        assert_eq!(spread.against(node(1)), None);
    }

    #[test]
    fn what_is_too_large_lets_smaller_pass() {
        let mut spread = spread([1]);
        spread.record(node(2), vec![2; 90].into());
        assert_eq!(packet(&mut spread, 50, 1), [1]);
        assert_eq!(spread.items.len(), 1, "not sent, not counted as sent");
    }

    #[test]
    fn what_the_receiver_has_to_know_goes_first_and_once() {
        let (mut spread, mut into) = (spread([1, 2, 3]), BytesMut::new());
        spread.fill(&mut into, 20, 9, Some(Key::Record(node(1))));
        assert_eq!((into[0], into[10], into.len()), (1, 3, 20));
    }

    #[test]
    fn of_too_many_the_most_sent_go() {
        let mut spread = spread(0..100);
        packet(&mut spread, 10, 9);
        spread.record(node(200), vec![200; 10].into());
        assert_eq!((spread.items.len(), spread.dropped), (100, 1));
        assert!(!spread.items.contains_key(&Key::Record(node(99))));
    }
}
