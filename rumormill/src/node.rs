//! A node of a cluster: everything in one, started from a configuration.

#[cfg(feature = "admin")]
mod administered;
mod error;
mod joining;
mod metrics;
mod places;
mod reload;
mod start;
#[cfg(not(feature = "admin"))]
mod unadministered;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
#[cfg(feature = "broker")]
use rumormill_broker::{Broker, StopReport};
use rumormill_endpoint::{Class, Endpoint, Message, Report, RequestError, SendError};
use rumormill_gossip::{
    BroadcastError, Event, Gossip, JoinError, LeaveReport, MemberInfo, Profile, ProfileError,
    RumorId, Rumors,
};
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, NodeId};
use tokio::{
    sync::{OnceCell, broadcast, watch},
    task::AbortHandle,
    time::Instant,
};

use crate::config::{Config, Token};

pub use error::{ReloadError, StartError};
pub use metrics::{Metrics, metrics_reference};
#[cfg(feature = "broker")]
pub(crate) use metrics::{broker_page, build_page, snake};
#[cfg(not(feature = "admin"))]
pub use unadministered::NoAdmin;

#[cfg(feature = "admin")]
pub(crate) use self::administered::Administered;
#[cfg(not(feature = "admin"))]
pub(crate) use self::unadministered::Administered;

/// A node of a cluster: its endpoint, its membership, and what keeps it joined.
///
/// It is a handle, cheap to clone. When the last one is dropped the node ends without a word to the
/// others, as in a crash; [`leave`](Self::leave) says goodbye.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rumormill::{
///     Node,
///     config::{Admission, Config, Preset},
/// };
///
/// // For a cluster on this machine. Others list their nodes, or give them tickets.
/// let cluster = || Config::preset("docs", Admission::Open, Preset::Local);
/// # if !rumormill::registry()?.contains("tcp") { return Ok(()) }
/// let first = Config { listen: vec!["tcp://127.0.0.1:0".parse()?], ..cluster() };
/// let (first, _inbox) = Node::start(first).await?;
///
/// let (second, mut inbox) = Node::start(Config { join: first.addresses(), ..cluster() }).await?;
/// second.ready().await;
/// first.wait_for(|members| !members.is_empty()).await;
/// first.send(second.id(), "welcome")?;
/// let message = inbox.recv().await.ok_or("closed")?;
/// assert_eq!((message.from, &*message.bytes), (first.id(), &b"welcome"[..]));
///
/// second.leave().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Node(Arc<Inner>);

/// A node, for a task that shall not keep it going.
#[derive(Clone)]
pub struct WeakNode(Weak<Inner>);

/// What a node leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Farewell {
    /// How far the news of it has come; `None` if membership had ended before.
    pub leave: Option<LeaveReport>,
    /// What became of all messages.
    pub report: Report,
    /// What its broker has left behind, if it hosted one.
    #[cfg(feature = "broker")]
    pub broker: Option<StopReport>,
}

/// A broker that a node hosts, and where it listens, as bound.
#[cfg(feature = "broker")]
struct Hosted {
    broker: Broker,
    addresses: Vec<Addr>,
}

struct Inner {
    endpoint: Arc<Endpoint>,
    gossip: Arc<Gossip>,
    #[cfg(feature = "broker")]
    broker: Option<Hosted>,
    addresses: Vec<Addr>,
    registry: Arc<Registry>,
    config: Mutex<Config>,
    /// Held while something new is said, so that all say the same in the same order.
    profile: tokio::sync::Mutex<Profile>,
    token: RwLock<Option<Token>>,
    join: watch::Sender<Vec<Addr>>,
    is_ready: watch::Receiver<bool>,
    joining: AbortHandle,
    is_over: AtomicBool,
    farewell: OnceCell<Farewell>,
    over: watch::Sender<bool>,
    administered: Administered,
}

impl Node {
    /// Who it is.
    pub fn id(&self) -> NodeId {
        self.0.endpoint.node()
    }

    /// What people call it; may be empty.
    pub fn name(&self) -> Box<str> {
        self.config().node.name
    }

    /// The name of its cluster.
    pub fn cluster(&self) -> &str {
        self.0.endpoint.cluster()
    }

    /// Where it listens, as bound.
    pub fn addresses(&self) -> Vec<Addr> {
        self.0.addresses.clone()
    }

    /// The broker that it hosts, if it does.
    #[cfg(feature = "broker")]
    pub fn broker(&self) -> Option<&Broker> {
        self.0.broker.as_ref().map(|hosted| &hosted.broker)
    }

    /// Where that broker listens, as bound; empty if there is none.
    #[cfg(feature = "broker")]
    pub fn broker_addresses(&self) -> Vec<Addr> {
        self.0.broker.as_ref().map_or_else(Vec::new, |hosted| hosted.addresses.clone())
    }

    /// The configuration that is in force.
    pub fn config(&self) -> Config {
        self.0.config().clone()
    }

    /// All other members that are known, those that failed or left included, by id.
    pub fn members(&self) -> Vec<MemberInfo> {
        self.0.gossip.members()
    }

    /// Waits until what is known of the others satisfies `is_enough`; returns it then, and what is known
    /// when membership ends otherwise. Cancel-safe.
    pub async fn wait_for(
        &self,
        is_enough: impl FnMut(&Vec<MemberInfo>) -> bool,
    ) -> Vec<MemberInfo> {
        self.0.gossip.wait_for(is_enough).await
    }

