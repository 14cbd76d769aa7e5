//! What is known of one peer.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use rand::Rng;
use rumormill_identity::PublicKey;
use rumormill_transport_api::{Addr, NodeId};
use tokio::{sync::oneshot, time::Instant};

use crate::{
    frame::Lane,
    handle::{Link, Scope},
    orphans::Orphans,
    outbox::{Limits, Outbox},
    retry::Retry,
    route::{Route, Routes},
    seal::{Cluster, Opener, Party, Sealer},
    track::{Declined, Track, Tracks},
};

/// One peer.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) node: NodeId,
    pub(crate) outbox: Outbox,
    state: Mutex<State>,
    questions: Mutex<BTreeMap<u64, Question>>,
    orphans: Mutex<Orphans>,
    /// How often in a row all attempts to reach it have failed.
    misses: AtomicU32,
    /// Whether this node wants to know it, and did not only let it in.
    is_wanted: AtomicBool,
    /// Its conns, those that end among them.
    conns: AtomicU32,
}

/// What both sides need to seal and open in one session of the peer.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) theirs: Party,
    pub(crate) sealer: Sealer,
    pub(crate) opener: Opener,
}

/// Somebody waits for an answer.
#[derive(Debug)]
struct Question {
    asked: Instant,
    answer: oneshot::Sender<Answered>,
}

/// What became of a question.
#[derive(Debug)]
pub(crate) enum Answered {
    With(Bytes),
    /// It left this node and may have arrived, or not.
    Lost,
    /// It never left this node.
    Unreachable,
}

#[derive(Debug, Default)]
struct State {
    routes: Routes,
    /// The session that the peer has proven to be in.
    session: Option<Arc<Session>>,
    /// The one that somebody at its address claims, and that we seal for until it is proven.
    candidate: Option<Arc<Session>>,
    /// Those that it has proven to be in before, the latest last. A process that was taken for gone may
    /// still be there: were its counters to begin anew, what was opened once would be opened again.
    former: VecDeque<Arc<Session>>,
    tracks: Tracks,
    /// Why it may be a member, as it has shown last.
    ticket: Bytes,
    is_forgotten: bool,
}

impl State {
    fn known(&self, theirs: Party) -> Option<Arc<Session>> {
        let known = [&self.session, &self.candidate].into_iter().flatten().chain(&self.former);
        known.into_iter().find(|session| session.theirs == theirs).cloned()
    }

    /// Goes on with another session, and keeps what was counted in the one before; returns the one to go
    /// on with.
    fn supersede(&mut self, session: Arc<Session>) -> Arc<Session> {
        let former = self.former.iter().position(|former| former.theirs == session.theirs);
        let session = former.and_then(|at| self.former.remove(at)).unwrap_or(session);
        self.former.extend(self.session.replace(session.clone()));
        if MAX_FORMER < self.former.len() {
            self.former.pop_front();
        }
        self.candidate = None;
        session
    }
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
    /// One that proved to be in `session` before it was forgotten, if it ever did.
    pub(crate) fn new(node: NodeId, limits: Limits, session: Option<Arc<Session>>) -> Self {
        Self {
            node,
            outbox: Outbox::new(limits),
            state: Mutex::new(State { session, ..State::default() }),
            questions: Mutex::default(),
            orphans: Mutex::default(),
            misses: AtomicU32::new(0),
            is_wanted: AtomicBool::new(false),
            conns: AtomicU32::new(0),
        }
    }

    pub(crate) fn routes(&self) -> Vec<Addr> {
        self.lock().routes.addrs()
    }

    pub(crate) fn set_routes(&self, routes: Vec<Route>) {
        let mut state = self.lock();
        state.routes = state.routes.replaced_by(routes);
        state.tracks.unbar();
    }

    /// Takes note of the ways that a record tells.
    pub(crate) fn hear_routes(&self, routes: Vec<Route>) {
        let mut state = self.lock();
        state.routes = state.routes.with_hearsay(routes);
        state.tracks.unbar();
    }

    /// Looks at the ways to it, or notes something about them.
    pub(crate) fn with_routes<R>(&self, look: impl FnOnce(&mut Routes) -> R) -> R {
        look(&mut self.lock().routes)
    }

    /// Looks at its conns, or changes something about them.
    pub(crate) fn with_tracks<R>(&self, look: impl FnOnce(&mut Tracks) -> R) -> R {
        look(&mut self.lock().tracks)
    }

