//! Opening conns.

use std::{io, sync::Arc};

use rumormill_transport_api::{Error, Info, Result, Target};
use tokio::{task::coop, time::Instant};

use crate::{
    EventKind, Mem, MemConn, Settings,
    cable::Cable,
    datagram::{self, Claim, DatagramWriter, Inbox},
    door::Refusal,
    pipe::Pipe,
    place::Place,
    stream,
};

/// Opens a conn of datagrams: the peer learns of it with the first message.
pub(crate) fn datagram(mem: &Mem, target: &Target, settings: &Settings) -> Result<MemConn> {
    let remote = Place::parse_to_dial(&target.addr, &settings.host)?;
    let remote = mem.named(remote, settings.delivery)?;
    let local = match &target.from {
        Some(from) => mem.network.names().bound(from, mem.instance)?,
        None => mem.network.names().number(&settings.host)?,
    };
    let call = Call::new(mem, target, settings, local, remote);
    call.sit()
}

/// Opens a stream, which takes a round trip.
pub(crate) async fn stream(mem: &Mem, target: &Target, settings: &Settings) -> Result<MemConn> {
    target.refuse_from()?;
    let remote = Place::parse_to_dial(&target.addr, &settings.host)?;
    let local = mem.network.names().number(&settings.host)?;
    let call = Call::new(mem, target, settings, local, remote);
    // A loop that only dials would let nobody accept.
    coop::consume_budget().await;
    call.out.crossed().await;
    // Cancel-safe: if the future is dropped from here on, our end of the conn is dropped too.
    let answer = call.knock();
    call.back.crossed().await;
    answer
}

/// A dial on its way.
struct Call<'a> {
    mem: &'a Mem,
    target: &'a Target,
    settings: &'a Settings,
    local: Place,
    remote: Place,
    conn: u64,
    out: Arc<Cable>,
    back: Arc<Cable>,
}

impl<'a> Call<'a> {
    fn new(
        mem: &'a Mem,
        target: &'a Target,
        settings: &'a Settings,
        local: Place,
        remote: Place,
    ) -> Self {
        let now = Instant::now();
        let conn = mem.network.next_conn(now);
        let out = mem.network.cable(&local.host, &remote.host);
        let back = mem.network.cable(&remote.host, &local.host);
        out.note(conn, now, EventKind::Dialed);
        Self { mem, target, settings, local, remote, conn, out, back }
    }

    /// Takes an end of a conn of datagrams.
    fn sit(self) -> Result<MemConn> {
        let pipe = Pipe::new(self.conn, self.back.clone(), self.settings.window);
        let inbox = Inbox::new(pipe, self.settings, self.mem.counters.clone());
        let network = self.mem.network.clone();
        if !network.names().sit(&self.local, &self.remote, inbox.clone()) {
            return Err(busy(format!("the conn from {} to {}", self.local.addr, self.remote.addr)));
        }
        let caps = self.settings.caps();
        let info = Info::new(self.local.addr.clone(), self.remote.addr.clone(), caps);
        let writer = DatagramWriter {
            claim: Arc::new(Claim { network, local: self.local, remote: self.remote }),
            conn: self.conn,
            out: self.out,
            back: self.back,
            counters: self.mem.counters.clone(),
        };
        Ok(datagram::end(info, &inbox, writer))
    }

    /// Asks the listener for a stream, when the question has arrived there.
    fn knock(&self) -> Result<MemConn> {
        let door = self.mem.network.names().listener(self.remote.key());
        let Some(door) = door else { return Err(self.refused(Refusal::Closed)) };
        let max_message = self.settings.max_message.min(door.settings.max_message);
        let caps = Settings::CAPS.with_max_message(max_message);
        let there = Pipe::new(self.conn, self.out.clone(), door.settings.window);
        let here = Pipe::new(self.conn, self.back.clone(), self.settings.window);
        let (local, remote) = (&self.local.addr, &door.place.addr);
        let info = Info::new(remote.clone(), local.clone(), caps);
        let admitted = door.admit((Instant::now(), self.conn), || stream::end(info, &there, &here));
        admitted.map_err(|refusal| self.refused(refusal))?;
        Ok(stream::end(Info::new(local.clone(), remote.clone(), caps), &here, &there))
    }

    fn refused(&self, refusal: Refusal) -> Error {
        self.out.note(self.conn, Instant::now(), EventKind::Refused);
        match refusal {
            Refusal::Closed => Error::Unreachable {
                addr: self.target.addr.clone(),
                source: io::Error::new(io::ErrorKind::ConnectionRefused, NOBODY),
            },
            Refusal::Full => busy(format!("the listener at {}", self.remote.addr)),
        }
    }
}

const NOBODY: &str = "nobody in this process listens there, and mem reaches no other process";

fn busy(what: String) -> Error {
    Error::Busy { what: what.into() }
}
