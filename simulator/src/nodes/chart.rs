//! What is to be shown of a run: lanes, marks and curves.

use std::{collections::BTreeMap, time::Duration};

use rumormill_gossip::Standing;
use rumormill_transport_api::NodeId;

use crate::nodes::{
    log::{Cluster, DAWN, End, Entry, Known, Life, What},
    node::name,
    report::Report,
    scenario::{Crash, Place, Slot, Step},
    truth::{Fate, Truth},
};

/// All that is shown of a run.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub(crate) span: Duration,
    pub(crate) lanes: Vec<Lane>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) curves: Vec<Curve>,
}

/// What others hold of one node.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) name: String,
    pub(crate) cluster: Cluster,
    /// Since when how many hold what.
    pub(crate) counts: Vec<(Duration, Counts)>,
    /// When it ran.
    pub(crate) lives: Vec<(Duration, Option<(Duration, End)>)>,
}

/// How many hold what of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) alive: usize,
    pub(crate) suspected: usize,
    pub(crate) failed: usize,
    pub(crate) left: usize,
    pub(crate) unknown: usize,
}

/// Something that was done to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) at: Duration,
    /// When it was over, if it lasted.
    pub(crate) until: Option<Duration>,
    pub(crate) text: String,
}

/// Who knew of a change after how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Curve {
    pub(crate) kind: Kind,
    pub(crate) who: String,
    pub(crate) at: Duration,
    /// When each of the others knew, in order.
    pub(crate) known: Vec<(Duration, Life)>,
    /// How many others there were to know.
    pub(crate) others: usize,
}

/// What there was to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Came,
    Crashed,
    Left,
}

impl Counts {
    pub(crate) fn total(self) -> usize {
        self.alive + self.suspected + self.failed + self.left + self.unknown
    }

    fn add(&mut self, known: Option<&Known>) {
        let count = match known.map(|known| known.standing) {
            Some(Standing::Alive) => &mut self.alive,
            Some(Standing::Suspected) => &mut self.suspected,
            Some(Standing::Failed) => &mut self.failed,
            Some(Standing::Left) => &mut self.left,
            None => &mut self.unknown,
        };
        *count += 1;
    }
}

impl Chart {
    pub(crate) fn of(report: &Report) -> Self {
        let over = report.log.iter().position(|entry| entry.what == What::Over);
        let log = &report.log[..over.unwrap_or(report.log.len())];
        Self {
            span: report.span(),
            lanes: lanes(report, log),
            marks: marks(log),
            curves: curves(report, log),
        }
    }
}

fn lanes(report: &Report, log: &[Entry]) -> Vec<Lane> {
    let mut lanes: BTreeMap<Slot, Lane> = BTreeMap::new();
    let (mut truth, cast) = (Truth::new(&report.scenario), report.cast());
    for entry in log {
        truth.follow(entry);
        match &entry.what {
            What::Started { node, cluster, .. } => {
                let slot = cast.get(node).copied().unwrap_or_default();
                let lane = || Lane {
                    name: name(slot),
                    cluster: *cluster,
                    counts: Vec::new(),
                    lives: Vec::new(),
                };
                lanes.entry(slot).or_insert_with(lane);
            }
            What::Ended { .. } => (),
            What::Seen { member, .. } => {
                count(&mut lanes, &truth, &cast, Some(member.node));
                continue;
            }
            What::Unseen { node, .. } => {
                count(&mut lanes, &truth, &cast, Some(*node));
                continue;
            }
            _ => continue,
        }
        count(&mut lanes, &truth, &cast, None);
    }
    for (_, fate) in truth.fates() {
        let lane = cast.get(&fate.node).and_then(|slot| lanes.get_mut(slot));
        lane.into_iter().for_each(|lane| lane.lives.push((fate.from, fate.ended)));
    }
    lanes.into_values().collect()
}

/// Counts anew what is held of one node, or of all.
fn count(
    lanes: &mut BTreeMap<Slot, Lane>,
    truth: &Truth,
    cast: &BTreeMap<NodeId, Slot>,
    of: Option<NodeId>,
) {
    for (node, slot) in cast.iter().filter(|(node, _)| of.is_none_or(|of| of == **node)) {
        let Some(lane) = lanes.get_mut(slot) else { continue };
        let mut counts = Counts::default();
        let others =
            truth.running().filter(|(_, fate)| fate.cluster == lane.cluster && fate.node != *node);
        others.for_each(|(by, _)| counts.add(truth.view(by, *node)));
        if lane.counts.last().map(|(_, last)| *last) != Some(counts) {
            lane.counts.push((truth.now(), counts));
        }
    }
}

