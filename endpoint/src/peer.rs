//! What is known of one peer.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use rumormill_identity::PublicKey;
use rumormill_transport_api::{Addr, NodeId};
use tokio::sync::oneshot;

use crate::{
    frame::Lane,
    link::Link,
    outbox::{Limits, Outbox},
    retry::Retry,
    seal::{Cluster, Opener, Party, Sealer},
};

/// One peer.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) node: NodeId,
    pub(crate) outbox: Outbox,
    state: Mutex<State>,
    questions: Mutex<HashMap<u64, oneshot::Sender<Answered>>>,
    last_question: AtomicU64,
    /// How often in a row all attempts to reach it have failed.
    misses: AtomicU32,
}

/// What both sides need to seal and open in one session of the peer.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) theirs: Party,
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
}

/// What became of a question.
#[derive(Debug)]
pub(crate) enum Answered {
    With(Bytes),
    /// It never left this node.
    Unreachable,
}

#[derive(Debug, Default)]
struct State {
    routes: Vec<Addr>,
    /// The session that the peer has proven to be in.
    session: Option<Arc<Session>>,
    /// The one that somebody at its address claims, and that we seal for until it is proven.
    candidate: Option<Arc<Session>>,
    lanes: [LaneState; 2],
    is_forgotten: bool,
}

#[derive(Debug, Default)]
struct LaneState {
    current: Option<Arc<Link>>,
    is_dialling: bool,
}

impl Session {
    /// `None` if the peer's id is no key.
    pub(crate) fn new(cluster: &Cluster, ours: Party, theirs: Party) -> Option<Self> {
        let sealer = Sealer::new(cluster, ours, theirs);
        let opener = Opener::new(cluster, theirs, PublicKey::of(theirs.node)?, ours);
        Some(Self { theirs, sealer, opener })
    }
}

impl Peer {
    pub(crate) fn new(node: NodeId, limits: Limits) -> Self {
        Self {
            node,
            outbox: Outbox::new(limits),
            state: Mutex::default(),
            questions: Mutex::default(),
            last_question: AtomicU64::new(0),
            misses: AtomicU32::new(0),
        }
    }

    pub(crate) fn routes(&self) -> Vec<Addr> {
        self.lock().routes.clone()
    }

    pub(crate) fn set_routes(&self, routes: Vec<Addr>) {
        self.lock().routes = routes;
    }

    /// Whether the peer has proven itself on a conn that is there.
    pub(crate) fn is_connected(&self) -> bool {
        let state = self.lock();
        state.session.is_some() && state.lanes.iter().any(|lane| lane.current.is_some())
    }

    /// The session to seal for, when somebody claims to be this peer in the session of `theirs`:
    /// whoever claims the same shares its counters.
    pub(crate) fn session_for(
        &self,
        cluster: &Cluster,
        ours: Party,
        theirs: Party,
    ) -> Option<Arc<Session>> {
        let mut state = self.lock();
        let known = [&state.session, &state.candidate].into_iter().flatten();
        if let Some(known) = known.into_iter().find(|session| session.theirs == theirs) {
            return Some(known.clone());
        }
        let candidate = Arc::new(Session::new(cluster, ours, theirs)?);
        state.candidate = Some(candidate.clone());
        Some(candidate)
    }

    /// Takes `session`, which was proven just now, as the peer's. Returns the one to go on with, and
    /// whether the peer has started anew.
    pub(crate) fn adopt(&self, session: Arc<Session>) -> (Arc<Session>, bool) {
        let mut state = self.lock();
        match &state.session {
            Some(known) if known.theirs == session.theirs => (known.clone(), false),
            before => {
                let is_another = before.is_some();
                if is_another {
                    let links = state.lanes.iter_mut().filter_map(|lane| lane.current.take());
                    links.for_each(|link| link.cut());
                }
                state.session = Some(session.clone());
                state.candidate = None;
                (session, is_another)
            }
        }
    }

