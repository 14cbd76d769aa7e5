//! What became of conns, by the transport that carried them.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rumormill_registry::Error as RegistryError;
use rumormill_transport_api::{Error as CarrierError, Histogram};

use crate::{error::Error, ledger::add};

/// The numbers of each transport. Which there are is settled at the start.
#[derive(Debug, Default)]
pub(crate) struct Carriers {
    by_scheme: BTreeMap<Box<str>, Carrier>,
    /// For a conn whose address names no transport of the registry.
    others: Carrier,
}

/// The numbers of one transport.
#[derive(Debug, Default)]
pub(crate) struct Carrier {
    dialled: AtomicU64,
    accepted: AtomicU64,
    ended: AtomicU64,
    frames: [AtomicU64; 2],
    bytes: [AtomicU64; 2],
    unopened: [AtomicU64; REASONS.len()],
    broken: [AtomicU64; ENDS.len()],
    latencies: [Mutex<Histogram>; 3],
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Latency {
    Dial,
    Greeting,
    RoundTrip,
}

/// Which way something went.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    In,
    Out,
}

/// Which side has opened a conn.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Opened {
    Accepted,
    Dialled,
}

/// A conn that is there until this is dropped.
#[derive(Debug)]
pub(crate) struct Active<'a>(&'a Carrier);

/// Why a dial came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unopened {
    /// The peer takes no more conns for now, or this node has no place for one.
    Busy,
    /// This node does not want the peer, or the peer does not want this node.
    Denied,
    /// The operating system reported an error.
    Io,
    /// Whoever answers is not the peer, or no peer at all.
    NoPeer,
    /// Nothing came in time.
    Timeout,
    /// Nobody answers.
    Unreachable,
    /// The address, an option or a setting does not allow it: trying again is of no use.
    Unusable,
}

/// Why a conn ended before both sides had said that this was all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broken {
    /// The carrier broke.
    Cut,
    /// The peer said too much that it must not.
    Misbehaved,
    /// The peer took nothing, or told of nothing that it got, for too long.
    Silent,
}

const ENDS: [Broken; 3] = [Broken::Cut, Broken::Misbehaved, Broken::Silent];

const REASONS: [Unopened; 7] = [
    Unopened::Busy,
    Unopened::Denied,
    Unopened::Io,
    Unopened::NoPeer,
    Unopened::Timeout,
    Unopened::Unreachable,
    Unopened::Unusable,
];

/// The numbers of one transport at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarrierSnapshot {
    /// Which transport.
    pub scheme: Box<str>,
    /// Conns dialled whose peer has proven itself.
    pub dialled: u64,
    /// Conns accepted whose peer has proven itself.
    pub accepted: u64,
    /// Of both, those that are there.
    pub active: u64,
    /// Frames that arrived behind the greeting, good or bad.
    pub frames_in: u64,
    /// Frames that the carrier took behind the greeting.
    pub frames_out: u64,
    /// The bytes of `frames_in`.
    pub bytes_in: u64,
    /// The bytes of `frames_out`.
    pub bytes_out: u64,
    /// Dials that came to nothing, by reason.
    pub unopened: Vec<(Unopened, u64)>,
    /// Conns that broke, by reason.
    pub broken: Vec<(Broken, u64)>,
    /// How long dials took that succeeded.
    pub dial: Histogram,
    /// How long greetings took behind those dials, if they succeeded.
    pub greeting: Histogram,
    /// How long it took from a question to its answer, queues included.
    pub round_trip: Histogram,
}

impl CarrierSnapshot {
    /// Dials that came to nothing for this reason.
    pub fn unopened(&self, why: Unopened) -> u64 {
        self.unopened.iter().filter(|(reason, _)| *reason == why).map(|(_, count)| count).sum()
    }

    /// Conns that broke for this reason.
    pub fn broken(&self, why: Broken) -> u64 {
        self.broken.iter().filter(|(reason, _)| *reason == why).map(|(_, count)| count).sum()
    }
}

