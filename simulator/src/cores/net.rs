//! Hosts, the time that passes for them, and what befalls them.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::Duration,
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_gossip::{Config, Event, Input, Profile, RumorId, Signer, Start, Swim, Time};

use crate::cores::{
    coverage::Coverage,
    host::Host,
    keys::{Signing, id},
    link::{Link, Wall},
    traffic::Traffic,
    watch::{Breach, Seen, Tamper, Watch},
    wire::Flight,
};

/// Some hosts and the network between them.
pub struct Net {
    /// What time it is, for all of them.
    pub now: Time,
    /// All chance of this network.
    pub rng: StdRng,
    /// What cores are started with.
    pub config: Config,
    /// How hosts are connected.
    pub link: Link,
    /// What lies between islands.
    pub wall: Wall,
    /// All that ever were.
    pub hosts: Vec<Host>,
    /// What they have reported, in the order of time.
    pub log: Vec<Noted>,
    /// What they have sent.
    pub traffic: Traffic,
    /// What has gone wrong on the way.
    pub coverage: Coverage,
    /// Messages that arrived nowhere, for whatever reason.
    pub stray: u64,
    /// How often a core was woken.
    pub wakes: u64,
    /// What was on the wire, up to a limit, for replays.
    pub heard: Vec<(usize, Bytes)>,
    /// Whether nobody who is there may be suspected any more.
    pub is_calm: bool,
    /// What stands between the hosts and their watch. Where there is something, breaches are collected.
    pub tamper: Option<Tamper>,
    /// What was wrong.
    pub breaches: Vec<Breach>,
    seed: u64,
    signing: Signing,
    watch: Watch,
    pub(super) deadlines: BTreeSet<(Time, usize)>,
    pub(super) wire: BinaryHeap<Reverse<Flight>>,
    pub(super) sends: u64,
    /// The last packet between two, by when it was sent; kept only where packets overtake.
    pub(super) latest: BTreeMap<(usize, usize), u64>,
}

/// Something that a host has reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// When.
    pub time: Time,
    /// Which host.
    pub host: usize,
    /// What.
    pub event: Event,
}

/// A second.
pub const SECOND: Duration = Duration::from_secs(1);
const EPOCH: u64 = 1_800_000_000;
/// Breaches that are collected, at most.
const BREACHES: usize = 1000;

impl Net {
    /// Hosts that do not know each other.
    #[must_use]
    pub fn new(seed: u64, size: usize, config: Config) -> Self {
        Self::signed(seed, size, config, Signing::StandIn)
    }

    /// Hosts that do not know each other and sign in this way.
    #[must_use]
    pub fn signed(seed: u64, size: usize, config: Config, signing: Signing) -> Self {
        let mut net = Self {
            now: Time(Duration::from_secs(EPOCH)),
            rng: StdRng::seed_from_u64(seed),
            config,
            link: Link::default(),
            wall: Wall::Closed,
            hosts: Vec::new(),
            log: Vec::new(),
            traffic: Traffic::default(),
            coverage: Coverage::default(),
            stray: 0,
            wakes: 0,
            heard: Vec::new(),
            is_calm: false,
            tamper: None,
            breaches: Vec::new(),
            seed,
            signing,
            watch: Watch::default(),
            deadlines: BTreeSet::new(),
            wire: BinaryHeap::new(),
            sends: 0,
            latest: BTreeMap::new(),
        };
        (0..size).for_each(|_| _ = net.add());
        net
    }

    /// A cluster in which everybody knows everybody, with nothing in its log.
    ///
    /// # Panics
    /// If they do not get to know each other.
    #[must_use]
    pub fn settled(seed: u64, size: usize, config: Config) -> Self {
        let mut net = Self::new(seed, size, config);
        for at in (1..size).chain(1..size) {
            net.join(at, 0);
            net.run(Duration::from_millis(10));
        }
        net.run(10 * SECOND);
        assert!(net.is_converged(), "seed {seed}: {size} do not know each other");
        net.log.clear();
        net
    }

    /// A new host; which.
    pub fn add(&mut self) -> usize {
        let at = self.hosts.len();
        let swim = self.core(at);
        self.hosts.push(Host::new(swim));
        self.drain(at);
        at
    }

    fn core(&mut self, at: usize) -> Swim<Box<dyn Signer>> {
        let epoch = self.now.0.as_millis() as u64;
        let profile = Profile { name: format!("node-{at}").into(), ..Profile::default() };
        let session = self.rng.random();
        let start = Start { cluster: "test".into(), session, epoch, profile };
        let (config, signer) = (self.config.clone(), self.signing.signer(at));
        let swim = Swim::new(config, signer, start, self.now, &mut self.rng);
        swim.expect("invariant: the name is short")
    }

