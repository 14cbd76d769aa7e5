//! What became of everything: nothing is sent, dropped or refused without a number going up.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::{
    carriers::{CarrierSnapshot, Carriers},
    frame::Class,
};

/// What became of the messages of one class, and how many frames were refused and why.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    sent: [AtomicU64; CLASSES],
    carried: [AtomicU64; CLASSES],
    /// Of those carried, the ones that turned out not to have left for good: to be sent once more,
    recalled: [AtomicU64; CLASSES],
    /// and those that may have arrived or not.
    uncertain: [AtomicU64; CLASSES],
    dropped: [[AtomicU64; DROPS.len()]; CLASSES],
    delivered: [AtomicU64; CLASSES],
    overflowed: [AtomicU64; CLASSES],
    refused: [AtomicU64; REFUSALS.len()],
    pub(crate) repeated: AtomicU64,
    pub(crate) links: Links,
    pub(crate) carriers: Carriers,
}

/// Conns, by what became of them.
#[derive(Debug, Default)]
pub(crate) struct Links {
    pub(crate) dialled: AtomicU64,
    pub(crate) accepted: AtomicU64,
    pub(crate) verified: AtomicU64,
    pub(crate) ended: AtomicU64,
    pub(crate) failed_dials: AtomicU64,
    pub(crate) retries: AtomicU64,
}

/// Why a message that was taken to be sent never left this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dropped {
    /// The endpoint was closed before its turn came.
    Closed,
    /// A newer one of its class took its place.
    Displaced,
    /// Its peer was forgotten.
    Forgotten,
    /// It does not fit into what the conn carries.
    TooLarge,
    /// No route leads to the peer.
    Unreachable,
}

/// Why something that arrived was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejected {
    /// It is of another cluster.
    Cluster,
    /// Its source or its conn has had more than its share, of conns or of forged frames, or there is
    /// no room for its sender; it was not looked at.
    Crowded,
    /// Its sender may not be a member.
    Denied,
    /// It is not for this node in this session, or its sender is not known.
    Elsewhere,
    /// Its signature does not verify.
    Forged,
    /// It cannot be read.
    Malformed,
    /// It claims to be of this very node.
    Myself,
    /// It is older than the window.
    Old,
    /// It was opened before.
    Replayed,
    /// It came when something else was due, or its conn said too much before anything was verified.
    Unexpected,
    /// The carrier proved that the peer is somebody else.
    Unproven,
    /// It has no signature.
    Unsigned,
}

/// The numbers of one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Of each class, as [`Class`] orders them.
    pub classes: [ClassSnapshot; CLASSES],
    /// Of frames and greetings that were refused, by reason.
    pub rejected: Vec<(Rejected, u64)>,
    /// Questions that were asked again.
    pub repeated: u64,
    /// Conns.
    pub links: LinksSnapshot,
    /// What each transport of the registry has carried, in order of their schemes.
    pub carriers: Vec<CarrierSnapshot>,
}

/// What became of the messages of one class.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassSnapshot {
    /// Messages taken to be sent.
    pub sent: u64,
    /// Those that a carrier has accepted, as far as they are not uncertain.
    pub carried: u64,
    /// Those that a carrier accepted, perhaps in part, and then died with, or that the peer had not
    /// got when it told of later ones.
    pub uncertain: u64,
    /// Those that never left, by reason.
    pub dropped: Vec<(Dropped, u64)>,
    /// Messages that arrived and were handed over.
    pub delivered: u64,
    /// Messages that arrived and nobody took: they were displaced, or found no room before their
    /// conn ended.
    pub overflowed: u64,
}

/// Conns, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinksSnapshot {
    /// Dialled by this node, successfully.
    pub dialled: u64,
    /// Accepted.
    pub accepted: u64,
    /// Of both, those whose peer has proven who it is.
    pub verified: u64,
    /// Of both, those that have ended.
    pub ended: u64,
    /// Dials that failed.
    pub failed_dials: u64,
    /// Dials that were second or later attempts.
    pub retries: u64,
}

const CLASSES: usize = 3;
const DROPS: [Dropped; 5] = [
    Dropped::Closed,
    Dropped::Displaced,
    Dropped::Forgotten,
    Dropped::TooLarge,
    Dropped::Unreachable,
];
const REFUSALS: [Rejected; 12] = [
    Rejected::Cluster,
    Rejected::Crowded,
    Rejected::Denied,
    Rejected::Elsewhere,
    Rejected::Forged,
    Rejected::Malformed,
    Rejected::Myself,
    Rejected::Old,
    Rejected::Replayed,
    Rejected::Unexpected,
    Rejected::Unproven,
    Rejected::Unsigned,
];

