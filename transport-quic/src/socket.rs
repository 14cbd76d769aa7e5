//! A bound socket, and the connections over it.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use quinn::{Endpoint, ServerConfig, TokioRuntime};
use rumormill_transport_api::{Addr, Result};
use socket2::{Domain, Protocol, Type};

use crate::{FACTORY, Settings, config, links::Links, restart::ResetSecret};

/// A socket, which stays open as long as this is held, or a connection over it lives.
pub(crate) struct Socket {
    endpoint: Endpoint,
    local: SocketAddr,
    links: Links,
}

impl Socket {
    /// Binds `at`. Only with `server` does it accept anything.
    pub(crate) fn open(
        at: SocketAddr,
        settings: &Settings,
        resets: &ResetSecret,
        server: Option<ServerConfig>,
    ) -> io::Result<Self> {
        let socket = bind(at, settings)?;
        let local = socket.local_addr()?;
        let config = config::endpoint(settings, resets.key(local))?;
        let endpoint = Endpoint::new(config, server, socket, Arc::new(TokioRuntime))?;
        Ok(Self { endpoint, local, links: Links::default() })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// Whether its task runs, for a socket that only dials: it ends with its runtime, and without
    /// it nothing moves.
    pub(crate) fn is_driven(&self) -> bool {
        // Nothing arrives here, so `accept` has nothing to tell but the end of the task.
        let mut context = Context::from_waker(Waker::noop());
        !matches!(pin!(self.endpoint.accept()).poll(&mut context), Poll::Ready(None))
    }
}

/// An address of this transport.
pub(crate) fn addr(end: SocketAddr) -> Result<Addr> {
    Addr::new(FACTORY.scheme, &end.to_string())
}

/// The address that packets to `remote` will come from out of a socket that is bound to `local`, if
/// there is a way there at all.
///
/// To connect a datagram socket asks the system for the way, and sends nothing.
pub(crate) fn source_towards(local: SocketAddr, remote: SocketAddr) -> io::Result<SocketAddr> {
    if !local.ip().is_unspecified() {
        return Ok(local);
    }
    // Without a descriptor to ask with, the address as bound has to do.
    let Ok(probe) = std::net::UdpSocket::bind((local.ip(), 0)) else { return Ok(local) };
    probe.connect(remote)?;
    let mut source = probe.local_addr()?;
    source.set_port(local.port());
    Ok(source)
}

fn bind(at: SocketAddr, settings: &Settings) -> io::Result<std::net::UdpSocket> {
    let socket = socket2::Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
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
    Ok(socket.into())
}
