//! A node's end of everything: what users of this crate hold.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use rumormill_identity::{Purpose, SIGNATURE, SecretKey};
use rumormill_registry::Registry;
use rumormill_transport_api::{
    Addr, AnyConn, AnyListener, Backoff, Listener, NodeId, Timeouts, Transport, accept_next,
};
use tokio::{
    sync::{Semaphore, broadcast},
    time::{Instant, timeout_at},
};

use crate::{
    admission::{Admission, Denied, Ticket},
    clock::{Clock, later},
    config::Config,
    error::{Error, RequestError, SendError},
    frame::{Class, Kind, Lane, Payload},
    greet,
    hub::{Event, Hub},
    inbox::{self, Inbox, Message},
    ledger::{Dropped, Ledger, Snapshot, add},
    link::carry,
    peer::Peer,
    pool::Pool,
    reach::Unallowed,
    request::ask,
};

/// A node's end of everything: it knows peers, has conns to them over any transports, and moves
/// messages that are signed and cannot be replayed.
///
/// Dropping it ends everything at once, but for what somebody still holds of its pool. [`close`](Self::close) sends first what waits.
pub struct Endpoint {
    hub: Arc<Hub>,
    accepting: Arc<Semaphore>,
}

/// Where what peers send arrives, by class.
#[derive(Debug)]
pub struct Inboxes {
    /// Probes.
    pub control: Inbox,
    /// What a gossip protocol spreads.
    pub gossip: Inbox,
    /// Everything else, questions among it.
    pub bulk: Inbox,
}

/// What an endpoint leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What became of everything.
    pub snapshot: Snapshot,
    /// Messages that were still waiting when the deadline passed, and were dropped.
    pub unsent: u64,
}

/// What is known of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Who.
    pub node: NodeId,
    /// Where it may be.
    pub routes: Vec<Addr>,
    /// Whether there is a conn on which it has proven itself.
    pub is_connected: bool,
}