    /// Makes `link` the one that carries `lane`, unless the one that is there has precedence; tells
    /// whether it does.
    ///
    /// Both sides may dial at once. Then the conn stays that the node with the lower id has dialled,
    /// and both sides come to the same conclusion. Of two that the same side has dialled the later
    /// stays, since the earlier may be dead without anybody having noticed.
    pub(crate) fn offer(&self, lane: Lane, link: &Arc<Link>) -> bool {
        let mut state = self.lock();
        if state.is_forgotten {
            return false;
        }
        let slot = &mut state.lanes[lane as usize].current;
        if let Some(current) = slot
            && current.dialler() < link.dialler()
        {
            return false;
        }
        if let Some(before) = slot.replace(link.clone())
            && !Arc::ptr_eq(&before, link)
        {
            before.drain();
        }
        drop(state);
        self.outbox.wake(lane);
        true
    }

    /// Whether `link` is the one that carries `lane`.
    pub(crate) fn carries(&self, lane: Lane, link: &Arc<Link>) -> bool {
        let state = self.lock();
        state.lanes[lane as usize]
            .current
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, link))
    }

    /// Notes that `link` has ended.
    pub(crate) fn withdraw(&self, link: &Arc<Link>) {
        for lane in &mut self.lock().lanes {
            lane.current.take_if(|current| Arc::ptr_eq(current, link));
        }
    }

    /// Whether somebody should dial for `lane`; from then on it is under way.
    pub(crate) fn begin_dialling(&self, lane: Lane) -> bool {
        let mut state = self.lock();
        let is_forgotten = state.is_forgotten;
        let lane = &mut state.lanes[lane as usize];
        let shall = !is_forgotten && lane.current.is_none() && !lane.is_dialling;
        lane.is_dialling |= shall;
        shall
    }

    /// Whether there is a link for `lane`.
    pub(crate) fn has_link(&self, lane: Lane) -> bool {
        self.lock().lanes[lane as usize].current.is_some()
    }

    pub(crate) fn end_dialling(&self, lane: Lane) {
        self.lock().lanes[lane as usize].is_dialling = false;
    }

    /// Ends everything that has to do with the peer.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        state.is_forgotten = true;
        let links = state.lanes.iter_mut().filter_map(|lane| lane.current.take());
        links.for_each(|link| link.cut());
        state.session = None;
        state.candidate = None;
        drop(state);
        self.questions().clear();
    }

    /// Closes what carries messages, after what waits has been sent.
    pub(crate) fn drain(&self) {
        let state = self.lock();
        state.lanes.iter().filter_map(|lane| lane.current.as_ref()).for_each(|link| link.drain());
    }

    /// How long to leave the peer alone after it could not be reached, so that whoever keeps sending
    /// does not keep dialling.
    pub(crate) fn cool_down(&self, retry: &Retry) -> Duration {
        retry.wait(self.misses.load(Relaxed), &mut rand::rng()).min(COOL_DOWN)
    }

    pub(crate) fn missed(&self) {
        self.misses.fetch_add(1, Relaxed);
    }

    pub(crate) fn reached(&self) {
        self.misses.store(0, Relaxed);
    }

    /// A number for a question, and where its answer comes.
    pub(crate) fn ask(&self) -> (u64, oneshot::Receiver<Answered>) {
        let number = self.last_question.fetch_add(1, Relaxed) + 1;
        let (sender, receiver) = oneshot::channel();
        self.questions().insert(number, sender);
        (number, receiver)
    }

    /// Hands an answer to who waits for it; tells whether anybody did.
    pub(crate) fn answer(&self, number: u64, answer: Answered) -> bool {
        let waiting = self.questions().remove(&number);
        waiting.is_some_and(|waiting| waiting.send(answer).is_ok())
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn give_up(&self, number: u64) {
        self.questions().remove(&number);
    }

    fn questions(&self) -> MutexGuard<'_, HashMap<u64, oneshot::Sender<Answered>>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The longest time that a peer is left alone.
const COOL_DOWN: Duration = Duration::from_secs(1);
