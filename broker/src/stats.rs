//! What a topic counts, and what it reports as left over.

use std::{collections::BTreeMap, fmt};

use crate::{Policy, Routing, TopicName, wire::RefusedWhy};

/// What happened in a topic since it began, and what is in it now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicStats {
    /// Who gets a message.
    pub routing: Routing,
    /// What happens to a message for which there is no room.
    pub policy: Policy,
    /// Subscriptions there are now.
    pub subscribers: usize,
    /// The number of the next message.
    pub next: u64,
    /// Accepted and numbered.
    pub published: Traffic,
    /// Handed to the writers of subscribers, once for each of them.
    pub delivered: Traffic,
    /// Messages that subscribers said to have seen, or takers of a queue to be done with.
    pub confirmed: u64,
    /// Messages of a queue that were delivered again.
    pub redelivered: u64,
    /// Messages of a queue that were delivered too often, and had nowhere to go.
    pub given_up: u64,
    /// Messages of a queue that were delivered too often, and went to its dead letter topic.
    pub dead_lettered: u64,
    /// Messages that were accepted and then dropped, once for each subscriber that missed them.
    pub dropped: Dropped,
    /// Messages that were not accepted, by reason.
    pub refused: BTreeMap<RefusedWhy, u64>,
    /// Waiting now, once for each subscriber; in a queue also what is not yet settled.
    pub queued: Traffic,
    /// The longest queue of a subscriber now; that of a queue is the queue.
    pub deepest: Traffic,
    /// Waiting for room now, in a topic that blocks: of publishers that wait for credit.
    pub parked: Traffic,
    /// Whether publishers are waiting for room.
    pub blocked: bool,
    /// Gaps that subscribers were told of.
    pub gaps: u64,
    /// Confirmations of what was not delivered to whoever confirms it.
    pub ignored: u64,
}

/// Messages and the bytes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// How many.
    pub messages: u64,
    /// Without the lengths before them.
    pub bytes: u64,
}

/// Messages that were dropped, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The oldest, to make room.
    pub oldest: u64,
    /// The newest, for want of room.
    pub newest: u64,
    /// Queued for a subscriber that left, or in a topic that was removed.
    pub ended: u64,
    /// Of publishers that left while they waited for room.
    pub abandoned: u64,
}

impl Traffic {
    pub(crate) fn add(&mut self, messages: u32, bytes: usize) {
        self.messages += u64::from(messages);
        self.bytes += bytes as u64;
    }

    pub(crate) fn sub(&mut self, messages: u32, bytes: usize) {
        self.messages -= u64::from(messages);
        self.bytes -= bytes as u64;
    }
}

/// A conn of a broker, by a number that no other conn of it has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub(crate) u64);

impl ConnId {
    /// No conn: the broker itself, which needs no credit and is told nothing.
    pub(crate) const BROKER: Self = Self(0);
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "conn {}", self.0)
    }
}

/// Messages that a topic still holds, in one range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Which topic.
    pub topic: TopicName,
    /// For whom; of [`Parked`](LeftState::Parked) ones, from whom; `None`: for nobody yet.
    pub conn: Option<ConnId>,
    /// The number of the first; 0 if they have none yet.
    pub from: u64,
    /// The number of the last; 0 if they have none yet.
    pub to: u64,
    /// How many; fewer than the range has if some of it was dropped.
    pub messages: u64,
    /// How far they came.
    pub state: LeftState,
}

/// How far messages came that a topic still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LeftState {
    /// Not handed to the subscriber's writer.
    Queued,
    /// Dropped by the topic's policy, and the subscriber had not been told yet.
    Dropped,
    /// Handed to it, and not confirmed.
    Unconfirmed,
    /// From a publisher that waits for room; it has no receipt for them.
    Parked,
    /// In a queue, for whoever comes.
    Held,
}
