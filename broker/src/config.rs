//! What a broker is told before it starts, and while it runs.

use std::{collections::BTreeMap, time::Duration};

use rumormill_transport_api::{NodeId, Proof};

use crate::TopicName;

/// Topics, and the limits of the whole broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The topics. There are no others: a topic that is not here is unknown to everybody.
    pub topics: BTreeMap<TopicName, Topic>,
    /// What all of them together may take.
    pub limits: Limits,
}

/// What the broker as a whole may take, and how it writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Conns at once, 1 to 1,000,000; 1,000 by default. A further one is told so and closed.
    pub max_conns: usize,
    /// Subscriptions of one conn, 1 to 65,536; 1,024 by default. A further one is refused.
    pub max_subscriptions: usize,
    /// Bytes of messages that the broker holds in all, each counted once however many subscribers wait
    /// for it; 256 MiB by default. What is published beyond it is refused.
    pub memory: usize,
    /// How long a conn may say nothing, and how long its carrier may take no byte, before it is cut
    /// off; 30 s by default, at least 100 ms. Clients say something three times as often.
    pub idle: Duration,
    /// How long a conn may take to say Hello and prove who it is; 5 s by default.
    pub handshake: Duration,
    /// Bytes that one conn may publish to one topic before the broker has granted more; 1 MiB by
    /// default, at least the longest message of any topic. What is published beyond it, while the
    /// topic is full and blocks, is refused.
    pub publish_window: usize,
    /// Answers (receipts, refusals, grants) that may wait for one conn, 16 to 1,000,000; 4,096 by
    /// default. While more do, the conn is not read.
    pub channel_capacity: usize,
    /// Messages that are gathered for one write, 1 to 1,000,000; 1,024 by default.
    pub batch_size: usize,
    /// How long a write waits for its batch to fill, 0 to 1 s; 0, the default, is not at all: what
    /// comes while the carrier is busy goes out together.
    pub flush_interval: Duration,
}

/// One topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Who gets a message. A running broker does not change it: remove the topic first.
    pub routing: Routing,
    /// Messages that may wait for one subscriber ([`Routing::Fanout`]), or for all together
    /// ([`Routing::Queue`]); 1 to 16,777,216, 65,536 by default.
    pub max_messages: usize,
    /// The bytes of them; 16 MiB by default, at least `max_message_size`.
    pub max_bytes: usize,
    /// Bytes of the longest message; 1 MiB by default. A longer one is refused.
    pub max_message_size: usize,
    /// What happens when those limits are hit.
    pub policy: Policy,
    /// How long one subscriber may hold up a topic that blocks, before it is disconnected; 5 s by
    /// default.
    pub block_timeout: Duration,
    /// How long a taker of a queue may take to settle a message, before it goes to another; 30 s by
    /// default.
    pub ack_timeout: Duration,
    /// How often a message of a queue is delivered before it is given up, 1 to 255; 5 by default.
    pub max_deliveries: u8,
    /// Where messages go that were given up: a topic of this broker. `None`, the default: nowhere;
    /// they are counted.
    pub dead_letter: Option<TopicName>,
    /// Who may publish.
    pub publish: Access,
    /// Who may subscribe.
    pub subscribe: Access,
}

/// Who gets a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routing {
    /// Every subscriber, in the order of the topic.
    #[default]
    Fanout,
    /// One of the subscribers, until one has settled it.
    Queue,
}

/// What happens to a message for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Publishers wait, until there is room or the laggard is disconnected.
    Block,
    /// The subscriber that lags is disconnected. A queue, which has no laggard, refuses the message.
    Disconnect,
    /// The oldest messages make room; the subscriber is told of the gap.
    #[default]
    DropOldest,
    /// It is dropped; the subscriber is told of the gap. A queue refuses it.
    DropNewest,
}

/// Who may do something with a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Everybody who can open a conn.
    #[default]
    Anybody,
    /// Whoever is one of these; with none of them, nobody.
    Only(Vec<Principal>),
}

/// Somebody that a carrier, or a signature, proves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// The holder of this key.
    Node(NodeId),
    /// The holder of a certificate for this name, by an authority that the transport trusts.
    Name(Box<str>),
    /// A process of this user, over a Unix socket.
    Uid(u32),
    /// A process of this group, over a Unix socket.
    Gid(u32),
}

impl Access {
    /// Whether somebody with these proofs is let in.
    pub fn admits(&self, proofs: &[Proof]) -> bool {
        match self {
            Self::Anybody => true,
            Self::Only(principals) => principals.iter().any(|who| who.is_proven_by(proofs)),
        }
    }
}

impl Principal {
    fn is_proven_by(&self, proofs: &[Proof]) -> bool {
        proofs.iter().any(|proof| match (self, proof) {
            (Self::Node(wanted), Proof::Node(node)) => wanted == node,
            (Self::Name(wanted), Proof::Name(name)) => wanted == name,
            (Self::Uid(wanted), Proof::Process { uid, .. }) => wanted == uid,
            (Self::Gid(wanted), Proof::Process { gid, .. }) => wanted == gid,
            _ => false,
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_conns: 1_000,
            max_subscriptions: 1_024,
            memory: 256 << 20,
            idle: Duration::from_secs(30),
            handshake: Duration::from_secs(5),
            publish_window: 1 << 20,
            channel_capacity: 4_096,
            batch_size: 1_024,
            flush_interval: Duration::ZERO,
        }
    }
}

impl Default for Topic {
    fn default() -> Self {
        Self {
            routing: Routing::default(),
            max_messages: 65_536,
            max_bytes: 16 << 20,
            max_message_size: 1 << 20,
            policy: Policy::default(),
            block_timeout: Duration::from_secs(5),
            ack_timeout: Duration::from_secs(30),
            max_deliveries: 5,
            dead_letter: None,
            publish: Access::default(),
            subscribe: Access::default(),
        }
    }
}
