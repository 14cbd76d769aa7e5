//! What happened on a network, for tests that want to see it.

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::Instant;

/// Something that happened on a [`Network`](crate::Network).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When: since the first dial on the network.
    pub at: Duration,
    /// To which conn, counted from 0 in the order of dialling. Both ends of a conn have the same
    /// number.
    pub conn: u64,
    /// The host that sends, dials or closes; for what became of a message, its sender.
    pub from: Arc<str>,
    /// The host at the other end.
    pub to: Arc<str>,
    /// What.
    pub kind: EventKind,
}

/// What happened. Lengths are those of messages, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A reader was dropped before the peer had closed; `from` is the peer.
    Abandoned,
    /// `to` accepted a conn that `from` had dialled.
    Accepted,
    /// A writer was closed.
    Closed,
    /// A writer of a stream was dropped without a close.
    Cut,
    /// A message takes longer than its link's latency and jitter: it was lost and is sent again on
    /// a stream, or later datagrams overtake it.
    Delayed {
        /// By how much.
        by: Duration,
    },
    /// A reader received a message.
    Delivered {
        /// Its length.
        len: usize,
    },
    /// `from` began to dial `to`.
    Dialed,
    /// A datagram arrives twice.
    Duplicated {
        /// Its length.
        len: usize,
    },
    /// A stream began to wait until its link lets something pass again.
    Held,
    /// The link lost a datagram.
    Lost {
        /// Its length.
        len: usize,
    },
    /// A datagram arrived at a reader whose queue was full, and was dropped.
    Overflowed {
        /// Its length.
        len: usize,
    },
    /// A stream's dial found no listener, or one with a full backlog.
    Refused,
    /// A datagram arrived and was dropped: nobody reads it any more, it is longer than the receiver
    /// takes, or too many conns wait at the listener.
    Rejected {
        /// Its length.
        len: usize,
    },
    /// A message was put on the link.
    Sent {
        /// Its length.
        len: usize,
    },
    /// A datagram was sent to an address that nobody has.
    Unsent {
        /// Its length.
        len: usize,
    },
}

/// The events of a network, while they are recorded.
#[derive(Debug, Default)]
pub(crate) struct Log {
    is_on: AtomicBool,
    started: OnceLock<Instant>,
    tape: Mutex<Tape>,
}

#[derive(Debug, Default)]
struct Tape {
    events: Vec<Event>,
    capacity: usize,
    overflowed: u64,
}

impl Log {
    /// Sets the beginning of time, the first time it is called.
    pub(crate) fn start(&self, now: Instant) {
        self.started.get_or_init(|| now);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Relaxed)
    }

    pub(crate) fn record(&self, capacity: usize) {
        *self.lock() = Tape { capacity, ..Tape::default() };
        self.is_on.store(0 < capacity, Relaxed);
    }

    pub(crate) fn take(&self) -> Vec<Event> {
        mem::take(&mut self.lock().events)
    }

    pub(crate) fn overflowed(&self) -> u64 {
        self.lock().overflowed
    }

    pub(crate) fn add(&self, event: Event) {
        let mut tape = self.lock();
        match tape.events.len() < tape.capacity {
            true => tape.events.push(event),
            false => tape.overflowed += 1,
        }
    }

    pub(crate) fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(*self.started.get_or_init(|| now))
    }

    fn lock(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
