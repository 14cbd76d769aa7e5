//! What is known of rumors: what was heard, what is kept for others, and what is asked for.
//!
//! Small rumors are pushed with the news of members; of longer ones the ids are, and whoever lacks one
//! pulls it. What that leaves out, repair brings: while rumors are kept, each node tells a random other now
//! and then how far each origin has come there, and whoever has less asks for exactly what it lacks.
//!
//! # Whose word counts for what
//!
//! - **A signed rumor** of a number is the only thing that moves a window: that all below it exist, and may
//!   have to be given up, is the origin's own word.
//! - **A digest and an id that is pushed** are some member's word, and make a node ask that member: for what
//!   is lacking below the highest number heard, for the 63 next ones, and for the highest that it
//!   claims. If it has none of them, a bounded number of questions was in vain. They change no window, so
//!   they cause no gap; and what one member is asked for at a time is bounded, so it cannot keep others
//!   from being asked.
//! - **A mark** says where a joiner begins. Too low, it makes the joiner miss aloud what was before it; too
//!   high, it delays the promise until rumors have been heard below it for longer than anybody keeps
//!   them. It makes no rumor unheard in either case.

mod compare;
pub(crate) mod marks;
pub(crate) mod pulls;
mod quota;
mod store;
mod window;
pub(crate) mod words;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use rumormill_transport_api::NodeId;

use crate::{
    accusation::brief,
    config::Dissemination,
    counters::Counters,
    rumor::{BroadcastError, Gap, MAX_RUMOR, Rumor, RumorId},
    rumors::{
        marks::Marks,
        pulls::Pulls,
        quota::{Meter, Quota, Rate, Share},
        store::Store,
        window::{Run, Window},
    },
    spread::Spread,
    time::Time,
};

/// All that a node knows of rumors.
#[derive(Debug)]
pub(crate) struct Mill {
    settings: Dissemination,
    own: Own,
    /// What other origins may broadcast: twice what they should, since rumors come in heaps.
    quota: Quota,
    origins: BTreeMap<NodeId, Origin>,
    origins_max: usize,
    /// When something of an origin has to be given up.
    due: BTreeSet<(Time, NodeId)>,
    store: Store,
    pub(crate) pulls: Pulls,
    pub(crate) marks: Marks,
    pub(crate) spread: Spread<RumorId>,
    /// What was served, to each and to all.
    served: BTreeMap<NodeId, Meter>,
    served_all: Meter,
    /// Numbers that were given up.
    lost: u64,
}

/// This node as an origin.
#[derive(Debug)]
struct Own {
    node: NodeId,
    epoch: u64,
    /// The number of its last rumor, and when that was.
    last: u64,
    spoke: Time,
    share: Share,
    quota: Quota,
}

/// Another origin, of which something was heard.
#[derive(Debug)]
struct Origin {
    window: Window,
    share: Share,
    /// Whether it is no member any more. Its window stays while there is room, so that what was heard
    /// is not heard again if it returns.
    is_gone: bool,
}

/// What is to be done with a rumor, whose signature nobody has looked at yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its origin has exceeded its quota. It may come again.
    Excessive,
    /// It was heard, given up, or said before its origin's last start.
    Stale,
    Wanted,
}

/// Rumors that are spread at a time; of more, those that were sent most go, counted. Repair brings them.
const MAX_SPREAD: usize = 2048;
/// Bytes that are served in a second: to one node, and to all.
const SERVED: u64 = 4 << 20;
const SERVED_ALL: u64 = 32 << 20;

