//! The network: delays, losses, pauses, crashes and partitions, and nothing that is not in the seed.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    sync::OnceLock,
    time::Duration,
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_gossip::{
    Config, Event, Input, LeaveReport, Output, Profile, Signer, StandIn, Standing, Start, Swim,
    Time, Via,
};
use rumormill_identity::SecretKey;
use rumormill_transport_api::NodeId;

use crate::watch::{Records, Watch};

/// Some nodes and the network between them.
pub(crate) struct Net {
    pub(crate) now: Time,
    pub(crate) rng: StdRng,
    pub(crate) config: Config,
    pub(crate) signing: Signing,
    pub(crate) loss: f64,
    pub(crate) delay: Duration,
    pub(crate) hosts: Vec<Host>,
    /// Messages by kind, as sent.
    pub(crate) sent: BTreeMap<u8, u64>,
    pub(crate) lost: u64,
    pub(crate) longest_packet: usize,
    pub(crate) wakes: u64,
    /// Everything that was ever on the wire, up to a limit, for replays.
    pub(crate) heard: Vec<(usize, Bytes)>,
    records: Records,
    deadlines: BTreeSet<(Time, usize)>,
    wire: BinaryHeap<Reverse<Flight>>,
    sends: u64,
}

/// What is on its way: when it arrives, in which order it left, to whom and from whom.
type Flight = (Time, u64, usize, usize, Bytes);

/// Who signs.
#[derive(Clone, Copy)]
pub(crate) enum Signing {
    /// Ed25519.
    Real,
    /// A hash.
    StandIn,
}

/// One node, or what is left of it.
pub(crate) struct Host {
    pub(crate) swim: Swim<Box<dyn Signer>>,
    pub(crate) is_up: bool,
    /// Hosts reach each other if they are on the same island.
    pub(crate) island: u8,
    pub(crate) events: Vec<(Time, Event)>,
    pub(crate) left: Option<LeaveReport>,
    watch: Watch,
    /// What waits while it does not run.
    paused: Option<Vec<(usize, Bytes)>>,
    deadline: Option<Time>,
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
/// Hosts of a network, at most.
const MOST: usize = 256;
const EPOCH: u64 = 1_800_000_000;
/// What a socket holds for a process that does not read.
const SOCKET: usize = 2048;

/// The key of a host.
fn key(at: usize) -> SecretKey {
    SecretKey::from_bytes(blake3::hash(&at.to_be_bytes()).as_bytes())
}

/// The id of a host.
pub(crate) fn id(at: usize) -> NodeId {
    static IDS: OnceLock<Vec<NodeId>> = OnceLock::new();
    IDS.get_or_init(|| (0..MOST).map(|at| key(at).node()).collect())[at]
}

/// The host of an id.
fn place(node: NodeId) -> Option<usize> {
    static PLACES: OnceLock<BTreeMap<NodeId, usize>> = OnceLock::new();
    PLACES.get_or_init(|| (0..MOST).map(|at| (id(at), at)).collect()).get(&node).copied()
}

impl Signing {
    fn signer(self, at: usize) -> Box<dyn Signer> {
        match self {
            Self::Real => Box::new(key(at)),
            Self::StandIn => Box::new(StandIn(id(at))),
        }
    }
}

impl Net {
    pub(crate) fn new(seed: u64, size: usize, config: Config) -> Self {
        Self::signed(seed, size, config, Signing::StandIn)
    }

    pub(crate) fn signed(seed: u64, size: usize, config: Config, signing: Signing) -> Self {
        let mut net = Self {
            now: Time(Duration::from_secs(EPOCH)),
            rng: StdRng::seed_from_u64(seed),
            config,
            signing,
            loss: 0.0,
            delay: Duration::from_millis(2),
            hosts: Vec::new(),
            sent: BTreeMap::new(),
            lost: 0,
            longest_packet: 0,
            wakes: 0,
            heard: Vec::new(),
            records: Records::default(),
            deadlines: BTreeSet::new(),
            wire: BinaryHeap::new(),
            sends: 0,
        };
        (0..size).for_each(|_| _ = net.add());
        net
    }

