//! What a user of the client is told when something does not work.

use std::{fmt, time::Duration};

use rumormill_registry::Error as RegistryError;
use rumormill_transport_api::{Addr, Error as CarrierError, NodeId, excerpt};

use crate::{
    TopicName,
    wire::{EndReason, Malformed, RefusedWhy},
};

/// Why a broker could not be reached. Nothing is left open.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No address was given.
    #[error("no address of a broker was given")]
    NoAddress,
    /// Each address was tried once.
    #[error("no broker could be reached: {}", Tried(.0))]
    Nobody(Vec<(Addr, GreetError)>),
}

/// Why a conn to one address did not come about.
#[derive(Debug, thiserror::Error)]
pub enum GreetError {
    /// The carrier broke before the greeting was done.
    #[error(transparent)]
    Carrier(#[from] CarrierError),
    /// The carrier loses and reorders messages.
    #[error("{scheme}:// is no stream; a broker is reached by one, such as tcp:// or unix://")]
    Datagrams {
        /// Its scheme.
        scheme: Box<str>,
    },
    /// The transport is missing, or could not dial.
    #[error(transparent)]
    Dial(#[from] RegistryError),
    /// What answered is no broker.
    #[error("what answers is no broker: {0}")]
    Malformed(#[from] Malformed),
    /// The broker does not want this client.
    #[error("the broker refused: {why}{}", Behind(.text))]
    Refused {
        /// Its reason.
        why: RefusedWhy,
        /// Its words, escaped.
        text: Box<str>,
    },
    /// It took too long.
    #[error("{doing} took longer than {after:?}")]
    Timeout {
        /// What was waited for.
        doing: &'static str,
        /// The deadline.
        after: Duration,
    },
    /// The broker answered with something else than a Welcome.
    #[error("what answers is no broker: it answers a Hello with something else than a Welcome")]
    Unexpected,
    /// The broker is not the node that it should be, or its signature proves nothing.
    #[error("the broker is not proven to be {}", Wanted(*.expected))]
    Unproven {
        /// Who it should be; `None`: whoever it said it was.
        expected: Option<NodeId>,
    },
}

/// Why a message was not published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
    /// As much waits to be sent as may; nothing was taken.
    #[error("as much waits to be sent as may; wait for room, or publish less")]
    Full,
    /// The broker refused it. The message is lost. From [`publish`](crate::Publisher::publish): it
    /// refused one of those before within the last second, and this was not taken.
    #[error("the broker refused: {0}")]
    Refused(RefusedWhy),
    /// The message is longer than any frame may be; nothing was taken.
    #[error("message of {len} bytes exceeds {max}")]
    TooLarge {
        /// Its length.
        len: usize,
        /// The longest.
        max: usize,
    },
    /// It was sent, and whether the broker has it is not known, since the conn was lost, or no receipt
    /// came in time. To publish it again may publish it twice.
    #[error("whether the broker has the message is not known")]
    Uncertain,
    /// It was not sent before the client was closed.
    #[error("the client was closed before the message was sent")]
    Unsent,
}

/// Why there is no subscription. None is left behind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// This client has a subscription to the topic. Share that one, or connect once more.
    #[error("this client has a subscription to '{0}' already; share it, or use another client")]
    Already(TopicName),
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
    /// It ended before it began.
    #[error("the broker ended it: {0}")]
    Ended(EndReason),
    /// The broker refused.
    #[error("the broker refused: {0}")]
    Refused(RefusedWhy),
    /// The broker did not answer, or there is none.
    #[error("the broker did not answer within {0:?}")]
    Timeout(Duration),
}

/// Why a subscription brings nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// The broker ended it.
    #[error(transparent)]
    Broker(#[from] EndReason),
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
    /// After a reconnect, the broker refused to take it up again.
    #[error(transparent)]
    Refused(#[from] RefusedWhy),
}

struct Tried<'a>(&'a [(Addr, GreetError)]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (addr, error)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "; " };
            write!(f, "{comma}{addr}: {}", with_causes(error))?;
        }
        Ok(())
    }
}

/// All addresses share one `source`, which could only be one of theirs.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", with_causes(cause)),
        None => error.to_string(),
    }
}

/// What a broker said for people, behind its reason.
struct Behind<'a>(&'a str);

impl fmt::Display for Behind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            text => write!(f, " ({})", excerpt(text)),
        }
    }
}

struct Wanted(Option<NodeId>);

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(node) => write!(f, "{node}"),
            None => f.write_str("the node that it says it is"),
        }
    }
}
