//! What all tasks of an endpoint share.

use std::{
    collections::{BTreeMap, VecDeque},
    future::Future,
    net::IpAddr,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use bytes::Bytes;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use rumormill_identity::{SIGNATURE, SecretKey};
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, AnyTransport, End, HostPort, Info, NodeId, Transport};
use tokio::{
    runtime::Handle,
    sync::{Notify, broadcast},
    task::JoinSet,
    time::Instant,
};

use crate::{
    admission::{Admission, Denied, Ticket},
    budget::Budget,
    clock::later,
    config::Config,
    crowd::Crowd,
    dial::dial,
    error::{Error, SendError},
    frame::{Class, HEAD, Kind, Lane, PAYLOAD_HEAD, Payload},
    hello::{Challenge, CookieKey, Greeting, Hello, MAX_GREETING},
    inbox,
    ledger::{Dropped, Ledger, add},
    orphans::Orphan,
    peer::{Answered, Peer, Session},
    pool::Pool,
    reach::Unallowed,
    retry::RetryBudget,
    route::Route,
    seal::{Cluster, Party},
    trail::Kept,
};

/// What all tasks of an endpoint share.
pub(crate) struct Hub {
    pub(crate) config: Config,
    admission: RwLock<Admission>,
    ticket: RwLock<Bytes>,
    pub(crate) key: SecretKey,
    pub(crate) us: Party,
    pub(crate) cluster: Cluster,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) crowd: Arc<Crowd>,
    pub(crate) places: Arc<Budget>,
    pub(crate) pool: Pool,
    registry: Arc<Registry>,
    inboxes: [Arc<inbox::Box>; 3],
    peers: RwLock<BTreeMap<NodeId, Arc<Peer>>>,
    retired: Mutex<VecDeque<Arc<Session>>>,
    questions: AtomicU64,
    listeners: Mutex<Vec<Addr>>,
    tasks: Mutex<JoinSet<()>>,
    cookies: CookieKey,
    runtime: Handle,
    is_closed: AtomicBool,
    closing: Notify,
    events: broadcast::Sender<Event>,
    pub(crate) budget: Mutex<RetryBudget>,
    rng: Mutex<StdRng>,
}

impl Hub {
    pub(crate) fn new(
        registry: Arc<Registry>,
        key: SecretKey,
        config: Config,
        ledger: Arc<Ledger>,
        inboxes: [Arc<inbox::Box>; 3],
    ) -> Self {
        let places = Budget::new(config.max_conns);
        let pool = Pool::sharing(places.clone(), registry.clone(), config.pool);
        let mut rng = config.seed.map_or_else(rand::make_rng, StdRng::seed_from_u64);
        Self {
            us: Party { node: key.node(), session: rng.next_u64() },
            cluster: Cluster::named(&config.cluster),
            crowd: Crowd::of(config.max_accepted),
            admission: RwLock::new(config.admission.clone()),
            ticket: RwLock::new(config.ticket.clone()),
            config,
            key,
            ledger,
            places,
            pool,
            registry,
            inboxes,
            peers: RwLock::default(),
            retired: Mutex::default(),
            questions: AtomicU64::new(rng.next_u64()),
            listeners: Mutex::default(),
            tasks: Mutex::default(),
            cookies: CookieKey::new(rng.random()),
            runtime: Handle::current(),
            is_closed: AtomicBool::new(false),
            closing: Notify::new(),
            events: broadcast::Sender::new(EVENTS),
            budget: Mutex::default(),
            rng: Mutex::new(rng),
        }
    }

    /// The transport that `addr` names, if what it carries may be seen where it can be seen.
    pub(crate) fn transport(&self, addr: &Addr) -> Result<AnyTransport, Error> {
        let transport = self.registry.transport(addr.scheme())?;
        let caps = transport.caps();
        match self.config.confidential && !caps.secure && !caps.local_only {
            true => Err(Error::Confidential { addr: addr.clone() }),
            false => Ok(transport),
        }
    }

