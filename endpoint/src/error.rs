//! What can go wrong for whoever uses an endpoint.

use std::time::Duration;

use rumormill_registry::Error as RegistryError;
use rumormill_transport_api::{Addr, Error as CarrierError, NodeId};

use crate::admission::Denied;

/// Why an endpoint could not start, listen, or meet somebody. Nothing was opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no place for another conn, and none came free in time.
    #[error("{limit} conns are open, and none came free in time; raise max_conns")]
    Busy {
        /// The limit.
        limit: usize,
    },
    /// The endpoint is closed.
    #[error("the endpoint is closed")]
    Closed,
    /// The carrier leaks what is sent, and the endpoint is confidential.
    #[error(
        "{addr} is readable on its way, and the endpoint is confidential; use a carrier that encrypts"
    )]
    Confidential {
        /// Where.
        addr: Addr,
    },
    /// A setting that cannot be used.
    #[error("{setting} {problem}")]
    Config {
        /// Which.
        setting: &'static str,
        /// What is wrong, and what would be right.
        problem: &'static str,
    },
    /// This node does not want the peer.
    #[error("{node} is not admitted: {why}")]
    Denied {
        /// Who.
        node: NodeId,
        /// Why.
        why: Denied,
    },
    /// The peer is not who it has to be, not of this cluster, or speaks something else.
    #[error("{addr} is no peer: {problem}")]
    NoPeer {
        /// Where.
        addr: Addr,
        /// What it is instead.
        problem: &'static str,
    },
    /// What the registry or a transport reported.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The peer took too long.
    #[error("{addr} did not answer within {after:?}")]
    Timeout {
        /// Where.
        addr: Addr,
        /// The deadline.
        after: Duration,
    },
    /// As many peers are known as there may be.
    #[error("{limit} peers are known, and no more may be; raise max_peers or forget some")]
    TooManyPeers {
        /// The limit.
        limit: usize,
    },
}

impl From<CarrierError> for Error {
    fn from(error: CarrierError) -> Self {
        Self::Registry(error.into())
    }
}

/// Why a message was not taken. Nothing was sent, and nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The endpoint is closed.
    #[error("the endpoint is closed")]
    Closed,
    /// The peer's queue is full. Send less, or wait.
    #[error("the peer's queue is full")]
    Full,
    /// No route could carry it.
    #[error("message of {len} bytes exceeds {max}")]
    TooLarge {
        /// Its length.
        len: usize,
        /// The longest that is taken.
        max: usize,
    },
    /// Nobody has told the endpoint about this peer.
    #[error("the peer is not known; tell its addresses by `learn`")]
    UnknownPeer,
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It was not sent.
    #[error(transparent)]
    NotSent(#[from] SendError),
    /// It never left this node: no route leads to the peer. Asking again does no harm.
    #[error("no route leads to the peer")]
    Unreachable,
    /// It was sent, and no answer came in time. The peer may have got it, and may have acted.
    #[error("no answer came in time; the peer may have got the question")]
    Uncertain,
}