impl Endpoint {
    /// An endpoint of the node with `key`, over the transports of `registry`. Must be called inside
    /// a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn start(
        registry: Arc<Registry>,
        key: SecretKey,
        config: Config,
    ) -> Result<(Self, Inboxes), Error> {
        check(&config)?;
        let (ledger, limits) = (Arc::new(Ledger::of(registry.schemes())), config.inbox);
        let inbox = |class| inbox::inbox(class, limits, ledger.clone());
        let (control, gossip, bulk) =
            (inbox(Class::Control), inbox(Class::Gossip), inbox(Class::Bulk));
        let accepting = Arc::new(Semaphore::new(config.max_accepted));
        let boxes = [control.0, gossip.0, bulk.0];
        let hub = Arc::new(Hub::new(registry, key, config, ledger, boxes));
        let inboxes = Inboxes { control: control.1, gossip: gossip.1, bulk: bulk.1 };
        Ok((Self { hub, accepting }, inboxes))
    }

    /// Who this node is.
    pub fn node(&self) -> NodeId {
        self.hub.us.node
    }

    /// The name of its cluster.
    pub fn cluster(&self) -> &str {
        &self.hub.config.cluster
    }

    /// Which session of the node this is: drawn at random at the start.
    pub fn session(&self) -> u64 {
        self.hub.us.session
    }

    /// The time of day, as the endpoint sees it.
    pub fn clock(&self) -> Clock {
        self.hub.config.clock
    }

    /// The node's signature of a digest, for this purpose and no other: for what is passed on by
    /// others, who sign only their frames.
    pub fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> [u8; SIGNATURE] {
        self.hub.key.sign(purpose, digest)
    }

    /// Accepts peers at `addr`; returns the address as bound.
    ///
    /// # Errors
    /// [`Error::Confidential`], [`Error::Registry`].
    ///
    /// # Cancel safety
    /// Dropping the future binds nothing.
    pub async fn listen(&self, addr: &Addr) -> Result<Addr, Error> {
        let listener = self.hub.transport(addr)?.listen(addr).await?;
        let bound = listener.addr().clone();
        self.hub.add_listener(bound.clone());
        self.hub.spawn(accept(self.hub.clone(), self.accepting.clone(), listener));
        Ok(bound)
    }

    /// Tells the endpoint where a peer may be, in order of preference; replaces what it knew.
    ///
    /// # Errors
    /// [`Error::TooManyPeers`].
    pub fn learn(&self, node: NodeId, routes: Vec<Addr>) -> Result<(), Error> {
        let peer = self.hub.peer_or_new(node, Vec::new)?;
        peer.set_routes(self.hub.routes(routes));
        self.hub.dial_for_all(&peer);
        Ok(())
    }

    /// The same on somebody else's word, a record's: it replaces what records told before, and not what
    /// [`learn`](Self::learn) or [`contact`](Self::contact) did. What [`Config::reach`] does not allow
    /// is left out, and comes back with the reason.
    ///
    /// # Errors
    /// [`Error::TooManyPeers`].
    pub fn hear_of(
        &self,
        node: NodeId,
        routes: Vec<Addr>,
    ) -> Result<Vec<(Addr, Unallowed)>, Error> {
        let (mut allowed, mut refused) = (Vec::new(), Vec::new());
        for addr in routes {
            match self.hub.may_dial(&addr) {
                Ok(()) => allowed.push(addr),
                Err(why) => refused.push((addr, why)),
            }
        }
        let peer = self.hub.peer_or_new(node, Vec::new)?;
        peer.hear_routes(self.hub.routes(allowed));
        self.hub.dial_for_all(&peer);
        Ok(refused)
    }

    /// Has other nodes be members from now on: a list that was changed, tickets of which some were
    /// revoked. Those that are none any more are forgotten, and returned.
    pub fn set_admission(&self, admission: Admission) -> Vec<NodeId> {
        self.hub.set_admission(admission)
    }

    /// Whether a node that shows `ticket` may be a member; with tickets, what the ticket says.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn admits(&self, node: NodeId, ticket: &[u8]) -> Result<Option<Ticket>, Denied> {
        self.hub.judge(node, ticket)
    }

    /// How many peers have a place at once.
    pub fn max_peers(&self) -> usize {
        self.hub.config.max_peers
    }

    /// The longest message in bytes, both ways.
    pub fn max_message(&self) -> usize {
        self.hub.config.max_message
    }

    /// What this node shows itself.
    pub fn ticket(&self) -> Bytes {
        self.hub.ticket()
    }

    /// Has this node show another ticket from now on: the next one, before the last expires. Conns that
    /// are open stay so.
    pub fn set_ticket(&self, ticket: Bytes) {
        self.hub.set_ticket(ticket);
    }

    /// Ends all conns to a peer and drops what waits for it; tells whether it was known.
    pub fn forget(&self, node: NodeId) -> bool {
        self.hub.forget(node)
    }

    /// Meets whoever is at `addr`, and keeps the conn.
    ///
    /// # Errors
    /// [`Error::NoPeer`], [`Error::Denied`], [`Error::Timeout`], [`Error::Registry`],
    /// [`Error::Confidential`], [`Error::TooManyPeers`].
    ///
    /// # Cancel safety
    /// Dropping the future closes whatever it had opened.
    pub async fn contact(&self, addr: &Addr) -> Result<NodeId, Error> {
        let met = self.hub.meet(addr, None, Lane::Urgent).await?;
        let node = met.peer.node;
        if met.peer.routes().is_empty() {
            met.peer.set_routes(self.hub.routes(vec![addr.clone().without_options()]));
        }
        let (hub, link) = (self.hub.clone(), met.link(Some(addr.clone())));
        self.hub.spawn(async move { carry(&hub, &link, Lane::Urgent, met).await });
        Ok(node)
    }

    /// Takes a message for a peer, and never waits: it goes out in its turn.
    ///
    /// At most once, and over a stream in order with others of its class as long as the conn lives.
    /// That it was taken does not mean that it arrives.
    ///
    /// # Errors
    /// [`SendError`]; the message was not taken.
    pub fn send(
        &self,
        to: NodeId,
        class: Class,
        message: impl Into<Bytes>,
    ) -> Result<(), SendError> {
        self.hub.send(to, Payload::message(class, message))
    }

    /// The same over a stream, however short the message is, if there is one to be had.
    ///
    /// # Errors
    /// [`SendError`]; the message was not taken.
    pub fn send_over_stream(
        &self,
        to: NodeId,
        class: Class,
        message: impl Into<Bytes>,
    ) -> Result<(), SendError> {
        let lane = if class == Class::Bulk { Lane::Bulk } else { Lane::Heavy };
        self.hub.send_in(to, lane, Payload::message(class, message))
    }

    /// Has all ways to a peer tried at once when something is sent next, however lately they failed.
    pub fn try_again(&self, node: NodeId) {
        if let Some(peer) = self.hub.peer(node) {
            peer.reached();
            peer.with_routes(|routes| routes.forgive());
        }
    }

    /// Asks a peer, and waits for its answer, but no longer than `deadline`. The question arrives at
    /// most once.
    ///
    /// # Errors
    /// [`RequestError`].
    ///
    /// # Cancel safety
    /// Dropping the future gives up waiting; the question may still be sent.
    pub async fn request(
        &self,
        to: NodeId,
        question: impl Into<Bytes>,
        deadline: Duration,
    ) -> Result<Bytes, RequestError> {
        ask(&self.hub, to, question.into(), later(Instant::now(), deadline), 1).await
    }

    /// The same for a question that does no harm if it arrives several times: it is asked again when
    /// it got lost with its conn, or its answer takes long, as often as [`Config::retry`] has it.
    ///
    /// # Errors
    /// As for [`request`](Self::request).
    ///
    /// # Cancel safety
    /// As for [`request`](Self::request).
    pub async fn request_idempotent(
        &self,
        to: NodeId,
        question: impl Into<Bytes>,
        deadline: Duration,
    ) -> Result<Bytes, RequestError> {
        let attempts = self.hub.config.retry.attempts.max(1);
        ask(&self.hub, to, question.into(), later(Instant::now(), deadline), attempts).await
    }

    /// Answers a question; a message that is none is left alone.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn reply(&self, to: &Message, answer: impl Into<Bytes>) -> Result<(), SendError> {
        let Some(number) = to.question else { return Ok(()) };
        let payload =
            Payload { class: Class::Bulk, kind: Kind::Reply(number), bytes: answer.into() };
        self.hub.send(to.from, payload)
    }

    /// Conns for raw questions and answers, which count among those of this endpoint. They have
    /// nothing to do with peers, and what goes over them is not signed; but those to a peer that is
    /// forgotten, or starts again, are not used any more.
    pub fn pool(&self) -> &Pool {
        &self.hub.pool
    }

    /// The peers that are known, in order of their ids.
    pub fn peers(&self) -> Vec<PeerInfo> {
        let info = |peer: &Arc<Peer>| PeerInfo {
            node: peer.node,
            routes: peer.routes(),
            is_connected: peer.is_connected(),
        };
        self.hub.peers().iter().map(info).collect()
    }

    /// What happens to peers from now on; whoever is slow misses the oldest, and is told how many.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.hub.events()
    }

    /// What became of everything so far.
    pub fn snapshot(&self) -> Snapshot {
        self.hub.ledger.snapshot()
    }

    /// Takes no more messages, sends what waits, closes all conns, and ends what is left after
    /// `deadline`.
    ///
    /// Whatever is asked of it afterwards is refused; closing again finds nothing left to end.
    ///
    /// Not cancel-safe: dropping the future ends everything at once.
    pub async fn close(&self, deadline: Duration) -> Report {
        let until = later(Instant::now(), deadline);
        let _ending = Ending(&self.hub);
        self.hub.close();
        self.accepting.close();
        let peers = self.hub.peers();
        peers.iter().for_each(|peer| peer.drain());
        self.hub.pool.close(Duration::ZERO).await;
        let mut tasks = self.hub.take_tasks();
        while let Ok(Some(_)) = timeout_at(until, tasks.join_next()).await {}
        tasks.shutdown().await;
        for peer in &peers {
            for lane in Lane::ALL {
                self.hub.drop_waiting(peer, lane, Dropped::Closed);
            }
        }
        let snapshot = self.hub.ledger.snapshot();
        let unsent = snapshot.classes.iter().map(|class| class.dropped(Dropped::Closed)).sum();
        Report { snapshot, unsent }
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.hub.end();
    }
}

