//! Who can be found under which address.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use rumormill_transport_api::{Addr, Delivery, Result};
use tokio::time::Instant;

use crate::{
    datagram::Inbox,
    door::{Door, Key},
    place::Place,
};

/// The addresses of a network that are in use, each kind of delivery by itself.
#[derive(Debug, Default)]
pub(crate) struct Names {
    streams: BTreeMap<Box<str>, Arc<Door>>,
    sockets: BTreeMap<Box<str>, Socket>,
    numbers: u64,
}

/// An address of datagrams: perhaps a listener's, perhaps with conns.
#[derive(Debug, Default)]
pub(crate) struct Socket {
    pub(crate) door: Option<Arc<Door>>,
    /// By the address at the other end.
    pub(crate) seats: BTreeMap<Box<str>, Seat>,
}

/// A conn of datagrams, at one of its ends.
#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) inbox: Inbox,
    /// Where it waits, or waited, to be accepted.
    pub(crate) key: Option<Key>,
}

impl Names {
    /// Gives an address to a listener; tells whether it was free.
    pub(crate) fn bind(&mut self, door: &Arc<Door>) -> bool {
        let key = door.place.key();
        match door.settings.delivery {
            Delivery::Stream if self.streams.contains_key(key) => false,
            Delivery::Stream => self.streams.insert(key.into(), door.clone()).is_none(),
            Delivery::Datagram => {
                let socket = self.sockets.entry(key.into()).or_default();
                let is_free = socket.door.is_none();
                socket.door.get_or_insert_with(|| door.clone());
                is_free
            }
        }
    }

    /// Takes its address from a listener. Conns that it accepted keep it at their end.
    pub(crate) fn unbind(&mut self, door: &Door) {
        let key = door.place.key();
        match door.settings.delivery {
            Delivery::Stream => drop(self.streams.remove(key)),
            Delivery::Datagram => {
                if let Some(socket) = self.sockets.get_mut(key) {
                    socket.door = None;
                }
                self.sweep(key);
            }
        }
    }

    /// Who listens for streams.
    pub(crate) fn listener(&self, key: &str) -> Option<Arc<Door>> {
        self.streams.get(key).cloned()
    }

    /// Who receives datagrams.
    pub(crate) fn socket(&mut self, key: &str) -> Option<&mut Socket> {
        self.sockets.get_mut(key)
    }

    /// The place of a listener for datagrams of this transport instance.
    pub(crate) fn bound(&self, addr: &Addr, instance: u64) -> Result<Place> {
        let door = self.sockets.get(addr.rest()).and_then(|socket| socket.door.as_ref());
        match door.filter(|door| door.instance == instance) {
            Some(door) => Ok(door.place.clone()),
            None => Err(addr.malformed("is no listener for datagrams of this transport")),
        }
    }

    /// Gives an end to a conn of datagrams; tells whether there was none like it.
    pub(crate) fn sit(&mut self, local: &Place, remote: &Place, inbox: Inbox) -> bool {
        let socket = self.sockets.entry(local.key().into()).or_default();
        match socket.seats.entry(remote.key().into()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(Seat { inbox, key: None });
                true
            }
        }
    }

    /// Takes its end from a conn of datagrams.
    pub(crate) fn leave(&mut self, local: &Place, remote: &Place) {
        if let Some(socket) = self.sockets.get_mut(local.key()) {
            socket.seats.remove(remote.key());
        }
        self.sweep(local.key());
    }

    /// A place on `host` that nobody has had before.
    pub(crate) fn number(&mut self, host: &str) -> Result<Place> {
        loop {
            let place = Place::numbered(host, FIRST_NUMBER + self.numbers)?;
            self.numbers += 1;
            let key = place.key();
            if !self.streams.contains_key(key) && !self.sockets.contains_key(key) {
                return Ok(place);
            }
        }
    }

    fn sweep(&mut self, key: &str) {
        let is_idle = |socket: &Socket| socket.door.is_none() && socket.seats.is_empty();
        if self.sockets.get(key).is_some_and(is_idle) {
            self.sockets.remove(key);
        }
    }
}

impl Seat {
    /// Lets a conn that still waits at `door` be accepted by `first`.
    pub(crate) fn hasten(&mut self, door: Option<&Door>, first: Instant) {
        let (Some(door), Some(key)) = (door, self.key) else { return };
        if first < key.0 {
            door.hasten(key, (first, key.1));
            self.key = Some((first, key.1));
        }
    }
}

/// Where the ports begin that systems choose by themselves (RFC 6335, section 6). Here they do not
/// end, so that none is chosen twice.
const FIRST_NUMBER: u64 = 49_152;

#[cfg(test)]
mod tests {
    use rumormill_transport_api::{Batch, Listener, Target, Transport, Writer};

    use crate::{Mem, Network, Settings};

    #[tokio::test(start_paused = true)]
    async fn addresses_are_given_back() {
        let network = Network::new(1);
        let mem = Mem::new(network.clone(), Settings::default());
        for text in ["mem://b:0", "mem://b:0?delivery=datagram"] {
            let mut port = mem.listen(&text.parse().unwrap()).await.unwrap();
            let target = Target::new(port.addr().clone());
            let mut conns = Vec::new();
            for _ in 0..3 {
                let mut dialed = mem.dial(&target).await.unwrap();
                dialed.writer.send(&mut Batch::from_iter(["hello"])).await.unwrap();
                conns.push(dialed);
            }
            conns.push(port.accept().await.unwrap());
            drop(port);
            drop(conns);
        }
        let names = network.names();
        assert!(names.streams.is_empty() && names.sockets.is_empty(), "{names:?}");
    }
}
