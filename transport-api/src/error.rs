//! What can go wrong, what it leaves behind, and whether trying again can help.

use std::{error, fmt, io, time::Duration};

use crate::Addr;

/// A result of the contract.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call of the contract failed.
///
/// What a failure leaves behind depends on who returned it, and only [`TooLarge`](Self::TooLarge)
/// makes an exception:
///
/// | returned by | afterwards |
/// |---|---|
/// | `dial`, `listen` | the transport is as before; nothing was opened |
/// | `accept` | the listener is as before, unless the error is [`Finished`](Self::Finished) |
/// | `recv`, `send`, `close` | that half is finished; the other half is not touched |
///
/// A finished half returns [`Closed`](Self::Closed) to every further call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address that no transport, or not this one, can read or use. Nothing was opened.
    #[error("address '{addr}' {problem}")]
    Address {
        /// The address as given, shortened and escaped.
        addr: Box<str>,
        /// What is wrong, and what to write instead.
        problem: Box<str>,
    },
    /// The other side, or a bounded table, has no room just now. Nothing was opened; try again.
    #[error("{what} is busy, try again later")]
    Busy {
        /// What has no room.
        what: Box<str>,
    },
    /// The end: the peer said that this was all, or this half was finished before.
    #[error("the conn is closed")]
    Closed,
    /// The carrier broke before the peer said that this was all; messages may be missing.
    #[error("the conn was cut off")]
    Cut {
        /// What the carrier reported, if it reported anything.
        source: Option<io::Error>,
    },
    /// The listener will never yield another conn: its endpoint is closed or used up.
    #[error("the listener is finished")]
    Finished,
    /// Somebody else holds the address that was to be listened on. Nothing of theirs was touched.
    #[error("{addr} is in use by a running process; choose another address or stop that process")]
    InUse {
        /// The address asked for.
        addr: Addr,
    },
    /// The operating system refused.
    #[error("{doing} failed")]
    Io {
        /// What was attempted, as in "binding 127.0.0.1:80".
        doing: Box<str>,
        /// Its answer.
        source: io::Error,
    },
    /// What somebody wrote as a node's id, and is none. Nothing was done with it.
    #[error("node id '{node}' {problem}")]
    Node {
        /// As given, shortened and escaped.
        node: Box<str>,
        /// What is wrong, and what would be right.
        problem: Box<str>,
    },
    /// A setting that is unknown, malformed or out of range. Nothing was built or opened.
    #[error("option '{key}' {problem}")]
    Option {
        /// Its key.
        key: Box<str>,
        /// What is wrong, and what would be right.
        problem: Box<str>,
    },
    /// The peer broke the rules of the wire. Whatever it sent from there on is lost.
    #[error("the peer broke the protocol: {what}")]
    Protocol {
        /// The rule it broke, as in "a line consists of pairs of digits".
        what: Box<str>,
    },
    /// The peer does not want us. Nothing was opened, or the half that reports it is finished.
    #[error("the peer refused: {problem}")]
    Refused {
        /// Its reason, as far as the carrier tells.
        problem: Box<str>,
    },
    /// A deadline passed. Callers make this of their own deadlines; transports only of the
    /// carrier's own timers.
    #[error("{doing} took longer than {after:?}")]
    Timeout {
        /// What was waited for.
        doing: Box<str>,
        /// The deadline.
        after: Duration,
    },
    /// A message beyond the limit.
    ///
    /// From `send`: nothing was taken, the batch is as it was, and the writer goes on. From `recv`:
    /// the peer announced such a message, or sent so much of one that it can be no other; nothing
    /// was allocated beyond the limit, and the reader is finished.
    #[error("message of {len} bytes exceeds {max}")]
    TooLarge {
        /// The length of the message.
        len: usize,
        /// The longest that is allowed.
        max: usize,
    },
    /// The peer is not who the target expected. The conn was dropped before any message.
    #[error("the peer at {addr} is not the one expected: {problem}")]
    Unproven {
        /// Where it was dialled.
        addr: Addr,
        /// Who it proved to be, or why it proved nothing.
        problem: Box<str>,
    },
    /// Nobody answers there. Nothing was opened; somebody may, later.
    #[error("nobody answers at {addr}")]
    Unreachable {
        /// Where it was dialled.
        addr: Addr,
        /// What the carrier reported.
        source: io::Error,
    },
    /// The carrier cannot do what was asked of it, and never will. Nothing was opened.
    #[error("{what} is not supported; {instead}")]
    Unsupported {
        /// What was asked, as in "proving who answers at tcp://".
        what: Box<str>,
        /// What to ask instead, as in "expect anybody".
        instead: Box<str>,
    },
}

