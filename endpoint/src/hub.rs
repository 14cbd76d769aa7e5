//! What all tasks of an endpoint share.

use std::{
    collections::HashMap,
    future::Future,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, Delivery, Expect, HostPort, Info, NodeId, Target, Transport};
use tokio::{
    runtime::Handle,
    sync::{broadcast, watch},
    task::JoinSet,
    time::timeout,
};

use crate::{
    config::Config,
    error::{Error, SendError},
    frame::{Class, Kind, Lane, Payload},
    greet,
    hello::{Challenge, CookieKey, Greeting, Hello, MAX_GREETING},
    inbox,
    ledger::{Dropped, Ledger, add},
    link::{Link, Met, carry},
    peer::{Answered, Peer, Session},
    retry::RetryBudget,
    seal::{Cluster, Party},
};

/// What all tasks of an endpoint share.
pub(crate) struct Hub {
    pub(crate) config: Config,
    pub(crate) key: SecretKey,
    pub(crate) us: Party,
    pub(crate) cluster: Cluster,
    pub(crate) ledger: Arc<Ledger>,
    registry: Arc<Registry>,
    inboxes: [Arc<inbox::Box>; 3],
    peers: RwLock<HashMap<NodeId, Arc<Peer>>>,
    listeners: Mutex<Vec<Addr>>,
    tasks: Mutex<JoinSet<()>>,
    cookies: CookieKey,
    runtime: Handle,
    is_closed: watch::Sender<bool>,
    events: broadcast::Sender<Event>,
    budget: Mutex<RetryBudget>,
}

