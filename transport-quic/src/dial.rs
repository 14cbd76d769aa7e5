//! From a target to a conn.

use std::{io, net::SocketAddr, sync::Arc};

use rumormill_transport_api::{Addr, Error, HostPort, Result, Target, race::race};

use crate::{
    Inner, QuicConn,
    conn::conn,
    failure,
    link::Link,
    links::{Attempt, Peer},
    resolve,
    socket::{Socket, addr, source_towards},
};

/// Cancel-safe: what was opened for it alone is closed.
pub(crate) async fn dial(inner: &Arc<Inner>, target: &Target) -> Result<QuicConn> {
    let settings = inner.settings.with_dialled(target.addr.options())?;
    let host_port = HostPort::parse_to_dial(&target.addr)?;
    let mut remotes = resolve::to_dial(&target.addr, &host_port).await?;
    let socket = inner.sockets.named(target, &mut remotes)?;
    let way = Arc::new(Way { inner: inner.clone(), target: target.clone(), socket, host_port });
    let (link, server_name) = race(remotes, move |remote| connect(way.clone(), remote)).await?;
    let proof = inner.tls.proof_of_listener(target, &server_name, &link.shown())?;
    let streams = link.open().ok_or_else(|| busy(&target.addr))?;
    let streams = streams.map_err(|error| failure::of_dial(&target.addr, &error))?;
    Ok(conn(&link, streams, target.addr.clone(), proof, &settings))
}

/// What the attempts at the addresses of one target share.
struct Way {
    inner: Arc<Inner>,
    target: Target,
    socket: Option<Arc<Socket>>,
    host_port: HostPort,
}

/// The link to `remote`, and the name that TLS knows it by.
async fn connect(way: Arc<Way>, remote: SocketAddr) -> Result<(Arc<Link>, Box<str>)> {
    let host = match &way.host_port {
        HostPort::Name { host, .. } => host.to_string(),
        HostPort::Socket(socket) => socket.ip().to_string(),
    };
    let target = &way.target;
    let server_name = way.inner.tls.server_name(target, &host, remote)?;
    let socket = way.socket_for(remote)?;
    let expect = target.expect.clone();
    let peer = Peer { remote, expect, server_name: server_name.into() };
    let linked = socket.links().get(&peer, || begin(&way, &socket, &peer)).await?;
    match linked {
        Ok(link) => Ok((link, peer.server_name)),
        Err(error) => Err(failure::of_dial(&target.addr, &error)),
    }
}

fn begin(way: &Way, socket: &Socket, peer: &Peer) -> Result<Arc<Attempt>> {
    let local = source_towards(socket.local(), peer.remote)
        .map_err(|source| Error::Unreachable { addr: way.target.addr.clone(), source })?;
    let client = way.inner.client.clone();
    let connecting = socket.endpoint().connect_with(client, peer.remote, &peer.server_name);
    let connecting = connecting.map_err(|error| failure::of_connect(&way.target.addr, &error))?;
    Ok(Attempt::begin(connecting, addr(local)?, way.inner.settings.handshake))
}

impl Way {
    fn socket_for(&self, remote: SocketAddr) -> Result<Arc<Socket>> {
        match &self.socket {
            Some(socket) => Ok(socket.clone()),
            None => {
                let Inner { settings, resets, sockets, .. } = &*self.inner;
                let open = |at| Socket::open(at, settings, resets, None);
                sockets.own(remote, open).map_err(|source| self.unusable(source))
            }
        }
    }

    fn unusable(&self, source: io::Error) -> Error {
        Error::io(format!("dialling {}", self.target.addr), source)
    }
}

fn busy(addr: &Addr) -> Error {
    Error::Busy { what: format!("the connection to {addr}").into() }
}
