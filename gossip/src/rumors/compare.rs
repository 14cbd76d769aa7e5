//! How far each origin has come, here and elsewhere, and what follows from that.

use std::{cmp::Reverse, collections::BTreeMap};

use rand::{Rng, RngExt};
use rumormill_transport_api::NodeId;

use crate::{
    accusation::brief,
    rumor::RumorId,
    rumors::{
        Mill, Origin, Own,
        window::Window,
        words::{Line, Mark},
    },
    time::Time,
};

/// Numbers above the highest heard that are asked for on a digest's word, beside the highest it claims.
const ABOVE: usize = 63;
/// Lacking numbers of one origin that are asked for at a time.
const BELOW: usize = 128;

impl Mill {
    /// How far the origins have come of which something was heard lately: the latest first, and of the
    /// rest, if there is no room for all, some at random.
    pub(crate) fn lines(&self, most: usize, now: Time, rng: &mut impl Rng) -> Vec<Line> {
        let mut lines: Vec<(Time, Line)> = self.recent(now).collect();
        lines.sort_unstable_by_key(|(active, line)| (Reverse(*active), line.by));
        if most < lines.len() {
            let rest = lines.get_mut(most / 2..).unwrap_or_default();
            let start = rng.random_range(0..rest.len().max(1));
            rest.rotate_left(start.min(rest.len()));
        }
        lines.into_iter().map(|(_, line)| line).take(most).collect()
    }

    fn recent(&self, now: Time) -> impl Iterator<Item = (Time, Line)> {
        let others = self
            .origins
            .iter()
            .map(|(node, origin)| (origin.window.active(), line(*node, &origin.window)));
        let own = self.own_line().map(|line| (self.own.spoke, line));
        let is_recent = move |(active, line): &(Time, Line)| {
            0 < line.highest && now.since(*active) < self.settings.kept
        };
        own.into_iter().chain(others).filter(is_recent)
    }

    fn own_line(&self) -> Option<Line> {
        let Own { node, epoch, last, .. } = self.own;
        (0 < last).then(|| Line { by: brief(node), epoch, prefix: last, highest: last })
    }

    /// What this node knows of an origin, if whoever has said `line` may lack some of it.
    pub(crate) fn more_than(&self, node: NodeId, theirs: &Line, now: Time) -> Option<Line> {
        let (active, ours) = match self.origins.get(&node) {
            Some(origin) => (origin.window.active(), line(node, &origin.window)),
            None if node == self.own.node => (self.own.spoke, self.own_line()?),
            None => return None,
        };
        let has_more = theirs.epoch < ours.epoch
            || (theirs.epoch == ours.epoch && theirs.prefix < ours.highest);
        (has_more && now.since(active) < self.settings.kept).then_some(ours)
    }

    /// What this node lacks of what somebody claims to have of an origin.
    pub(crate) fn lacks(
        &self,
        node: NodeId,
        claimed: &Line,
        started: u64,
        rng: &mut impl Rng,
    ) -> Vec<RumorId> {
        let (epoch, highest) = (claimed.epoch, claimed.highest);
        let window = self.origins.get(&node).map(|origin| &origin.window);
        let (mut numbers, known) = match window {
            Some(window) if window.epoch == epoch => (below(window, highest, rng), window.known()),
            Some(window) if epoch < window.epoch => return Vec::new(),
            Some(_) if epoch < started => return Vec::new(),
            Some(_) => (Vec::new(), 0),
            // Where to begin is not known yet.
            None if self.marks.is_asking() || epoch < started => return Vec::new(),
            None => (Vec::new(), self.marks.promised(brief(node), epoch, highest) - 1),
        };
        numbers.extend((known.saturating_add(1)..=highest).take(ABOVE));
        // What is between may be gone already; this one shows what there is.
        numbers.extend((known < highest).then_some(highest));
        let id = |number| RumorId { origin: node, epoch, number };
        numbers.into_iter().map(id).collect()
    }

    /// How far each origin has come, for a joiner.
    pub(crate) fn all_marks(&self) -> Vec<Mark> {
        let mut marks: BTreeMap<_, Mark> = self.marks.told().map(|mark| (mark.by, *mark)).collect();
        for (node, Origin { window, .. }) in &self.origins {
            let (by, epoch) = (brief(*node), window.epoch);
            marks.insert(by, Mark { by, epoch, highest: window.known() });
        }
        let own =
            self.own_line().map(|Line { by, epoch, highest, .. }| Mark { by, epoch, highest });
        marks.extend(own.map(|own| (own.by, own)));
        marks.into_values().collect()
    }

    /// Marks are complete, or will never be: what was heard before is promised as they say.
    pub(crate) fn end_marks(&mut self, now: Time) {
        self.marks.end();
        let nodes: Vec<NodeId> = self.origins.keys().copied().collect();
        for node in nodes {
            let Some(origin) = self.origins.get(&node) else { continue };
            let (epoch, first) = (origin.window.epoch, origin.window.highest());
            let promised = self.marks.promised(brief(node), epoch, first);
            self.change(node, |origin| {
                origin.window.promise(promised, now);
                Vec::new()
            });
        }
    }
}

fn line(node: NodeId, window: &Window) -> Line {
    let (epoch, prefix, highest) = (window.epoch, window.prefix(), window.highest());
    Line { by: brief(node), epoch, prefix, highest }
}

/// What is lacking up to a number, from a random place on: what nobody has must not be in the way of the
/// rest.
fn below(window: &Window, up_to: u64, rng: &mut impl Rng) -> Vec<u64> {
    let mut lacking: Vec<u64> = window.lacks().take_while(|number| *number <= up_to).collect();
    if BELOW < lacking.len() {
        let start = rng.random_range(0..lacking.len());
        lacking.rotate_left(start);
        lacking.truncate(BELOW);
    }
    lacking
}
