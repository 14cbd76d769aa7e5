//! Nodes with one to four routes, over ways that are blocked, refused and opened at random.
//!
//! `SEED=n` runs one course, and prints its log.

use std::{
    collections::BTreeMap,
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_endpoint::{Broken, Class, Snapshot};
use rumormill_transport_api::NodeId;
use rumormill_transport_conformance::Road;
use rumormill_transport_mem::{Event, Network};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    carrier::{ALL, host},
    node::{Arrival, CLASSES, LONG, Node, long, millis, pause},
};

/// How many seeds are run, and of how many one is run twice.
const SEEDS: u64 = 300;
const TWICE: u64 = 5;
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// Lengths of messages: some fit a packet, some a datagram, and some only a stream.
const LENGTHS: [usize; 5] = [40, 1000, 20_000, 100_000, 300_000];

/// What came of a seed.
#[derive(Debug, PartialEq)]
struct Course {
    log: Vec<String>,
    events: Vec<Event>,
    coverage: Coverage,
}

/// How often which thing happened.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Coverage {
    arrived: [u64; ALL.len()],
    silent: u64,
    cut: u64,
    uncertain: u64,
    answered: u64,
    in_doubt: u64,
}

struct World {
    rng: StdRng,
    seed: u64,
    began: Instant,
    network: Network,
    schemes: Vec<Vec<&'static str>>,
    nodes: Vec<Node>,
    starts: Vec<u64>,
    /// Messages that somebody took, by who and class; questions are not among them.
    taken: BTreeMap<(NodeId, usize), u64>,
    number: u32,
    asking: JoinSet<bool>,
    arrived: BTreeMap<String, Arrival>,
    ended: Vec<(NodeId, Snapshot)>,
    has_restarted: bool,
    has_vanished: bool,
    coverage: Coverage,
}

#[test]
fn what_is_promised_holds_over_changing_routes() {
    if let Ok(seed) = env::var("SEED") {
        let course = run(seed.parse().expect("SEED is a number"));
        course.log.iter().for_each(|line| eprintln!("{line}"));
        return;
    }
    let (next, coverage) = (AtomicU64::new(0), Mutex::new(Coverage::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Relaxed);
            if SEEDS <= seed {
                return;
            }
            match catch_unwind(AssertUnwindSafe(|| check(seed))) {
                Ok(covered) => coverage.lock().unwrap().add(covered),
                Err(_) => panic!("SEED={seed} replays it"),
            }
        }
    };
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        (0..workers).for_each(|_| drop(scope.spawn(work)));
    });
    coverage.into_inner().unwrap().check();
}

fn check(seed: u64) -> Coverage {
    let first = run(seed);
    if seed.is_multiple_of(TWICE) {
        let second = run(seed);
        let differs = first.events.iter().zip(&second.events).find(|(one, other)| one != other);
        assert_eq!(differs, None, "the same seed took another course");
        assert_eq!(first, second, "the same seed took another course");
    }
    first.coverage
}

fn run(seed: u64) -> Course {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(course(seed))
}

async fn course(seed: u64) -> Course {
    let mut world = World::new(seed).await;
    for _ in 0..world.rng.random_range(10..30) {
        world.step().await;
        let longest = if world.rng.random_bool(0.2) { 8000 } else { 500 };
        pause(millis(world.rng.random_range(0..longest))).await;
    }
    world.finish().await
}