    /// What happens to members from now on; whoever is slow misses the oldest, and is told how many.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.0.gossip.events()
    }

    /// What other nodes say to all, from now on.
    pub fn rumors(&self) -> Rumors {
        self.0.gossip.rumors()
    }

    /// Says something to all members: see [`Gossip::broadcast`].
    ///
    /// # Errors
    /// [`BroadcastError`]; nothing was sent.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether it was broadcast.
    pub async fn broadcast(&self, bytes: impl Into<Bytes>) -> Result<RumorId, BroadcastError> {
        self.0.gossip.broadcast(bytes).await
    }

    /// Takes a message for another node, and never waits: see [`Endpoint::send`].
    ///
    /// # Errors
    /// [`SendError`]; the message was not taken.
    pub fn send(&self, to: NodeId, message: impl Into<Bytes>) -> Result<(), SendError> {
        self.0.endpoint.send(to, Class::Bulk, message)
    }

    /// Asks another node, and waits for its answer, but no longer than `deadline`. The question arrives
    /// at most once.
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
        self.0.endpoint.request(to, question, deadline).await
    }

    /// Answers a question; a message that is none is left alone.
    ///
    /// # Errors
    /// [`SendError`]; the answer was not taken.
    pub fn reply(&self, to: &Message, answer: impl Into<Bytes>) -> Result<(), SendError> {
        self.0.endpoint.reply(to, answer)
    }

    /// Gives this node other metadata, which all members fetch.
    ///
    /// # Errors
    /// [`ProfileError::Metadata`]; nothing has changed.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the metadata as they were.
    pub async fn set_metadata(&self, metadata: impl Into<Bytes>) -> Result<(), ProfileError> {
        let metadata = metadata.into();
        let mut profile = self.0.profile.lock().await;
        self.0.gossip.set_metadata(metadata.clone()).await?;
        profile.metadata = metadata;
        Ok(())
    }

    /// Joins the cluster of whoever is at `addr`, besides what the configuration says: see
    /// [`Gossip::join`].
    ///
    /// # Errors
    /// [`JoinError`].
    ///
    /// # Cancel safety
    /// Dropping the future may leave a conn to the node that was met, which may go on telling.
    pub async fn join(&self, addr: &Addr) -> Result<NodeId, JoinError> {
        self.0.gossip.join(addr).await
    }

    /// Whether it takes part: it listens, has not left, and has found somebody if it was to join.
    pub fn is_ready(&self) -> bool {
        *self.0.is_ready.borrow() && !self.0.is_over.load(Relaxed) && !self.0.gossip.is_over()
    }

    /// Waits until the node has found somebody, if it was to join; or for good, once it has left.
    /// Cancel-safe.
    pub async fn ready(&self) {
        let mut is_ready = self.0.is_ready.clone();
        if is_ready.wait_for(|is_ready| *is_ready).await.is_err() {
            std::future::pending().await
        }
    }

    /// What became of everything so far.
    pub fn metrics(&self) -> Metrics {
        Metrics::of(&self.0.endpoint, &self.0.gossip)
    }

    /// Stops its broker, says goodbye, sends what waits, and closes everything, within `leave.deadline` of the
    /// configuration. Called again, it tells the same.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the node half gone; the next call goes on.
    pub async fn leave(&self) -> Farewell {
        let farewell = self.0.farewell.get_or_init(async || {
            self.0.is_over.store(true, Relaxed);
            self.0.joining.abort();
            let until = Instant::now() + self.0.config().leave.deadline;
            let rest = || until.saturating_duration_since(Instant::now());
            #[cfg(feature = "broker")]
            let broker = match self.broker() {
                Some(broker) => Some(broker.stop(rest() / 2).await),
                None => None,
            };
            let leave = self.0.gossip.leave(rest()).await;
            // Whoever is there has confirmed it; what else membership has said last is worth no long wait.
            let is_done = self.metrics().endpoint.class(Class::Bulk).in_flight() == 0;
            let within = if is_done { rest().min(SETTLED) } else { rest() };
            let report = self.0.endpoint.close(within).await;
            self.0.administered.end(self.0.over.clone());
            Farewell {
                leave,
                report,
                #[cfg(feature = "broker")]
                broker,
            }
        });
        farewell.await.clone()
    }

    /// Waits until the node has left. Cancel-safe.
    pub async fn left(&self) {
        let mut over = self.0.over.subscribe();
        if over.wait_for(|is_over| *is_over).await.is_err() {
            std::future::pending().await
        }
    }

    /// The endpoint beneath, with everything that is not said here.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// The membership beneath.
    pub fn gossip(&self) -> &Gossip {
        &self.0.gossip
    }

    /// The transports of the node.
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// What whoever asks by TCP has to know, as it was read last.
    pub fn token(&self) -> Option<Token> {
        self.0.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The node, for a task that shall not keep it going.
    pub fn downgrade(&self) -> WeakNode {
        WeakNode(Arc::downgrade(&self.0))
    }
}

impl WeakNode {
    /// The node, if somebody still holds it.
    pub fn upgrade(&self) -> Option<Node> {
        self.0.upgrade().map(Node)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.id())
    }
}

impl fmt::Debug for WeakNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakNode")
    }
}

impl Inner {
    fn config(&self) -> MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.joining.abort();
    }
}

/// How long conns may take to end that carry nothing of applications any more: echoes are due by then.
const SETTLED: Duration = Duration::from_secs(1);