    /// What conns have left behind.
    pub(crate) fn orphans(&self) -> MutexGuard<'_, Orphans> {
        self.orphans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something is to be sent in `lane`.
    pub(crate) fn has_work(&self, lane: Lane) -> bool {
        !self.outbox.is_empty(lane) || self.orphans().has(lane)
    }

    /// Notes that this node wants to know it.
    pub(crate) fn want(&self) {
        self.is_wanted.store(true, Relaxed);
    }

    /// Whether it has only come by itself, and nothing would be lost with it now.
    pub(crate) fn is_idle_stranger(&self) -> bool {
        let is_idle = || Lane::ALL.iter().all(|lane| !self.has_work(*lane));
        self.is_stranger() && !self.is_connected() && is_idle()
    }

    /// Whether it has only come by itself.
    pub(crate) fn is_stranger(&self) -> bool {
        !self.is_wanted.load(Relaxed)
    }

    /// Counts another conn, until what is returned is dropped; `None` if there are too many.
    pub(crate) fn another_conn(&self) -> Option<AnotherConn<'_>> {
        let before = self.conns.fetch_add(1, Relaxed);
        let counted = AnotherConn(self);
        (before < MAX_CONNS).then_some(counted)
    }

    /// Notes why it may be a member.
    pub(crate) fn shows(&self, ticket: Bytes) {
        self.lock().ticket = ticket;
    }

    /// Why it may be a member; `None` if it has never proven itself.
    pub(crate) fn ticket(&self) -> Option<Bytes> {
        let state = self.lock();
        state.session.as_ref().map(|_| state.ticket.clone())
    }

    /// Whether the peer has proven itself on a conn that is there.
    pub(crate) fn is_connected(&self) -> bool {
        let state = self.lock();
        state.session.is_some() && state.tracks.links().next().is_some()
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
        if let Some(known) = state.known(theirs) {
            return Some(known);
        }
        let candidate = Arc::new(Session::new(cluster, ours, theirs)?);
        state.candidate = Some(candidate.clone());
        Some(candidate)
    }

    /// The session of `theirs`, if it is known.
    pub(crate) fn known_session(&self, theirs: Party) -> Option<Arc<Session>> {
        self.lock().known(theirs)
    }

    /// Takes `session`, which was proven just now, as the peer's. Returns the one to go on with, and
    /// whether the peer has started anew; nothing if the peer was forgotten.
    pub(crate) fn adopt(&self, session: Arc<Session>) -> Option<(Arc<Session>, bool)> {
        let mut state = self.lock();
        if state.is_forgotten {
            return None;
        }
        Some(match &state.session {
            Some(known) if known.theirs == session.theirs => (known.clone(), false),
            before => {
                let is_another = before.is_some();
                if is_another {
                    state.tracks.clear().for_each(|link| link.cut());
                }
                (state.supersede(session), is_another)
            }
        })
    }

    /// Makes `link` the one of `track`, if it has precedence; returns the one that it replaces.
    pub(crate) fn offer(
        &self,
        track: Track,
        link: &Arc<Link>,
    ) -> Result<Option<Arc<Link>>, Declined> {
        let mut state = self.lock();
        if state.is_forgotten { Err(Declined) } else { state.tracks.offer(track, link) }
    }

    /// Has others stand in at once for those of its conns to which no way is known.
    pub(crate) fn bar_hopeless(&self) {
        let mut state = self.lock();
        for track in Track::ALL {
            if state.tracks.link(track).is_none() && !state.routes.has(track.delivery()) {
                state.tracks.bar(track);
            }
        }
    }

    /// What has to be dialled for `lane`, if anything; from then on it is under way.
    pub(crate) fn begin_dialling(&self, lane: Lane) -> Option<Track> {
        let mut state = self.lock();
        if state.is_forgotten { None } else { state.tracks.begin_dialling(lane) }
    }

    /// The ways that are better for `track` than what carries its lane now: none where nothing does.
    pub(crate) fn better_routes(&self, track: Track) -> Vec<Addr> {
        let state = self.lock();
        if state.is_forgotten || !state.tracks.carries(track.lane()) {
            return Vec::new();
        }
        let (routes, delivery) = (&state.routes, track.delivery());
        match state.tracks.link(track).map(|link| (link.route(), link.scope())) {
            None => routes.better_than(None, delivery),
            Some((Some(route), _)) => routes.better_than(Some(route), delivery),
            // The peer has chosen it, in an order of its own. Were each side to insist on its order,
            // they would take turns for ever; only what stays on the machine comes first for both.
            Some((None, Scope::Network)) => routes.local(delivery),
            Some((None, Scope::Machine)) => Vec::new(),
        }
    }

    /// Whether something waits for `track` to be dialled.
    pub(crate) fn waits_for(&self, track: Track) -> bool {
        let waiting: Vec<Lane> = self.lock().tracks.waiting_for(track).collect();
        waiting.into_iter().any(|lane| self.has_work(lane))
    }

    /// Whether nobody wants to know of the peer any more.
    pub(crate) fn is_forgotten(&self) -> bool {
        self.lock().is_forgotten
    }

    /// Ends everything that has to do with the peer; returns the session that it was in.
    pub(crate) fn forget(&self) -> Option<Arc<Session>> {
        let mut state = self.lock();
        state.is_forgotten = true;
        state.tracks.clear().for_each(|link| link.cut());
        let session = state.session.take();
        state.candidate = None;
        state.former.clear();
        drop(state);
        self.questions().clear();
        session
    }

    /// Closes what carries messages, after what waits has been sent.
    pub(crate) fn drain(&self) {
        let state = self.lock();
        state.tracks.links().for_each(|link| link.drain());
    }

    /// How long to leave the peer alone after it could not be reached, so that whoever keeps sending
    /// does not keep dialling.
    pub(crate) fn cool_down(&self, retry: &Retry, rng: &mut impl Rng) -> Duration {
        let retry = Retry { cap: retry.cap.min(COOL_DOWN), ..*retry };
        retry.wait(self.misses.load(Relaxed), rng)
    }

    pub(crate) fn missed(&self) {
        self.misses.fetch_add(1, Relaxed);
    }

    pub(crate) fn reached(&self) {
        self.misses.store(0, Relaxed);
    }

    /// Where the answer to the question with this number comes.
    pub(crate) fn ask(&self, number: u64) -> oneshot::Receiver<Answered> {
        let (answer, receiver) = oneshot::channel();
        self.questions().insert(number, Question { asked: Instant::now(), answer });
        receiver
    }

    /// Hands an answer to who waits for it, if anybody does; tells since when.
    pub(crate) fn answer(&self, number: u64, answer: Answered) -> Option<Instant> {
        let question = self.questions().remove(&number)?;
        question.answer.send(answer).ok().map(|()| question.asked)
    }

    /// Nobody waits for this answer any more.
    pub(crate) fn give_up(&self, number: u64) {
        self.questions().remove(&number);
    }

    fn questions(&self) -> MutexGuard<'_, BTreeMap<u64, Question>> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A conn of a peer that is counted.
