//! Whom a socket talks to, and who has to go when there are too many; knows no socket and no clock.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
};

/// The conns of one socket, at most one for each remote address.
///
/// It holds at most `peers` conns, and at most `backlog` of them that nobody has accepted yet.
/// Every operation takes time logarithmic in their number, apart from the two that empty it. The
/// map's hashes are keyed at random, so that nobody can choose addresses that collide.
pub(crate) struct Table<T> {
    rows: HashMap<SocketAddr, Row<T>>,
    /// Those that were not dialled, in the order in which they were last heard from.
    heard: BTreeMap<Tick, SocketAddr>,
    /// Those of them that nobody has accepted yet, in the order in which they came.
    waiting: BTreeMap<Tick, SocketAddr>,
    now: Tick,
    peers: usize,
    backlog: usize,
}

/// When something happened, as a number of things that had happened before.
type Tick = u64;

/// Tells a conn from earlier and later ones with the same peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id(Tick);

struct Row<T> {
    conn: T,
    id: Id,
    /// `None`: dialled, and so never evicted.
    heard: Option<Tick>,
}

/// Why a dial gets no row.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// All rows are taken by dialled conns.
    Full,
    /// There is a conn with this peer already.
    Known,
}

/// No row is free, and all conns were dialled.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<T> Table<T> {
    pub(crate) fn new(peers: usize, backlog: usize) -> Self {
        Self {
            rows: HashMap::new(),
            heard: BTreeMap::new(),
            waiting: BTreeMap::new(),
            now: 0,
            peers,
            backlog,
        }
    }

    /// The conn with `from`, which was heard from just now.
    pub(crate) fn hear(&mut self, from: SocketAddr) -> Option<&T> {
        let row = self.rows.get_mut(&from)?;
        if let Some(heard) = &mut row.heard {
            self.now += 1;
            self.heard.remove(heard);
            self.heard.insert(self.now, from);
            *heard = self.now;
        }
        Some(&row.conn)
    }

    /// Adds a peer that came by itself and is not known; returns the conn that it displaced.
    pub(crate) fn greet(&mut self, from: SocketAddr, conn: T) -> Result<Option<T>, Full> {
        let evicted = match self.waiting.first_key_value() {
            Some((_, oldest)) if self.backlog <= self.waiting.len() => self.take(*oldest),
            _ => self.make_room()?,
        };
        let id = self.enter(from, conn, Some(self.now + 1));
        self.heard.insert(self.now, from);
        self.waiting.insert(id.0, from);
        Ok(evicted)
    }

    /// Adds a peer that is dialled; returns the conn that it displaced.
    pub(crate) fn dial(&mut self, to: SocketAddr, conn: T) -> Result<(Id, Option<T>), Refusal> {
        if self.rows.contains_key(&to) {
            return Err(Refusal::Known);
        }
        let evicted = self.make_room().map_err(|Full| Refusal::Full)?;
        Ok((self.enter(to, conn, None), evicted))
    }

    /// The conn that has waited longest to be accepted, and now is.
    pub(crate) fn accept(&mut self) -> Option<(SocketAddr, Id, &T)> {
        let (_, from) = self.waiting.pop_first()?;
        let row = self.rows.get(&from).expect("invariant: who waits has a row");
        Some((from, row.id, &row.conn))
    }

    /// Removes a conn, unless it went before; another one with the same peer stays.
    pub(crate) fn leave(&mut self, remote: SocketAddr, id: Id) -> Option<T> {
        self.rows.get(&remote).filter(|row| row.id == id)?;
        self.take(remote)
    }

    /// Removes the conn with this peer, whichever it is.
    pub(crate) fn end(&mut self, remote: SocketAddr) -> Option<T> {
        self.take(remote)
    }

    /// Removes all conns that nobody has accepted.
    pub(crate) fn dismiss(&mut self) -> Vec<T> {
        let waiting: Vec<SocketAddr> = self.waiting.values().copied().collect();
        waiting.into_iter().filter_map(|from| self.take(from)).collect()
    }

    /// Removes all conns.
    pub(crate) fn clear(&mut self) -> Vec<T> {
        self.heard.clear();
        self.waiting.clear();
        self.rows.drain().map(|(_, row)| row.conn).collect()
    }

    fn make_room(&mut self) -> Result<Option<T>, Full> {
        if self.rows.len() < self.peers {
            return Ok(None);
        }
        let (_, silent) = self.heard.first_key_value().ok_or(Full)?;
        Ok(self.take(*silent))
    }

    fn enter(&mut self, remote: SocketAddr, conn: T, heard: Option<Tick>) -> Id {
        self.now += 1;
        let id = Id(self.now);
        self.rows.insert(remote, Row { conn, id, heard });
        id
    }

    fn take(&mut self, remote: SocketAddr) -> Option<T> {
        let Row { conn, id, heard } = self.rows.remove(&remote)?;
        self.waiting.remove(&id.0);
        if let Some(heard) = heard {
            self.heard.remove(&heard);
        }
        Some(conn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], number))
    }

    /// A table whose conns are the numbers of their peers.
    fn table(peers: usize, backlog: usize) -> Table<u16> {
        Table::new(peers, backlog)
    }

    fn greet(table: &mut Table<u16>, number: u16) -> Option<u16> {
        let evicted = table.greet(peer(number), number).unwrap();
        check(table);
        evicted
    }

    fn dial(table: &mut Table<u16>, number: u16) -> Id {
        table.dial(peer(number), number).unwrap().0
    }

    /// What holds whatever happened.
    fn check(table: &Table<u16>) {
        assert!(table.rows.len() <= table.peers && table.waiting.len() <= table.backlog);
        let ticks = table.rows.values().filter_map(|row| row.heard);
        assert_eq!(ticks.count(), table.heard.len());
        assert!(table.heard.iter().all(|(tick, at)| table.rows[at].heard == Some(*tick)));
        assert!(table.waiting.iter().all(|(tick, at)| table.rows[at].id == Id(*tick)));
    }

    #[test]
    fn a_full_table_gives_up_the_conn_heard_from_least_recently() {
        let mut table = table(3, 9);
        for number in 1..=3 {
            assert_eq!(greet(&mut table, number), None);
        }
        assert_eq!(table.hear(peer(1)), Some(&1));
        assert_eq!(greet(&mut table, 4), Some(2));
        assert_eq!(greet(&mut table, 5), Some(3));
        assert_eq!(greet(&mut table, 6), Some(1));
        assert_eq!(table.hear(peer(2)), None);
    }

    #[test]
    fn a_dialled_conn_is_never_given_up() {
        let mut table = table(2, 2);
        dial(&mut table, 1);
        greet(&mut table, 2);
        assert_eq!(greet(&mut table, 3), Some(2));
        assert_eq!(table.dial(peer(4), 4).unwrap().1, Some(3));
        assert_eq!(table.greet(peer(5), 5), Err(Full));
        assert_eq!(table.dial(peer(5), 5), Err(Refusal::Full));
        assert_eq!(table.hear(peer(1)), Some(&1));
        assert_eq!(table.hear(peer(4)), Some(&4));
        check(&table);
    }

    #[test]
    fn a_peer_has_one_conn() {
        let mut table = table(4, 4);
        let id = dial(&mut table, 1);
        greet(&mut table, 2);
        assert_eq!(table.dial(peer(1), 9), Err(Refusal::Known));
        assert_eq!(table.dial(peer(2), 9), Err(Refusal::Known));
        assert_eq!(table.leave(peer(1), id), Some(1));
        dial(&mut table, 1);
        assert_eq!(table.leave(peer(1), id), None);
        check(&table);
    }

    #[test]
    fn newcomers_are_accepted_in_order_and_the_oldest_gives_way() {
        let mut table = table(10, 2);
        greet(&mut table, 1);
        greet(&mut table, 2);
        // To speak again does not help those who wait: anybody can do it.
        table.hear(peer(1));
        assert_eq!(greet(&mut table, 3), Some(1));
        let (at, id, conn) = table.accept().unwrap();
        assert_eq!((at, *conn), (peer(2), 2));
        assert_eq!(greet(&mut table, 4), None);
        assert_eq!(table.dismiss(), [3, 4]);
        assert!(table.accept().is_none());
        check(&table);
        assert_eq!(table.leave(at, id), Some(2));
        assert!(table.rows.is_empty() && table.heard.is_empty());
    }

    #[test]
    fn a_flood_of_newcomers_takes_places_only_as_fast_as_they_are_accepted() {
        let mut table = table(100, 10);
        for number in 0..90 {
            greet(&mut table, number);
            table.accept().unwrap();
        }
        for number in 1000..21_000 {
            table.greet(peer(number), number).unwrap();
        }
        check(&table);
        assert!((0..90).all(|number| table.hear(peer(number)).is_some()));
        assert_eq!(table.clear().len(), 100);
        check(&table);
    }
}
