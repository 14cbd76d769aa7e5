//! What the network itself says has happened.

use std::ops::AddAssign;

use rumormill_transport_mem::{Event, EventKind};

/// Counts of what happened on the network. Faults count when they happened, not when they were ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages put on links, and
    pub sent: u64,
    /// their bytes.
    pub bytes: u64,
    /// Messages that readers received.
    pub delivered: u64,
    /// Datagrams that links lost.
    pub lost: u64,
    /// Datagrams that arrived twice.
    pub duplicated: u64,
    /// Messages that came late: retransmitted on a stream, overtaken as a datagram.
    pub delayed: u64,
    /// Streams that waited at a partition.
    pub held: u64,
    /// Dials that found nobody.
    pub refused: u64,
    /// Streams whose writer was dropped.
    pub cut: u64,
    /// Datagrams to an address that nobody has, or that nobody took.
    pub unwanted: u64,
    /// Dials.
    pub dialed: u64,
    /// What was not recorded, for lack of room.
    pub missed: u64,
}

impl Tally {
    pub(crate) fn count(&mut self, event: &Event) {
        match event.kind {
            EventKind::Sent { len } => {
                self.sent += 1;
                self.bytes += len as u64;
            }
            EventKind::Delivered { .. } => self.delivered += 1,
            EventKind::Lost { .. } => self.lost += 1,
            EventKind::Duplicated { .. } => self.duplicated += 1,
            EventKind::Delayed { .. } => self.delayed += 1,
            EventKind::Held => self.held += 1,
            EventKind::Refused => self.refused += 1,
            EventKind::Cut => self.cut += 1,
            EventKind::Unsent { .. }
            | EventKind::Rejected { .. }
            | EventKind::Overflowed { .. } => self.unwanted += 1,
            EventKind::Dialed => self.dialed += 1,
            EventKind::Abandoned | EventKind::Accepted | EventKind::Closed => (),
        }
    }

    /// All of them, with their names.
    #[must_use]
    pub fn numbers(&self) -> [(&'static str, u64); 12] {
        [
            ("messages sent", self.sent),
            ("bytes sent", self.bytes),
            ("messages delivered", self.delivered),
            ("datagrams lost", self.lost),
            ("datagrams duplicated", self.duplicated),
            ("messages delayed", self.delayed),
            ("streams held", self.held),
            ("dials refused", self.refused),
            ("streams cut", self.cut),
            ("datagrams unwanted", self.unwanted),
            ("dials", self.dialed),
            ("events missed", self.missed),
        ]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.bytes += other.bytes;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.delayed += other.delayed;
        self.held += other.held;
        self.refused += other.refused;
        self.cut += other.cut;
        self.unwanted += other.unwanted;
        self.dialed += other.dialed;
        self.missed += other.missed;
    }
}