    /// Starts a host again that had crashed or left, with nothing but its key.
    pub fn restart(&mut self, at: usize) {
        let (swim, island) = (self.core(at), self.hosts[at].island);
        self.reschedule(at);
        self.hosts[at] = Host { island, ..Host::new(swim) };
        self.watch.restart(at);
        self.coverage.restarted += 1;
        self.drain(at);
    }

    /// Ends a host without a word.
    pub fn crash(&mut self, at: usize) {
        self.hosts[at].is_up = false;
        self.coverage.crashed += 1;
        self.reschedule(at);
    }

    /// Does not let a host run; what arrives waits, as far as there is room.
    pub fn pause(&mut self, at: usize) {
        self.hosts[at].paused = Some(Vec::new());
        self.reschedule(at);
    }

    /// Lets a host run on: timers fire before packets are read, as they do.
    pub fn resume(&mut self, at: usize) {
        let waiting = self.hosts[at].paused.take().unwrap_or_default();
        self.coverage.queued += waiting.len() as u64;
        self.hosts[at].swim.wake(self.now, &mut self.rng);
        self.drain(at);
        for (from, bytes) in waiting {
            self.receive(at, from, bytes);
        }
    }

    /// Lets a host contact another.
    pub fn join(&mut self, at: usize, by: usize) {
        self.input(at, Input::Contact(id(by)));
    }

    /// Tells a core something.
    pub fn input(&mut self, at: usize, input: Input) {
        self.hosts[at].is_leaving |= matches!(input, Input::Leave(_));
        self.hosts[at].swim.handle(self.now, input, &mut self.rng);
        self.drain(at);
    }

    /// Has a host say something to all; `None` if it has said too much lately.
    pub fn broadcast(&mut self, at: usize, bytes: Vec<u8>) -> Option<RumorId> {
        let id = self.hosts[at].swim.broadcast(self.now, bytes.into()).ok();
        self.drain(at);
        id
    }

    /// Lets a message arrive.
    pub fn receive(&mut self, at: usize, from: usize, bytes: Bytes) {
        self.input(at, Input::Received { from: id(from), bytes });
    }

    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until something holds, and tells how long that took, to a hundredth of a second.
    pub fn run_until(
        &mut self,
        most: Duration,
        is_done: impl Fn(&Self) -> bool,
    ) -> Option<Duration> {
        let start = self.now;
        while !is_done(self) {
            if most <= self.now.since(start) {
                return None;
            }
            self.run(Duration::from_millis(10));
        }
        Some(self.now.since(start))
    }

    /// Runs until hosts have reported something so many times, and tells how long that took.
    pub fn run_until_noted(
        &mut self,
        most: Duration,
        mut times: usize,
        is_it: impl Fn(&Noted) -> bool,
    ) -> Option<Duration> {
        let (start, mut seen) = (self.now, self.log.len());
        while 0 < times {
            if !self.step(start + most) {
                self.now = start + most;
                return None;
            }
            times =
                times.saturating_sub(self.log[seen..].iter().filter(|note| is_it(note)).count());
            seen = self.log.len();
        }
        Some(self.now.since(start))
    }

    /// Whether all that are up take exactly those that are up for members.
    #[must_use]
    pub fn is_converged(&self) -> bool {
        let up: Vec<&Host> = self.hosts.iter().filter(|host| host.is_up).collect();
        up.iter().all(|host| host.swim.live() + 1 == up.len())
            && up.iter().all(|host| {
                let node = |other: &&Host| other.swim.node();
                let others = up.iter().map(node).filter(|node| *node != host.swim.node());
                others.into_iter().all(|node| host.holds(node))
            })
    }

    /// Whether all that are up have ceased to take this one for a member.
    #[must_use]
    pub fn is_gone(&self, at: usize) -> bool {
        let others = self.hosts.iter().enumerate().filter(|(other, _)| *other != at);
        others.filter(|(_, host)| host.is_up).all(|(_, host)| !host.holds(id(at)))
    }

    /// How often something was reported.
    pub fn count(&self, is_counted: impl Fn(&Event) -> bool) -> usize {
        self.log.iter().filter(|note| is_counted(&note.event)).count()
    }

    /// Shows the watch something.
    ///
    /// # Panics
    /// If it is a breach, unless somebody tampers.
    pub fn see(&mut self, seen: Seen) {
        let shown = match &mut self.tamper {
            Some(tamper) => tamper(seen),
            None => Some(seen),
        };
        let Some(Err(breach)) = shown.map(|seen| self.watch.see(seen)) else { return };
        let time = self.now.since(Time(Duration::from_secs(EPOCH)));
        assert!(self.tamper.is_some(), "seed {}, after {time:?}: {breach:?}", self.seed);
        if self.breaches.len() < BREACHES {
            self.breaches.push(breach);
        }
    }
}