impl Carriers {
    pub(crate) fn of<'a>(schemes: impl Iterator<Item = &'a str>) -> Self {
        let by_scheme = schemes.map(|scheme| (scheme.into(), Carrier::default())).collect();
        Self { by_scheme, others: Carrier::default() }
    }

    pub(crate) fn carrier(&self, scheme: &str) -> &Carrier {
        self.by_scheme.get(scheme).unwrap_or(&self.others)
    }

    pub(crate) fn snapshot(&self) -> Vec<CarrierSnapshot> {
        self.by_scheme.iter().map(|(scheme, carrier)| carrier.snapshot(scheme)).collect()
    }
}

impl Carrier {
    pub(crate) fn open(&self, by: Opened) -> Active<'_> {
        match by {
            Opened::Accepted => add(&self.accepted, 1),
            Opened::Dialled => add(&self.dialled, 1),
        }
        Active(self)
    }

    pub(crate) fn moved(&self, way: Way, frames: usize, bytes: usize) {
        add(&self.frames[way as usize], frames as u64);
        add(&self.bytes[way as usize], bytes as u64);
    }

    pub(crate) fn failed(&self, error: &Error) {
        add(&self.unopened[reason(error) as usize], 1);
    }

    pub(crate) fn broke(&self, why: Broken) {
        add(&self.broken[why as usize], 1);
    }

    pub(crate) fn took(&self, what: Latency, duration: Duration) {
        let histogram = &self.latencies[what as usize];
        histogram.lock().unwrap_or_else(PoisonError::into_inner).record(duration);
    }

    fn latency(&self, what: Latency) -> Histogram {
        self.latencies[what as usize].lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn snapshot(&self, scheme: &str) -> CarrierSnapshot {
        let get = |number: &AtomicU64| number.load(Relaxed);
        // First, so that there are never more that have ended than began.
        let ended = get(&self.ended);
        let (dialled, accepted) = (get(&self.dialled), get(&self.accepted));
        CarrierSnapshot {
            scheme: scheme.into(),
            dialled,
            accepted,
            active: (dialled + accepted).saturating_sub(ended),
            frames_in: get(&self.frames[Way::In as usize]),
            frames_out: get(&self.frames[Way::Out as usize]),
            bytes_in: get(&self.bytes[Way::In as usize]),
            bytes_out: get(&self.bytes[Way::Out as usize]),
            unopened: REASONS.into_iter().zip(self.unopened.iter().map(get)).collect(),
            broken: ENDS.into_iter().zip(self.broken.iter().map(get)).collect(),
            dial: self.latency(Latency::Dial),
            greeting: self.latency(Latency::Greeting),
            round_trip: self.latency(Latency::RoundTrip),
        }
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        add(&self.0.ended, 1);
    }
}

fn reason(error: &Error) -> Unopened {
    let Error::Registry(RegistryError::Transport(error)) = error else {
        return match error {
            Error::Busy { .. } => Unopened::Busy,
            Error::Denied { .. } => Unopened::Denied,
            Error::NoPeer { .. } => Unopened::NoPeer,
            Error::Timeout { .. } => Unopened::Timeout,
            _ => Unopened::Unusable,
        };
    };
    match error {
        CarrierError::Busy { .. } => Unopened::Busy,
        CarrierError::Refused { .. } => Unopened::Denied,
        CarrierError::Closed | CarrierError::Cut { .. } | CarrierError::Io { .. } => Unopened::Io,
        CarrierError::Protocol { .. } | CarrierError::Unproven { .. } => Unopened::NoPeer,
        CarrierError::Timeout { .. } => Unopened::Timeout,
        CarrierError::Unreachable { .. } => Unopened::Unreachable,
        _ => Unopened::Unusable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place() {
        assert!(REASONS.iter().enumerate().all(|(at, why)| *why as usize == at));
        assert!(ENDS.iter().enumerate().all(|(at, why)| *why as usize == at));
    }

    #[test]
    fn conns_are_active_until_they_end() {
        let carriers = Carriers::of(["tcp"].into_iter());
        let carrier = carriers.carrier("tcp");
        let (one, other) = (carrier.open(Opened::Accepted), carrier.open(Opened::Dialled));
        assert_eq!(carriers.snapshot()[0].active, 2);
        drop((one, other));
        let CarrierSnapshot { active, dialled, accepted, .. } = carriers.snapshot().remove(0);
        assert_eq!((active, dialled, accepted), (0, 1, 1));
    }
}
