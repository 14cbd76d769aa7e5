//! Everything that a node or a broker can be told before it starts, and where it was told.
//!
//! A [`Config`] is a plain struct. [`Sources`] make one from a file in TOML, the environment and flags,
//! each of which overrides the one before, and tell everything that is wrong with them at once. Each
//! key stands in one table, with its meaning, what it takes, its default, and whether a running node
//! takes a change over: reading, printing and the reference page are made from it.
//!
//! ```
//! use std::time::Duration;
//!
//! use rumormill::config::{Origin, Sources};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sources = Sources {
//!     environment: vec![("RUMORMILL__GOSSIP__PROBE_INTERVAL".into(), "2s".into())],
//!     flags: ["node.cluster=docs", "admission=open"].map(String::from).into(),
//!     ..Sources::default()
//! };
//! let loaded = sources.load(&rumormill::registry()?)?;
//! assert_eq!(loaded.config.gossip.probe_interval, Duration::from_secs(2));
//! assert_eq!(loaded.config.gossip.probe_timeout, Duration::from_millis(500));
//!
//! let settings = loaded.settings();
//! let timeout = settings.iter().find(|setting| &*setting.key == "gossip.probe_timeout");
//! assert_eq!(timeout.map(|setting| &setting.origin), Some(&Origin::Default));
//! # Ok(())
//! # }
//! ```

mod loaded;
mod reading;
mod sources;

mod file;
mod findings;
mod layer;
mod place;

mod checks;
mod files;

mod draft;
mod key;
mod kind;
mod rule;
mod spot;
mod table;

#[cfg(feature = "broker")]
pub mod broker;
#[cfg(not(feature = "broker"))]
mod notopic;
#[cfg(feature = "broker")]
mod topic;

mod quantity;
mod value;
mod written;

mod change;
mod problem;
mod reference;
mod sample;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use rumormill_endpoint::{self as endpoint, Limits, Reach, Retry, Signing, pool};
use rumormill_gossip as gossip;
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, Context, NodeId, Options, Timeouts};

pub use change::{Change, Difference, NeedsRestart};
pub use files::{Files, Token};
pub use loaded::Loaded;
pub use place::Origin;
pub use problem::{Error, Fault, Problem};
pub use reference::reference;
pub use sample::sample;
pub use sources::{Setting, Sources};
pub use value::Value;

#[cfg(not(feature = "broker"))]
use self::notopic as topic;

/// Everything that a node can be told before it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Who it is.
    pub node: Node,
    /// Where it accepts others; none, the default, for a node that only dials.
    pub listen: Vec<Addr>,
    /// Where it says that it can be reached, the best first; empty, the default, for where it listens.
    pub advertise: Vec<Addr>,
    /// Where members of the cluster are that it joins by. One that answers is enough.
    pub join: Vec<Addr>,
    /// Who may be a member.
    pub admission: Admission,
    /// How membership behaves.
    pub gossip: gossip::Config,
    /// How messages to other nodes behave.
    pub endpoint: Endpoint,
    /// What is dialled when a member's record says that it is there.
    pub reach: Reach,
    /// What the pool of conns for raw questions keeps and waits for. Its `conns` count for nothing:
    /// [`Endpoint::max_conns`] bounds it.
    pub pool: pool::Limits,
    /// The broker that it hosts, if that listens anywhere.
    #[cfg(feature = "broker")]
    pub broker: Broker,
    /// The options of transports, by scheme. The registry and the transports themselves check them.
    pub transports: BTreeMap<Box<str>, Options>,
    /// How the running node can be asked and told things.
    pub admin: Admin,
    /// What it reports.
    pub log: Log,
    /// How it goes.
    pub leave: Leave,
}

/// Who a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The cluster's name. There is no default: two clusters that meet on recycled addresses must not
    /// become one.
    pub cluster: Box<str>,
    /// What people call the node; empty, the default, for no name.
    pub name: Box<str>,
    /// The file of its key; `None`, the default, for a fresh key at each start, and so a new node.
    pub identity: Option<PathBuf>,
    /// The file of its ticket, which a cluster with tickets asks for.
    pub ticket: Option<PathBuf>,
    /// What applications want known of it.
    pub metadata: Box<str>,
    /// What kind of network it is on, which decides defaults.
    pub preset: Preset,
}

/// Who may be a member of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Anybody who knows the cluster's name. For tests, and networks that nobody else reaches.
    Open,
    /// These nodes and no others.
    Nodes(BTreeSet<NodeId>),
    /// Whoever holds a ticket.
    Tickets {
        /// The nodes whose keys sign tickets.
        issuers: BTreeSet<NodeId>,
        /// Files with signed lists of tickets that count no more.
        revocations: Vec<PathBuf>,
    },
}

/// A kind of network, which decides the defaults of gossip, of deadlines, and of reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// One data centre.
    #[default]
    Lan,
    /// One machine: gossip's values for it, and members on the loopback are dialled.
    Local,
    /// Round trips of more than half a second: gossip as across continents, and the longest deadlines.
    Satellite,
    /// Several continents.
    Wan,
}