    /// A cluster in which everybody knows everybody.
    pub(crate) fn settled(seed: u64, size: usize, config: Config) -> Self {
        let mut net = Self::new(seed, size, config);
        for at in (1..size).chain(1..size) {
            net.join(at, 0);
            net.run(Duration::from_millis(10));
        }
        net.run(10 * SECOND);
        assert!(net.is_converged(), "seed {seed}: {size} do not know each other");
        net
    }

    pub(crate) fn add(&mut self) -> usize {
        let at = self.hosts.len();
        let swim = self.core(at);
        self.hosts.push(Host {
            swim,
            is_up: true,
            island: 0,
            events: Vec::new(),
            left: None,
            watch: Watch::default(),
            paused: None,
            deadline: None,
        });
        self.drain(at);
        at
    }

    fn core(&mut self, at: usize) -> Swim<Box<dyn Signer>> {
        let epoch = self.now.0.as_millis() as u64;
        let profile = Profile { name: format!("node-{at}").into(), ..Profile::default() };
        let session = self.rng.random();
        let start = Start { cluster: "test".into(), session, epoch, profile };
        let (config, signer) = (self.config.clone(), self.signing.signer(at));
        Swim::new(config, signer, start, self.now, &mut self.rng).expect("the name is short")
    }

    /// Starts a node again that had crashed or left, with nothing but its key.
    pub(crate) fn restart(&mut self, at: usize) {
        self.hosts[at].swim = self.core(at);
        self.hosts[at].watch = Watch::default();
        self.hosts[at].events.clear();
        (self.hosts[at].is_up, self.hosts[at].left) = (true, None);
        self.drain(at);
    }

    pub(crate) fn crash(&mut self, at: usize) {
        self.hosts[at].is_up = false;
        self.reschedule(at);
    }

    pub(crate) fn pause(&mut self, at: usize) {
        self.hosts[at].paused = Some(Vec::new());
        self.reschedule(at);
    }

    /// Lets it run on: timers fire before packets are read, as they do.
    pub(crate) fn resume(&mut self, at: usize) {
        let waiting = self.hosts[at].paused.take().unwrap_or_default();
        self.hosts[at].swim.wake(self.now, &mut self.rng);
        self.drain(at);
        for (from, bytes) in waiting {
            self.receive(at, from, bytes);
        }
    }

    pub(crate) fn join(&mut self, at: usize, by: usize) {
        self.input(at, Input::Contact(id(by)));
    }

    pub(crate) fn input(&mut self, at: usize, input: Input) {
        self.hosts[at].swim.handle(self.now, input, &mut self.rng);
        self.drain(at);
    }

