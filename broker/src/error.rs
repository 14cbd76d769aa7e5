//! What can go wrong for whoever runs a broker.

use std::fmt;

use rumormill_registry::Error as RegistryError;
use rumormill_transport_api::Addr;

use crate::TopicName;

/// Why a broker does not take a configuration: everything that is wrong with it. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<ConfigFault>,
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigFault {
    /// The topics to which messages go that were given up lead back to where they began.
    #[error(
        "topic '{topic}': its dead letters come back to it; end the chain with a topic without dead_letter"
    )]
    DeadLetterCycle {
        /// Which topic.
        topic: TopicName,
    },
    /// The topic for dead letters takes no message as long as this one's.
    #[error(
        "topic '{topic}': max_message_size is {longest}, and its dead_letter '{dead_letter}' takes {most} bytes at most"
    )]
    DeadLetterShort {
        /// Which topic.
        topic: TopicName,
        /// Where its dead letters go.
        dead_letter: TopicName,
        /// The longest message here.
        longest: usize,
        /// The longest message there.
        most: usize,
    },
    /// There is no such topic for dead letters.
    #[error("topic '{topic}': its dead_letter '{dead_letter}' is no topic of this broker")]
    DeadLetterUnknown {
        /// Which topic.
        topic: TopicName,
        /// Where its dead letters should go.
        dead_letter: TopicName,
    },
    /// A limit of the broker is out of range.
    #[error("{limit} must be {range}")]
    Limit {
        /// Which limit.
        limit: &'static str,
        /// What it may be.
        range: &'static str,
    },
    /// A limit of the broker that does not change while it runs.
    #[error("{limit} does not change while the broker runs; restart it")]
    NeedsRestart {
        /// Which limit.
        limit: &'static str,
    },
    /// A running broker does not change who gets a topic's messages.
    #[error("topic '{topic}': its routing does not change while it exists; remove it first")]
    RoutingChanged {
        /// Which topic.
        topic: TopicName,
    },
    /// The broker has stopped.
    #[error("the broker has stopped")]
    Stopped,
    /// A setting of a topic is out of range.
    #[error("topic '{topic}': {setting} must be {range}")]
    Topic {
        /// Which topic.
        topic: TopicName,
        /// Which setting.
        setting: &'static str,
        /// What it may be.
        range: &'static str,
    },
}

/// Why a broker does not listen. Nothing was opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The carrier loses messages, and a broker's must all arrive, in order.
    #[error("{addr} is a carrier of packets, which get lost; use a stream, like tcp or unix")]
    Datagram {
        /// Where it was to listen.
        addr: Addr,
    },
    /// What the registry or a transport reported.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The broker has stopped.
    #[error("the broker has stopped")]
    Stopped,
}

/// Why a broker does not serve a conn, which is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The carrier loses messages, and a broker's must all arrive, in order.
    #[error("a carrier of packets loses some; use a stream, like tcp or unix")]
    Datagram,
    /// The broker has stopped, or is about to.
    #[error("the broker has stopped")]
    Stopped,
    /// There are as many conns as there may be. The peer is told so.
    #[error("there are as many conns as max_conns lets in")]
    TooManyConns,
}

impl ConfigError {
    /// `Err` if there is any.
    pub(crate) fn unless_none(faults: Vec<ConfigFault>) -> Result<(), Self> {
        match faults.is_empty() {
            true => Ok(()),
            false => Err(Self { faults }),
        }
    }

    /// What is wrong: at least one thing.
    pub fn faults(&self) -> &[ConfigFault] {
        &self.faults
    }
}

impl From<ConfigFault> for ConfigError {
    fn from(fault: ConfigFault) -> Self {
        Self { faults: vec![fault] }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.faults.iter().enumerate() {
            write!(f, "{}{fault}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
