//! What is said to all is heard once, or known to be missing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rumormill_gossip::{Gap, RumorId};
use rumormill_transport_api::NodeId;

use crate::nodes::{
    check::Check,
    log::{Cluster, Entry, Life, What},
    truth::Truth,
};

/// Each process hears a rumor at most once, as it was said, and not after it was told that it will not;
/// and of those that were members when it was said, everybody hears it or is told so.
#[derive(Debug, Default)]
pub(crate) struct Rumors {
    said: BTreeMap<RumorId, (Duration, Life)>,
    heard: BTreeSet<(Life, RumorId)>,
    gaps: Vec<(Life, Gap)>,
    /// Since when a process knows this start of a member.
    known: BTreeMap<(Life, NodeId), (Duration, u64)>,
    /// Who was there at the end.
    stayed: Vec<(Life, NodeId)>,
    /// Since when all that run agree who is there, so that each is connected with one that keeps it.
    agreed: Option<Duration>,
    over: Duration,
}

impl Rumors {
    fn hear(&mut self, life: Life, id: RumorId, is_right: bool, truth: &Truth) -> Option<String> {
        let is_own = truth.fate(life).is_some_and(|fate| fate.node == id.origin);
        let was_missed = self.gaps.iter().any(|(by, gap)| *by == life && covers(gap, id));
        match () {
            () if !is_right => Some(format!("{life:?} heard something else than {id:?}")),
            () if is_own => Some(format!("{life:?} heard itself say {id:?}")),
            () if was_missed => Some(format!("{life:?} heard {id:?} after it had missed it")),
            () if !self.heard.insert((life, id)) => Some(format!("{life:?} heard {id:?} twice")),
            () => None,
        }
    }

    fn miss(&mut self, life: Life, gap: Gap) -> Option<String> {
        let is_heard = |(by, id): &&(Life, RumorId)| *by == life && covers(&gap, *id);
        if let Some((_, id)) = self.heard.iter().find(is_heard) {
            return Some(format!("{life:?} misses {id:?}, which it heard"));
        }
        self.gaps.push((life, gap));
        None
    }

    /// What is heard or missed and was never said. Where nothing takes time, others hear something before its
    /// origin is told that it has said it.
    fn unsaid(&self) -> Option<RumorId> {
        let heard = self.heard.iter().map(|(_, id)| *id);
        let missed = self.gaps.iter().flat_map(|(_, gap)| {
            (gap.from..=gap.to).map(|number| RumorId {
                origin: gap.origin,
                epoch: gap.epoch,
                number,
            })
        });
        heard.chain(missed).find(|id| !self.said.contains_key(id))
    }

    fn learn(&mut self, life: Life, node: NodeId, start: u64, at: Duration) {
        let known = self.known.entry((life, node)).or_insert((at, start));
        if known.1 != start {
            *known = (at, start);
        }
    }

    /// Whether a process is promised to hear it.
    fn is_promised(&self, listener: (Life, NodeId), id: RumorId, said: Duration) -> bool {
        let is_other = listener.1 != id.origin;
        let known = self.known.get(&(listener.0, id.origin));
        is_other
            && known.is_some_and(|(since, start)| *start == id.epoch && *since + JOINED <= said)
    }
}

impl Check for Rumors {
    fn name(&self) -> &'static str {
        "rumors reach all"
    }

    fn see(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        let wrong = match &entry.what {
            What::Said { life, id } => {
                let before = self.said.insert(*id, (entry.at, *life));
                before.map(|_| format!("{id:?} was said twice"))
            }
            What::Heard { life, id, is_right } => self.hear(*life, *id, *is_right, truth),
            What::Missed { life, gap } => self.miss(*life, *gap),
            What::Seen { life, member } => {
                self.learn(*life, member.node, member.version.epoch, entry.at);
                None
            }
            What::Unseen { life, node } => {
                self.known.remove(&(*life, *node));
                None
            }
            // Taking stock comes once a second.
            What::Turns(_) if !truth.is_over() => {
                let agrees = truth.disagreement().is_none();
                self.agreed = agrees.then(|| self.agreed.unwrap_or(entry.at));
                None
            }
            What::Over => {
                let ours = truth.running().filter(|(_, fate)| fate.cluster == Cluster::Ours);
                self.stayed = ours.map(|(life, fate)| (life, fate.node)).collect();
                self.over = entry.at;
                None
            }
            _ => None,
        };
        wrong.map_or(Ok(()), Err)
    }

    fn finish(&mut self, truth: &Truth) -> Result<(), String> {
        if let Some(id) = self.unsaid() {
            return Err(format!("nobody said {id:?}"));
        }
        // Of two processes with one key, one may have been told what the other was not.
        let mut slots: BTreeMap<NodeId, BTreeSet<u16>> = BTreeMap::new();
        truth
            .fates()
            .for_each(|(life, fate)| _ = slots.entry(fate.node).or_default().insert(life.slot));
        let is_single = |node: &NodeId| slots.get(node).is_some_and(|slots| slots.len() == 1);
        let both = truth.calm_since().zip(self.agreed);
        let met = both.map_or(self.over, |(calm, agreed)| calm.max(agreed));
        let kept = truth.config().rumors.kept;
        for (id, (said, by)) in &self.said {
            let has_time = (*said).max(met) + REPAIRED <= self.over && self.over < *said + kept;
            let origin_stayed = self.stayed.iter().any(|(life, _)| life == by);
            if !has_time || !origin_stayed || !is_single(&id.origin) {
                continue;
            }
            for listener in self.stayed.iter().filter(|(_, node)| is_single(node)) {
                let (life, _) = *listener;
                let is_missed = self.gaps.iter().any(|(by, gap)| *by == life && covers(gap, *id));
                let is_settled = self.heard.contains(&(life, *id)) || is_missed;
                if self.is_promised(*listener, *id, *said) && !is_settled {
                    return Err(format!("{life:?} has not heard {id:?}, said at {said:?}"));
                }
            }
        }
        Ok(())
    }
}

fn covers(gap: &Gap, id: RumorId) -> bool {
    let is_of = (gap.origin, gap.epoch) == (id.origin, id.epoch);
    is_of && (gap.from..=gap.to).contains(&id.number)
}

/// How long a process has to have known a member to be told where its rumors begin: a joiner asks for that
/// for four seconds.
const JOINED: Duration = Duration::from_secs(6);
/// How long repair may take where nothing is lost and everybody knows everybody.
pub(crate) const REPAIRED: Duration = Duration::from_secs(10);
