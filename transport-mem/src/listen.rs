//! Accepting conns.

use std::{fmt, sync::Arc};

use rumormill_transport_api::{Addr, Error, Listener, Result};
use tokio::{task::coop, time::Instant};

use crate::{
    EventKind, Mem, MemConn, Network, Settings,
    door::Door,
    place::Place,
    reader::MemReader,
    wait::{Due, wait},
    writer::MemWriter,
};

/// Takes an address, and waits for conns there.
pub(crate) fn bind(mem: &Mem, addr: &Addr, settings: Settings) -> Result<MemPort> {
    let mut names = mem.network.names();
    let place = match Place::parse(addr, &settings.host)? {
        open if open.is_open() => names.number(&open.host)?,
        place => place,
    };
    let place = mem.named(place, settings.delivery)?;
    let door = Arc::new(Door::new(place, settings, mem.counters.clone(), mem.instance));
    match names.bind(&door) {
        true => Ok(MemPort { network: mem.network.clone(), door }),
        false => Err(Error::InUse { addr: addr.clone() }),
    }
}

/// The [`Listener`] of a [`Mem`] transport.
pub struct MemPort {
    network: Network,
    door: Arc<Door>,
}

impl Listener for MemPort {
    type Reader = MemReader;
    type Writer = MemWriter;

    fn addr(&self) -> &Addr {
        &self.door.place.addr
    }

    async fn accept(&mut self) -> Result<MemConn> {
        coop::consume_budget().await;
        loop {
            let now = Instant::now();
            // Cancel-safe: a conn leaves the door without an await behind it.
            match self.door.next(now) {
                Due::Now(conn) => {
                    conn.reader.pipe().note(now, EventKind::Accepted);
                    return Ok(conn);
                }
                Due::Later(until) => wait(&self.door.arrived, until).await,
            }
        }
    }
}

impl Drop for MemPort {
    fn drop(&mut self) {
        self.network.names().unbind(&self.door);
        // Conns that nobody accepted end here, when no lock is held that their ends need.
        drop(self.door.close());
    }
}

impl fmt::Debug for MemPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemPort").field("addr", self.addr()).finish_non_exhaustive()
    }
}