/// How messages to other nodes behave. [`endpoint::Config`] says of each what happens at its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Which frames are signed; the default is all.
    pub signing: Signing,
    /// Whether only carriers are used that encrypt, or that nobody outside of this machine can read;
    /// the default is any.
    pub confidential: bool,
    /// The longest message in bytes, both ways; 10 MiB by default.
    pub max_message: usize,
    /// How much may wait to be sent to one peer, in each class; 4,096 messages and 32 MiB by default.
    pub outbox: Limits,
    /// How much of each class may wait to be taken, of all peers together; 4,096 messages and 64 MiB
    /// by default.
    pub inbox: Limits,
    /// Peers that are known at once; 4,096 by default.
    pub max_peers: usize,
    /// Conns that are open at once, those of the pool included; 1,000 by default.
    pub max_conns: usize,
    /// Conns that are accepted at once; 1,000 by default.
    pub max_accepted: usize,
    /// How long dials, greetings and writes may take; the preset decides the default.
    pub timeouts: Timeouts,
    /// How long a conn that carries nothing is kept; 90 s by default.
    pub idle: Duration,
    /// When dials are tried again; three attempts by default.
    pub retry: Retry,
}

/// The broker that a node hosts.
#[cfg(feature = "broker")]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broker {
    /// Where publishers and subscribers reach it; none, the default, for no broker.
    pub listen: Vec<Addr>,
    /// Its topics and limits.
    pub config: rumormill_broker::Config,
}

/// How the running process can be asked and told things. The default is not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admin {
    /// A Unix socket, which only the node's user can open.
    pub socket: Option<PathBuf>,
    /// An address and port of TCP, where whoever knows the token may ask.
    pub tcp: Option<SocketAddr>,
    /// The file of the token, which only the node's user can read.
    pub token: Option<PathBuf>,
}

/// What a node reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// From which level up; the default is warnings.
    pub level: Level,
    /// In which form; the default is text.
    pub format: Format,
}

/// From which level up reports are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// None are.
    Off,
    /// What went wrong.
    Error,
    /// What may go wrong.
    Warn,
    /// What happens.
    Info,
    /// How it happens.
    Debug,
    /// All of it.
    Trace,
}

/// In which form reports are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A line for people.
    Text,
    /// A JSON object in a line.
    Json,
}

/// How a node goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leave {
    /// How long its goodbye may take in all: members confirm it, and what waits is sent.
    pub deadline: Duration,
}

impl Config {
    /// The defaults, for a cluster with this name in one data centre.
    pub fn new(cluster: &str, admission: Admission) -> Self {
        Self::preset(cluster, admission, Preset::Lan)
    }

    /// The defaults, for a cluster with this name on this kind of network.
    pub fn preset(cluster: &str, admission: Admission, preset: Preset) -> Self {
        Self {
            node: Node {
                cluster: cluster.into(),
                name: Box::default(),
                identity: None,
                ticket: None,
                metadata: Box::default(),
                preset,
            },
            listen: Vec::new(),
            advertise: Vec::new(),
            join: Vec::new(),
            admission,
            gossip: preset.gossip(),
            endpoint: Endpoint { timeouts: preset.timeouts(), ..Endpoint::default() },
            reach: Reach { loopback: preset == Preset::Local, ..Reach::default() },
            pool: pool::Limits::default(),
            #[cfg(feature = "broker")]
            broker: Broker::default(),
            transports: BTreeMap::new(),
            admin: Admin::default(),
            log: Log::default(),
            leave: Leave::default(),
        }
    }

    /// What the node's endpoint is told, with what its [`Files`] hold.
    pub fn endpoint(&self, files: &Files) -> endpoint::Config {
        let Endpoint { signing, confidential, max_message, outbox, inbox, .. } = self.endpoint;
        let Endpoint { max_peers, max_conns, max_accepted, timeouts, idle, retry, .. } =
            self.endpoint;
        endpoint::Config {
            ticket: files.ticket.clone(),
            reach: self.reach.clone(),
            signing,
            confidential,
            max_message,
            outbox,
            inbox,
            max_peers,
            max_conns,
            pool: self.pool,
            max_accepted,
            timeouts,
            idle,
            retry,
            ..endpoint::Config::new(&self.node.cluster, files.admission.clone())
        }
    }

    /// Hands the options of transports to a registry, before it builds any.
    ///
    /// # Errors
    /// As for [`Registry::configure`]; transports before the one that it names are configured.
    pub fn configure(&self, registry: &Registry) -> rumormill_registry::Result<()> {
        self.transports.iter().try_for_each(|(scheme, options)| {
            registry.configure(scheme, Context { options: options.clone(), ..Context::default() })
        })
    }
}

impl Preset {
    fn gossip(self) -> gossip::Config {
        match self {
            Self::Lan => gossip::Config::lan(),
            Self::Local => gossip::Config::local(),
            Self::Satellite | Self::Wan => gossip::Config::wan(),
        }
    }

    fn timeouts(self) -> Timeouts {
        match self {
            Self::Lan | Self::Local => Timeouts::lan(),
            Self::Satellite => Timeouts::satellite(),
            Self::Wan => Timeouts::wan(),
        }
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        let endpoint = endpoint::Config::new("", endpoint::Admission::Open);
        Self {
            signing: endpoint.signing,
            confidential: endpoint.confidential,
            max_message: endpoint.max_message,
            outbox: endpoint.outbox,
            inbox: endpoint.inbox,
            max_peers: endpoint.max_peers,
            max_conns: endpoint.max_conns,
            max_accepted: endpoint.max_accepted,
            timeouts: endpoint.timeouts,
            idle: endpoint.idle,
            retry: endpoint.retry,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Warn, format: Format::Text }
    }
}

impl Default for Leave {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(5) }
    }
}

#[cfg(test)]
mod tests;