impl World {
    async fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let network = Network::new(seed);
        network.record(100_000);
        let common = ALL[rng.random_range(0..ALL.len())];
        let count = rng.random_range(2..=NAMES.len());
        let mut some = || {
            let mut is_there = |scheme: &&str| *scheme == common || rng.random();
            ALL.into_iter().filter(|scheme| is_there(scheme)).collect()
        };
        let schemes: Vec<Vec<_>> = (0..count).map(|_| some()).collect();
        let mut world = Self {
            rng,
            seed,
            began: Instant::now(),
            network,
            schemes,
            nodes: Vec::new(),
            starts: vec![0; count],
            taken: BTreeMap::new(),
            number: 0,
            asking: JoinSet::new(),
            arrived: BTreeMap::new(),
            ended: Vec::new(),
            has_restarted: false,
            has_vanished: false,
            coverage: Coverage::default(),
        };
        for at in 0..count {
            let node = world.start(at).await;
            world.nodes.push(node);
        }
        for (one, other) in world.pairs() {
            world.nodes[one].learn(&world.nodes[other]);
        }
        world
    }

    async fn start(&mut self, at: usize) -> Node {
        self.starts[at] += 1;
        let seed = self.seed << 16 | self.starts[at] << 8 | at as u64;
        let what = (&self.network, NAMES[at], &self.schemes[at][..]);
        Node::start_with(what, at as u8 + 1, seed).await
    }

    /// All pairs of different nodes.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let count = self.schemes.len();
        let all = (0..count).flat_map(|one| (0..count).map(move |other| (one, other)));
        all.filter(|(one, other)| one != other).collect()
    }

    async fn step(&mut self) {
        let pairs = self.pairs();
        let (one, other) = pairs[self.rng.random_range(0..pairs.len())];
        let scheme = ALL[self.rng.random_range(0..ALL.len())];
        let (here, there) = (host(NAMES[one], scheme), host(NAMES[other], scheme));
        match self.rng.random_range(0..100) {
            0..40 => self.burst(one, other),
            40..55 => self.ask(one, other),
            55..65 => self.network.partition(&here, &there),
            65..75 => self.network.partition_both(&here, &there),
            75..80 => self.nodes[one].set_road(scheme, Road::Refused),
            80..84 => self.nodes[one].set_road(scheme, Road::Open),
            84..92 => self.network.heal_both(&here, &there),
            92..94 => {
                self.nodes[one].endpoint.forget(self.nodes[other].id());
                self.nodes[one].learn(&self.nodes[other]);
            }
            _ => self.restart(one).await,
        }
    }

    fn burst(&mut self, one: usize, other: usize) {
        for _ in 0..self.rng.random_range(1..8) {
            let class = CLASSES[self.rng.random_range(0..CLASSES.len())];
            let len = LENGTHS[self.rng.random_range(0..LENGTHS.len())];
            let label = self.label(one, other);
            let (from, to) = (&self.nodes[one], &self.nodes[other]);
            if from.endpoint.send(to.id(), class, long(&label, len)).is_ok() {
                let start = self.starts[one] as usize;
                *self.taken.entry((from.id(), start << 2 | class as usize)).or_default() += 1;
            }
        }
    }

    fn label(&mut self, one: usize, other: usize) -> String {
        self.number += 1;
        format!("{} to {}, {}", NAMES[one], NAMES[other], self.number)
    }

    fn ask(&mut self, one: usize, other: usize) {
        let label = self.label(one, other);
        let (from, to) = (self.nodes[one].endpoint.clone(), self.nodes[other].id());
        let deadline = millis(self.rng.random_range(1..20_000));
        self.asking.spawn(async move {
            let since = Instant::now();
            let answer = from.request(to, label.clone(), deadline).await;
            assert!(since.elapsed() <= deadline + millis(2), "{label} is late");
            assert!(
                answer.as_deref().is_ok_and(|answer| answer == label.as_bytes()) || answer.is_err()
            );
            answer.is_ok()
        });
    }

    async fn restart(&mut self, at: usize) {
        self.asking.shutdown().await;
        let node = self.nodes.remove(at);
        self.has_restarted = true;
        if self.rng.random() {
            self.has_vanished = true;
            let arrived = node.vanish().await;
            self.note(arrived);
        } else {
            let deadline = millis(self.rng.random_range(0..8000));
            self.close(node, at, deadline).await;
        }
        pause(millis(self.rng.random_range(0..3000))).await;
        let node = self.start(at).await;
        self.nodes.insert(at, node);
        for (one, other) in self.pairs() {
            if one == at || other == at {
                self.nodes[one].learn(&self.nodes[other]);
            }
        }
    }

    async fn close(&mut self, node: Node, at: usize, deadline: Duration) {
        let (id, since) = (node.id(), Instant::now());
        let (snapshot, arrived) = node.close_within(deadline).await;
        assert!(since.elapsed() <= deadline + millis(2), "{:?}", since.elapsed());
        self.note(arrived);
        for class in CLASSES {
            let numbers = snapshot.class(class);
            let dropped: u64 = numbers.dropped.iter().map(|(_, count)| count).sum();
            let gone = numbers.carried + numbers.uncertain + dropped;
            assert_eq!(numbers.sent, gone, "{class:?}: {numbers:?}");
            let key = (id, (self.starts[at] as usize) << 2 | class as usize);
            let taken = self.taken.get(&key).copied().unwrap_or_default();
            let is_exact = class != Class::Bulk;
            assert!(taken == numbers.sent || !is_exact, "{class:?} {taken}: {numbers:?}");
            self.coverage.in_doubt += numbers.uncertain;
        }
        let broke = |why| snapshot.carriers.iter().map(|carrier| carrier.broken(why)).sum::<u64>();
        self.coverage.silent += broke(Broken::Silent);
        self.coverage.cut += broke(Broken::Cut);
        self.ended.push((id, snapshot));
    }

    /// Whatever has arrived has done so once, in all lives of all nodes.
    fn note(&mut self, arrived: Vec<(String, Arrival)>) {
        for (label, arrival) in arrived {
            let scheme = ALL.iter().position(|scheme| *scheme == arrival.scheme);
            self.coverage.arrived[scheme.expect("one of them")] += 1;
            let before = self.arrived.insert(label.clone(), arrival);
            assert_eq!(before, None, "{label} came twice");
        }
    }

    /// When all is well again, everybody reaches everybody, and the ledgers balance.
    async fn finish(mut self) -> Course {
        while let Some(answered) = self.asking.join_next().await {
            match answered.expect("no answer was wrong") {
                true => self.coverage.answered += 1,
                false => self.coverage.uncertain += 1,
            }
        }
        for (one, other) in self.pairs() {
            for scheme in ALL {
                self.network.heal_both(&host(NAMES[one], scheme), &host(NAMES[other], scheme));
                self.nodes[one].set_road(scheme, Road::Open);
            }
        }
        pause(Duration::from_secs(5)).await;
        for (one, other) in self.pairs() {
            let label = format!("finally {one} to {other}");
            let (from, to) = (&self.nodes[one], &self.nodes[other]);
            let answer = from.endpoint.request(to.id(), label.clone(), LONG).await;
            assert_eq!(answer.as_deref(), Ok(label.as_bytes()));
        }
        pause(Duration::from_secs(10)).await;
        for node in &self.nodes {
            let snapshot = node.endpoint.snapshot();
            let in_flight = CLASSES.map(|class| snapshot.class(class).in_flight());
            assert_eq!(in_flight, [0; 3], "{}: {snapshot:?}", node.name);
        }
        for (at, node) in std::mem::take(&mut self.nodes).into_iter().enumerate() {
            self.close(node, at, LONG).await;
        }
        self.balance();
        let line = |(label, Arrival { at, scheme, class, len }): (&String, &Arrival)| {
            format!("{:?} {label}: {len} bytes of {class:?} by {scheme}", *at - self.began)
        };
        let log = self.arrived.iter().map(line).collect();
        Course { log, events: self.network.take_events(), coverage: self.coverage }
    }

    fn balance(&self) {
        for class in CLASSES {
            let sum = |of: fn(&rumormill_endpoint::ClassSnapshot) -> u64| -> u64 {
                self.ended.iter().map(|(_, snapshot)| of(snapshot.class(class))).sum()
            };
            let (carried, uncertain) = (sum(|of| of.carried), sum(|of| of.uncertain));
            let arrived = sum(|of| of.delivered) + sum(|of| of.overflowed);
            let is_whole = !self.has_vanished;
            assert!(!is_whole || arrived <= carried + uncertain, "{class:?}: {arrived} arrived");
            // Nobody hands a reply over, and what a carrier has may go with its receiver.
            let is_sure = class != Class::Bulk && !self.has_restarted;
            assert!(!is_sure || carried <= arrived, "{class:?}: {carried} carried, not {arrived}");
        }
    }
}

impl Coverage {
    fn add(&mut self, other: Self) {
        self.arrived.iter_mut().zip(other.arrived).for_each(|(mine, theirs)| *mine += theirs);
        self.silent += other.silent;
        self.cut += other.cut;
        self.uncertain += other.uncertain;
        self.answered += other.answered;
        self.in_doubt += other.in_doubt;
    }

    /// Fails if anything that was to be tested did not happen often.
    fn check(self) {
        eprintln!("{self:?}");
        let Self { arrived, silent, cut, uncertain, answered, in_doubt } = self;
        let counts = [silent, cut, uncertain, answered, in_doubt];
        assert!(arrived.iter().chain(&counts).all(|count| 50 <= *count), "{self:?}");
    }
}
