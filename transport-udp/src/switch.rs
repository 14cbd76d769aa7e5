//! Who gets which datagram: what a socket's driver shares with its listener and its conns.

use std::{
    io, mem,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use rumormill_transport_api::{Counters, Error, Result};

use crate::{
    Settings,
    arrivals::{Arrivals, Equals, Run},
    inbox::{Budget, End, Inbox, Pushed},
    kernel::Answer,
    port::{Intake, Port},
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
    io: Option<Intake>,
    table: Table<Known>,
    door: Door,
}

/// What is known of a peer.
struct Known {
    inbox: Arc<Inbox>,
    /// The address of this machine that it spoke to first, if it began.
    here: Option<IpAddr>,
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
    /// The address of this machine that it spoke to first, if it began and the system tells.
    pub(crate) here: Option<IpAddr>,
}

/// Whom to wake when the lock is free again: a waker may run code that wants it.
#[derive(Default)]
pub(crate) struct Wakes(Vec<Waker>);

impl Switch {
    pub(crate) fn new(
        port: Arc<Port>,
        settings: Settings,
        counters: Arc<Counters>,
        door: Door,
    ) -> Self {
        let table = Table::new(settings.peers, settings.backlog);
        let budget = Arc::new(Budget::new(settings.socket_bytes, counters));
        let state = State { io: Some(Intake::new(port)), table, door };
        Self { state: Mutex::new(state), settings, budget }
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.budget.counters
    }

    /// Waits for datagrams, or answers of the network, and routes them; `wakes` are to be woken
    /// then. Returns how many they were; `None`: the socket is not in use any more.
    pub(crate) fn poll_route(
        &self,
        cx: &mut Context<'_>,
        arrivals: &mut Arrivals,
        wakes: &mut Wakes,
    ) -> Poll<Option<io::Result<usize>>> {
        let mut state = self.state();
        let Some(io) = &mut state.io else { return Poll::Ready(None) };
        let is_answered = io.poll_answers(cx).is_ready();
        let (received, answers) = (io.poll_recv(cx, arrivals), io.answers_when_read(arrivals));
        let count = match received {
            Poll::Ready(Ok(())) => {
                Ok(arrivals.runs().map(|run| self.route(&mut state, &run, wakes)).sum::<usize>())
            }
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending if answers.is_empty() && !is_answered => return Poll::Pending,
            Poll::Pending => Ok(0),
        };
        self.end_refused(&mut state, &answers, wakes);
        Poll::Ready(Some(count.map(|count| count + answers.len())))
    }

    /// Waits for a newcomer.
    pub(crate) fn poll_accept(&self, cx: &Context<'_>) -> Poll<Result<Row>> {
        let mut state = self.state();
        if let Some((remote, id, known)) = state.table.accept() {
            let Known { inbox, here } = known;
            return Poll::Ready(Ok(Row { remote, id, inbox: inbox.clone(), here: *here }));
        }
        if state.io.is_none() {
            return Poll::Ready(Err(Error::Finished));
        }
        let waker = Some(cx.waker().clone());
        let before = mem::replace(&mut state.door, Door::Open(waker));
        drop(state);
        drop(before);
        Poll::Pending
    }

    /// Adds a conn that is dialled.
    pub(crate) fn dial(&self, remote: SocketAddr, limits: Settings) -> Result<Row> {
        let inbox = Arc::new(Inbox::new(limits, self.budget.clone()));
        let mut wakes = Wakes::default();
        let mut state = self.state();
        match &mut state.io {
            // What an earlier conn with this peer was answered must not end this one.
            Some(io) => {
                let (answers, driver) = io.answers_about(remote);
                wakes.extend(driver);
                self.end_refused(&mut state, &answers, &mut wakes);
            }
            None => drop(inbox.cut(End::Lost)),
        }
        let dialled = state.table.dial(remote, Known { inbox: inbox.clone(), here: None });
        drop(state);
        if let Ok((_, Some(evicted))) = &dialled {
            self.evict(&evicted.inbox, &mut wakes);
        }
        wakes.wake();
        let (id, _) = dialled.map_err(|refusal| busy(remote, refusal))?;
        Ok(Row { remote, id, inbox, here: None })
    }

    /// Removes a conn whose halves are dropped.
    pub(crate) fn leave(&self, remote: SocketAddr, id: Id) {
        let left = self.state().table.leave(remote, id);
        drop(left);
    }

    /// Stops accepting, and drops whoever has not been accepted.
    pub(crate) fn shut(&self) {
        let mut state = self.state();
        let door = mem::replace(&mut state.door, Door::Shut);
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
        let readers = conns.iter().filter_map(|known| known.inbox.cut(End::Lost));
        readers.chain(listener).for_each(Waker::wake);
    }

    /// Returns how many messages they were.
    fn route(&self, state: &mut State, run: &Run<'_>, wakes: &mut Wakes) -> usize {
        let (from, mut count) = (canonical(run.from), 0);
        for messages in run.groups() {
            count += messages.count();
            match state.table.hear(from).map(|known| known.inbox.push(messages)) {
                Some(Pushed::Queued(reader)) => wakes.extend(reader),
                Some(Pushed::Dropped) => (),
                None => self.greet(state, from, run.here, messages, wakes),
            }
        }
        count
    }

    fn greet(
        &self,
        state: &mut State,
        from: SocketAddr,
        here: Option<IpAddr>,
        messages: Equals<'_>,
        wakes: &mut Wakes,
    ) {
        let counters = self.counters();
        // Nobody can be answered at port 0.
        let (Door::Open(listener), 1..) = (&mut state.door, from.port()) else {
            counters.messages_rejected.add(messages.count() as u64);
            return;
        };
        let inbox = Arc::new(Inbox::new(self.settings, self.budget.clone()));
        let Pushed::Queued(_) = inbox.push(messages) else { return };
        match state.table.greet(from, Known { inbox, here }) {
            Ok(evicted) => {
                wakes.extend(listener.take());
                evicted.iter().for_each(|known| self.evict(&known.inbox, wakes));
            }
            // The inbox, which is dropped, counts the messages.
            Err(Full) => counters.conns_refused.add(1),
        }
    }

    fn evict(&self, inbox: &Inbox, wakes: &mut Wakes) {
        self.counters().conns_evicted.add(1);
        wakes.extend(inbox.cut(End::Lost));
    }

    /// Counts what did not get through, and ends the conns with those who have no such port.
    fn end_refused(&self, state: &mut State, answers: &[Answer], wakes: &mut Wakes) {
        for answer in answers {
            self.counters().messages_unsent.add(1);
            tracing::debug!(?answer, "the network did not deliver a datagram");
            if answer.is_refusal
                && let Some(known) = state.table.end(canonical(answer.to))
            {
                wakes.extend(known.inbox.cut(End::Refused));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wakes {
    fn extend(&mut self, waker: Option<Waker>) {
        self.0.extend(waker);
    }

    /// Wakes them all, and is empty then.
    pub(crate) fn wake(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
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