impl Mill {
    pub(crate) fn new(
        settings: &Dissemination,
        (node, epoch): (NodeId, u64),
        origins_max: usize,
        now: Time,
    ) -> Self {
        let quota = Quota::new(settings, 1);
        Self {
            own: Own { node, epoch, last: 0, spoke: now, share: Share::default(), quota },
            quota: Quota::new(settings, 2),
            origins: BTreeMap::new(),
            origins_max,
            due: BTreeSet::new(),
            store: Store::new(settings.kept_bytes),
            pulls: Pulls::new(settings.pull_timeout.max(Duration::from_millis(1))),
            marks: Marks::new(origins_max),
            spread: Spread::new(MAX_SPREAD),
            served: BTreeMap::new(),
            served_all: Meter::default(),
            lost: 0,
            settings: settings.clone(),
        }
    }

    /// The epoch and number of this node's next rumor, which is let through by that.
    pub(crate) fn speak(&mut self, len: usize, now: Time) -> Result<(u64, u64), BroadcastError> {
        let most = self.settings.longest.min(MAX_RUMOR);
        if most < len {
            return Err(BroadcastError::TooLong { len, most });
        }
        let wait = self.own.share.wait(len, self.own.quota, now);
        if wait != Duration::ZERO {
            return Err(BroadcastError::Full { wait });
        }
        self.own.share.take(len, self.own.quota, now);
        self.own.last += 1;
        self.own.spoke = now;
        Ok((self.own.epoch, self.own.last))
    }

    /// What to do with a rumor that says `len` bytes, of an origin whose record is of the start
    /// `started`.
    pub(crate) fn judge(&self, id: RumorId, len: usize, started: u64, now: Time) -> Verdict {
        let origin = self.origins.get(&id.origin);
        let is_stale = match origin.map(|origin| &origin.window) {
            Some(window) if window.epoch == id.epoch => window.is_settled(id.number),
            Some(window) => id.epoch < started.max(window.epoch) || id.number == 0,
            None => id.epoch < started || id.number == 0,
        };
        let share = origin.map_or_else(Share::default, |origin| origin.share);
        match () {
            () if is_stale => Verdict::Stale,
            () if share.wait(len, self.quota, now) != Duration::ZERO => Verdict::Excessive,
            () => Verdict::Wanted,
        }
    }

    /// Takes a rumor that is wanted and verified; what is given up by that.
    pub(crate) fn hear(&mut self, rumor: &Rumor, now: Time) -> Vec<Gap> {
        let id = rumor.id();
        self.pulls.done(id);
        let mut gaps = self.turn_to(id, now);
        let (kept, quota) = (self.settings.kept, self.quota);
        gaps.extend(self.change(id.origin, |origin| {
            origin.is_gone = false;
            origin.share.take(rumor.bytes.len(), quota, now);
            origin.window.settle(id.number, now, kept)
        }));
        gaps
    }

    /// Sees to it that there is a window for the rumor's start of its origin, and for no earlier one.
    fn turn_to(&mut self, id: RumorId, now: Time) -> Vec<Gap> {
        let earlier = self.origins.get(&id.origin).map(|origin| origin.window.epoch);
        if earlier == Some(id.epoch) {
            return Vec::new();
        }
        let gaps = self.change(id.origin, |origin| origin.window.close());
        let promised = match earlier {
            Some(_) => 1,
            None => self.marks.promised(brief(id.origin), id.epoch, id.number),
        };
        self.make_room(id.origin);
        let window = Window::new(id.epoch, promised, now);
        let share = self.origins.get(&id.origin).map(|origin| origin.share).unwrap_or_default();
        self.origins.insert(id.origin, Origin { window, share, is_gone: false });
        gaps
    }

    /// Where there are too many origins, the one that was silent longest of those that are no members any
    /// more makes room.
    fn make_room(&mut self, for_whom: NodeId) {
        if self.origins.len() < self.origins_max || self.origins.contains_key(&for_whom) {
            return;
        }
        let gone = self.origins.iter().filter(|(_, origin)| origin.is_gone);
        let longest = gone.min_by_key(|(_, origin)| origin.window.active()).map(|(node, _)| *node);
        longest.iter().for_each(|node| _ = self.origins.remove(node));
    }

