//! What a transport did that nobody above it can see.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Counts of one transport instance, shared with whoever exports them.
///
/// Whoever drives a conn counts its messages, bytes and errors. Here stands what would otherwise
/// vanish inside a transport: nothing is dropped without one of these going up.
#[derive(Debug, Default)]
pub struct Counters {
    /// Conns that a full table gave up in favour of a newer one.
    pub conns_evicted: Counter,
    /// Conns that a full table or a limit per peer refused.
    pub conns_refused: Counter,
    /// Conns whose peer was gone, or whose handshake failed, before they could be accepted.
    pub conns_vanished: Counter,
    /// Messages that arrived and were dropped because their conn's queue was full.
    pub messages_overflowed: Counter,
    /// Messages that arrived and belonged to no conn, or were malformed.
    pub messages_rejected: Counter,
    /// Messages that the local carrier refused to take or lost before the network: a datagram to a
    /// port that nobody has, say.
    pub messages_unsent: Counter,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// The number now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
