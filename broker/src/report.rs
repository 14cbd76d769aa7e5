//! What a broker tells about itself.

use std::{collections::BTreeMap, time::Duration};

use rumormill_transport_api::Histogram;

use crate::{
    TopicName,
    stats::{Left, TopicStats},
};

/// What a broker has and did.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Conns now.
    pub conns: usize,
    /// Conns that were let in.
    pub accepted: u64,
    /// Attempts to accept that failed, since this side lacked something.
    pub failed_accepts: u64,
    /// Conns for which there was no place.
    pub refused: u64,
    /// Conns that ended as they should.
    pub closed: u64,
    /// Conns that were cut off, or broke.
    pub cut: BTreeMap<CutReason, u64>,
    /// Messages that were given up, and that the topic for dead letters did not take.
    pub dead_letters_lost: u64,
    /// Confirmations that came for a subscription that had ended, or never was.
    pub late_confirmations: u64,
    /// Bytes of messages that are held now.
    pub memory_used: usize,
    /// The most that may be held.
    pub memory_limit: usize,
    /// The topics.
    pub topics: BTreeMap<TopicName, TopicStats>,
    /// How long it took to route a block, of one in [`SAMPLED`](Self::SAMPLED).
    pub routing: Histogram,
}

impl Stats {
    /// Of so many blocks, one is measured.
    pub const SAMPLED: u32 = 16;
}

/// Why a conn came to an end that was no close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CutReason {
    /// Its carrier broke.
    Broken,
    /// It took too long to say Hello and prove who it is.
    Handshake,
    /// It said nothing for too long.
    Idle,
    /// It lagged, or held up a topic that blocks.
    Lagging,
    /// It said something that is none of the protocol.
    Malformed,
    /// A task of it panicked, which is a fault of the broker or its carrier.
    Panicked,
    /// Its carrier took no bytes for too long.
    Stuck,
    /// It said something at the wrong moment.
    Unexpected,
    /// It did not prove to be who it claimed to be.
    Unproven,
}

/// A conn, now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnStats {
    /// Who: where it comes from, and what was proven.
    pub label: Box<str>,
    /// How long it has been open.
    pub age: Duration,
    /// How long it has said nothing.
    pub silent: Duration,
    /// How many subscriptions it has.
    pub subscriptions: usize,
    /// Bytes of answers that wait for it. What waits in topics is theirs to tell.
    pub waiting: usize,
}

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Topics that are new.
    pub added: Vec<TopicName>,
    /// Topics of which something has changed.
    pub changed: Vec<TopicName>,
    /// Topics that are gone.
    pub removed: Vec<TopicName>,
    /// Limits of the broker that have changed.
    pub limits: Vec<&'static str>,
    /// What was lost with the topics that are gone.
    pub left: Vec<Remainder>,
}

impl Changes {
    /// Whether everything is as before.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How a broker stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopReport {
    /// What was not delivered, or of which it is not known.
    pub left: Vec<Remainder>,
    /// Conns that had not closed when the deadline passed, and were cut off.
    pub aborted: usize,
}

/// Messages of a topic that were not delivered, or of which it is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remainder {
    /// Who was to get them, or for what is parked, who published them; `None` if that is nobody in
    /// particular.
    pub conn: Option<Box<str>>,
    /// Which messages.
    pub left: Left,
}
