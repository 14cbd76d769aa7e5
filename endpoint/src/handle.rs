//! What others may do to a conn that carries messages of a peer.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use rumormill_transport_api::{Addr, Caps, NodeId};
use tokio::{sync::Notify, time::Instant};

use crate::{budget::Yields, clock::later, echo::Heard, trail::Trail};

/// What others may do to a conn that carries messages of a peer.
#[derive(Debug)]
pub(crate) struct Link {
    dialler: NodeId,
    since: Instant,
    /// The way by which this node has dialled it.
    route: Option<Addr>,
    scope: Scope,
    state: AtomicU8,
    has_given_way: AtomicBool,
    changed: Notify,
    was_cut: Notify,
    /// What is to be said beside the frames. Only datagrams need it.
    greetings: Mutex<VecDeque<Bytes>>,
    trail: Mutex<Trail>,
    heard: Mutex<Heard>,
}

/// Where a conn passes. Both sides see the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// It stays on this machine.
    Machine,
    /// It may leave it.
    Network,
}

pub(crate) const OPEN: u8 = 0;
pub(crate) const DRAINING: u8 = 1;
pub(crate) const CUT: u8 = 2;

impl Scope {
    pub(crate) fn of(caps: &Caps) -> Self {
        if caps.local_only { Self::Machine } else { Self::Network }
    }
}

impl Link {
    pub(crate) fn new(dialler: NodeId, route: Option<Addr>, scope: Scope) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            dialler,
            since: now,
            route,
            scope,
            state: AtomicU8::new(OPEN),
            has_given_way: AtomicBool::new(false),
            changed: Notify::new(),
            was_cut: Notify::new(),
            greetings: Mutex::default(),
            trail: Mutex::new(Trail::new(now)),
            heard: Mutex::new(Heard::new(now)),
        })
    }

    /// The node that has dialled it.
    pub(crate) fn dialler(&self) -> NodeId {
        self.dialler
    }

    /// The way by which this node has dialled it; `None` if the peer did.
    pub(crate) fn route(&self) -> Option<&Addr> {
        self.route.as_ref()
    }

    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }

    /// Whether it is the one to keep where both sides have dialled at once: first what stays on the
    /// machine, then what the node with the lower id has dialled.
    pub(crate) fn precedes(&self, other: &Self) -> bool {
        let rank = |link: &Self| (link.scope, link.dialler);
        self.dialler != other.dialler && rank(self) < rank(other)
    }

    /// Whether the peer may not have known of it when it dialled or sent what has arrived just now.
    pub(crate) fn is_young(&self) -> bool {
        self.since.elapsed() < YOUNG
    }

    /// Has it closed once nothing waits for it.
    pub(crate) fn drain(&self) {
        self.state.fetch_max(DRAINING, SeqCst);
        self.changed.notify_one();
    }

    /// Has it drained because another one took its place. What the peer has sent on it before it
    /// learnt of that may still be on its way.
    pub(crate) fn give_way(&self) {
        self.has_given_way.store(true, SeqCst);
        self.drain();
    }

    pub(crate) fn has_given_way(&self) -> bool {
        self.has_given_way.load(SeqCst)
    }

    /// Has it ended at once.
    pub(crate) fn cut(&self) {
        self.state.store(CUT, SeqCst);
        self.changed.notify_one();
        self.was_cut.notify_one();
    }

    /// Waits until somebody has done something to it; for one task. Cancel-safe.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Waits until it is cut; for one task.
    pub(crate) async fn is_cut(&self) {
        self.was_cut.notified().await;
    }

    pub(crate) fn state(&self) -> u8 {
        self.state.load(SeqCst)
    }

    pub(crate) fn say(&self, greeting: Bytes) {
        let mut greetings = lock(&self.greetings);
        if greetings.len() < GREETINGS {
            greetings.push_back(greeting);
        }
        drop(greetings);
        self.changed.notify_one();
    }

    pub(crate) fn greeting(&self) -> Option<Bytes> {
        lock(&self.greetings).pop_front()
    }

    /// What was sent and is not known to have arrived.
    pub(crate) fn trail(&self) -> MutexGuard<'_, Trail> {
        lock(&self.trail)
    }

    /// What has arrived, and the peer may not know.
    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        lock(&self.heard)
    }

    /// When something was sent or heard last.
    pub(crate) fn last(&self) -> Instant {
        let sent = self.trail().last();
        sent.max(self.heard().last())
    }

    /// When it has been idle for so long.
    pub(crate) fn idle_at(&self, idle: Duration) -> Instant {
        later(self.last(), idle)
    }

    /// Has the pump look whether there is something to say.
    pub(crate) fn nudge(&self) {
        self.changed.notify_one();
    }
}

impl Yields for Link {
    fn idle_since(&self) -> Option<Instant> {
        let is_idle = self.state() == OPEN && self.trail().is_settled();
        is_idle.then(|| self.last())
    }

    fn give_way(&self) {
        self.drain();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the peer did longer ago than this does not arrive any more, dials among it, but for the
/// slowest.
const YOUNG: Duration = Duration::from_secs(2);
/// Greetings that may wait to be said on one conn.
const GREETINGS: usize = 4;