/// Ends what is left when an endpoint has closed, or nobody waits for that any more. The endpoint itself
/// may live on, and whoever takes messages is not to wait for its end.
struct Ending<'a>(&'a Hub);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn check(config: &Config) -> Result<(), Error> {
    let problem = |setting, problem| Err(Error::Config { setting, problem });
    match config {
        Config { cluster, .. } if cluster.is_empty() => {
            problem("cluster", "is empty; give the cluster a name that no other has")
        }
        Config { max_message, .. } if 1 << 30 < *max_message => {
            problem("max_message", "is over 1 GiB; send large things in pieces")
        }
        Config { admission: Admission::Nodes(nodes), .. } if **nodes == BTreeSet::new() => {
            problem("admission", "lists nobody; list the nodes of the cluster")
        }
        Config { max_conns: 0, .. } => problem("max_conns", "is 0; a node needs a conn or two"),
        Config { timeouts: Timeouts { dial, read, write }, .. }
            if LONGEST < *dial.max(read).max(write) =>
        {
            problem("timeouts", "are over a day; nobody waits as long for a peer")
        }
        _ => Ok(()),
    }
}

const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Accepts until the endpoint is closed, or the listener ends.
async fn accept(hub: Arc<Hub>, accepting: Arc<Semaphore>, mut listener: AnyListener) {
    let mut backoff = Backoff::default();
    while let Ok(permit) = accepting.clone().acquire_owned().await {
        let accepted = tokio::select! {
            biased;
            () = hub.closed() => return,
            accepted = accept_next(&mut listener, &mut backoff) => accepted,
        };
        let Ok(conn) = accepted else { break };
        add(&hub.ledger.links.accepted, 1);
        let mine = hub.clone();
        hub.spawn(async move {
            let _permit = permit;
            receive(&mine, conn).await;
        });
    }
    hub.remove_listener(listener.addr());
}

async fn receive(hub: &Arc<Hub>, conn: AnyConn) {
    // Whoever has not proven itself must not hold up the end.
    let greeted = tokio::select! {
        biased;
        () = hub.closed() => None,
        greeted = greet::accepted(hub, conn) => greeted,
    };
    match greeted {
        Some((lane, met)) => carry(hub, &met.link(None), lane, met).await,
        None => add(&hub.ledger.links.ended, 1),
    }
}