impl Ledger {
    /// The ledger of an endpoint with transports of these schemes.
    pub(crate) fn of<'a>(schemes: impl Iterator<Item = &'a str>) -> Self {
        Self { carriers: Carriers::of(schemes), ..Self::default() }
    }

    pub(crate) fn sent(&self, class: Class) {
        add(&self.sent[class as usize], 1);
    }

    /// Messages of each class that a carrier has taken.
    pub(crate) fn carried(&self, messages: [u32; CLASSES]) {
        add_each(&self.carried, messages);
    }

    /// Messages of each class that a carrier had taken, and that are to be sent once more.
    pub(crate) fn recalled(&self, messages: [u32; CLASSES]) {
        add_each(&self.recalled, messages);
    }

    /// Messages of each class that a carrier had taken in part.
    pub(crate) fn uncertain(&self, messages: [u32; CLASSES]) {
        add_each(&self.uncertain, messages);
    }

    /// Messages of each class that a carrier had taken, and that have not arrived as far as anybody
    /// knows.
    pub(crate) fn lost(&self, messages: [u32; CLASSES]) {
        self.recalled(messages);
        self.uncertain(messages);
    }

    pub(crate) fn dropped(&self, class: Class, why: Dropped, count: u64) {
        add(&self.dropped[class as usize][why as usize], count);
    }

    pub(crate) fn delivered(&self, class: Class, count: u64) {
        add(&self.delivered[class as usize], count);
    }

    pub(crate) fn overflowed(&self, class: Class, count: u64) {
        add(&self.overflowed[class as usize], count);
    }

    pub(crate) fn rejected(&self, why: Rejected) {
        add(&self.refused[why as usize], 1);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            classes: std::array::from_fn(|class| self.class(class)),
            rejected: counted(&REFUSALS, &self.refused),
            repeated: get(&self.repeated),
            links: LinksSnapshot {
                dialled: get(&self.links.dialled),
                accepted: get(&self.links.accepted),
                verified: get(&self.links.verified),
                ended: get(&self.links.ended),
                failed_dials: get(&self.links.failed_dials),
                retries: get(&self.links.retries),
            },
            carriers: self.carriers.snapshot(),
        }
    }

    fn class(&self, class: usize) -> ClassSnapshot {
        ClassSnapshot {
            // First, so that what has become of it meanwhile is never more.
            dropped: counted(&DROPS, &self.dropped[class]),
            carried: get(&self.carried[class]).saturating_sub(get(&self.recalled[class])),
            uncertain: get(&self.uncertain[class]),
            delivered: get(&self.delivered[class]),
            overflowed: get(&self.overflowed[class]),
            sent: get(&self.sent[class]),
        }
    }
}

impl Snapshot {
    /// What became of the messages of `class`.
    pub fn class(&self, class: Class) -> &ClassSnapshot {
        &self.classes[class as usize]
    }

    /// What the transport with this scheme has carried, if there is one.
    pub fn carrier(&self, scheme: &str) -> Option<&CarrierSnapshot> {
        self.carriers.iter().find(|carrier| *carrier.scheme == *scheme)
    }

    /// How much was refused for this reason.
    pub fn rejected(&self, why: Rejected) -> u64 {
        self.rejected.iter().filter(|(reason, _)| *reason == why).map(|(_, count)| count).sum()
    }
}

impl ClassSnapshot {
    /// Messages that were dropped for this reason.
    pub fn dropped(&self, why: Dropped) -> u64 {
        self.dropped.iter().filter(|(reason, _)| *reason == why).map(|(_, count)| count).sum()
    }

    /// Messages that are on their way: taken, and nothing has become of them yet.
    pub fn in_flight(&self) -> u64 {
        let dropped: u64 = self.dropped.iter().map(|(_, count)| count).sum();
        self.sent.saturating_sub(self.carried + self.uncertain + dropped)
    }
}

fn counted<T: Copy>(reasons: &[T], counts: &[AtomicU64]) -> Vec<(T, u64)> {
    reasons.iter().copied().zip(counts.iter().map(get)).collect()
}

pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Relaxed);
}

fn add_each(counters: &[AtomicU64; CLASSES], messages: [u32; CLASSES]) {
    for (counter, count) in counters.iter().zip(messages) {
        if 0 < count {
            add(counter, u64::from(count));
        }
    }
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place() {
        assert!(DROPS.iter().enumerate().all(|(at, why)| *why as usize == at));
        assert!(REFUSALS.iter().enumerate().all(|(at, why)| *why as usize == at));
    }

    #[test]
    fn what_is_sent_is_somewhere() {
        let ledger = Ledger::default();
        (0..10).for_each(|_| ledger.sent(Class::Gossip));
        ledger.carried([0, 5, 0]);
        ledger.lost([0, 1, 0]);
        ledger.recalled([0, 1, 0]);
        ledger.dropped(Class::Gossip, Dropped::Unreachable, 2);
        let snapshot = ledger.snapshot();
        assert_eq!(snapshot.class(Class::Gossip).in_flight(), 4);
        assert_eq!(snapshot.class(Class::Gossip).dropped(Dropped::Unreachable), 2);
        assert_eq!(
            snapshot.class(Class::Bulk),
            &ClassSnapshot { dropped: counted(&DROPS, &ledger.dropped[2]), ..Default::default() }
        );
    }
}
