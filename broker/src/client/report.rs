//! What a client tells of itself: as it happens, in numbers, and at its end.

use std::{collections::BTreeMap, sync::Arc};

use rumormill_transport_api::{Addr, NodeId};

use crate::{TopicName, client::Lost, wire::RefusedWhy};

/// Something that happened to a client.
#[derive(Clone, Debug)]
pub enum ClientEvent {
    /// There is a conn to a broker.
    Connected {
        /// Where.
        addr: Addr,
        /// Who the broker is, as far as that was proven.
        broker: Option<NodeId>,
    },
    /// The conn was lost. The client dials again, unless it is being closed.
    Disconnected {
        /// Why.
        why: Arc<Lost>,
    },
    /// An attempt to connect again failed.
    Failed {
        /// At each address.
        why: Arc<crate::ConnectError>,
    },
    /// The broker did not do something. Messages that were published are lost by it.
    Refused {
        /// Why not.
        why: RefusedWhy,
        /// What it was about.
        topic: Option<TopicName>,
        /// How many messages are lost.
        messages: u32,
        /// The broker's words, which may be anything: escape them before they are shown.
        text: Box<str>,
    },
}

/// What became of what was published, in messages, and how often the conn was lost.
///
/// `published` is `waiting` + `in_flight` + `acknowledged` + `sent` + all of `refused` + `uncertain` +
/// `unsent`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientStats {
    /// Taken by `publish` and `submit`.
    pub published: u64,
    /// Bytes of them, with 4 for each.
    pub published_bytes: u64,
    /// Sent, and the broker has told nothing of them yet.
    pub in_flight: u64,
    /// Queued at the broker for everybody who was subscribed, as a receipt said.
    pub acknowledged: u64,
    /// Read by the broker, which was not asked what became of them, and has not refused them.
    pub sent: u64,
    /// Sent, and not known to have arrived or not: the conn was lost, or a receipt did not come in
    /// time. Of what is fire-and-forget, at most what the broker had not granted more credit for.
    pub uncertain: u64,
    /// Left behind when the client was closed.
    pub unsent: u64,
    /// Waiting to be sent just now.
    pub waiting: u64,
    /// Bytes of those, with 4 for each.
    pub waiting_bytes: u64,
    /// Refused by the broker, by its reason.
    pub refused: BTreeMap<RefusedWhy, u64>,
    /// Messages that arrived for subscriptions.
    pub received: u64,
    /// Conns that were opened after the first.
    pub reconnects: u64,
    /// Whether there is a conn just now.
    pub is_connected: bool,
}

/// What a client left behind when it was closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct ClientReport {
    /// Messages that were never sent.
    pub unsent: u64,
    /// Messages that were sent and may have got lost, over the client's whole life.
    pub uncertain: u64,
}
