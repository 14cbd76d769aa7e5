//! Who gets which datagram: what a socket's driver shares with its listener and its conns.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use rumormill_transport_api::{Counters, Error, Result};
use tokio::{io::ReadBuf, net::UdpSocket};

use crate::{
    Settings,
    inbox::{Budget, Inbox, Pushed},
    table::{Full, Id, Refusal, Table},
};

/// Routes datagrams to inboxes.
pub(crate) struct Switch {
    state: Mutex<State>,
    settings: Settings,
    budget: Arc<Budget>,
}

struct State {
    /// The driver gets at the socket only in here, under the lock. So the socket is closed, and its
    /// port is free, when its last user has taken it out, not at some time after. `None` also when
    /// the driver has ended.
    io: Option<Arc<UdpSocket>>,
    table: Table<Arc<Inbox>>,
    door: Door,
}

/// What happens to newcomers.
pub(crate) enum Door {
    /// They wait for the listener, which may wait for them.
    Open(Option<Waker>),
    /// They are rejected: nobody listens.
    Shut,
}

/// A row of the table, for whoever makes a conn of it.
pub(crate) struct Row {
    pub(crate) remote: SocketAddr,
    pub(crate) id: Id,
    pub(crate) inbox: Arc<Inbox>,
}

/// Whom to wake when the lock is free again: a waker may run code that wants it.
#[must_use]
pub(crate) struct Wakes([Option<Waker>; 2]);

impl Switch {
    pub(crate) fn new(
        io: Arc<UdpSocket>,
        settings: Settings,
        counters: Arc<Counters>,
        door: Door,
    ) -> Self {
        let table = Table::new(settings.peers, settings.backlog);
        let budget = Arc::new(Budget::new(settings.socket_bytes, counters));
        Self { state: Mutex::new(State { io: Some(io), table, door }), settings, budget }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.budget.counters
    }

