//! Who may stay and whose turn it is, among pending handshakes; knows no task and no clock.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, Ipv6Addr},
};

/// The places of pending handshakes: silent ones, each with an `S`; those that wait for a slot, each
/// with a `W`; and those that have one.
///
/// Every operation takes time logarithmic in their number.
pub(super) struct Table<S, W> {
    sources: HashMap<IpAddr, Source<S>>,
    /// Sources with silent ones, by how many they are.
    silent: BTreeSet<(usize, IpAddr)>,
    /// Sources with waiting ones, by how many slots they hold, and then by who waits longest.
    turns: BTreeSet<(usize, Ticket, IpAddr)>,
    waiting: BTreeMap<Ticket, (IpAddr, W)>,
    last: Ticket,
    len: usize,
    max: usize,
    free_slots: usize,
}

/// A number in the order in which handshakes began, and then in which their dialers spoke.
type Ticket = u64;

/// Where a handshake stands in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) source: IpAddr,
    ticket: Ticket,
}

/// What one source has in the table.
struct Source<S> {
    silent: BTreeMap<Ticket, S>,
    waiting: BTreeSet<Ticket>,
    slots: usize,
}

impl<S, W> Table<S, W> {
    pub(super) fn new(max: usize, slots: usize) -> Self {
        Self {
            sources: HashMap::new(),
            silent: BTreeSet::new(),
            turns: BTreeSet::new(),
            waiting: BTreeMap::new(),
            last: 0,
            len: 0,
            max: max.max(1),
            free_slots: slots,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether all places are taken, and nobody in them may be given up.
    pub(super) fn is_full(&self) -> bool {
        self.max <= self.len && self.silent.is_empty()
    }

    /// Gives up, if all places are taken, the longest silent one of the source with the most of them.
    pub(super) fn make_room(&mut self) -> Option<S> {
        if self.len < self.max {
            return None;
        }
        let (_, source) = *self.silent.last()?;
        self.len -= 1;
        self.change(source, |row| row.silent.pop_first()).map(|(_, silent)| silent)
    }

    /// Adds one that has said nothing yet.
    pub(super) fn enter(&mut self, from: IpAddr, silent: S) -> Place {
        self.len += 1;
        let place = Place { source: source(from), ticket: self.next() };
        self.change(place.source, |row| row.silent.insert(place.ticket, silent));
        place
    }

    /// One that was silent waits for a slot.
    pub(super) fn speak(&mut self, place: Place, waiting: W) {
        let ticket = self.next();
        self.change(place.source, |row| {
            row.silent.remove(&place.ticket);
            row.waiting.insert(ticket);
        });
        self.waiting.insert(ticket, (place.source, waiting));
    }

    /// Gives a slot to whose turn it is, if there is anybody.
    ///
    /// That is the longest waiting one of the source with the fewest slots. If even that source
    /// holds as many as are free, what is free is kept for others.
    pub(super) fn take_slot(&mut self) -> Option<(Place, W)> {
        let (held, ticket, source) = *self.turns.first()?;
        if self.free_slots <= held {
            return None;
        }
        self.free_slots -= 1;
        self.change(source, |row| {
            row.waiting.remove(&ticket);
            row.slots += 1;
        });
        let (_, waiting) = self.waiting.remove(&ticket)?;
        Some((Place { source, ticket }, waiting))
    }

    /// Of those who wait for a slot, the one that has waited longest.
    pub(super) fn first_waiting(&self) -> Option<&W> {
        self.waiting.first_key_value().map(|(_, (_, waiting))| waiting)
    }

    /// Removes the one that [`first_waiting`](Self::first_waiting) tells.
    pub(super) fn leave_waiting(&mut self) -> Option<Place> {
        let (ticket, (source, _)) = self.waiting.pop_first()?;
        self.len -= 1;
        self.change(source, |row| row.waiting.remove(&ticket));
        Some(Place { source, ticket })
    }

    /// Removes a silent one.
    pub(super) fn leave_silent(&mut self, place: Place) {
        self.len -= 1;
        self.change(place.source, |row| row.silent.remove(&place.ticket));
    }

    /// Removes one that has a slot.
    pub(super) fn leave_slot(&mut self, place: Place) {
        self.len -= 1;
        self.free_slots += 1;
        self.change(place.source, |row| row.slots -= 1);
    }

    fn next(&mut self) -> Ticket {
        self.last += 1;
        self.last
    }

    /// Changes what `source` has, and keeps the orders by it.
    fn change<R>(&mut self, source: IpAddr, change: impl FnOnce(&mut Source<S>) -> R) -> R {
        let row = self.sources.entry(source).or_insert_with(Source::new);
        if !row.silent.is_empty() {
            self.silent.remove(&(row.silent.len(), source));
        }
        if let Some(first) = row.waiting.first() {
            self.turns.remove(&(row.slots, *first, source));
        }
        let result = change(row);
        if !row.silent.is_empty() {
            self.silent.insert((row.silent.len(), source));
        }
        if let Some(first) = row.waiting.first() {
            self.turns.insert((row.slots, *first, source));
        }
        if row.is_empty() {
            self.sources.remove(&source);
        }
        result
    }
}

impl<S> Source<S> {
    fn new() -> Self {
        Self { silent: BTreeMap::new(), waiting: BTreeSet::new(), slots: 0 }
    }

    fn is_empty(&self) -> bool {
        self.silent.is_empty() && self.waiting.is_empty() && self.slots == 0
    }
}

/// What counts as one source.
fn source(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "10.0.0.1";
    const B: &str = "10.0.0.2";

    fn enter(table: &mut Table<u32, u32>, from: &str, name: u32) -> Place {
        table.enter(from.parse().unwrap(), name)
    }

    fn waiting(table: &mut Table<u32, u32>, from: &str, names: std::ops::Range<u32>) {
        for name in names {
            let place = enter(table, from, name);
            table.speak(place, name);
        }
    }

    fn turns(table: &mut Table<u32, u32>) -> Vec<u32> {
        std::iter::from_fn(|| table.take_slot()).map(|(_, name)| name).collect()
    }

    #[test]
    fn the_longest_silent_of_the_busiest_source_goes() {
        let mut table = Table::new(4, 1);
        for (from, name) in [(B, 0), (A, 1), (A, 2)] {
            enter(&mut table, from, name);
        }
        assert_eq!(table.make_room(), None, "there is room");
        enter(&mut table, B, 3);
        enter(&mut table, A, 4);
        assert_eq!([table.make_room(), table.make_room()], [Some(1), Some(0)]);
        assert_eq!((table.len(), table.make_room()), (3, None));
    }

    #[test]
    fn those_who_have_spoken_are_not_given_up() {
        let mut table = Table::new(2, 1);
        waiting(&mut table, A, 0..1);
        assert!(!table.is_full());
        waiting(&mut table, B, 1..2);
        assert!(table.is_full());
        assert_eq!(table.make_room(), None);
        assert_eq!(table.first_waiting(), Some(&0));
        table.leave_waiting().unwrap();
        assert!(!table.is_full());
        assert_eq!(table.first_waiting(), Some(&1));
    }

    #[test]
    fn one_source_gets_half_of_the_slots() {
        let mut table = Table::new(100, 8);
        waiting(&mut table, A, 0..20);
        assert_eq!(turns(&mut table), [0, 1, 2, 3]);
        waiting(&mut table, B, 20..40);
        assert_eq!(turns(&mut table), [20, 21]);
        for source in 0..=3 {
            waiting(&mut table, &format!("10.1.0.{source}"), 40..41);
        }
        assert_eq!(turns(&mut table), [40, 40]);
    }

    #[test]
    fn a_slot_goes_to_whoever_holds_the_fewest() {
        let mut table = Table::new(100, 4);
        waiting(&mut table, A, 0..4);
        let (first, _) = table.take_slot().unwrap();
        waiting(&mut table, B, 4..5);
        assert_eq!(turns(&mut table), [4, 1]);
        table.leave_slot(first);
        assert_eq!(turns(&mut table), [2]);
    }

    #[test]
    fn nothing_is_left_of_those_who_left() {
        let mut table = Table::new(3, 2);
        let silent = enter(&mut table, A, 0);
        waiting(&mut table, A, 1..3);
        let (slot, _) = table.take_slot().unwrap();
        table.leave_silent(silent);
        table.leave_waiting().unwrap();
        table.leave_slot(slot);
        assert!(table.sources.is_empty() && table.silent.is_empty() && table.turns.is_empty());
        assert_eq!((table.len(), table.free_slots, table.waiting.len()), (0, 2, 0));
    }

    #[test]
    fn one_host_is_one_source() {
        let parsed = |text: &str| source(text.parse().unwrap());
        assert_eq!(parsed("2001:db8::1"), parsed("2001:db8::ffff:0:1:2"));
        assert_ne!(parsed("2001:db8::1"), parsed("2001:db8:0:1::1"));
        assert_eq!(parsed("::ffff:10.0.0.1"), parsed(A));
        assert_ne!(parsed(A), parsed(B));
    }
}