    /// Changes what is known of an origin, and keeps up to date when something of it is due.
    fn change(&mut self, node: NodeId, change: impl FnOnce(&mut Origin) -> Vec<Run>) -> Vec<Gap> {
        let Some(origin) = self.origins.get_mut(&node) else { return Vec::new() };
        let kept = self.settings.kept;
        origin.window.due(kept).iter().for_each(|due| _ = self.due.remove(&(*due, node)));
        let runs = change(origin);
        self.due.extend(origin.window.due(kept).map(|due| (due, node)));
        let epoch = origin.window.epoch;
        for (from, to) in &runs {
            self.lost = self.lost.saturating_add((to - from).saturating_add(1));
        }
        runs.into_iter().map(|(from, to)| Gap { origin: node, epoch, from, to }).collect()
    }

    /// Keeps a rumor for others, and spreads it, whole or as its id.
    pub(crate) fn keep(&mut self, rumor: Rumor, small: usize, now: Time) {
        let update: Bytes = match rumor.bytes.len() <= self.settings.small.min(small) {
            true => rumor.whole().clone(),
            false => rumor.announced(),
        };
        self.spread.put(rumor.id(), update);
        let gone = self.store.put(rumor, now);
        gone.into_iter().for_each(|id| self.spread.remove(id));
    }

    /// A rumor that is kept.
    pub(crate) fn kept(&self, id: RumorId) -> Option<&Rumor> {
        self.store.get(id)
    }

    /// Whether there is anything to repair, here or elsewhere.
    pub(crate) fn is_active(&self) -> bool {
        !self.store.is_empty() || !self.due.is_empty()
    }

    /// When something has to be given up.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| *due)
    }

    /// What nobody has any more.
    pub(crate) fn give_up(&mut self, now: Time) -> Vec<Gap> {
        let (kept, mut gaps) = (self.settings.kept, Vec::new());
        let is_due = |(due, _): &(Time, NodeId)| *due <= now;
        while let Some((_, node)) = self.due.first().copied().filter(is_due) {
            gaps.extend(self.change(node, |origin| origin.window.expire(now, kept)));
        }
        gaps
    }

    /// Forgets what is too old to be asked for.
    pub(crate) fn expire(&mut self, now: Time) {
        let gone = self.store.expire(now, self.settings.kept);
        gone.into_iter().for_each(|id| self.spread.remove(id));
        self.served.retain(|_, meter| !meter.is_idle(now));
    }

    /// An origin is no member any more; what is given up by that.
    pub(crate) fn forget(&mut self, node: NodeId) -> Vec<Gap> {
        self.served.remove(&node);
        self.change(node, |origin| {
            origin.is_gone = true;
            origin.window.close()
        })
    }

    /// Adds what is counted here.
    pub(crate) fn count(&self, counters: Counters) -> Counters {
        Counters {
            rumors_unspread: self.spread.dropped,
            rumors_displaced: self.store.displaced,
            rumors_unasked: self.pulls.crowded,
            rumors_unanswered: self.pulls.failed,
            rumors_lost: self.lost,
            ..counters
        }
    }

    /// Whether nothing was ever heard or said.
    pub(crate) fn is_fresh(&self) -> bool {
        self.origins.is_empty() && self.own.last == 0
    }

    /// Whether a node is served that many bytes, now.
    pub(crate) fn may_serve(&mut self, node: NodeId, bytes: usize, now: Time) -> bool {
        let (each, all) = (Rate::new(SERVED, SERVED), Rate::new(SERVED_ALL, SERVED_ALL));
        let (bytes, meter) = (bytes as u64, self.served.entry(node).or_default());
        let wait = meter.wait(bytes, each, now).max(self.served_all.wait(bytes, all, now));
        if wait == Duration::ZERO {
            meter.take(bytes, each, now);
            self.served_all.take(bytes, all, now);
        }
        wait == Duration::ZERO
    }
}

#[cfg(test)]
mod tests;
