//! The sockets of one transport instance, and which of them leads to a peer.

use std::{
    collections::HashMap,
    io::{self, ErrorKind as Kind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use rumormill_transport_api::{Addr, Error, HostPort, Result, Target};

use crate::{
    path::Path,
    socket::{Socket, has_no_way},
    switch::canonical,
};

/// The sockets that dials go out of.
#[derive(Default)]
pub(crate) struct Sockets {
    own: Mutex<Own>,
    /// By the address that they are bound to. Each that is added removes all that are gone.
    listening: Mutex<HashMap<SocketAddr, Weak<Socket>>>,
}

/// Those that only dial, each opened by the first dial that needs it.
#[derive(Default)]
struct Own {
    v4: Option<Arc<Socket>>,
    v6: Option<Arc<Socket>>,
}

/// The way to a peer.
pub(crate) struct Route {
    pub(crate) socket: Arc<Socket>,
    pub(crate) remote: SocketAddr,
    pub(crate) path: Path,
}

impl Sockets {
    pub(crate) fn add_listener(&self, socket: &Arc<Socket>) {
        let mut listening = lock(&self.listening);
        listening.retain(|_, socket| 0 < socket.strong_count());
        listening.insert(canonical(socket.local()), Arc::downgrade(socket));
    }

    /// The way to the first of `remotes` that there is a way to. `open` opens a socket for dials
    /// that is bound to an address.
    pub(crate) fn route(
        &self,
        target: &Target,
        remotes: &[SocketAddr],
        open: impl Fn(SocketAddr) -> io::Result<Arc<Socket>>,
    ) -> Result<Route> {
        match &target.from {
            None => first(target, remotes, |remote| lock(&self.own).socket_for(remote, &open)),
            Some(from) => {
                let socket = self.listener(from)?;
                let fitting = of_family(&socket, remotes);
                match fitting.is_empty() {
                    true => Err(target.of_another_family(from)),
                    false => first(target, &fitting, |_| Ok(socket.clone())),
                }
            }
        }
    }

    fn listener(&self, from: &Addr) -> Result<Arc<Socket>> {
        let HostPort::Socket(local) = HostPort::parse(from)? else {
            return Err(Target::unknown_from(from));
        };
        let socket = lock(&self.listening).get(&canonical(local)).and_then(Weak::upgrade);
        socket
            .filter(|socket| socket.switch().is_listening())
            .ok_or_else(|| Target::unknown_from(from))
    }
}

impl Own {
    fn socket_for(
        &mut self,
        remote: SocketAddr,
        open: impl Fn(SocketAddr) -> io::Result<Arc<Socket>>,
    ) -> io::Result<Arc<Socket>> {
        let (slot, anywhere) = match remote {
            SocketAddr::V4(_) => (&mut self.v4, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))),
            SocketAddr::V6(_) => (&mut self.v6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))),
        };
        // One whose runtime was shut down is of no use in the next.
        if let Some(socket) = slot.as_ref().filter(|socket| socket.switch().is_driven()) {
            return Ok(socket.clone());
        }
        let socket = open(anywhere)?;
        Ok(slot.insert(socket).clone())
    }
}

fn first(
    target: &Target,
    remotes: &[SocketAddr],
    socket_for: impl Fn(SocketAddr) -> io::Result<Arc<Socket>>,
) -> Result<Route> {
    let mut failure = None;
    for &remote in remotes {
        match socket_for(remote).and_then(|socket| route(socket, remote)) {
            Ok(route) => return Ok(route),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let source = failure.unwrap_or_else(|| Kind::AddrNotAvailable.into());
    match has_no_way(&source) {
        true => Err(Error::Unreachable { addr: target.addr.clone(), source }),
        false => Err(Error::io(format!("dialling {}", target.addr), source)),
    }
}

fn route(socket: Arc<Socket>, remote: SocketAddr) -> io::Result<Route> {
    let path = match Path::find(socket.local(), remote) {
        Ok(path) => path,
        Err(error) if has_no_way(&error) || error.kind() == Kind::PermissionDenied => {
            return Err(error);
        }
        // Without a descriptor to ask with, the address as bound has to do.
        Err(_) => Path::unknown(socket.local()),
    };
    Ok(Route { socket, remote, path })
}

fn of_family(socket: &Socket, remotes: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_v4 = socket.local().is_ipv4();
    remotes.iter().copied().filter(|remote| remote.is_ipv4() == is_v4).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
