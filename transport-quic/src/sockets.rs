//! The sockets of one transport instance, and which of them a dial goes out of.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use rumormill_transport_api::{Addr, HostPort, Result, Target};

use crate::{resolve::canonical, socket::Socket};

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

impl Sockets {
    pub(crate) fn add_listener(&self, socket: &Arc<Socket>) {
        let mut listening = lock(&self.listening);
        listening.retain(|_, socket| 0 < socket.strong_count());
        listening.insert(socket.local(), Arc::downgrade(socket));
    }

    /// The listener's socket that `target` is to be dialled from, if it names one. `remotes` keeps
    /// the addresses that can be dialled from there.
    pub(crate) fn named(
        &self,
        target: &Target,
        remotes: &mut VecDeque<SocketAddr>,
    ) -> Result<Option<Arc<Socket>>> {
        let Some(from) = &target.from else { return Ok(None) };
        let socket = self.listener(from)?;
        remotes.retain(|remote| remote.is_ipv4() == socket.local().is_ipv4());
        match remotes.is_empty() {
            true => Err(target.of_another_family(from)),
            false => Ok(Some(socket)),
        }
    }

    /// The socket for dials to addresses like `remote`; `open` opens one that is bound to an
    /// address.
    pub(crate) fn own(
        &self,
        remote: SocketAddr,
        open: impl FnOnce(SocketAddr) -> io::Result<Socket>,
    ) -> io::Result<Arc<Socket>> {
        let mut own = lock(&self.own);
        let (slot, anywhere) = match remote {
            SocketAddr::V4(_) => (&mut own.v4, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))),
            SocketAddr::V6(_) => (&mut own.v6, SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))),
        };
        // One whose runtime was shut down is of no use in the next.
        if let Some(socket) = slot.as_ref().filter(|socket| socket.is_driven()) {
            return Ok(socket.clone());
        }
        Ok(slot.insert(Arc::new(open(anywhere)?)).clone())
    }

    fn listener(&self, from: &Addr) -> Result<Arc<Socket>> {
        let HostPort::Socket(local) = HostPort::parse(from)? else {
            return Err(Target::unknown_from(from));
        };
        let socket = lock(&self.listening).get(&canonical(local)).and_then(Weak::upgrade);
        socket.ok_or_else(|| Target::unknown_from(from))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
