//! A bound socket and the task that reads it.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use rumormill_transport_api::{Counters, Result};
use socket2::{Domain, Protocol, Type};
use tokio::{net::UdpSocket, task::AbortHandle};

use crate::{
    Settings,
    conn::Seat,
    switch::{Door, Switch},
};

/// A socket that is open as long as this is: its users share it in an `Arc`.
///
/// A task reads it, so that no conn depends on another one's owner to poll. The task waits for
/// nothing but the socket, and has three ends: this is dropped, its runtime is, or the socket
/// fails; the last two cut off all conns.
pub(crate) struct Socket {
    io: Arc<UdpSocket>,
    switch: Arc<Switch>,
    driver: AbortHandle,
    local: SocketAddr,
}

impl Socket {
    pub(crate) fn open(
        at: SocketAddr,
        settings: Settings,
        counters: Arc<Counters>,
        door: Door,
    ) -> io::Result<Arc<Self>> {
        let io = Arc::new(bind(at, settings)?);
        let local = io.local_addr()?;
        let switch = Arc::new(Switch::new(io.clone(), settings, counters, door));
        let driver = tokio::spawn(drive(Driver(switch.clone()))).abort_handle();
        Ok(Arc::new(Self { io, switch, driver, local }))
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn switch(&self) -> &Switch {
        &self.switch
    }

    pub(crate) fn dial(self: &Arc<Self>, to: SocketAddr, limits: Settings) -> Result<Seat> {
        Ok(Seat::new(self.clone(), self.switch.dial(to, limits)?, limits))
    }

    pub(crate) fn poll_accept(
        self: &Arc<Self>,
        cx: &Context<'_>,
        limits: Settings,
    ) -> Poll<Result<Seat>> {
        let accepted = self.switch.poll_accept(cx);
        accepted.map_ok(|row| Seat::new(self.clone(), row, limits))
    }

    /// Sends one datagram, which may get lost at once; fails only if the system says that there is
    /// no way to the peer.
    ///
    /// Cancel-safe: a datagram whose future is dropped was not sent.
    pub(crate) async fn send(&self, message: &[u8], to: SocketAddr) -> Result<()> {
        let Err(error) = self.io.send_to(message, to).await else { return Ok(()) };
        if has_no_way(&error) {
            return Err(error.into());
        }
        self.switch.counters().messages_unsent.add(1);
        tracing::debug!(%to, len = message.len(), %error, "a datagram was not sent");
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.switch.close();
        self.driver.abort();
    }
}

fn bind(at: SocketAddr, settings: Settings) -> io::Result<UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if at.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Some(bytes) = settings.recv_buffer {
        socket.set_recv_buffer_size(bytes as usize)?;
    }
    if let Some(bytes) = settings.send_buffer {
        socket.set_send_buffer_size(bytes as usize)?;
    }
    // Without any option to reuse the address: for UDP that would let another process take it.
    socket.bind(&at.into())?;
    UdpSocket::from_std(socket.into())
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

/// Reads until the socket is closed. Tokio makes it yield after a hundred datagrams or so.
async fn drive(driver: Driver) {
    let mut buffer = vec![0; BUFFER];
    let mut failures = 0;
    while let Some(routed) = poll_fn(|cx| driver.0.poll_route(cx, &mut buffer)).await {
        match routed {
            Ok(wakes) => {
                failures = 0;
                wakes.wake();
            }
            // On some systems this is how the network answers to a datagram sent before.
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
    }
}

/// More than the longest datagram, in bytes, so none is ever truncated.
const BUFFER: usize = 64 << 10;
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
