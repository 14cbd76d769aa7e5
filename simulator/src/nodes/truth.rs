//! What is so, whatever any node believes: followed from the log alone.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rumormill_gossip::{Config, Event, Standing, Version};
use rumormill_transport_api::NodeId;
use rumormill_transport_mem::Link;

use crate::nodes::{
    log::{Cluster, DAWN, End, Entry, Known, Life, What},
    scenario::{Scenario, Slot, Step},
};

/// What is so at a moment of a run.
#[derive(Clone, Debug)]
pub struct Truth {
    config: Config,
    now: Duration,
    fates: BTreeMap<Life, Fate>,
    views: BTreeMap<Life, BTreeMap<NodeId, Known>>,
    weather: Weather,
    /// Whether once no more ran than had crashed.
    was_thin: bool,
    is_over: bool,
}

/// What became of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fate {
    /// Whose key it has.
    pub node: NodeId,
    /// Which cluster it is of.
    pub cluster: Cluster,
    /// When it started.
    pub from: Duration,
    /// Since when it is leaving.
    pub leaving: Option<Duration>,
    /// Since when it knows that another process has its key.
    pub replaced: Option<Duration>,
    /// When it ended, and how.
    pub ended: Option<(Duration, End)>,
}

/// What the network does to everybody.
#[derive(Clone, Debug)]
struct Weather {
    cuts: u32,
    paused: BTreeSet<Slot>,
    link: Link,
    calm_since: Option<Duration>,
}

