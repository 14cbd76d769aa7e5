//! Things of conns: each at a place that stays the same, and found by its conn.

use std::collections::HashMap;

use super::ConnId;

/// One `T` for each of some conns.
#[derive(Debug)]
pub(super) struct Slab<T> {
    places: Vec<Option<T>>,
    vacant: Vec<u32>,
    by_conn: HashMap<ConnId, u32>,
}

impl<T> Slab<T> {
    pub(super) fn len(&self) -> usize {
        self.by_conn.len()
    }

    /// Where the conn's is.
    pub(super) fn find(&self, conn: ConnId) -> Option<u32> {
        self.by_conn.get(&conn).copied()
    }

    pub(super) fn get(&self, place: u32) -> Option<&T> {
        self.places.get(place as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        self.places.get_mut(place as usize)?.as_mut()
    }

    /// Adds the conn's, which must have none yet.
    pub(super) fn insert(&mut self, conn: ConnId, value: T) -> u32 {
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.places.push(None);
            (self.places.len() - 1) as u32
        });
        self.places[place as usize] = Some(value);
        self.by_conn.insert(conn, place);
        place
    }

    /// Takes the conn's away; its place may be another's afterwards.
    pub(super) fn remove(&mut self, conn: ConnId) -> Option<T> {
        let place = self.by_conn.remove(&conn)?;
        let value = self.places.get_mut(place as usize)?.take();
        match self.by_conn.is_empty() {
            true => *self = Self::default(),
            false => self.vacant.push(place),
        }
        value
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().flatten()
    }
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { places: Vec::new(), vacant: Vec::new(), by_conn: HashMap::new() }
    }
}
