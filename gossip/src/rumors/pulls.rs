//! Which rumors were asked for, whom, and who is asked next if they do not come.
//!
//! A rumor is asked for once, of one peer; others who have it are asked only after that one was silent for
//! too long. What is asked for is a peer's word, so how much of it is remembered is bounded for each.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rumormill_transport_api::NodeId;

use crate::{rumor::RumorId, time::Time};

/// Rumors that are under way.
#[derive(Debug)]
pub(crate) struct Pulls {
    wanted: BTreeMap<RumorId, Pull>,
    due: BTreeSet<(Time, RumorId)>,
    /// How many are asked of each peer.
    load: BTreeMap<NodeId, usize>,
    /// What has yet to be asked.
    unasked: BTreeMap<NodeId, Vec<RumorId>>,
    patience: Duration,
    /// Ids for which there was no room.
    pub(crate) crowded: u64,
    /// Ids that nobody had who said so.
    pub(crate) failed: u64,
}

#[derive(Debug)]
struct Pull {
    from: NodeId,
    until: Time,
    others: Vec<NodeId>,
}

/// Rumors that are asked for at a time.
const MAX_PULLS: usize = 4096;
/// Of one peer.
const MAX_OF_ONE: usize = 256;
/// Others who are remembered to have a rumor; later ones are not.
const MAX_OTHERS: usize = 4;

impl Pulls {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            wanted: BTreeMap::new(),
            due: BTreeSet::new(),
            load: BTreeMap::new(),
            unasked: BTreeMap::new(),
            patience,
            crowded: 0,
            failed: 0,
        }
    }

    /// A peer says that it has a rumor, which is wanted.
    pub(crate) fn offer(&mut self, id: RumorId, by: NodeId, now: Time) {
        if let Some(pull) = self.wanted.get_mut(&id) {
            let is_known = pull.from == by || pull.others.contains(&by);
            if !is_known && pull.others.len() < MAX_OTHERS {
                pull.others.push(by);
            }
            return;
        }
        if MAX_PULLS <= self.wanted.len() || self.is_laden(by) {
            self.crowded += 1;
            return;
        }
        self.ask(id, Pull { from: by, until: now + self.patience, others: Vec::new() });
    }

    /// It has come, or is not wanted any more.
    pub(crate) fn done(&mut self, id: RumorId) {
        self.take(id);
    }

    /// When the next one will have been silent for too long.
    pub(crate) fn next(&self) -> Option<Time> {
        self.due.first().map(|(until, _)| *until)
    }

    /// Turns to others where somebody was silent; whom to ask now for what, in order.
    pub(crate) fn asks(&mut self, now: Time) -> BTreeMap<NodeId, Vec<RumorId>> {
        while let Some((_, id)) = self.due.first().copied().filter(|(until, _)| *until <= now) {
            self.turn(id, now);
        }
        let mut asks = std::mem::take(&mut self.unasked);
        for (peer, ids) in &mut asks {
            // Some may have come in the same message.
            ids.retain(|id| self.wanted.get(id).is_some_and(|pull| pull.from == *peer));
            ids.sort_unstable();
        }
        asks
    }

    fn turn(&mut self, id: RumorId, now: Time) {
        let Some(pull) = self.take(id) else { return };
        let others: Vec<_> = pull.others.into_iter().filter(|peer| !self.is_laden(*peer)).collect();
        match others.split_first() {
            Some((next, rest)) => {
                let until = now + self.patience;
                self.ask(id, Pull { from: *next, until, others: rest.to_vec() });
            }
            None => self.failed += 1,
        }
    }

    fn ask(&mut self, id: RumorId, pull: Pull) {
        *self.load.entry(pull.from).or_default() += 1;
        self.unasked.entry(pull.from).or_default().push(id);
        self.due.insert((pull.until, id));
        self.wanted.insert(id, pull);
    }

    fn take(&mut self, id: RumorId) -> Option<Pull> {
        let pull = self.wanted.remove(&id)?;
        self.due.remove(&(pull.until, id));
        if let Some(load) = self.load.get_mut(&pull.from) {
            *load -= 1;
            if *load == 0 {
                self.load.remove(&pull.from);
            }
        }
        Some(pull)
    }

    fn is_laden(&self, peer: NodeId) -> bool {
        self.load.get(&peer).is_some_and(|load| MAX_OF_ONE <= *load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Time {
        Time(Duration::from_secs(seconds))
    }

    fn node(byte: u8) -> NodeId {
        NodeId([byte; 32])
    }

    fn id(number: u64) -> RumorId {
        RumorId { origin: node(9), epoch: 1, number }
    }

    fn asks(pulls: &mut Pulls, now: Time) -> Vec<(u8, Vec<u64>)> {
        let number = |id: RumorId| id.number;
        let asks = pulls.asks(now).into_iter();
        asks.map(|(to, ids)| (to.0[0], ids.into_iter().map(number).collect())).collect()
    }

    #[test]
    fn one_is_asked_once_and_others_only_if_it_is_silent() {
        let mut pulls = Pulls::new(SECOND);
        for (number, by) in [(2, 1), (1, 1), (1, 2), (1, 2), (1, 3), (3, 2)] {
            pulls.offer(id(number), node(by), at(0));
        }
        assert_eq!(asks(&mut pulls, at(0)), [(1, vec![1, 2]), (2, vec![3])]);
        assert_eq!((asks(&mut pulls, at(0)), pulls.next()), (vec![], Some(at(1))));
        pulls.done(id(2));
        assert_eq!(asks(&mut pulls, at(1)), [(2, vec![1])]);
        assert_eq!(asks(&mut pulls, at(2)), [(3, vec![1])]);
        assert_eq!((asks(&mut pulls, at(3)), pulls.failed, pulls.next()), (vec![], 2, None));
        assert!(pulls.wanted.is_empty() && pulls.due.is_empty() && pulls.load.is_empty());
    }

    #[test]
    fn who_offers_much_has_no_more_than_its_share_remembered() {
        let mut pulls = Pulls::new(SECOND);
        (0..1000).for_each(|number| pulls.offer(id(number), node(1), at(0)));
        assert_eq!((pulls.wanted.len(), pulls.crowded), (MAX_OF_ONE, 1000 - MAX_OF_ONE as u64));
        pulls.offer(id(2000), node(2), at(0));
        assert_eq!(asks(&mut pulls, at(0))[1], (2, vec![2000]));
        for by in 2..=99 {
            (0..1000).for_each(|number| pulls.offer(id(1000 * by + number), node(by as u8), at(0)));
        }
        assert_eq!(pulls.wanted.len(), MAX_PULLS);
        asks(&mut pulls, at(9));
        assert!(pulls.wanted.is_empty() && pulls.load.is_empty());
    }
}