impl Truth {
    /// Before anything has happened.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let mut truth = Self {
            config: scenario.preset.config(),
            now: Duration::ZERO,
            fates: BTreeMap::new(),
            views: BTreeMap::new(),
            weather: Weather {
                cuts: 0,
                paused: BTreeSet::new(),
                link: scenario.link,
                calm_since: None,
            },
            was_thin: false,
            is_over: false,
        };
        truth.look_at_the_sky();
        truth
    }

    /// Takes in what happens next.
    pub fn follow(&mut self, entry: &Entry) {
        self.now = entry.at;
        match &entry.what {
            What::Done(step) => self.step(step),
            What::Started { life, node, cluster } => {
                let (node, cluster, from) = (*node, *cluster, entry.at);
                let fate = Fate { node, cluster, from, leaving: None, replaced: None, ended: None };
                self.fates.insert(*life, fate);
                self.look_at_the_sky();
            }
            What::Ended { life, how } => self.end(*life, *how),
            What::Seen { life, member } => {
                self.views.entry(*life).or_default().insert(member.node, *member);
            }
            What::Told { life, event: Event::IdentityConflict { .. } } => {
                if let Some(fate) = self.fates.get_mut(life) {
                    fate.replaced = Some(entry.at);
                }
                self.look_at_the_sky();
            }
            What::Unseen { life, node } => {
                self.views.entry(*life).or_default().remove(node);
            }
            What::Over => self.is_over = true,
            _ => (),
        }
    }

    fn end(&mut self, life: Life, how: End) {
        if let Some(fate) = self.fates.get_mut(&life) {
            fate.ended.get_or_insert((self.now, how));
        }
        self.weather.paused.remove(&life.slot);
        self.was_thin |= self.running().count() <= self.crashed();
        self.look_at_the_sky();
    }

    fn step(&mut self, step: &Step) {
        let weather = &mut self.weather;
        match step {
            Step::Part(_) | Step::Silence { .. } => weather.cuts += 1,
            Step::Heal => weather.cuts = 0,
            Step::Pause(slot) => _ = weather.paused.insert(*slot),
            Step::Resume(slot) => _ = weather.paused.remove(slot),
            Step::Links(link) => weather.link = *link,
            Step::Leave(slot) => self.leave(*slot),
            _ => return,
        }
        self.look_at_the_sky();
    }

    fn leave(&mut self, slot: Slot) {
        let now = self.now;
        let of_slot = self.fates.iter_mut().filter(|(life, _)| life.slot == slot);
        if let Some((_, fate)) = of_slot.last() {
            fate.leaving = Some(now);
        }
    }

    fn look_at_the_sky(&mut self) {
        let Weather { cuts, paused, link, .. } = &self.weather;
        let is_clear = *cuts == 0 && paused.is_empty() && self.twins().is_empty();
        let is_calm = is_clear && is_gentle(link, &self.config);
        let since = is_calm.then(|| self.weather.calm_since.unwrap_or(self.now));
        self.weather.calm_since = since;
    }

    /// The moment.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now
    }

    /// How membership behaves.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether nobody looks any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Since when all links are good and no two have one key, if it is so.
    #[must_use]
    pub fn calm_since(&self) -> Option<Duration> {
        self.weather.calm_since
    }

    /// Whether a process knows that another one has its key.
    #[must_use]
    pub fn is_replaced(&self, life: Life) -> bool {
        self.fates.get(&life).is_some_and(|fate| fate.replaced.is_some())
    }

    /// All processes so far.
    pub fn fates(&self) -> impl Iterator<Item = (Life, &Fate)> {
        self.fates.iter().map(|(life, fate)| (*life, fate))
    }

    /// What became of one.
    #[must_use]
    pub fn fate(&self, life: Life) -> Option<&Fate> {
        self.fates.get(&life)
    }

    /// Those that run, and neither leave nor are replaced.
    pub fn running(&self) -> impl Iterator<Item = (Life, &Fate)> {
        self.fates().filter(|(_, fate)| fate.is_running())
    }

    /// How many have crashed and are not back.
    fn crashed(&self) -> usize {
        let has_crashed = |fate: &Fate| matches!(fate.ended, Some((_, End::Crashed(_))));
        let is_latest = |life, node| self.latest(node).is_some_and(|(last, _)| last == life);
        self.fates().filter(|(life, fate)| has_crashed(fate) && is_latest(*life, fate.node)).count()
    }

    /// The last process with this key, one that runs if there is any.
    #[must_use]
    pub fn latest(&self, node: NodeId) -> Option<(Life, &Fate)> {
        let of_node = self.fates().filter(|(_, fate)| fate.node == node);
        of_node.max_by_key(|(_, fate)| (fate.is_running(), fate.from))
    }

    /// Pairs of processes that have one key and do not know it, the older one first.
    #[must_use]
    pub fn twins(&self) -> Vec<(Life, Life)> {
        let is_unaware = |fate: &Fate| fate.ended.is_none() && fate.replaced.is_none();
        let unaware: Vec<_> = self.fates().filter(|(_, fate)| is_unaware(fate)).collect();
        let of = |(older, one): (Life, &Fate)| {
            let key = (one.node, one.from);
            let younger =
                unaware.iter().filter(move |(_, other)| other.node == key.0 && key.1 < other.from);
            younger.map(move |(younger, _)| (older, *younger)).collect::<Vec<_>>()
        };
        unaware.iter().flat_map(|(life, fate)| of((*life, fate))).collect()
    }

    /// What a process holds of a member.
    #[must_use]
    pub fn view(&self, by: Life, of: NodeId) -> Option<&Known> {
        self.views.get(&by)?.get(&of)
    }

    /// All that a process holds of others.
    pub fn views(&self, by: Life) -> impl Iterator<Item = &Known> {
        self.views.get(&by).into_iter().flat_map(BTreeMap::values)
    }

    /// The first thing in which those that run do not agree with each other or with what is so.
    #[must_use]
    pub fn disagreement(&self) -> Option<String> {
        if let Some((one, other)) = self.unaware() {
            return Some(format!("{one:?} does not know that {other:?} has its key"));
        }
        // Of twins whom nobody can tell, each may be alone with what it knows.
        let twins = self.twins();
        let is_twin = |life| twins.iter().any(|(one, other)| life == *one || life == *other);
        let running: Vec<_> = self.running().collect();
        let mut versions = BTreeMap::new();
        let mut watchers = running.iter().filter(|(life, _)| !is_twin(*life));
        watchers.find_map(|(life, fate)| {
            // Of two clusters that never met nobody tells. Who knows nobody goes on trying older ones.
            let company = self.company(*life);
            let has_door = twins.is_empty() && running.iter().any(|(_, it)| it.from < fate.from);
            let is_alone = has_door && self.views(*life).next().is_none();
            let is_other = |(other, _): &&(Life, &Fate)| is_alone || company.contains(other);
            let others: Vec<_> = running.iter().filter(is_other).copied().collect();
            self.errs(*life, fate, &others, &mut versions)
        })
    }

    fn errs(
        &self,
        by: Life,
        own: &Fate,
        running: &[(Life, &Fate)],
        versions: &mut BTreeMap<NodeId, Version>,
    ) -> Option<String> {
        let others =
            running.iter().filter(|(_, fate)| fate.cluster == own.cluster && fate.node != own.node);
        for (other, fate) in others {
            let Some(known) = self.view(by, fate.node) else {
                return Some(format!("{by:?} does not know {other:?}"));
            };
            if known.standing != Standing::Alive {
                return Some(format!("{by:?} holds {other:?} for {:?}", known.standing));
            }
            let version = *versions.entry(fate.node).or_insert(known.version);
            if version != known.version {
                return Some(format!(
                    "of {other:?}, {by:?} has {:?} and others {version:?}",
                    known.version
                ));
            }
        }
        self.views(by).find_map(|known| self.errs_about_gone(by, known, running))
    }

    fn errs_about_gone(
        &self,
        by: Life,
        known: &Known,
        running: &[(Life, &Fate)],
    ) -> Option<String> {
        let (life, fate) = self.latest(known.node)?;
        fate.ended?;
        let has_left = |(other, _): &(Life, &Fate)| {
            let view = self.view(*other, known.node);
            view.is_some_and(|view| view.standing == Standing::Left)
        };
        let is_so = match known.standing {
            Standing::Left => true,
            // Whoever has heard its goodbye tells the others.
            Standing::Failed => !running.iter().any(has_left),
            Standing::Alive | Standing::Suspected => false,
        };
        (!is_so).then(|| format!("{by:?} holds {life:?} for {:?}, wrongly", known.standing))
    }

    /// How many keys ever started, those of strangers included.
    #[must_use]
    pub fn identities(&self) -> usize {
        let nodes: BTreeSet<NodeId> = self.fates.values().map(|fate| fate.node).collect();
        nodes.len()
    }

    /// The shortest time for which anybody is suspected before it is held for failed.
    #[must_use]
    pub fn shortest_suspicion(&self) -> Duration {
        self.config.probe_interval.mul_f64(self.config.suspicion_mult)
    }

    /// The longest, with as many members as there ever were.
    #[must_use]
    pub fn longest_suspicion(&self) -> Duration {
        let scale = (self.identities().max(1) as f64).log10().max(1.0);
        self.shortest_suspicion().mul_f64(scale * self.config.suspicion_max_mult)
    }

    /// How long after everything is calm nothing of what was before has an effect on judgements. A node that
    /// was parted from many probes slowly: a probe that was under way ends up to nine intervals later, and the
    /// suspicion that follows, of one who may learn of it by a ping alone, lasts for the longest time.
    #[must_use]
    pub fn settling(&self) -> Duration {
        self.longest_suspicion() + 15 * self.config.probe_interval
    }

    /// Twins that some third one could tell of each other. They do not meet each other: who has a node's key
    /// is taken for that very node.
    #[must_use]
    pub fn unaware(&self) -> Option<(Life, Life)> {
        let mut twins = self.twins().into_iter();
        twins.find(|(one, other)| !self.company(*one).is_disjoint(&self.company(*other)))
    }

    /// Those that run and are connected with one, by who knows this start of whom; while there are twins, by
    /// who holds whom to be there, and no twin leads on.
    fn company(&self, of: Life) -> BTreeSet<Life> {
        let twins = self.twins();
        let is_twin = |life| twins.iter().any(|(one, other)| life == *one || life == *other);
        let thirds: Vec<_> = self.running().filter(|(life, _)| !is_twin(*life)).collect();
        let holds = |by, fate: &Fate| {
            let view = self.view(by, fate.node).filter(|it| it.version.epoch == fate.epoch());
            view.is_some_and(|it| twins.is_empty() || it.standing.is_here())
        };
        let (mut company, mut next) = (BTreeSet::new(), vec![of]);
        while let Some(life) = next.pop() {
            let own = self.fate(life).filter(|_| !is_twin(life));
            for (third, fate) in &thirds {
                let is_met = holds(life, fate) || own.is_some_and(|own| holds(*third, own));
                if *third != life && is_met && company.insert(*third) {
                    next.push(*third);
                }
            }
        }
        company
    }

    /// Within which everybody notices that somebody is gone: every member's turn to be probed comes, by one
    /// that probes at half its speed, or, if it has heard of most others nothing more, at the lowest that
    /// Lifeguard has; the suspicion of the last to hear begins after that of the first.
    #[must_use]
    pub fn detection(&self) -> Duration {
        let slowness = if self.was_thin { SLOWEST } else { 2 };
        let turns = slowness * self.identities() as u32 + 10;
        turns * self.config.probe_interval + self.longest_suspicion() + self.shortest_suspicion()
    }

    /// Within which everybody agrees, once all links are good.
    #[must_use]
    pub fn convergence(&self) -> Duration {
        let exchange = self.config.exchange_interval.unwrap_or_default();
        let heal = self.config.heal_interval.unwrap_or_default();
        self.detection() + 3 * exchange + heal * self.identities() as u32
    }
}

impl Fate {
    /// What its records have for an epoch.
    fn epoch(&self) -> u64 {
        DAWN + self.from.as_millis() as u64
    }

    /// Whether it runs, and neither leaves nor is replaced.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.ended.is_none() && self.leaving.is_none() && self.replaced.is_none()
    }
}

/// Whether links are so good that no probe that is repeated in all ways fails for long.
fn is_gentle(link: &Link, config: &Config) -> bool {
    link.loss <= GENTLE_LOSS && 4 * (link.latency + link.jitter) <= config.probe_timeout
}

const GENTLE_LOSS: f64 = 0.05;
/// How many times as long a node's probes take that takes itself to be slow, at most.
const SLOWEST: u32 = 9;
