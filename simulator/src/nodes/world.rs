//! A scenario carried out.

use std::{
    collections::BTreeMap,
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rumormill_endpoint::Clock;
use rumormill_gossip::Profile;
use rumormill_transport_mem::{Link, Network};
use tokio::{
    runtime::{Builder, Handle},
    task::{JoinSet, yield_now},
    time::{Instant, sleep_until},
};

use crate::nodes::{
    check::rumors::REPAIRED,
    journal::Journal,
    log::{Cluster, DAWN, End, Entry, Label, Life, What},
    node::{Birth, Doors, Ground, Node, key, name},
    report::Report,
    roads::{Cut, Roads},
    scenario::{Crash, Place, Scenario, Slot, Step},
    tally::Tally,
    truth::Truth,
};

/// Carries out a scenario, on a runtime of its own whose time takes no time.
///
/// # Panics
/// If no runtime can be made, or a node does not let go of what it holds.
#[must_use]
pub fn run(scenario: &Scenario) -> Report {
    let turns = Arc::new(AtomicU64::new(0));
    let counted = turns.clone();
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .on_thread_park(move || _ = counted.fetch_add(1, Relaxed))
        .build()
        .expect("a runtime needs nothing but memory");
    let (log, tally) = runtime.block_on(async {
        let mut world = World::new(scenario, turns);
        world.play(scenario).await;
        world.finish().await
    });
    Report { scenario: scenario.clone(), log, tally }
}

struct World {
    ground: Ground,
    roads: Roads,
    began: Instant,
    nodes: BTreeMap<Slot, Node>,
    /// How often each slot has started, and whose key and cluster it has.
    cast: BTreeMap<Slot, (u16, Slot, Cluster)>,
    starts: usize,
    messages: u32,
    /// Those that take their leave.
    leaving: JoinSet<()>,
    link: Link,
    tally: Tally,
    turns: Arc<AtomicU64>,
    turned: u64,
    ticked: Instant,
    /// Whether anything was said to all.
    has_rumors: bool,
}

impl World {
    fn new(scenario: &Scenario, turns: Arc<AtomicU64>) -> Self {
        let network = Network::new(scenario.seed);
        network.record(RECORD);
        network.set_default_link(scenario.link);
        let (journal, now) = (Journal::new(scenario), Instant::now());
        let ground = Ground {
            network: network.clone(),
            clock: Clock::at(DAWN * 1_000_000),
            seed: scenario.seed,
            delivery: scenario.delivery,
            preset: scenario.preset,
            journal,
            doors: Doors::default(),
        };
        Self {
            ground,
            roads: Roads::new(network),
            began: now,
            nodes: BTreeMap::new(),
            cast: BTreeMap::new(),
            starts: 0,
            messages: 0,
            leaving: JoinSet::new(),
            link: scenario.link,
            tally: Tally::default(),
            turns,
            has_rumors: false,
            turned: 0,
            ticked: now,
        }
    }

    async fn play(&mut self, scenario: &Scenario) {
        for slot in 0..scenario.nodes {
            self.wait_until(self.began + u32::from(slot) * STAGGER).await;
            self.join(slot, Cluster::Ours, None).await;
        }
        for (at, step) in &scenario.steps {
            self.wait_until(self.began + *at).await;
            let is_done = self.carry_out(step).await;
            if !is_done {
                self.write(What::Skipped(step.clone()));
            }
        }
        self.calm_down();
        self.settle().await;
    }

    fn write(&self, what: What) {
        self.ground.journal.write(what);
    }

    fn done(&self, step: &Step) -> bool {
        self.write(What::Done(step.clone()));
        true
    }

    async fn carry_out(&mut self, step: &Step) -> bool {
        match step {
            Step::Part(slots) => self.cut(step, Cut::Around(slots.iter().copied().collect())),
            Step::Silence { from, to } => self.cut(step, Cut::Between(*from, *to)),
            Step::Pause(slot) => {
                self.nodes.contains_key(slot) && self.cut(step, Cut::Paused(*slot))
            }
            Step::Heal => {
                self.roads.mend(|cut| matches!(cut, Cut::Around(_) | Cut::Between(..)));
                self.done(step)
            }
            Step::Resume(slot) => {
                self.roads.mend(|cut| *cut == Cut::Paused(*slot));
                self.done(step)
            }
            Step::Links(link) => {
                self.link = *link;
                self.ground.network.set_default_link(*link);
                self.done(step)
            }
            Step::Crash(slot, how) => self.crash(step, *slot, *how).await,
            Step::Restart(slot, place) => self.restart(step, *slot, *place).await,
            Step::Leave(slot) => self.leave(step, *slot),
            Step::Join => self.newcomer(step, None).await,
            Step::Clone(of) => self.nodes.contains_key(of) && self.newcomer(step, Some(*of)).await,
            Step::Stranger(at) => self.stranger(step, *at).await,
            Step::Change(slot) => self.change(step, *slot, None).await,
            Step::Rename { rival, holder } => self.change(step, *rival, Some(*holder)).await,
            Step::Send { from, to, count } => self.send(step, *from, *to, *count),
            Step::Ask { from, to } => self.ask(step, *from, *to),
            Step::Broadcast { from, count, len } => self.broadcast(step, *from, *count, *len).await,
        }
    }

    fn cut(&mut self, step: &Step, cut: Cut) -> bool {
        self.roads.cut(cut);
        self.done(step)
    }

    /// Starts a slot for the first time.
    async fn join(&mut self, key: Slot, cluster: Cluster, host: Option<String>) -> Slot {
        let slot = self.cast.len() as Slot;
        self.cast.insert(slot, (0, key, cluster));
        let host = host.unwrap_or_else(|| name(slot));
        self.start(slot, host).await;
        slot
    }

    async fn start(&mut self, slot: Slot, host: String) {
        let Some((start, key, cluster)) = self.cast.get_mut(&slot) else { return };
        let life = Life { slot, start: *start };
        let birth =
            Birth { life, key: *key, cluster: *cluster, host: host.clone(), serial: self.starts };
        *start += 1;
        self.starts += 1;
        self.roads.settle(slot, &host);
        let node = Node::start(birth, &self.ground).await;
        self.nodes.insert(slot, node);
    }

    async fn newcomer(&mut self, step: &Step, key: Option<Slot>) -> bool {
        self.done(step);
        let key = key.unwrap_or(self.cast.len() as Slot);
        self.join(key, Cluster::Ours, None).await;
        true
    }

    async fn stranger(&mut self, step: &Step, at: Slot) -> bool {
        let Some(host) = self.roads.host(at).filter(|_| self.is_free(at)) else {
            return false;
        };
        let (host, key) = (host.clone(), self.cast.len() as Slot);
        self.done(step);
        self.join(key, Cluster::Other, Some(host)).await;
        true
    }

    async fn crash(&mut self, step: &Step, slot: Slot, how: Crash) -> bool {
        let Some(node) = self.nodes.remove(&slot) else { return false };
        self.done(step);
        if how == Crash::Machine {
            self.roads.cut(Cut::Dead(slot));
        }
        self.write(What::Ended { life: node.life(), how: End::Crashed(how) });
        node.vanish().await;
        // What held the endpoint lets go of it in its next turn.
        yield_now().await;
        true
    }

    /// Whether the last process of a slot has ended, and none since has its key.
    fn is_free(&self, slot: Slot) -> bool {
        let Some((starts, ..)) = self.cast.get(&slot) else { return false };
        let life = Life { slot, start: starts - 1 };
        self.ground.journal.truth(|truth| {
            let fate = truth.fate(life).filter(|fate| fate.ended.is_some());
            fate.and_then(|fate| truth.latest(fate.node)).is_some_and(|(last, _)| last == life)
        })
    }

    async fn restart(&mut self, step: &Step, slot: Slot, place: Place) -> bool {
        let Some((starts, ..)) = self.cast.get(&slot) else { return false };
        if !self.is_free(slot) {
            return false;
        }
        let moved = || format!("{}-{starts}", name(slot));
        let host = match (place, self.roads.host(slot)) {
            (Place::Same, Some(host)) => host.clone(),
            _ => moved(),
        };
        self.done(step);
        self.start(slot, host).await;
        true
    }

    fn leave(&mut self, step: &Step, slot: Slot) -> bool {
        let Some(node) = self.nodes.remove(&slot) else { return false };
        self.done(step);
        let journal = self.ground.journal.clone();
        self.leaving.spawn(async move {
            let (life, how) = (node.life(), End::Departed(node.leave().await));
            node.close().await;
            journal.write(What::Ended { life, how });
        });
        true
    }

    async fn change(&mut self, step: &Step, slot: Slot, namesake: Option<Slot>) -> bool {
        let name = match namesake {
            Some(holder) => self.nodes.get(&holder).map(|node| node.profile.name.clone()),
            None => self.nodes.get(&slot).map(|node| node.profile.name.clone()),
        };
        let (Some(name), Some(node)) = (name, self.nodes.get_mut(&slot)) else { return false };
        let metadata = [&node.profile.metadata[..], b"+"].concat().into();
        let profile = Profile { name, metadata, ..node.profile.clone() };
        self.ground.journal.write(What::Done(step.clone()));
        node.change(profile).await;
        true
    }

    fn label(&mut self, from: Slot, to: Slot) -> Option<Label> {
        let from = self.nodes.get(&from)?.life();
        let to = key(self.cast.get(&to)?.1).node();
        self.messages += 1;
        Some(Label { from, to, number: self.messages })
    }

    fn send(&mut self, step: &Step, from: Slot, to: Slot, count: u8) -> bool {
        for _ in 0..count {
            let Some(label) = self.label(from, to) else { return false };
            self.nodes.get(&from).iter().for_each(|node| node.send(label));
        }
        self.done(step)
    }

    async fn broadcast(&mut self, step: &Step, from: Slot, count: u8, len: u16) -> bool {
        let Some(node) = self.nodes.get_mut(&from) else { return false };
        for _ in 0..count {
            node.broadcast(len).await;
        }
        self.has_rumors = true;
        self.done(step)
    }

    fn ask(&mut self, step: &Step, from: Slot, to: Slot) -> bool {
        let Some(label) = self.label(from, to) else { return false };
        self.nodes.get_mut(&from).into_iter().for_each(|node| node.ask(label));
        self.done(step)
    }

    /// Ends all faults of the network.
    fn calm_down(&mut self) {
        let slots: Vec<Slot> = self.cast.keys().copied().collect();
        self.roads.mend(|cut| !matches!(cut, Cut::Dead(_)));
        slots.into_iter().for_each(|slot| _ = self.done(&Step::Resume(slot)));
        self.done(&Step::Heal);
        let (latency, jitter) = (self.link.latency.min(CALM), self.link.jitter.min(CALM));
        let link = Link { latency, jitter, ..Link::default() };
        self.ground.network.set_default_link(link);
        self.done(&Step::Links(link));
    }

    /// Waits until everybody agrees for a while, or should have.
    async fn settle(&mut self) {
        let bound = self.ground.journal.truth(|truth| truth.convergence());
        // What somebody lacks is brought once everybody knows everybody.
        let enough = if self.has_rumors { REPAIRED + 2 * TICK } else { AGREED };
        let (until, mut agreed) = (Instant::now() + bound + enough, Duration::ZERO);
        while Instant::now() < until && agreed < enough {
            self.wait_until(Instant::now() + TICK).await;
            // Twins may meet somebody yet who tells them.
            let agrees = |truth: &Truth| truth.disagreement().is_none() && truth.twins().is_empty();
            let agrees = self.ground.journal.truth(agrees);
            let is_quiet = agrees && self.leaving.is_empty();
            agreed = if is_quiet { agreed + TICK } else { Duration::ZERO };
        }
    }

    /// Waits, and takes stock every second.
    async fn wait_until(&mut self, until: Instant) {
        while self.ticked + TICK <= until {
            sleep_until(self.ticked + TICK).await;
            self.ticked += TICK;
            self.tick().await;
        }
        sleep_until(until).await;
    }

    async fn tick(&mut self) {
        for event in self.ground.network.take_events() {
            self.tally.count(&event);
        }
        let turned = self.turns.load(Relaxed);
        let before = mem::replace(&mut self.turned, turned);
        self.write(What::Turns(turned - before));
        while self.leaving.try_join_next().is_some() {}
        self.nodes.values().for_each(Node::measure);
        self.retire().await;
    }

    /// Ends those who have learnt that another process has their key.
    async fn retire(&mut self) {
        let replaced = self.nodes.iter().filter(|(_, node)| node.is_over());
        let replaced: Vec<Slot> = replaced.map(|(slot, _)| *slot).collect();
        for slot in replaced {
            let Some(node) = self.nodes.remove(&slot) else { continue };
            self.write(What::Ended { life: node.life(), how: End::Replaced });
            node.close().await;
        }
    }

    async fn finish(mut self) -> (Vec<Entry>, Tally) {
        self.write(What::Over);
        while self.leaving.join_next().await.is_some() {}
        for node in self.nodes.values_mut() {
            node.unwatch().await;
        }
        for (_, node) in mem::take(&mut self.nodes) {
            self.write(What::Ended { life: node.life(), how: End::Closed });
            node.close().await;
        }
        self.tick().await;
        self.tally.missed = self.ground.network.events_overflowed();
        // What was ended is gone after a turn.
        yield_now().await;
        self.write(What::Left { tasks: Handle::current().metrics().num_alive_tasks() });
        (self.ground.journal.take(), self.tally)
    }
}

/// Between the first starts of two nodes.
const STAGGER: Duration = Duration::from_millis(100);
/// Events of the network that are kept between two ticks.
const RECORD: usize = 1 << 20;
const TICK: Duration = Duration::from_secs(1);
/// Latency and jitter of links at the end, at most.
const CALM: Duration = Duration::from_millis(20);
/// How long all agree before a run ends.
const AGREED: Duration = Duration::from_secs(3);
