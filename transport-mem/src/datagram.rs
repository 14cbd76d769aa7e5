//! Datagrams: each message by itself, without an end.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use rumormill_transport_api::{Batch, Conn, Counters, Info};
use tokio::{task::coop, time::Instant};

use crate::{
    EventKind, MemConn, Network, Settings,
    cable::Cable,
    door::{Door, Refusal},
    names::Seat,
    pipe::{Landing, Pipe},
    place::Place,
    reader::{MemReader, Parting},
    wire::Flight,
    writer::{Carrier, MemWriter},
};

/// One end of a conn: where its messages arrive.
pub(crate) fn end(info: Info, inbox: &Inbox, writer: DatagramWriter) -> MemConn {
    let parting = Parting::Datagram(writer.claim.clone());
    let writer = MemWriter::new(Carrier::Datagram(writer), info.caps.max_message);
    Conn { info, reader: MemReader::new(inbox.pipe.clone(), parting), writer }
}

/// Where datagrams for one conn arrive.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    pipe: Arc<Pipe>,
    max_message: usize,
    counters: Arc<Counters>,
}

/// The right of a conn to its two addresses, given back when it is dropped.
pub(crate) struct Claim {
    pub(crate) network: Network,
    pub(crate) local: Place,
    pub(crate) remote: Place,
}

/// What sends datagrams. Nothing ever waits in it.
pub(crate) struct DatagramWriter {
    pub(crate) claim: Arc<Claim>,
    pub(crate) conn: u64,
    /// To the peer.
    pub(crate) out: Arc<Cable>,
    /// From the peer.
    pub(crate) back: Arc<Cable>,
    pub(crate) counters: Arc<Counters>,
}

/// Why a datagram finds no inbox.
enum Astray {
    /// Too many conns wait at the listener, which counts it here.
    Crowded(Arc<Counters>),
    /// Nobody has the address.
    Nobody,
}

impl Inbox {
    pub(crate) fn new(pipe: Arc<Pipe>, settings: &Settings, counters: Arc<Counters>) -> Self {
        Self { pipe, max_message: settings.caps().max_message, counters }
    }

    fn receive(&self, message: Bytes, at: Instant, now: Instant) {
        let len = message.len();
        let landing = match self.max_message < len {
            true => Landing::Gone,
            false => self.pipe.land(message, at),
        };
        let (counter, kind) = match landing {
            Landing::Queued => return,
            Landing::Full => (&self.counters.messages_overflowed, EventKind::Overflowed { len }),
            Landing::Gone => (&self.counters.messages_rejected, EventKind::Rejected { len }),
        };
        counter.add(1);
        self.pipe.note(now, kind);
    }
}

impl DatagramWriter {
    pub(crate) async fn send(&mut self, batch: &mut Batch) {
        self.send_all(batch, Instant::now());
        batch.clear();
        // A loop that only sends would let no reader run.
        coop::consume_budget().await;
    }

    pub(crate) fn close(&mut self) {
        self.note(Instant::now(), EventKind::Closed);
    }

    fn send_all(&self, batch: &Batch, now: Instant) {
        let flights = self.throw_all(batch, now);
        let Some(first) = flights.iter().flat_map(|(flight, _)| flight.arrivals()).min() else {
            return;
        };
        let inbox = self.inbox(first);
        for (flight, message) in flights {
            match &inbox {
                Ok(inbox) => flight
                    .arrivals()
                    .for_each(|arrival| inbox.receive(message.clone(), arrival, now)),
                Err(astray) => self.count(astray, message.len(), now),
            }
        }
    }

    /// Puts all messages on the wire; returns those that are not lost.
    fn throw_all(&self, batch: &Batch, now: Instant) -> Vec<(Flight, Bytes)> {
        let mut line = self.out.lock();
        let messages = batch.iter().filter_map(|message| {
            let len = message.len();
            self.note(now, EventKind::Sent { len });
            let flight = line.wire.throw(now, len);
            self.note_flight(flight, len, now);
            Some((flight?, message.to_bytes()))
        });
        messages.collect()
    }

    fn note_flight(&self, flight: Option<Flight>, len: usize, now: Instant) {
        let Some(flight) = flight else { return self.note(now, EventKind::Lost { len }) };
        if !flight.delay.is_zero() {
            self.note(now, EventKind::Delayed { by: flight.delay });
        }
        if flight.copy.is_some() {
            self.note(now, EventKind::Duplicated { len });
        }
    }

    /// Where the peer receives, the first datagram at `first`. At a listener this may be a new
    /// conn.
    fn inbox(&self, first: Instant) -> Result<Inbox, Astray> {
        let Claim { network, local, remote } = &*self.claim;
        let mut names = network.names();
        let socket = names.socket(remote.key()).ok_or(Astray::Nobody)?;
        if let Some(seat) = socket.seats.get_mut(local.key()) {
            seat.hasten(socket.door.as_deref(), first);
            return Ok(seat.inbox.clone());
        }
        let door = socket.door.clone().ok_or(Astray::Nobody)?;
        let pipe = Pipe::new(self.conn, self.out.clone(), door.settings.window);
        let inbox = Inbox::new(pipe, &door.settings, door.counters.clone());
        match door.admit((first, self.conn), || self.mirrored(&door, &inbox)) {
            Ok(()) => (),
            Err(Refusal::Full) => return Err(Astray::Crowded(door.counters.clone())),
            Err(Refusal::Closed) => return Err(Astray::Nobody),
        }
        let seat = Seat { inbox: inbox.clone(), key: Some((first, self.conn)) };
        socket.seats.insert(local.key().into(), seat);
        Ok(inbox)
    }

    /// The peer's end of this conn.
    fn mirrored(&self, door: &Door, inbox: &Inbox) -> MemConn {
        let Claim { network, local, .. } = &*self.claim;
        let claim =
            Claim { network: network.clone(), local: door.place.clone(), remote: local.clone() };
        let info = Info::new(door.place.addr.clone(), local.addr.clone(), door.settings.caps());
        let writer = Self {
            claim: Arc::new(claim),
            conn: self.conn,
            out: self.back.clone(),
            back: self.out.clone(),
            counters: door.counters.clone(),
        };
        end(info, inbox, writer)
    }

    fn count(&self, astray: &Astray, len: usize, now: Instant) {
        let (counter, kind) = match astray {
            Astray::Crowded(counters) => (&counters.messages_rejected, EventKind::Rejected { len }),
            Astray::Nobody => (&self.counters.messages_unsent, EventKind::Unsent { len }),
        };
        counter.add(1);
        self.note(now, kind);
    }

    fn note(&self, now: Instant, kind: EventKind) {
        self.out.note(self.conn, now, kind);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.network.names().leave(&self.local, &self.remote);
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim").field("local", &self.local).field("remote", &self.remote).finish()
    }
}
