//! The conns of a broker.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rumormill_transport_api::Addr;
use tokio::time::Instant;

use super::conn::Conn;
use crate::ConnId;

/// The conns of a broker, at most [`MOST`](Self::MOST).
#[derive(Default)]
pub(crate) struct Table(RwLock<Places>);

#[derive(Default)]
struct Places {
    /// A conn's place is the lower part of its id, so that it is found without a search.
    conns: Vec<Option<Arc<Conn>>>,
    free: Vec<usize>,
    serial: u64,
}

impl Table {
    pub(crate) const MOST: usize = 1 << PLACE_BITS;

    /// Enters a conn, unless there are `most` already.
    pub(crate) fn enter(&self, remote: Addr, most: usize, now: Instant) -> Option<Arc<Conn>> {
        let mut places = self.write();
        let count = places.conns.len() - places.free.len();
        if most.min(Self::MOST) <= count {
            return None;
        }
        let place = places.free.pop().unwrap_or(places.conns.len());
        places.serial += 1;
        let id = ConnId(places.serial << PLACE_BITS | place as u64);
        let conn = Arc::new(Conn::new(id, remote, now));
        match places.conns.get_mut(place) {
            Some(free) => *free = Some(conn.clone()),
            None => places.conns.push(Some(conn.clone())),
        }
        Some(conn)
    }

    pub(crate) fn leave(&self, id: ConnId) {
        let mut places = self.write();
        let place = place(id);
        if let Some(conn) = places.conns.get_mut(place)
            && conn.take_if(|conn| conn.id == id).is_some()
        {
            places.free.push(place);
        }
    }

    /// Looks several conns up.
    pub(crate) fn look(&self) -> Look<'_> {
        Look(self.read())
    }

    pub(crate) fn get(&self, id: ConnId) -> Option<Arc<Conn>> {
        self.look().get(id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Conn>> {
        self.read().conns.iter().flatten().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        let places = self.read();
        places.conns.len() - places.free.len()
    }

    fn read(&self) -> RwLockReadGuard<'_, Places> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Places> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The table, while it is looked at.
pub(crate) struct Look<'a>(RwLockReadGuard<'a, Places>);

impl Look<'_> {
    pub(crate) fn get(&self, id: ConnId) -> Option<&Arc<Conn>> {
        let conn = self.0.conns.get(place(id))?.as_ref()?;
        (conn.id == id).then_some(conn)
    }
}

fn place(id: ConnId) -> usize {
    (id.0 & (Table::MOST as u64 - 1)) as usize
}

const PLACE_BITS: u32 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_used_again_and_an_old_id_finds_nobody() {
        let (table, now) = (Table::default(), Instant::now());
        let enter = || table.enter("mem://a".parse().expect("an address"), 2, now);
        let (a, b) = (enter().expect("room"), enter().expect("room"));
        assert!(enter().is_none() && table.len() == 2);
        table.leave(a.id);
        table.leave(a.id);
        assert!(table.get(a.id).is_none() && table.get(b.id).is_some());
        let c = enter().expect("room");
        assert!(c.id != a.id && table.get(a.id).is_none() && table.len() == 2);
        assert_eq!(table.all().len(), 2);
    }
}
