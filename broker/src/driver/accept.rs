//! How conns get in.

use std::sync::Arc;

use rumormill_registry::Error as RegistryError;
use rumormill_transport_api::{
    Addr, AnyConn, AnyListener, AnyReader, AnyWriter, Backoff, Conn as Halves, Delivery, Listener,
    Result as CarrierResult, Transport, accept_next,
};
use tokio::time::{Instant, timeout};

use super::{Hub, conn::Conn, errands::Errands, session};
use crate::{CutReason, ListenError, ServeError, wire::RefusedWhy};

/// A conn's place in the table, which is free again when this is dropped; no topic knows of the conn
/// from then on.
pub(crate) struct Seat {
    pub(crate) hub: Arc<Hub>,
    pub(crate) conn: Arc<Conn>,
}

impl Hub {
    /// Listens, and serves who comes. Cancel-safe: nothing is bound unless it returns.
    pub(crate) async fn listen(self: &Arc<Self>, addr: &Addr) -> Result<Addr, ListenError> {
        let transport = self.registry.transport(addr.scheme())?;
        if transport.caps().delivery == Delivery::Datagram {
            return Err(ListenError::Datagram { addr: addr.clone() });
        }
        if self.is_stopping() {
            return Err(ListenError::Stopped);
        }
        let listener = transport.listen(addr).await.map_err(RegistryError::from)?;
        let bound = listener.addr().clone();
        let place = Place { hub: self.clone(), number: self.serial() };
        self.addresses().insert(place.number, bound.clone());
        match self.spawn(accept_all(place, listener)) {
            true => Ok(bound),
            false => Err(ListenError::Stopped),
        }
    }

    /// Serves a conn, if there is a place for it.
    pub(crate) fn admit(self: &Arc<Self>, conn: AnyConn) -> Result<(), ServeError> {
        let Halves { info, reader, writer } = conn;
        if info.caps.delivery == Delivery::Datagram {
            return Err(ServeError::Datagram);
        }
        if self.is_stopping() {
            return Err(ServeError::Stopped);
        }
        let most = self.limits().max_conns;
        let Some(conn) = self.table.enter(info.remote.clone(), most, Instant::now()) else {
            self.tally.refused.add(1);
            self.turn_away(reader, writer);
            return Err(ServeError::TooManyConns);
        };
        self.tally.accepted.add(1);
        let seat = Seat { hub: self.clone(), conn };
        match self.spawn(session::run(seat, info, reader, writer)) {
            true => Ok(()),
            false => Err(ServeError::Stopped),
        }
    }

    /// Tells somebody that there is no place, in the background, unless many are being told so.
    fn turn_away(&self, reader: AnyReader, writer: AnyWriter) {
        let Ok(permit) = self.farewells.clone().try_acquire_owned() else { return };
        self.spawn(async move {
            let farewell = session::refuse(RefusedWhy::TooManyConns, "", reader, writer);
            drop(timeout(session::LINGER, farewell).await);
            drop(permit);
        });
    }
}

/// An address that is listened on, until this is dropped.
struct Place {
    hub: Arc<Hub>,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.hub.addresses().remove(&self.number);
    }
}

/// A listener whose failures are counted when they happen.
struct Counted {
    inner: AnyListener,
    hub: Arc<Hub>,
}

impl Listener for Counted {
    type Reader = AnyReader;
    type Writer = AnyWriter;

    fn addr(&self) -> &Addr {
        self.inner.addr()
    }

    // Cancel-safe: nothing happens behind the await but counting.
    async fn accept(&mut self) -> CarrierResult<AnyConn> {
        self.inner.accept().await.inspect_err(|_| self.hub.tally.failed_accepts.add(1))
    }
}

/// Lets in whoever comes, until the broker stops.
async fn accept_all(place: Place, listener: AnyListener) {
    let (hub, mut backoff) = (&place.hub, Backoff::default());
    let mut listener = Counted { inner: listener, hub: hub.clone() };
    let mut stopping = hub.stopping.subscribe();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopping.wait_for(|is_stopping| *is_stopping) => break,
            accepted = accept_next(&mut listener, &mut backoff) => accepted,
        };
        let Ok(conn) = accepted else { break };
        // Whoever finds no place has been told.
        if let Err(error) = hub.admit(conn) {
            tracing::debug!(addr = %listener.addr(), %error, "a conn is not served");
        }
    }
}

impl Seat {
    /// Lets what the conn has published find room, after it has said that this was all.
    ///
    /// What it has subscribed to ends at once: it could not tell what it has seen. Cancel-safe.
    pub(crate) async fn outlive(&self) {
        let (slots, id) = (self.conn.slots(), self.conn.id);
        let mut errands = Errands::of(&self.hub);
        for slot in slots.iter().filter(|slot| self.conn.is_subscribed(slot)) {
            errands.with(slot, |state, now, out| state.topic.unsubscribe(now, id, out));
            self.conn.set_subscribed(slot, false);
        }
        drop(errands);
        for slot in slots {
            slot.until(|state| !state.topic.is_parking(id)).await;
        }
    }

    /// Has all topics forget the conn.
    pub(crate) fn vacate(&self) {
        let mut errands = Errands::of(&self.hub);
        for slot in self.conn.forgets_all() {
            errands.with(&slot, |state, now, out| state.topic.forget(now, self.conn.id, out));
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.hub.tally.cut(CutReason::Panicked);
        }
        self.vacate();
        self.hub.table.leave(self.conn.id);
    }
}
