//! What transports send over: hosts, links between them, and the names on them.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::time::Instant;

use crate::{Event, Link, cable::Cable, dice::Dice, event::Log, names::Names, wire::Wire};

/// A network within the process; clones are the same network.
///
/// It consists of hosts, which are names, and of one link for each direction between two of them,
/// also from a host to itself. At first all links are perfect. They can be changed at any time; what
/// is on its way then still arrives as was decided when it was sent.
///
/// A network keeps a few hundred bytes for each pair of hosts that met, or whose link was set, for
/// as long as it lives.
///
/// # Repeatable runs
/// Each link draws from random numbers of its own, which follow from the seed and the names of its
/// two hosts. So one seed gives one course of events wherever calls come in one order: in a program
/// on tokio's current-thread runtime with its clock paused (`start_paused`), whose `select!`s are
/// `biased` and whose maps are ordered. The numbers are the same on every machine; the order in
/// which tokio runs tasks may change with its version.
///
/// All users of one network must share one clock: one runtime, where the clock is paused.
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    seed: u64,
    log: Arc<Log>,
    cables: Mutex<Cables>,
    names: Mutex<Names>,
    conns: AtomicU64,
    instances: AtomicU64,
}

#[derive(Default)]
struct Cables {
    default: Link,
    /// By sender, then by receiver.
    cables: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Cabling>>,
}

struct Cabling {
    cable: Arc<Cable>,
    /// Whether it follows when the default link changes.
    is_default: bool,
}

impl Network {
    /// A network of perfect links. The seed decides what their faults will be once they have some.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Inner {
            seed,
            log: Arc::default(),
            cables: Mutex::default(),
            names: Mutex::default(),
            conns: AtomicU64::new(0),
            instances: AtomicU64::new(0),
        }))
    }

    /// The one network of the process that transports use if they are given none.
    pub fn shared() -> Self {
        static SHARED: OnceLock<Network> = OnceLock::new();
        SHARED.get_or_init(|| Self::new(0)).clone()
    }

    /// The link from one host to another.
    pub fn link(&self, from: &str, to: &str) -> Link {
        let cables = self.cables();
        let cabling = cables.cables.get(from).and_then(|row| row.get(to));
        cabling.map_or(cables.default, |cabling| cabling.cable.lock().wire.link)
    }

    /// Sets the link from one host to another, and that direction only.
    pub fn set_link(&self, from: &str, to: &str, link: Link) {
        let cable = {
            let mut cables = self.cables();
            let cabling = self.cabling(&mut cables, from, to);
            cabling.is_default = false;
            cabling.cable.clone()
        };
        cable.change(Instant::now(), |wire| wire.link = link);
    }

    /// Sets all links that were not set one by one, also those between hosts to come.
    pub fn set_default_link(&self, link: Link) {
        let mut cables = self.cables();
        cables.default = link;
        let all = cables.cables.values().flat_map(BTreeMap::values);
        let default: Vec<_> =
            all.filter(|cabling| cabling.is_default).map(|cabling| cabling.cable.clone()).collect();
        drop(cables);
        let now = Instant::now();
        default.iter().for_each(|cable| cable.change(now, |wire| wire.link = link));
    }

    /// Lets nothing pass from one host to another, until [`heal`](Self::heal).
    ///
    /// Datagrams are lost. Streams wait, dials among them, for ever if need be.
    pub fn partition(&self, from: &str, to: &str) {
        self.cable(from, to).change(Instant::now(), |wire| wire.is_parted = true);
    }

    /// Lets messages pass again; streams go on from where they were held.
    pub fn heal(&self, from: &str, to: &str) {
        self.cable(from, to).change(Instant::now(), |wire| wire.is_parted = false);
    }

    /// [`partition`](Self::partition) in both directions.
    pub fn partition_both(&self, one: &str, other: &str) {
        self.partition(one, other);
        self.partition(other, one);
    }

    /// [`heal`](Self::heal) in both directions.
    pub fn heal_both(&self, one: &str, other: &str) {
        self.heal(one, other);
        self.heal(other, one);
    }

    /// Records what happens from now on, at most `capacity` events at a time; 0 stops it.
    ///
    /// Events that were recorded and not taken are forgotten. While the record is full, further
    /// events are left out and counted.
    pub fn record(&self, capacity: usize) {
        self.0.log.record(capacity);
    }

    /// The events recorded since the last call, in order; the recording goes on.
    pub fn take_events(&self) -> Vec<Event> {
        self.0.log.take()
    }

    /// How many events were left out since [`record`](Self::record) because the record was full.
    pub fn events_overflowed(&self) -> u64 {
        self.0.log.overflowed()
    }

    /// The cable from one host to another, made if they have not met.
    pub(crate) fn cable(&self, from: &str, to: &str) -> Arc<Cable> {
        self.cabling(&mut self.cables(), from, to).cable.clone()
    }

    pub(crate) fn names(&self) -> MutexGuard<'_, Names> {
        self.0.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of a new conn, and the first sign of life of the network.
    pub(crate) fn next_conn(&self, now: Instant) -> u64 {
        self.0.log.start(now);
        self.0.conns.fetch_add(1, Relaxed)
    }

    pub(crate) fn next_instance(&self) -> u64 {
        self.0.instances.fetch_add(1, Relaxed)
    }

    fn cabling<'a>(&self, cables: &'a mut Cables, from: &str, to: &str) -> &'a mut Cabling {
        let is_known = cables.cables.get(from).is_some_and(|row| row.contains_key(to));
        if !is_known {
            let cabling = self.lay(cables.default, from.into(), to.into());
            cables.cables.entry(from.into()).or_default().insert(to.into(), cabling);
        }
        let row = cables.cables.get_mut(from).expect("invariant: the row was made above");
        row.get_mut(to).expect("invariant: the cabling was made above")
    }

    fn lay(&self, link: Link, from: Arc<str>, to: Arc<str>) -> Cabling {
        let wire = Wire::new(link, Dice::new(self.0.seed, &from, &to));
        let cable = Arc::new(Cable::new(from, to, self.0.log.clone(), wire));
        Cabling { cable, is_default: true }
    }

    fn cables(&self) -> MutexGuard<'_, Cables> {
        self.0.cables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("seed", &self.0.seed).finish_non_exhaustive()
    }
}
