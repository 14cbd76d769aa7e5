//! What an endpoint is told when it starts.

use std::time::Duration;

use bytes::Bytes;
use rumormill_transport_api::Timeouts;

use crate::{admission::Admission, clock::Clock, outbox::Limits, pool, reach::Reach, retry::Retry};

/// What an endpoint is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cluster's name. There is no default: two clusters that meet on recycled addresses must
    /// not become one.
    pub cluster: Box<str>,
    /// Who may be a member, at first. [`Endpoint::set_admission`](crate::Endpoint::set_admission)
    /// changes it; a ticket that expires ends its holder's conns by itself.
    pub admission: Admission,
    /// Why this node may be one: a signed [`Ticket`](crate::Ticket), or nothing.
    pub ticket: Bytes,
    /// What is dialled when a record says that a peer is there.
    pub reach: Reach,
    /// Which frames are signed.
    pub signing: Signing,
    /// Whether only carriers are used that encrypt, or that nobody outside of this machine can read.
    pub confidential: bool,
    /// The longest message in bytes, both ways.
    pub max_message: usize,
    /// How much may wait to be sent to one peer, in each class.
    pub outbox: Limits,
    /// How much of each class may wait to be taken, of all peers together.
    pub inbox: Limits,
    /// Peers that are known at once; one more is refused. Those who come by themselves get half of
    /// the places, and one without a conn gives way to the next.
    pub max_peers: usize,
    /// Conns that are open at once: those to and from peers, and those of the
    /// [pool](crate::Endpoint::pool). Where there is no place for one more, what is idle gives way:
    /// first a conn of the pool, then the one to a peer over which nothing went for longest. Whoever
    /// dials waits for a place in order; what was accepted and finds none is dropped, and counted as
    /// crowded.
    pub max_conns: usize,
    /// What the pool keeps and waits for. Its `conns` count for nothing here.
    pub pool: pool::Limits,
    /// Conns that are accepted at once, of all listeners together; more wait to be accepted. One
    /// source (an IPv4 address, or 64 bits of an IPv6 address) gets half of them, and a quarter
    /// until their peers have proven themselves; what it dials beyond that is dropped.
    pub max_accepted: usize,
    /// How long dials, greetings and writes may take.
    pub timeouts: Timeouts,
    /// How long a conn that carries nothing is kept.
    pub idle: Duration,
    /// When dials are tried again.
    pub retry: Retry,
    /// The time of day, by which tickets expire.
    pub clock: Clock,
    /// Where all chance comes from: sessions, nonces and jitter. `None`, the default, is the
    /// system's. A number makes a run repeatable, and what must not be guessed guessable: it is for
    /// simulations alone.
    pub seed: Option<u64>,
}

/// Which frames are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// All.
    Always,
    /// All but those on conns whose carrier has proved that the peer is the very node. What nodes
    /// pass on for others is signed by its origin in any case.
    UnlessSecure,
}

impl Config {
    /// The defaults, for a cluster with this name.
    pub fn new(cluster: &str, admission: Admission) -> Self {
        Self {
            cluster: cluster.into(),
            admission,
            ticket: Bytes::new(),
            reach: Reach::default(),
            signing: Signing::Always,
            confidential: false,
            max_message: 10 << 20,
            outbox: Limits { messages: 4096, bytes: 32 << 20 },
            inbox: Limits { messages: 4096, bytes: 64 << 20 },
            max_peers: 4096,
            max_conns: 1000,
            pool: pool::Limits::default(),
            max_accepted: 1000,
            timeouts: Timeouts::lan(),
            idle: Duration::from_secs(90),
            retry: Retry::default(),
            clock: Clock::monotonic(),
            seed: None,
        }
    }
}
