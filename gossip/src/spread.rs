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

use crate::rumor::RumorId;

/// Updates that are being spread.
#[derive(Debug)]
pub(crate) struct Spread<K> {
    items: BTreeMap<K, Item<K>>,
    /// The order in which they are sent.
    order: BTreeSet<Place<K>>,
    /// Counts what was put in, so that what is newer goes first.
    count: u64,
    most: usize,
    /// Updates that had to go because there were too many.
    pub(crate) dropped: u64,
}

/// What an update about members is about: of each there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    Record(NodeId),
    Accusation { about: NodeId, by: NodeId },
}

#[derive(Debug)]
struct Item<K> {
    bytes: Bytes,
    place: Place<K>,
}

/// How often it was sent, and when it was put in.
type Place<K> = (u32, Reverse<u64>, K);

/// Updates that do not fit and are passed over in one packet, in case smaller ones come.
const LOOKED_AT: usize = 8;

impl Spread<Key> {
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
}

impl Spread<RumorId> {
    /// Whether anything is being spread that this node has said.
    pub(crate) fn has_of(&self, origin: NodeId) -> bool {
        let from = RumorId { origin, epoch: 0, number: 0 };
        self.items.range(from..).next().is_some_and(|(id, _)| id.origin == origin)
    }
}

impl<K: Copy + Ord> Spread<K> {
    /// One that holds this many updates, at most; of more, those that were sent most go, counted.
    pub(crate) fn new(most: usize) -> Self {
        Self { items: BTreeMap::new(), order: BTreeSet::new(), count: 0, most, dropped: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Appends updates to `into` until it is `room` bytes long, `first` before all others, and takes out
    /// those that were sent `limit` times. Half of what is left is for these updates, half for the
    /// `others`, and what one leaves the other takes; one of these goes along in any case. Returns how many
    /// bytes each got.
    pub(crate) fn fill<O: Copy + Ord>(
        &mut self,
        others: &mut Spread<O>,
        into: &mut BytesMut,
        (room, limit): (usize, u32),
        first: Option<K>,
    ) -> (usize, usize) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let start = into.len();
        let half = start + room.saturating_sub(start) / 2;
        self.pick(into, (half, usize::MAX), first, &mut ours);
        if ours.is_empty() {
            self.pick(into, (room, 1), first, &mut ours);
        }
        let before = into.len();
        others.pick(into, (room, usize::MAX), None, &mut theirs);
        let of_others = into.len() - before;
        self.pick(into, (room, usize::MAX), None, &mut ours);
        ours.into_iter().for_each(|key| self.sent(key, limit));
        theirs.into_iter().for_each(|key| others.sent(key, limit));
        (into.len() - start - of_others, of_others)
    }

    /// Appends as many updates as `into` has room for, that were not `taken` before, up to `most`.
    fn pick(
        &self,
        into: &mut BytesMut,
        (room, most): (usize, usize),
        first: Option<K>,
        taken: &mut Vec<K>,
    ) {
        let mut misfits = 0;
        let others = self.order.iter().map(|(_, _, key)| *key).filter(|key| Some(*key) != first);
        for key in first.into_iter().chain(others) {
            let Some(item) = self.items.get(&key).filter(|_| !taken.contains(&key)) else {
                continue;
            };
            match into.len() + item.bytes.len() <= room {
                true => {
                    into.put_slice(&item.bytes);
                    taken.push(key);
                }
                false if misfits < LOOKED_AT => misfits += 1,
                false => break,
            }
            if most <= taken.len() {
                break;
            }
        }
    }

    fn sent(&mut self, key: K, limit: u32) {
        let Some(item) = self.items.get_mut(&key) else { return };
        self.order.remove(&item.place);
        item.place.0 += 1;
        match item.place.0 < limit {
            true => _ = self.order.insert(item.place),
            false => _ = self.items.remove(&key),
        }
    }

    /// Puts an update in, instead of the one that it was about before.
    pub(crate) fn put(&mut self, key: K, bytes: Bytes) {
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

    pub(crate) fn remove(&mut self, key: K) {
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

    fn spread(nodes: impl IntoIterator<Item = u8>) -> Spread<Key> {
        let mut spread = Spread::new(100);
        nodes.into_iter().for_each(|byte| spread.record(node(byte), vec![byte; 10].into()));
        spread
    }

    /// The first byte of each update of a packet.
    fn packet(spread: &mut Spread<Key>, room: usize, limit: u32) -> Vec<u8> {
        let (mut into, mut none) = (BytesMut::new(), Spread::<Key>::new(1));
        spread.fill(&mut none, &mut into, (room, limit), None);
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
        let first = Some(Key::Record(node(1)));
        spread.fill(&mut Spread::<Key>::new(1), &mut into, (20, 9), first);
        assert_eq!((into[0], into[10], into.len()), (1, 3, 20));
    }

    /// Whether updates of `len` bytes go along with others of `other` bytes, however many there are.
    fn check_starving(len: usize, other: usize, room: usize) {
        let (mut ours, mut theirs) = (Spread::<u64>::new(9999), Spread::<u64>::new(9999));
        let (mut sent, mut of_them) = (0, 0);
        for packet in 0..100 {
            (0..20).for_each(|n| ours.put(20 * packet + n, vec![1; len].into()));
            (0..20).for_each(|n| theirs.put(20 * packet + n, vec![2; other].into()));
            let mut into = BytesMut::new();
            let got = match packet % 2 {
                0 => ours.fill(&mut theirs, &mut into, (room, 4), None),
                _ => theirs.fill(&mut ours, &mut into, (room, 4), None),
            };
            assert_eq!(got.0 + got.1, into.len());
            assert!(into.len() <= room);
            sent += into.iter().filter(|byte| **byte == 1).count();
            of_them += into.iter().filter(|byte| **byte == 2).count();
        }
        let least = (room / 2 / len * len).max(len) * 50;
        assert!(least <= sent, "{len} beside {other}: {sent}");
        assert!(100 * room <= sent + of_them + 100 * len.max(other), "{sent} and {of_them}");
    }

    #[test]
    fn none_of_two_kinds_starves_and_no_room_is_wasted() {
        for (len, other) in [(605, 531), (531, 605), (102, 605), (605, 102), (102, 102), (25, 25)] {
            check_starving(len, other, 1072);
        }
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
