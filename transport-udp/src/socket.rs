//! A bound socket and the task that reads it.

use std::{
    future::poll_fn,
    io, mem,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use quinn_udp::Transmit;
use rumormill_transport_api::{Counters, Result};
use tokio::task::{AbortHandle, yield_now};

use crate::{
    Settings,
    arrivals::Arrivals,
    conn::Seat,
    kernel,
    path::{self, Path},
    port::Port,
    switch::{Door, Row, Switch, Wakes},
};

/// A socket that is open as long as this is: its users share it in an `Arc`.
///
/// A task reads it, so that no conn depends on another one's owner to poll. The task waits for
/// nothing but the socket, and has three ends: this is dropped, its runtime is, or the socket
/// fails; the last two cut off all conns.
pub(crate) struct Socket {
    port: Arc<Port>,
    switch: Arc<Switch>,
    driver: AbortHandle,
    /// Room for messages that go together, which one writer after another uses.
    joined: Mutex<Vec<u8>>,
}

/// What became of datagrams that were to go together.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sent {
    /// They are gone, or lost.
    Gone,
    /// The system takes none of them in this way; each by itself it may.
    Apart,
}

impl Socket {
    pub(crate) fn open(
        at: SocketAddr,
        settings: Settings,
        counters: Arc<Counters>,
        door: Door,
    ) -> io::Result<Arc<Self>> {
        let port = Arc::new(Port::open(at, settings)?);
        let switch = Arc::new(Switch::new(port.clone(), settings, counters, door));
        let driver = tokio::spawn(drive(Driver(switch.clone()))).abort_handle();
        Ok(Arc::new(Self { port, switch, driver, joined: Mutex::default() }))
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.port.local()
    }

    pub(crate) fn switch(&self) -> &Switch {
        &self.switch
    }

    /// How many datagrams the system takes together.
    pub(crate) fn segments(&self) -> usize {
        self.port.segments()
    }

    pub(crate) fn dial(
        self: &Arc<Self>,
        to: SocketAddr,
        path: Path,
        limits: Settings,
    ) -> Result<Seat> {
        Ok(Seat::new(self.clone(), self.switch.dial(to, limits)?, path, limits))
    }

    pub(crate) fn poll_accept(
        self: &Arc<Self>,
        cx: &Context<'_>,
        limits: Settings,
    ) -> Poll<Result<Seat>> {
        self.switch.poll_accept(cx).map_ok(|row| self.seat_newcomer(row, limits))
    }

    /// Where the socket has many addresses, answers come from the one that the peer spoke to.
    fn seat_newcomer(self: &Arc<Self>, mut row: Row, limits: Settings) -> Seat {
        let mut local = self.local();
        row.here = row.here.filter(|here| local.ip().is_unspecified() && path::is_ours(*here));
        local.set_ip(row.here.unwrap_or_else(|| local.ip()));
        let path = Path::find(local, row.remote).unwrap_or_else(|_| Path::unknown(local));
        Seat::new(self.clone(), row, path, limits)
    }

    /// Sends one datagram, which may get lost at once, or several if the system takes them; fails
    /// only if it says that there is no way to the peer.
    ///
    /// Cancel-safe: what is sent when the future is dropped was not sent.
    pub(crate) async fn send(&self, transmit: &Transmit<'_>) -> Result<Sent> {
        let Err(error) = self.port.send(transmit).await else { return Ok(Sent::Gone) };
        let Transmit { destination: to, contents, .. } = transmit;
        tracing::debug!(%to, len = contents.len(), %error, "the system does not take a datagram");
        if transmit.segment_size.is_some() {
            return Ok(Sent::Apart);
        }
        if has_no_way(&error) && self.is_gone(*to, &error) {
            return Err(error.into());
        }
        self.switch.counters().messages_unsent.add(1);
        Ok(Sent::Gone)
    }

    /// Whether it is this way that is gone, and not another that an answer spoke of.
    fn is_gone(&self, to: SocketAddr, error: &io::Error) -> bool {
        !kernel::may_be_answer(error)
            || Path::find(self.local(), to).is_err_and(|error| has_no_way(&error))
    }

    /// Lends the room for messages that go together.
    pub(crate) fn take_room(&self) -> Vec<u8> {
        mem::take(&mut self.room())
    }

    /// Takes it back, in place of a smaller one.
    pub(crate) fn return_room(&self, mut lent: Vec<u8>) {
        let mut room = self.room();
        if room.capacity() < lent.capacity() {
            lent.clear();
            *room = lent;
        }
    }

    fn room(&self) -> MutexGuard<'_, Vec<u8>> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.switch.close();
        self.driver.abort();
    }
}

/// Whether the system says that there is no way to the peer, which the next message would meet too.
/// What else can go wrong (no buffer, a firewall, a path too narrow) concerns one message.
pub(crate) fn has_no_way(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::AddrNotAvailable
            | Kind::HostUnreachable
            | Kind::InvalidInput
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
            | Kind::Unsupported
    )
}

/// Ends the conns when the driver's task ends, whatever ends it.
struct Driver(Arc<Switch>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.fail();
    }
}

/// Reads until the socket is closed.
async fn drive(driver: Driver) {
    let (mut arrivals, mut wakes) = (Arrivals::new(), Wakes::default());
    let (mut failures, mut unread) = (0, 0);
    while let Some(routed) = poll_fn(|cx| driver.0.poll_route(cx, &mut arrivals, &mut wakes)).await
    {
        wakes.wake();
        match routed {
            Ok(count) => (failures, unread) = (0, unread + count),
            Err(error) if failures < FAILURES => {
                failures += 1;
                driver.0.counters().messages_unsent.add(1);
                tracing::debug!(%error, "receiving from a UDP socket failed");
            }
            Err(error) => {
                tracing::error!(%error, "a UDP socket is given up, as receiving keeps failing");
                return;
            }
        }
        // Readers on this thread get their turn before their queues are full.
        if TURN <= unread {
            unread = 0;
            yield_now().await;
        }
    }
}

/// Messages that are routed before others get their turn.
const TURN: usize = 128;
/// Failures in a row after which a socket is beyond hope.
const FAILURES: u32 = 1000;

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_a_way_that_is_gone_ends_a_writer() {
        let check = |errno: &[i32], expected: bool| {
            for errno in errno {
                let error = io::Error::from_raw_os_error(*errno);
                assert_eq!(has_no_way(&error), expected, "{error}");
            }
        };
        // ENETDOWN, ENETUNREACH, EHOSTUNREACH, EADDRNOTAVAIL, EINVAL
        check(&[100, 101, 113, 99, 22], true);
        // EPERM, EACCES, ENOMEM, EMSGSIZE, ENOBUFS, ECONNREFUSED, ECONNRESET, EINTR
        check(&[1, 13, 12, 90, 105, 111, 104, 4], false);
    }
}
