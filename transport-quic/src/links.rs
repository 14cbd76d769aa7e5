//! The connections that a socket has dialled: one for each peer and expectation.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use quinn::{Connecting, ConnectionError};
use rumormill_transport_api::{Addr, Expect, Result};
use tokio::{sync::watch, task::AbortHandle, time::timeout};

use crate::link::Link;

/// To whom a connection leads. What was opened to anybody is never used for somebody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Peer {
    pub(crate) remote: SocketAddr,
    pub(crate) expect: Expect,
    /// What TLS knows the peer by.
    pub(crate) server_name: Box<str>,
}

/// Dialled connections and attempts, each as long as somebody holds it. Those that are gone are
/// removed when the table has doubled since the last time, so it is never larger than twice what
/// is alive, and a few.
#[derive(Default)]
pub(crate) struct Links(Mutex<Table>);

#[derive(Default)]
struct Table {
    slots: HashMap<Peer, Slot>,
    room: usize,
}

enum Slot {
    Dialling(Weak<Attempt>),
    Open(Weak<Link>),
}

enum Found {
    Attempt(Arc<Attempt>),
    Link(Arc<Link>),
}

impl Links {
    /// The connection to `peer`: the one that there is, or the outcome of the attempt that is under
    /// way, or that of a new one, which `begin` begins.
    ///
    /// Cancel-safe: the attempt goes on as long as somebody waits for it, and ends with the last.
    pub(crate) async fn get(
        &self,
        peer: &Peer,
        begin: impl FnOnce() -> Result<Arc<Attempt>>,
    ) -> Result<Outcome> {
        let attempt = match self.lock().find(peer, begin)? {
            Found::Attempt(attempt) => attempt,
            Found::Link(link) => return Ok(Ok(link)),
        };
        let outcome = attempt.outcome().await;
        if let Ok(link) = &outcome {
            self.lock().opened(peer, &attempt, link);
        }
        Ok(outcome)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn find(&mut self, peer: &Peer, begin: impl FnOnce() -> Result<Arc<Attempt>>) -> Result<Found> {
        if let Some(found) = self.slots.get(peer).and_then(Slot::alive) {
            return Ok(found);
        }
        let attempt = begin()?;
        if self.room <= self.slots.len() {
            self.slots.retain(|_, slot| slot.is_held());
            self.room = (2 * self.slots.len()).max(LEAST);
        }
        self.slots.insert(peer.clone(), Slot::Dialling(Arc::downgrade(&attempt)));
        Ok(Found::Attempt(attempt))
    }

    /// Puts what came of `attempt` into its place, unless another one is there by now.
    fn opened(&mut self, peer: &Peer, attempt: &Arc<Attempt>, link: &Arc<Link>) {
        match self.slots.get_mut(peer) {
            Some(slot) if slot.is(attempt) => *slot = Slot::Open(Arc::downgrade(link)),
            Some(_) | None => (),
        }
    }
}

impl Slot {
    fn alive(&self) -> Option<Found> {
        match self {
            Self::Dialling(attempt) => {
                attempt.upgrade().filter(|attempt| attempt.is_hopeful()).map(Found::Attempt)
            }
            Self::Open(link) => link.upgrade().filter(|link| link.is_open()).map(Found::Link),
        }
    }

    fn is_held(&self) -> bool {
        match self {
            Self::Dialling(attempt) => 0 < attempt.strong_count(),
            Self::Open(link) => 0 < link.strong_count(),
        }
    }

    fn is(&self, attempt: &Arc<Attempt>) -> bool {
        matches!(self, Self::Dialling(held) if held.as_ptr() == Arc::as_ptr(attempt))
    }
}

/// A handshake that several dials may wait for. It is given up when the last of them is.
pub(crate) struct Attempt {
    outcome: watch::Receiver<Option<Outcome>>,
    task: AbortHandle,
}

/// What came of an attempt, which everybody who waited for it is told.
pub(crate) type Outcome = std::result::Result<Arc<Link>, ConnectionError>;

impl Attempt {
    pub(crate) fn begin(connecting: Connecting, local: Addr, deadline: Duration) -> Arc<Self> {
        let (tell, outcome) = watch::channel(None);
        let task = tokio::spawn(async move {
            let connected = timeout(deadline, connecting).await;
            let connected = connected.unwrap_or(Err(ConnectionError::TimedOut));
            let link = connected.map(|connection| Arc::new(Link::dialled(connection, local)));
            tell.send_replace(Some(link));
        });
        Arc::new(Self { outcome, task: task.abort_handle() })
    }

    /// Whether it is worth waiting for: it goes on, or has succeeded.
    fn is_hopeful(&self) -> bool {
        match &*self.outcome.borrow() {
            Some(Ok(link)) => link.is_open(),
            Some(Err(_)) => false,
            None => !self.task.is_finished(),
        }
    }

    async fn outcome(&self) -> Outcome {
        let mut outcome = self.outcome.clone();
        let decided = outcome.wait_for(Option::is_some).await;
        match decided.ok().and_then(|decided| decided.clone()) {
            Some(outcome) => outcome,
            // Its runtime was shut down.
            None => Err(ConnectionError::LocallyClosed),
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Slots that are not worth looking through.
const LEAST: usize = 64;