    pub(crate) fn receive(&mut self, at: usize, from: usize, bytes: Bytes) {
        self.input(at, Input::Received { from: id(from), bytes });
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    /// Runs until something holds, and tells how long that took, to a hundredth of a second.
    pub(crate) fn run_until(
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

    /// Whether all that are up take exactly those that are up for members.
    pub(crate) fn is_converged(&self) -> bool {
        let up: Vec<&Host> = self.hosts.iter().filter(|host| host.is_up).collect();
        up.iter().all(|host| {
            let knows = |other: &&Host| {
                let node = other.swim.node();
                node == host.swim.node() || host.holds(node)
            };
            host.swim.live() + 1 == up.len() && up.iter().all(knows)
        })
    }

    /// Whether all that are up have ceased to take this one for a member.
    pub(crate) fn is_gone(&self, at: usize) -> bool {
        let others =
            self.hosts.iter().enumerate().filter(|(other, host)| host.is_up && *other != at);
        others.into_iter().all(|(_, host)| !host.holds(id(at)))
    }

    pub(crate) fn count(&self, is_counted: impl Fn(&Event) -> bool) -> usize {
        let events = self.hosts.iter().flat_map(|host| &host.events);
        events.filter(|(_, event)| is_counted(event)).count()
    }

    pub(crate) fn is_running(&self, at: usize) -> bool {
        self.hosts[at].is_up && self.hosts[at].paused.is_none()
    }

    fn step(&mut self, end: Time) -> bool {
        let message = self.wire.peek().map(|Reverse((at, ..))| *at);
        let timer = self.deadlines.first().map(|(at, _)| *at);
        let Some(next) = message.into_iter().chain(timer).min().filter(|next| *next <= end) else {
            return false;
        };
        self.now = self.now.max(next);
        if message == Some(next) {
            let Some(Reverse((_, _, to, from, bytes))) = self.wire.pop() else { return false };
            self.arrive(to, from, bytes);
        } else if let Some((_, at)) = self.deadlines.first().copied() {
            self.wakes += 1;
            self.hosts[at].swim.wake(self.now, &mut self.rng);
            self.drain(at);
        }
        true
    }

    fn arrive(&mut self, to: usize, from: usize, bytes: Bytes) {
        let parted = self.hosts[to].island != self.hosts[from].island;
        match &mut self.hosts[to] {
            host if !host.is_up || parted => self.lost += 1,
            Host { paused: Some(waiting), .. } if waiting.len() < SOCKET => {
                waiting.push((from, bytes))
            }
            Host { paused: Some(_), .. } => self.lost += 1,
            _ => self.receive(to, from, bytes),
        }
    }

    fn drain(&mut self, at: usize) {
        while let Some(output) = self.hosts[at].swim.poll() {
            match output {
                Output::Send { to, via, bytes } => self.send(at, to, via, bytes),
                Output::Event(event) => self.note(at, event),
                Output::Left(report) => {
                    self.hosts[at].left = Some(report);
                    self.hosts[at].is_up = false;
                }
                Output::Forget(_) | Output::Gap(_) | Output::Learn { .. } | Output::Rumor(_) => (),
            }
        }
        let (size, host) = (self.hosts.len(), &mut self.hosts[at]);
        host.watch.sample(&host.swim, &mut self.records, |at| (at < size).then(|| id(at)));
        self.reschedule(at);
    }

    fn note(&mut self, at: usize, event: Event) {
        let host = &mut self.hosts[at];
        host.watch.check(&host.swim, &event);
        host.events.push((self.now, event));
    }

    fn send(&mut self, from: usize, to: NodeId, via: Via, bytes: Bytes) {
        *self.sent.entry(bytes[1]).or_default() += 1;
        if via == Via::Packet {
            self.longest_packet = self.longest_packet.max(bytes.len());
        }
        let is_lost = via == Via::Packet && self.rng.random_bool(self.loss);
        let to = place(to).filter(|at| *at < self.hosts.len());
        let Some(to) = to.filter(|_| !is_lost) else {
            self.lost += 1;
            return;
        };
        if self.heard.len() < 10_000 {
            self.heard.push((from, bytes.clone()));
        }
        let delay = self.delay.mul_f64(self.rng.random_range(0.5..1.5));
        self.sends += 1;
        self.wire.push(Reverse((self.now + delay, self.sends, to, from, bytes)));
    }

    fn reschedule(&mut self, at: usize) {
        let running = self.is_running(at);
        let host = &mut self.hosts[at];
        if let Some(deadline) = host.deadline.take() {
            self.deadlines.remove(&(deadline, at));
        }
        host.deadline = host.swim.deadline().filter(|_| running);
        self.deadlines.extend(host.deadline.map(|deadline| (deadline, at)));
    }
}

impl Host {
    /// Whether it has no doubts about a node.
    pub(crate) fn trusts(&self, at: usize) -> bool {
        let member = self.swim.member(id(at));
        member.is_none_or(|member| member.standing() == Standing::Alive)
    }

    /// Whether it takes a node for a member that is there.
    pub(crate) fn holds(&self, node: NodeId) -> bool {
        self.swim.member(node).is_some_and(|member| member.standing().is_here())
    }
}
