//! A conn, as everybody but its own tasks sees it.

use std::{
    collections::HashMap,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rumormill_transport_api::{Addr, Proof};
use tokio::time::Instant;

use super::{outbox::Outbox, slot::Slot};
use crate::{ConnId, TopicName, report::ConnStats};

/// A conn, as everybody but its own tasks sees it.
pub(crate) struct Conn {
    pub(crate) id: ConnId,
    remote: Addr,
    since: Instant,
    /// When it last said something, in milliseconds since it was opened.
    heard: AtomicU64,
    /// Who it has proven to be, as soon as it has greeted.
    proofs: OnceLock<Box<[Proof]>>,
    pub(crate) outbox: Outbox,
    topics: Mutex<Topics>,
}

/// The topics that know something of a conn.
#[derive(Default)]
struct Topics {
    met: HashMap<TopicName, Met>,
    subscriptions: usize,
    /// What was published to names that no topic has, or had no more.
    strays: HashMap<Box<str>, Stray>,
}

/// What was published to a name that no topic has: a client counts by names, whoever has them.
#[derive(Default)]
struct Stray {
    bytes: u64,
    granted: u64,
}

struct Met {
    slot: Arc<Slot>,
    is_subscribed: bool,
}

impl Conn {
    pub(crate) fn new(id: ConnId, remote: Addr, now: Instant) -> Self {
        Self {
            id,
            remote,
            since: now,
            heard: AtomicU64::new(0),
            proofs: OnceLock::new(),
            outbox: Outbox::default(),
            topics: Mutex::default(),
        }
    }

    /// Notes that it said something.
    pub(crate) fn heard(&self, now: Instant) {
        self.heard.store((now - self.since).as_millis() as u64, Relaxed);
    }

    /// Notes who it has proven to be, once.
    pub(crate) fn greeted(&self, proofs: Box<[Proof]>) {
        self.proofs.get_or_init(|| proofs);
    }

    pub(crate) fn proofs(&self) -> &[Proof] {
        self.proofs.get().map_or(&[], |proofs| proofs)
    }

    /// Who it is, for people: where it comes from, and what was proven.
    pub(crate) fn label(&self) -> Box<str> {
        let proofs = self.proofs().iter().map(|proof| match proof {
            Proof::Name(name) => format!(" name {}", rumormill_transport_api::excerpt(name)),
            Proof::Node(node) => format!(" node {node}"),
            Proof::Process { uid, pid: Some(pid), .. } => format!(" uid {uid} pid {pid}"),
            Proof::Process { uid, .. } => format!(" uid {uid}"),
        });
        let proofs: String = proofs.collect();
        format!("{}{proofs}", self.remote).into()
    }

    pub(crate) fn stats(&self, now: Instant) -> ConnStats {
        let age = now - self.since;
        ConnStats {
            label: self.label(),
            age,
            silent: age.saturating_sub(Duration::from_millis(self.heard.load(Relaxed))),
            subscriptions: self.subscriptions(),
            waiting: self.outbox.bytes(),
        }
    }

    /// The topic of this name, if the conn has used it before.
    pub(crate) fn met(&self, name: &str) -> Option<Arc<Slot>> {
        self.topics().met.get(name).map(|met| met.slot.clone())
    }

    /// Notes that the topic will know of the conn; returns the bytes that were published to its name
    /// before.
    pub(crate) fn meets(&self, slot: &Arc<Slot>) -> u64 {
        let mut topics = self.topics();
        let met = Met { slot: slot.clone(), is_subscribed: false };
        if let Some(old) = topics.met.insert(slot.name.clone(), met) {
            topics.subscriptions -= usize::from(old.is_subscribed);
        }
        topics.strays.remove(slot.name.as_str()).map_or(0, |stray| stray.bytes)
    }

    /// Notes what was published to a name that no topic has; returns how much may be published to it
    /// in all, if that is to be told.
    pub(crate) fn strays(&self, name: &str, bytes: usize, window: usize) -> Option<u64> {
        let mut topics = self.topics();
        if MOST_STRAYS <= topics.strays.len() && !topics.strays.contains_key(name) {
            return None;
        }
        let stray = topics.strays.entry(name.into()).or_default();
        let window = window as u64;
        stray.bytes += bytes as u64;
        stray.granted = stray.granted.max(window);
        if window / 2 < stray.granted.saturating_sub(stray.bytes) {
            return None;
        }
        stray.granted = stray.bytes + window;
        Some(stray.granted)
    }

    /// Notes whether the conn is subscribed to a topic that it has met.
    pub(crate) fn set_subscribed(&self, slot: &Arc<Slot>, is_subscribed: bool) {
        let mut topics = self.topics();
        let Some(met) = topics.met.get_mut(&slot.name) else { return };
        let was = mem::replace(&mut met.is_subscribed, is_subscribed);
        topics.subscriptions = topics.subscriptions + usize::from(is_subscribed) - usize::from(was);
    }

    pub(crate) fn is_subscribed(&self, slot: &Arc<Slot>) -> bool {
        let topics = self.topics();
        topics
            .met
            .get(&slot.name)
            .is_some_and(|met| met.is_subscribed && Arc::ptr_eq(&met.slot, slot))
    }

    pub(crate) fn subscriptions(&self) -> usize {
        self.topics().subscriptions
    }

    /// Forgets a topic that was removed, to which so many bytes were published.
    pub(crate) fn forgets(&self, slot: &Arc<Slot>, bytes: u64) {
        let mut topics = self.topics();
        if !topics.met.get(&slot.name).is_some_and(|met| Arc::ptr_eq(&met.slot, slot)) {
            return;
        }
        if let Some(met) = topics.met.remove(&slot.name) {
            topics.subscriptions -= usize::from(met.is_subscribed);
        }
        if bytes != 0 && topics.strays.len() < MOST_STRAYS {
            let stray = Stray { bytes, granted: bytes };
            topics.strays.insert(slot.name.as_str().into(), stray);
        }
    }

    /// The topics that may know of the conn.
    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        self.topics().met.values().map(|met| met.slot.clone()).collect()
    }

    /// Forgets all topics, which are returned.
    pub(crate) fn forgets_all(&self) -> Vec<Arc<Slot>> {
        let topics = mem::take(&mut *self.topics());
        topics.met.into_values().map(|met| met.slot).collect()
    }

    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names without a topic of which is counted what a conn publishes to them. To any further one it may
/// not publish for long.
const MOST_STRAYS: usize = 1_024;