impl Hub {
    pub(crate) fn new(
        registry: Arc<Registry>,
        key: SecretKey,
        config: Config,
        ledger: Arc<Ledger>,
        inboxes: [Arc<inbox::Box>; 3],
    ) -> Self {
        Self {
            us: Party::starting(key.node()),
            cluster: Cluster::named(&config.cluster),
            config,
            key,
            ledger,
            registry,
            inboxes,
            peers: RwLock::default(),
            listeners: Mutex::default(),
            tasks: Mutex::default(),
            cookies: CookieKey::new(rand::random()),
            runtime: Handle::current(),
            is_closed: watch::Sender::new(false),
            events: broadcast::Sender::new(EVENTS),
            budget: Mutex::default(),
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn inbox(&self, class: Class) -> &inbox::Box {
        &self.inboxes[class as usize]
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.is_closed.borrow()
    }

    pub(crate) fn close(&self) {
        self.is_closed.send_replace(true);
    }

    /// Waits until the endpoint is closed.
    pub(crate) async fn closed(&self) {
        // An error would mean that the sender is gone, which is here.
        drop(self.is_closed.subscribe().wait_for(|is_closed| *is_closed).await);
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

    /// The peer, which becomes known if it is not.
    pub(crate) fn peer_or_new(
        &self,
        node: NodeId,
        routes: impl FnOnce() -> Vec<Addr>,
    ) -> Result<Arc<Peer>, Error> {
        let mut peers = self.peers.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = peers.get(&node) {
            return Ok(known.clone());
        }
        if self.config.max_peers <= peers.len() {
            return Err(Error::TooManyPeers { limit: self.config.max_peers });
        }
        let peer = Arc::new(Peer::new(node, self.config.outbox));
        peer.set_routes(routes());
        peers.insert(node, peer.clone());
        Ok(peer)
    }

    pub(crate) fn remove_peer(&self, node: NodeId) -> Option<Arc<Peer>> {
        self.peers.write().unwrap_or_else(PoisonError::into_inner).remove(&node)
    }

    /// The session to seal for when somebody claims to be `theirs`.
    pub(crate) fn session_for(&self, theirs: Party) -> Option<Arc<Session>> {
        match self.peer(theirs.node) {
            Some(peer) => peer.session_for(&self.cluster, self.us, theirs),
            None => Session::new(&self.cluster, self.us, theirs).map(Arc::new),
        }
    }

    /// Takes `session`, which was proven just now, as its peer's; returns the one to go on with.
    pub(crate) fn adopt(
        &self,
        session: Arc<Session>,
        routes: impl FnOnce() -> Vec<Addr>,
    ) -> Option<Arc<Session>> {
        let peer = self.peer_or_new(session.theirs.node, routes).ok()?;
        add(&self.ledger.links.verified, 1);
        let (session, is_another) = peer.adopt(session);
        if is_another {
            self.tell(Event::Restarted(peer.node));
        }
        Some(session)
    }

    /// What to answer to a Hello over datagrams whose source is not shown to be real; `None` if it
    /// is.
    pub(crate) fn challenge(&self, info: &Info, hello: &Hello, len: usize) -> Option<Greeting> {
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
        if self.is_closed() {
            return Err(SendError::Closed);
        }
        let (len, max) = (payload.bytes.len(), self.config.max_message);
        if max < len {
            return Err(SendError::TooLarge { len, max });
        }
        let peer = self.peer(node).ok_or(SendError::UnknownPeer)?;
        let class = payload.class;
        let displaced = peer.outbox.push(payload).map_err(|_| SendError::Full)?;
        self.ledger.sent(class);
        self.ledger.dropped(class, Dropped::Displaced, displaced);
        self.dial_for(&peer, class.lane());
        Ok(())
    }

    /// Sees to it that there is a conn for `lane`, or somebody who tries.
    fn dial_for(self: &Arc<Self>, peer: &Arc<Peer>, lane: Lane) {
        if peer.begin_dialling(lane) {
            self.spawn(dial(self.clone(), peer.clone(), lane));
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
        for lane in [Lane::Urgent, Lane::Bulk] {
            if !peer.outbox.is_empty(lane) {
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
        waiting.iter().for_each(|payload| self.drop_payload(peer, payload, why));
    }

    pub(crate) fn drop_payload(&self, peer: &Peer, payload: &Payload, why: Dropped) {
        self.ledger.dropped(payload.class, why, 1);
        if let Kind::Request(number) = payload.kind {
            peer.answer(number, Answered::Unreachable);
        }
    }

    /// Opens a conn to `addr` and greets whoever is there, who must be `expected` if that is given.
    pub(crate) async fn meet(
        &self,
        addr: &Addr,
        expected: Option<NodeId>,
        lane: Lane,
    ) -> Result<Met, Error> {
        let transport = self.registry.transport(addr.scheme())?;
        let caps = transport.caps();
        if self.config.confidential && !caps.secure && !caps.local_only {
            return Err(Error::Confidential { addr: addr.clone() });
        }
        let mut target = Target::new(addr.clone());
        if let Some(node) = expected.filter(|_| caps.secure) {
            target.expect = Expect::Node(node);
        }
        if caps.delivery == Delivery::Datagram {
            target.from = self.listener_of(addr.scheme());
        }
        let after = self.config.timeouts.dial;
        let timed_out = || Error::Timeout { addr: addr.clone(), after };
        let conn = timeout(after, transport.dial(&target)).await.map_err(|_| timed_out())??;
        let met = greet::dialled(self, conn, addr, expected, lane).await?;
        let session = self.adopt(met.session.clone(), Vec::new).ok_or(Error::Closed)?;
        add(&self.ledger.links.dialled, 1);
        Ok(Met { session, ..met })
    }

    pub(crate) fn add_listener(&self, addr: Addr) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(addr);
    }

    /// A listener whose socket dials can use, so that peers see the address that they would dial.
    fn listener_of(&self, scheme: &str) -> Option<Addr> {
        let listeners = self.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().find(|addr| addr.scheme() == scheme).cloned()
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries what waits for a peer in a lane over conns that it dials, until nothing waits or no
/// route leads there.
async fn dial(hub: Arc<Hub>, peer: Arc<Peer>, lane: Lane) {
    let mut attempt = 0;
    wait(peer.cool_down(&hub.config.retry)).await;
    while !peer.has_link(lane) && !peer.outbox.is_empty(lane) {
        let Some(pause) = hub.pause(attempt) else {
            hub.give_up(&peer, lane);
            break;
        };
        wait(pause).await;
        match first_route(&hub, &peer, lane).await {
            Some(met) => {
                attempt = 0;
                carry(&hub, &Link::new(hub.us.node), lane, met).await;
            }
            None => attempt += 1,
        }
    }
    peer.end_dialling(lane);
    // Somebody may have sent after the last look, and found that somebody dials.
    if !peer.outbox.is_empty(lane) && !peer.has_link(lane) {
        hub.dial_for(&peer, lane);
    }
}

impl Hub {
    /// How long to wait before this attempt; `None` if there shall be no further one.
    fn pause(&self, attempt: u32) -> Option<Duration> {
        let pause = self.config.retry.delay(attempt, &mut rand::rng())?;
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        if attempt == 0 {
            budget.earn();
        } else if budget.spend() {
            add(&self.ledger.links.retries, 1);
        } else {
            return None;
        }
        Some(pause)
    }

    fn give_up(&self, peer: &Peer, lane: Lane) {
        peer.missed();
        self.drop_waiting(peer, lane, Dropped::Unreachable);
        self.tell(Event::Unreachable(peer.node));
    }
}

async fn first_route(hub: &Hub, peer: &Arc<Peer>, lane: Lane) -> Option<Met> {
    for addr in peer.routes() {
        match hub.meet(&addr, Some(peer.node), lane).await {
            Ok(met) => return Some(met),
            Err(error) => {
                add(&hub.ledger.links.failed_dials, 1);
                tracing::debug!(node = %peer.node, %addr, %error, "a route leads nowhere");
            }
        }
    }
    None
}

/// The one place where an endpoint waits for time to pass, and for nothing else.
#[expect(clippy::disallowed_methods, reason = "a retry waits before it tries again")]
async fn wait(pause: Duration) {
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
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
