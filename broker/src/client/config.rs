//! What a client is told before it connects.

use std::time::Duration;

use rumormill_endpoint::{Jitter, Limits, Retry};
use rumormill_identity::SecretKey;
use rumormill_transport_api::{Expect, NodeId, Timeouts};

use crate::wire::LENGTH;

/// What a client is told before it connects.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Who it is. `None`, the default: whoever the carrier proves, or nobody. Over carriers that prove
    /// nodes themselves (`tls`, `quic`) the registry's credentials count, and not this.
    pub key: Option<SecretKey>,
    /// Whom the carrier has to prove to be at the other end; anybody by default.
    pub expect: Expect,
    /// The node that the broker has to be, proven by the carrier or by its signature. `None`, the
    /// default: any.
    pub expect_broker: Option<NodeId>,
    /// What may wait to be sent, of all topics together, each message counted with 4 bytes beyond its
    /// length; 65,536 messages and 16 MiB by default. What is published beyond it is refused as
    /// [`Full`](crate::PublishError::Full).
    pub buffer: Limits,
    /// Bytes of each subscription that may be on their way, or with the user who has not finished with
    /// them; 1 MiB by default, at least 1.
    pub window: u32,
    /// Bytes of the longest message that may be published, 1 MiB by default. The broker has a limit of
    /// its own for each topic.
    pub max_message: usize,
    /// How long what is to be sent waits for more, once there was nothing to send; none by default, at most a second is
    /// sensible. What comes while the carrier is busy goes out together in any case. A millisecond or two
    /// make a call of [`publish`](crate::Publisher::publish) cheaper in the worst case, since it wakes the writer
    /// more rarely, and add as much to the way of a message.
    pub linger: Duration,
    /// How long dials, the greeting and answers to requests, and writes may take.
    pub timeouts: Timeouts,
    /// How long a receipt may take before the messages that wait for it are given up as
    /// [`Uncertain`](crate::PublishError::Uncertain); 30 s by default.
    pub acknowledge: Duration,
    /// When a lost broker is dialled again. There is no end to it before
    /// [`close`](crate::Client::close), whatever [`Retry::attempts`] says; from 100 ms up to 5 s by
    /// default.
    pub retry: Retry,
}

impl Default for ClientConfig {
    fn default() -> Self {
        let retry = Retry {
            attempts: u32::MAX,
            base: Duration::from_millis(100),
            cap: Duration::from_secs(5),
            jitter: Jitter::Half,
        };
        Self {
            key: None,
            expect: Expect::Any,
            expect_broker: None,
            buffer: Limits { messages: 65_536, bytes: 16 << 20 },
            window: 1 << 20,
            max_message: 1 << 20,
            linger: Duration::ZERO,
            timeouts: Timeouts::default(),
            acknowledge: Duration::from_secs(30),
            retry,
        }
    }
}

/// How a topic is subscribed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// Bytes that may be on their way, or with a user who has not finished with them; `None`, the
    /// default: [`ClientConfig::window`]. With 1, the next message comes when the one before is
    /// finished with.
    pub window: Option<u32>,
    /// Who says that a message of a queue is dealt with.
    pub settle: Settle,
}

/// Who says that a message of a queue is dealt with. It means nothing for a fanout topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Settle {
    /// It is when the next one is asked for.
    #[default]
    Auto,
    /// The user, by [`done`](crate::Subscription::done) and
    /// [`give_back`](crate::Subscription::give_back).
    Manual,
}

/// What a message takes of a buffer.
pub(super) fn cost(message: usize) -> usize {
    LENGTH + message
}