    /// Waits for a datagram and routes it. `None`: the socket is not in use any more.
    pub(crate) fn poll_route(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Option<io::Result<Wakes>>> {
        let mut state = self.state();
        let Some(io) = &state.io else { return Poll::Ready(None) };
        let mut datagram = ReadBuf::new(buffer);
        let received = ready!(io.poll_recv_from(cx, &mut datagram));
        let routed = received.map(|from| self.route(&mut state, from, datagram.filled()));
        Poll::Ready(Some(routed))
    }

    /// Waits for a newcomer.
    pub(crate) fn poll_accept(&self, cx: &Context<'_>) -> Poll<Result<Row>> {
        let mut state = self.state();
        if let Some((remote, id, inbox)) = state.table.accept() {
            return Poll::Ready(Ok(Row { remote, id, inbox: inbox.clone() }));
        }
        if state.io.is_none() {
            return Poll::Ready(Err(Error::Finished));
        }
        let waker = Some(cx.waker().clone());
        let before = std::mem::replace(&mut state.door, Door::Open(waker));
        drop(state);
        drop(before);
        Poll::Pending
    }

    /// Adds a conn that is dialled.
    pub(crate) fn dial(&self, remote: SocketAddr, limits: Settings) -> Result<Row> {
        let inbox = Arc::new(Inbox::new(limits, self.budget.clone()));
        let mut state = self.state();
        let dialled = state.table.dial(remote, inbox.clone());
        if state.io.is_none() {
            inbox.cut();
        }
        drop(state);
        let (id, evicted) = dialled.map_err(|refusal| busy(remote, refusal))?;
        Wakes([evicted.and_then(|inbox| self.evict(&inbox)), None]).wake();
        Ok(Row { remote, id, inbox })
    }

    /// Removes a conn whose halves are dropped.
    pub(crate) fn leave(&self, remote: SocketAddr, id: Id) {
        let left = self.state().table.leave(remote, id);
        drop(left);
    }

    /// Stops accepting, and drops whoever has not been accepted.
    pub(crate) fn shut(&self) {
        let mut state = self.state();
        let door = std::mem::replace(&mut state.door, Door::Shut);
        let dismissed = state.table.dismiss();
        drop(state);
        drop((door, dismissed));
    }

    /// Whether newcomers are taken.
    pub(crate) fn is_listening(&self) -> bool {
        let state = self.state();
        state.io.is_some() && matches!(state.door, Door::Open(_))
    }

    /// Whether datagrams are read.
    pub(crate) fn is_driven(&self) -> bool {
        self.state().io.is_some()
    }

    /// Takes the socket from the driver.
    pub(crate) fn close(&self) {
        let io = self.state().io.take();
        drop(io);
    }

    /// Ends everything that waits for datagrams, as none will come any more.
    pub(crate) fn fail(&self) {
        let mut state = self.state();
        let io = state.io.take();
        let conns = state.table.clear();
        let listener = match &mut state.door {
            Door::Open(listener) => listener.take(),
            Door::Shut => None,
        };
        drop((state, io));
        let readers = conns.iter().filter_map(|inbox| inbox.cut());
        readers.chain(listener).for_each(Waker::wake);
    }

    fn route(&self, state: &mut State, from: SocketAddr, message: &[u8]) -> Wakes {
        let from = canonical(from);
        match state.table.hear(from).map(|inbox| inbox.push(message)) {
            Some(Pushed::Queued(reader)) => Wakes([reader, None]),
            Some(Pushed::Dropped) => Wakes::NONE,
            None => self.greet(state, from, message),
        }
    }

    fn greet(&self, state: &mut State, from: SocketAddr, message: &[u8]) -> Wakes {
        let counters = self.counters();
        // Nobody can be answered at port 0.
        let (Door::Open(listener), 1..) = (&mut state.door, from.port()) else {
            counters.messages_rejected.add(1);
            return Wakes::NONE;
        };
        let inbox = Arc::new(Inbox::new(self.settings, self.budget.clone()));
        let Pushed::Queued(_) = inbox.push(message) else { return Wakes::NONE };
        match state.table.greet(from, inbox) {
            Ok(evicted) => Wakes([listener.take(), evicted.and_then(|inbox| self.evict(&inbox))]),
            // The inbox, which is dropped, counts the message.
            Err(Full) => {
                counters.conns_refused.add(1);
                Wakes::NONE
            }
        }
    }

    fn evict(&self, inbox: &Inbox) -> Option<Waker> {
        self.counters().conns_evicted.add(1);
        inbox.cut()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wakes {
    const NONE: Self = Self([None, None]);

    pub(crate) fn wake(self) {
        self.0.into_iter().flatten().for_each(Waker::wake);
    }
}

/// The one form that a peer's address has in a table: as IPv4 where it is that, and without what a
/// sender can vary (the flow) or a dialer can add (a scope where none is needed).
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    match addr {
        SocketAddr::V4(_) => addr,
        SocketAddr::V6(v6) => match v6.ip().to_ipv4_mapped() {
            Some(v4) => SocketAddr::from((v4, v6.port())),
            None => {
                let mut plain = v6;
                plain.set_flowinfo(0);
                if !v6.ip().is_unicast_link_local() {
                    plain.set_scope_id(0);
                }
                plain.into()
            }
        },
    }
}

fn busy(remote: SocketAddr, refusal: Refusal) -> Error {
    let what = match refusal {
        Refusal::Full => format!("the table of dialled conns, which has no room for {remote},"),
        Refusal::Known => format!("the socket, which has a conn with {remote} already,"),
    };
    Error::Busy { what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_one_address() {
        let check = |text: &str, expected: &str| {
            assert_eq!(canonical(text.parse().unwrap()), expected.parse().unwrap(), "{text}");
        };
        check("192.0.2.1:7", "192.0.2.1:7");
        check("[::ffff:192.0.2.1]:7", "192.0.2.1:7");
        check("[2001:db8::1%3]:7", "[2001:db8::1]:7");
        check("[fe80::1%3]:7", "[fe80::1%3]:7");
    }
}