fn marks(log: &[Entry]) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    let mut open: Vec<(usize, Option<Slot>)> = Vec::new();
    for Entry { at, what } in log {
        let What::Done(step) = what else { continue };
        let closes = |slot: &Option<Slot>| match step {
            Step::Heal => slot.is_none(),
            Step::Resume(resumed) | Step::Crash(resumed, _) => *slot == Some(*resumed),
            _ => false,
        };
        open.iter().filter(|(_, slot)| closes(slot)).for_each(|(mark, _)| {
            marks[*mark].until = Some(*at);
        });
        open.retain(|(_, slot)| !closes(slot));
        match step {
            Step::Part(_) | Step::Silence { .. } => open.push((marks.len(), None)),
            Step::Pause(slot) => open.push((marks.len(), Some(*slot))),
            _ => (),
        }
        marks.extend(describe(step).map(|text| Mark { at: *at, until: None, text }));
    }
    marks
}

/// What to write beside a step; nothing of what only ends another, or is no news.
pub(crate) fn describe(step: &Step) -> Option<String> {
    Some(match step {
        Step::Part(slots) => {
            let names: Vec<String> = slots.iter().map(|slot| name(*slot)).collect();
            format!("{} parted", names.join(" "))
        }
        Step::Silence { from, to } => format!("{} deaf to {}", name(*to), name(*from)),
        Step::Pause(slot) => format!("{} paused", name(*slot)),
        Step::Crash(slot, Crash::Process) => format!("{} crashes", name(*slot)),
        Step::Crash(slot, Crash::Machine) => format!("{} vanishes", name(*slot)),
        Step::Restart(slot, Place::Same) => format!("{} restarts", name(*slot)),
        Step::Restart(slot, Place::New) => format!("{} restarts elsewhere", name(*slot)),
        Step::Leave(slot) => format!("{} leaves", name(*slot)),
        Step::Join => "one joins".into(),
        Step::Change(slot) => format!("{} changes", name(*slot)),
        Step::Rename { rival, holder } => {
            format!("{} takes {}'s name", name(*rival), name(*holder))
        }
        Step::Clone(slot) => format!("{} is copied", name(*slot)),
        Step::Stranger(slot) => format!("stranger at {}'s address", name(*slot)),
        Step::Heal
        | Step::Resume(_)
        | Step::Links(_)
        | Step::Send { .. }
        | Step::Ask { .. }
        | Step::Broadcast { .. } => return None,
    })
}

fn curves(report: &Report, log: &[Entry]) -> Vec<Curve> {
    let (mut truth, cast) = (Truth::new(&report.scenario), report.cast());
    let mut curves = Vec::new();
    for (place, entry) in log.iter().enumerate() {
        truth.follow(entry);
        let (life, kind) = match &entry.what {
            What::Started { life, .. } if report.scenario.nodes <= life.slot || 0 < life.start => {
                (*life, Kind::Came)
            }
            What::Ended { life, how: End::Crashed(_) } => (*life, Kind::Crashed),
            What::Done(Step::Leave(slot)) => match latest(&truth, *slot) {
                Some(life) => (life, Kind::Left),
                None => continue,
            },
            _ => continue,
        };
        let Some(fate) = truth.fate(life) else { continue };
        let who = cast.get(&fate.node).map(|slot| name(*slot)).unwrap_or_default();
        let (known, others) = learn(&truth, fate, kind, entry.at, &log[place..]);
        if 0 < others {
            curves.push(Curve { kind, who, at: entry.at, known, others });
        }
    }
    curves
}

fn latest(truth: &Truth, slot: Slot) -> Option<Life> {
    truth.fates().map(|(life, _)| life).filter(|life| life.slot == slot).max()
}

/// When each of those that are there learns of a change, as far as they stay.
fn learn(
    truth: &Truth,
    fate: &Fate,
    kind: Kind,
    at: Duration,
    log: &[Entry],
) -> (Vec<(Duration, Life)>, usize) {
    let epoch = DAWN + at.as_millis() as u64;
    let is_news = |member: &Known| match kind {
        Kind::Came => member.standing.is_here() && epoch <= member.version.epoch,
        Kind::Crashed => !member.standing.is_here() && member.version.epoch < epoch,
        Kind::Left => member.standing == Standing::Left,
    };
    let others = truth
        .running()
        .filter(|(_, other)| other.node != fate.node && other.cluster == fate.cluster);
    let mut waiting: Vec<Life> = others.map(|(life, _)| life).collect();
    let (mut known, mut count) = (Vec::new(), waiting.len());
    for entry in log {
        match &entry.what {
            What::Seen { life, member } if member.node == fate.node && is_news(member) => {
                let before = waiting.len();
                waiting.retain(|other| other != life);
                known.extend((waiting.len() < before).then_some((entry.at, *life)));
            }
            What::Ended { life, .. } => {
                let before = waiting.len();
                waiting.retain(|other| other != life);
                count -= before - waiting.len();
            }
            What::Started { node, .. } if *node == fate.node && entry.at != at => break,
            _ => (),
        }
    }
    (known, count)
}
