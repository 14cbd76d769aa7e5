//! What can go wrong for whoever uses a pool.

use std::time::Duration;

use rumormill_registry::Error as RegistryError;
use rumormill_transport_api::{Addr, Error as CarrierError};

/// Why a checkout, or a use of what was checked out, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An earlier use of the lease failed, or was given up. Nothing was sent.
    #[error("an earlier use of this lease failed or was given up; check out another")]
    Broken,
    /// The pool is closed. Nothing was opened.
    #[error("the pool is closed")]
    Closed,
    /// The conn failed, and the message was not sent, or none will come. The lease is of no more
    /// use.
    #[error("the conn to {addr} failed")]
    Conn {
        /// Where.
        addr: Box<Addr>,
        /// What the carrier reported.
        source: CarrierError,
    },
    /// The carrier's conns carry datagrams, which may be late, so that an answer could be taken for
    /// that of the next question. Nothing was opened.
    #[error("{addr} carries datagrams, which a pool cannot reuse; use an endpoint, or dial it")]
    Datagram {
        /// Where.
        addr: Box<Addr>,
    },
    /// No conn could be opened.
    #[error("{addr} cannot be dialled")]
    Dial {
        /// Where.
        addr: Box<Addr>,
        /// What the registry or the transport reported.
        source: RegistryError,
    },
    /// As much is in use as may be, and nothing came free in time. Nothing was opened.
    #[error(
        "no conn came free within {waited:?}; drop leases sooner, or raise `{setting}`, which is \
         {limit}"
    )]
    Exhausted {
        /// Which of the [`Limits`](super::Limits) was met.
        setting: &'static str,
        /// Its value.
        limit: usize,
        /// How long the checkout has waited.
        waited: Duration,
    },
    /// The deadline passed before anything was sent.
    #[error("{addr} was not reached within {after:?}; nothing was sent")]
    Timeout {
        /// Where.
        addr: Box<Addr>,
        /// The time there was.
        after: Duration,
    },
    /// The question exceeds what the conn carries. Nothing was sent; the lease is as it was.
    #[error("message of {len} bytes exceeds {max}")]
    TooLarge {
        /// Its length.
        len: usize,
        /// The longest that is allowed.
        max: usize,
    },
    /// No answer came. The peer may have got the question, and may have acted. The lease is of no
    /// more use.
    #[error("no answer came from {addr}, which may have got the question")]
    Uncertain {
        /// Where.
        addr: Box<Addr>,
        /// What the carrier reported, or that time was up.
        source: CarrierError,
    },
    /// The peer said something that nobody had asked for, so that its next answer could be that of
    /// an earlier question. Nothing was sent; the lease is of no more use.
    #[error("{addr} said what nobody had asked for; check out another lease")]
    Unsolicited {
        /// Where.
        addr: Box<Addr>,
    },
}

impl Error {
    /// Whether nothing was sent, and the same call can succeed later without anybody changing an
    /// address, a setting or a message.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Conn { source, .. } => source.is_retryable(),
            Self::Dial { source, .. } => source.is_retryable(),
            Self::Exhausted { .. } | Self::Timeout { .. } => true,
            Self::Broken
            | Self::Closed
            | Self::Datagram { .. }
            | Self::TooLarge { .. }
            | Self::Uncertain { .. }
            | Self::Unsolicited { .. } => false,
        }
    }
}