pub(crate) struct AnotherConn<'a>(&'a Peer);

impl Drop for AnotherConn<'_> {
    fn drop(&mut self) {
        self.0.conns.fetch_sub(1, Relaxed);
    }
}

/// Conns of one peer; three are in use, and more only while others end.
const MAX_CONNS: u32 = 16;
/// Sessions of a peer that are remembered when it is in another. Only who has its key can prove one.
const MAX_FORMER: usize = 4;
/// The longest time that a peer is left alone.
const COOL_DOWN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use rumormill_identity::SecretKey;

    use super::*;

    #[test]
    fn a_session_that_comes_back_goes_on_counting() {
        let (cluster, ours) = (Cluster::named("test"), Party { node: NodeId([1; 32]), session: 1 });
        let node = SecretKey::from_bytes(&[2; 32]).node();
        let peer = Peer::new(node, Limits { messages: 1, bytes: 1 }, None);
        let enter = |session| {
            let session = peer.session_for(&cluster, ours, Party { node, session });
            peer.adopt(session.expect("it is a key")).expect("it is not forgotten")
        };
        let (first, _) = enter(1);
        assert!(enter(2).1, "it has started again");
        let (back, is_another) = enter(1);
        assert!(is_another && Arc::ptr_eq(&first, &back));
        // A greeting that had begun before it was known.
        enter(2);
        let fresh = Session::new(&cluster, ours, first.theirs).map(Arc::new);
        let (back, _) = peer.adopt(fresh.expect("it is a key")).expect("it is not forgotten");
        assert!(Arc::ptr_eq(&first, &back));
        (3..=9).for_each(|session| _ = enter(session));
        assert_eq!(peer.lock().former.len(), MAX_FORMER);
    }
}