impl Error {
    /// Whether the same call, on a new conn where the error ended one, can succeed later without
    /// anybody changing an address, a setting or a message.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Busy { .. }
            | Self::Cut { .. }
            | Self::Timeout { .. }
            | Self::Unreachable { .. } => true,
            Self::Io { source, .. } => !hopeless(source.kind()),
            // The peer may close a conn for reasons of its own; a new one can succeed.
            Self::Closed => true,
            Self::Address { .. }
            | Self::Finished
            | Self::InUse { .. }
            | Self::Node { .. }
            | Self::Option { .. }
            | Self::Protocol { .. }
            | Self::Refused { .. }
            | Self::TooLarge { .. }
            | Self::Unproven { .. }
            | Self::Unsupported { .. } => false,
        }
    }

    /// An [`Error::Address`] about `addr`, which is shortened and escaped: it may be a stranger's.
    pub fn address(addr: impl AsRef<str>, problem: impl Into<String>) -> Self {
        let addr = excerpt(addr.as_ref()).into();
        Self::Address { addr, problem: problem.into().into() }
    }

    /// An [`Error::Option`] about `key`.
    pub fn option(key: impl AsRef<str>, problem: impl Into<String>) -> Self {
        Self::Option { key: excerpt(key.as_ref()).into(), problem: problem.into().into() }
    }

    /// An [`Error::Io`] about what was being done.
    pub fn io(doing: impl fmt::Display, source: io::Error) -> Self {
        Self::Io { doing: doing.to_string().into(), source }
    }

    /// An [`Error::Protocol`]; `what` must not contain anything that the peer wrote.
    pub fn protocol(what: impl Into<Box<str>>) -> Self {
        Self::Protocol { what: what.into() }
    }

    /// An [`Error::Unsupported`] that says what to ask instead.
    pub fn unsupported(what: impl Into<Box<str>>, instead: impl Into<Box<str>>) -> Self {
        Self::Unsupported { what: what.into(), instead: instead.into() }
    }
}

/// What breaks an open half: every error of the carrier is a [`Cut`](Error::Cut), told apart from
/// its clean end. (`dial` and `listen` map theirs by themselves, since nothing was cut.)
///
/// A byte stream that knows better returns an [`io::Error::other`] around one of these errors, which
/// is unpacked here. So it can say [`Refused`](Error::Refused) through
/// [`FrameReader`](crate::FrameReader), say.
impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        source.downcast::<Self>().unwrap_or_else(|source| Self::Cut { source: Some(source) })
    }
}

fn hopeless(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        kind,
        Kind::AddrInUse
            | Kind::AddrNotAvailable
            | Kind::InvalidData
            | Kind::InvalidInput
            | Kind::NotFound
            | Kind::PermissionDenied
            | Kind::Unsupported
    )
}

/// What somebody else wrote, fit to be repeated in an error or a log: its first 80 characters,
/// with what is not printable escaped.
pub fn excerpt(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// An error and what is behind it, in one line: an [`Error`] says what was tried, its source why that
/// failed.
pub fn with_causes(error: &dyn error::Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", with_causes(cause)),
        None => error.to_string(),
    }
}

const SHOWN: usize = 80;