    pub(crate) fn inbox(&self, class: Class) -> &inbox::Box {
        &self.inboxes[class as usize]
    }

    /// Where all chance comes from.
    pub(crate) fn rng(&self) -> MutexGuard<'_, StdRng> {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that no question had before, of no peer and before no restart: an answer to
    /// somebody who has started anew meanwhile answers nothing else.
    pub(crate) fn next_question(&self) -> u64 {
        self.questions.fetch_add(1, Relaxed) + 1
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(SeqCst)
    }

    pub(crate) fn close(&self) {
        self.is_closed.store(true, SeqCst);
        self.closing.notify_waiters();
    }

    /// Ends all tasks at once; what has arrived can still be taken.
    pub(crate) fn end(&self) {
        self.close();
        self.take_tasks().abort_all();
        self.inboxes.iter().for_each(|inbox| inbox.close());
    }

    /// Waits until the endpoint is closed. Those who wait learn of it in order, unlike those of a
    /// `watch`: runs are repeatable.
    pub(crate) async fn closed(&self) {
        let mut closing = pin!(self.closing.notified());
        // From here on nothing is missed.
        closing.as_mut().enable();
        if !self.is_closed() {
            closing.await;
        }
    }

    /// Runs `task` until it ends or the endpoint does.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks();
        while tasks.try_join_next().is_some() {}
        if !self.is_closed() {
            tasks.spawn_on(task, &self.runtime);
        }
    }

    /// Takes the tasks away, to be waited for or ended.
    pub(crate) fn take_tasks(&self) -> JoinSet<()> {
        std::mem::take(&mut *self.tasks())
    }

    pub(crate) fn peer(&self, node: NodeId) -> Option<Arc<Peer>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).get(&node).cloned()
    }

    pub(crate) fn peers(&self) -> Vec<Arc<Peer>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The peer, which becomes known if it is not, because this node wants to know it.
    pub(crate) fn peer_or_new(
        &self,
        node: NodeId,
        routes: impl FnOnce() -> Vec<Addr>,
    ) -> Result<Arc<Peer>, Error> {
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = peers.get(&node) {
            known.want();
            return Ok(known.clone());
        }
        if self.config.max_peers <= peers.len() {
            return Err(Error::TooManyPeers { limit: self.config.max_peers });
        }
        let peer = self.enter(&mut peers, node);
        peer.set_routes(self.routes(routes()));
        peer.want();
        Ok(peer)
    }

    /// What is known of these addresses.
    pub(crate) fn routes(&self, addrs: Vec<Addr>) -> Vec<Route> {
        let caps = |addr: &Addr| self.transport(addr).ok().map(|transport| transport.caps());
        addrs
            .into_iter()
            .map(|addr| (caps(&addr), addr))
            .map(|(caps, addr)| Route::new(addr, caps))
            .collect()
    }

    /// The peer, which has come by itself and becomes known if there is room for strangers: half of
    /// all, so that whoever may come cannot keep out those whom this node wants to know.
    pub(crate) fn stranger(&self, node: NodeId) -> Result<Arc<Peer>, Error> {
        if let Some(known) = self.peer(node) {
            return Ok(known);
        }
        let (peers, limit) = (self.peers(), self.config.max_peers);
        let strangers = || peers.iter().filter(|peer| peer.is_stranger());
        if limit <= peers.len() || limit.div_ceil(2) <= strangers().count() {
            let idle = strangers().find(|peer| peer.is_idle_stranger());
            self.forget(idle.ok_or(Error::TooManyPeers { limit })?.node);
        }
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        let known = peers.get(&node).cloned();
        Ok(known.unwrap_or_else(|| self.enter(&mut peers, node)))
    }

    fn enter(&self, peers: &mut BTreeMap<NodeId, Arc<Peer>>, node: NodeId) -> Arc<Peer> {
        let peer = Arc::new(Peer::new(node, self.config.outbox, self.revive(node)));
        peers.insert(node, peer.clone());
        peer
    }

    /// Ends everything that has to do with a peer; tells whether it was known.
    pub(crate) fn forget(&self, node: NodeId) -> bool {
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        let Some(peer) = peers.remove(&node) else { return false };
        if let Some(session) = peer.forget() {
            self.retire(session);
        }
        drop(peers);
        self.pool.evict(node);
        for lane in Lane::ALL {
            self.drop_waiting(&peer, lane, Dropped::Forgotten);
        }
        true
    }

    /// Keeps the counters of a peer that was forgotten. If it comes back in the same session, and
    /// ours began anew, it would take all our frames for replays; and we would take its old ones.
    fn retire(&self, session: Arc<Session>) {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        if self.config.max_peers <= retired.len() {
            retired.pop_front();
        }
        retired.push_back(session);
    }

    fn revive(&self, node: NodeId) -> Option<Arc<Session>> {
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        let at = retired.iter().position(|session| session.theirs.node == node)?;
        retired.remove(at)
    }

    /// The session to seal for when somebody claims to be `theirs`.
    pub(crate) fn session_for(&self, theirs: Party) -> Option<Arc<Session>> {
        match self.peer(theirs.node) {
            Some(peer) => peer.session_for(&self.cluster, self.us, theirs),
            None => Session::new(&self.cluster, self.us, theirs).map(Arc::new),
        }
    }

    /// The session of somebody who claims to be `theirs` and has shown nothing: the one that is
    /// known, or one that nobody keeps.
    pub(crate) fn session_of(&self, theirs: Party) -> Option<Arc<Session>> {
        let known = self.peer(theirs.node).and_then(|peer| peer.known_session(theirs));
        known.or_else(|| Session::new(&self.cluster, self.us, theirs).map(Arc::new))
    }

    /// Takes `session`, which was proven just now, as its peer's; returns the one to go on with,
    /// and nothing if the peer was forgotten meanwhile.
    pub(crate) fn adopt(&self, peer: &Peer, session: Arc<Session>) -> Option<Arc<Session>> {
        let (session, is_another) = peer.adopt(session)?;
        add(&self.ledger.links.verified, 1);
        if is_another {
            self.pool.evict(peer.node);
            self.tell(Event::Restarted(peer.node));
        }
        Some(session)
    }

    /// Whether a node may be a member, and until when.
    pub(crate) fn admit(&self, node: NodeId, ticket: &[u8]) -> Result<Option<Instant>, Denied> {
        let ticket = self.judge(node, ticket)?;
        let now = self.config.clock.seconds();
        let rest = ticket.map(|ticket| ticket.not_after.saturating_sub(now).saturating_add(1));
        Ok(rest.map(|rest| later(Instant::now(), Duration::from_secs(rest))))
    }

    /// What this node shows itself.
    pub(crate) fn ticket(&self) -> Bytes {
        self.ticket.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_ticket(&self, ticket: Bytes) {
        *self.ticket.write().unwrap_or_else(PoisonError::into_inner) = ticket;
    }

    /// What a ticket says, if its node may be a member now.
    pub(crate) fn judge(&self, node: NodeId, ticket: &[u8]) -> Result<Option<Ticket>, Denied> {
        let admission = self.admission.read().unwrap_or_else(PoisonError::into_inner).clone();
        admission.admit(&self.cluster, node, ticket, self.config.clock.seconds())
    }

    /// Has other nodes be members from now on, and forgets those that are none any more.
    pub(crate) fn set_admission(&self, admission: Admission) -> Vec<NodeId> {
        *self.admission.write().unwrap_or_else(PoisonError::into_inner) = admission;
        let is_denied = |peer: &Arc<Peer>| {
            peer.ticket().is_some_and(|ticket| self.admit(peer.node, &ticket).is_err())
        };
        let denied = self.peers().into_iter().filter(is_denied).map(|peer| peer.node);
        denied.filter(|node| self.forget(*node)).collect()
    }

    /// What to answer to a Hello over datagrams whose source is not shown to be real; `None` if it
    /// is. A carrier that has an end had a beginning, which nobody can make up.
    pub(crate) fn challenge(&self, info: &Info, hello: &Hello, len: usize) -> Option<Greeting> {
        if info.caps.end != End::None {
            return None;
        }
        let from = match HostPort::parse(&info.remote) {
            Ok(HostPort::Socket(addr)) => (addr.ip(), addr.port()),
            // In memory, say, where nobody can make up where it comes from.
            Ok(HostPort::Name { .. }) | Err(_) => (IpAddr::from([0; 4]), 0),
        };
        let (node, second) = (hello.claim.party.node, self.config.clock.seconds());
        let is_shown = |cookie| self.cookies.knows(cookie, from, node, second);
        match hello.cookie.as_ref().is_some_and(is_shown) && MAX_GREETING <= len {
            true => None,
            false => Some(Greeting::Challenge(Challenge {
                nonce: hello.nonce,
                cookie: self.cookies.make(from, node, second),
            })),
        }
    }

    /// Takes a message to be sent. Never waits.
    pub(crate) fn send(self: &Arc<Self>, node: NodeId, payload: Payload) -> Result<(), SendError> {
        self.send_in(node, payload.class.lane(), payload)
    }

    /// The same in a lane that is not its class's own.
    pub(crate) fn send_in(
        self: &Arc<Self>,
        node: NodeId,
        lane: Lane,
        payload: Payload,
    ) -> Result<(), SendError> {
        if self.is_closed() {
            return Err(SendError::Closed);
        }
        let peer = self.peer(node).ok_or(SendError::UnknownPeer)?;
        let (len, max) = (payload.bytes.len(), self.longest(&peer));
        if max < len {
            return Err(SendError::TooLarge { len, max });
        }
        let class = payload.class;
        let displaced = peer.outbox.push(lane, payload).map_err(|_| SendError::Full)?;
        self.ledger.sent(class);
        self.ledger.dropped(class, Dropped::Displaced, displaced);
        if peer.is_forgotten() {
            // It was just now, and whoever did it may have looked before the message was there.
            self.drop_waiting(&peer, lane, Dropped::Forgotten);
        }
        self.dial_for(&peer, lane);
        Ok(())
    }

    /// The longest message that can be sent to `peer` by any way that is known.
    fn longest(&self, peer: &Peer) -> usize {
        let frame = peer.with_routes(|routes| routes.longest());
        let message = frame.map(|frame| frame.saturating_sub(HEAD + PAYLOAD_HEAD + SIGNATURE));
        message.unwrap_or(usize::MAX).min(self.config.max_message)
    }

    /// Sees to it that there is a conn for `lane`, or somebody who tries.
    pub(crate) fn dial_for(self: &Arc<Self>, peer: &Arc<Peer>, lane: Lane) {
        if let Some(track) = peer.begin_dialling(lane) {
            self.spawn(dial(self.clone(), peer.clone(), track));
        }
    }

    /// A conn to `peer` carries its messages from now on.
    pub(crate) fn connected(&self, peer: &Peer) {
        peer.reached();
        self.tell(Event::Connected(peer.node));
    }

    /// A conn to `peer` has ended. If messages wait, another one has to carry them.
    pub(crate) fn ended(self: &Arc<Self>, peer: &Arc<Peer>) {
        add(&self.ledger.links.ended, 1);
        if !peer.is_connected() {
            self.tell(Event::Disconnected(peer.node));
        }
        self.dial_for_all(peer);
    }

    /// Sees to it that whatever waits for a peer has a conn, or somebody who tries.
    pub(crate) fn dial_for_all(self: &Arc<Self>, peer: &Arc<Peer>) {
        for lane in Lane::ALL {
            if peer.has_work(lane) {
                self.dial_for(peer, lane);
            }
        }
    }

    /// What happens to peers from now on.
    pub(crate) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    pub(crate) fn tell(&self, event: Event) {
        // An error would mean that nobody listens, which is fine.
        drop(self.events.send(event));
    }

    /// Drops what waits for a peer in a lane.
    pub(crate) fn drop_waiting(&self, peer: &Peer, lane: Lane, why: Dropped) {
        let mut waiting = Vec::new();
        peer.outbox.take(lane, usize::MAX, usize::MAX, &mut waiting);
        self.drop_all(peer, &waiting, why);
        self.lose_orphans(peer, lane);
    }

    pub(crate) fn drop_all(&self, peer: &Peer, waiting: &[Payload], why: Dropped) {
        waiting.iter().for_each(|payload| self.drop_payload(peer, payload, why));
    }

    pub(crate) fn drop_payload(&self, peer: &Peer, payload: &Payload, why: Dropped) {
        self.ledger.dropped(payload.class, why, 1);
        if let Kind::Request(number) = payload.kind {
            peer.answer(number, Answered::Unreachable);
        }
    }

    /// Has the messages of frames that were never opened sent anew, in the same order.
    pub(crate) fn take_back(self: &Arc<Self>, peer: &Arc<Peer>, unopened: Vec<Orphan>) {
        if unopened.is_empty() {
            return;
        }
        for orphan in unopened.iter().filter(|orphan| orphan.kept.is_carried) {
            self.ledger.recalled(orphan.kept.messages);
        }
        peer.outbox.put_back(unopened.iter().flat_map(Orphan::messages).collect());
        for lane in Lane::ALL {
            if peer.is_forgotten() {
                self.drop_waiting(peer, lane, Dropped::Forgotten);
            }
            peer.outbox.wake(lane);
        }
        self.dial_for_all(peer);
    }

    /// Gives up a frame that may have arrived or not.
    pub(crate) fn lose(&self, peer: &Peer, kept: &Kept) {
        match kept.is_carried {
            true => self.ledger.lost(kept.messages),
            false => self.ledger.uncertain(kept.messages),
        }
        for payload in kept.payloads() {
            if let Kind::Request(number) = payload.kind {
                peer.answer(number, Answered::Lost);
            }
        }
    }

    pub(crate) fn lose_orphans(&self, peer: &Peer, lane: Lane) {
        let orphans = peer.orphans().take(lane);
        orphans.iter().for_each(|orphan| self.lose(peer, &orphan.kept));
    }

    pub(crate) fn add_listener(&self, addr: Addr) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(addr);
    }

    pub(crate) fn remove_listener(&self, addr: &Addr) {
        let mut listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener != addr);
    }

    /// Whether an address that a record tells may be dialled. Of one that no transport here can use
    /// nothing is known, and nothing will be dialled.
    pub(crate) fn may_dial(&self, addr: &Addr) -> Result<(), Unallowed> {
        match self.transport(addr) {
            Ok(transport) => self.config.reach.allows(addr, &transport.caps()),
            Err(_) => Ok(()),
        }
    }

    /// A listener whose socket dials can use, so that peers see the address that they would dial.
    pub(crate) fn listener_of(&self, scheme: &str) -> Option<Addr> {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().find(|addr| addr.scheme() == scheme).cloned()
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that has happened to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It has proven itself on a conn.
    Connected(NodeId),
    /// Its last conn has ended.
    Disconnected(NodeId),
    /// It has proven to be in another session than before: it has started again.
    Restarted(NodeId),
    /// No route led to it, for all attempts; what waited for it was dropped.
    Unreachable(NodeId),
}

/// Events that may wait for whoever is slow to take them; of more, the oldest go.
const EVENTS: usize = 1024;
