//! Whom to probe next, and what has become of the probe.
//!
//! SWIM (Das, Gupta, Motivala 2002): one other in each period, round-robin over a shuffled order into
//! which joiners are put at random, so that everybody is probed once in a round. Without an answer in
//! time, others are asked to probe as well, until the period ends.

use std::{collections::BTreeMap, time::Duration};

use rand::{Rng, RngExt, seq::SliceRandom};
use rumormill_transport_api::NodeId;

use crate::time::Time;

/// Whom this node probes, and for whom.
#[derive(Debug, Default)]
pub(crate) struct Prober {
    order: Vec<NodeId>,
    /// Where the next one stands.
    next: usize,
    /// One who comes before the others, because there is reason for doubt.
    urgent: Option<NodeId>,
    /// Whether the last one came before the others: the next does not, so that whoever gives reason for
    /// doubt without end keeps nobody else from being probed.
    was_urgent: bool,
    number: u32,
    /// The probe of this period.
    pub(crate) current: Option<Probe>,
    relays: BTreeMap<u32, Relay>,
}

/// The probe of one period.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) target: NodeId,
    pub(crate) number: u32,
    /// When others are asked, unless they were.
    pub(crate) escalates: Option<Time>,
    pub(crate) is_answered: bool,
    helpers: Vec<NodeId>,
    /// Helpers that said that they have no answer.
    heard: Vec<NodeId>,
}

/// A probe on behalf of another node.
#[derive(Debug)]
struct Relay {
    asker: NodeId,
    target: NodeId,
    /// Its number there.
    number: u32,
    /// When to say that there is no answer yet, unless it was said.
    nack: Option<Time>,
    ends: Time,
}

/// What an answer was the answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// The probe of this period.
    Own,
    /// One on behalf of this node, where it has this number.
    Relayed { asker: NodeId, number: u32 },
    /// Nothing that is still open.
    Nothing,
}

/// Probes on behalf of others at a time; of more, the requests are dropped.
const MAX_RELAYS: usize = 256;

impl Prober {
    /// Everybody who may be probed, in no order that matters.
    pub(crate) fn order(&self) -> &[NodeId] {
        &self.order
    }

    /// Puts a joiner at a random place of the round.
    pub(crate) fn add(&mut self, node: NodeId, rng: &mut impl Rng) {
        let place = rng.random_range(0..=self.order.len());
        self.order.insert(place, node);
        if place < self.next {
            self.next += 1;
        }
    }

    /// Takes out one who is gone. What it was asked for on behalf of others stays open.
    pub(crate) fn remove(&mut self, node: NodeId) {
        let Some(place) = self.order.iter().position(|other| *other == node) else { return };
        self.order.remove(place);
        if place < self.next {
            self.next -= 1;
        }
        self.urgent = self.urgent.filter(|urgent| *urgent != node);
        self.current = self.current.take().filter(|probe| probe.target != node);
    }

    /// Lets one come before the others.
    pub(crate) fn hurry(&mut self, node: NodeId) {
        if self.order.contains(&node) {
            self.urgent = Some(node);
        }
    }

    /// Begins the probe of a period; its target and number, unless there is nobody.
    pub(crate) fn begin(&mut self, escalates: Time, rng: &mut impl Rng) -> Option<(NodeId, u32)> {
        let urgent = self.urgent.take_if(|_| !self.was_urgent);
        self.was_urgent = urgent.is_some();
        let target = urgent.or_else(|| self.in_turn(rng))?;
        let number = self.new_number();
        self.current = Some(Probe {
            target,
            number,
            escalates: Some(escalates),
            is_answered: false,
            helpers: Vec::new(),
            heard: Vec::new(),
        });
        Some((target, number))
    }

    fn in_turn(&mut self, rng: &mut impl Rng) -> Option<NodeId> {
        if self.order.len() <= self.next {
            self.order.shuffle(rng);
            self.next = 0;
        }
        let target = self.order.get(self.next).copied();
        self.next += 1;
        target
    }

    /// Up to `count` random others than `but`.
    pub(crate) fn some(&self, count: usize, but: NodeId, rng: &mut impl Rng) -> Vec<NodeId> {
        let (mut order, mut chosen) = (Draw::new(&self.order), Vec::new());
        while chosen.len() < count
            && let Some(node) = order.draw(rng)
        {
            if node != but {
                chosen.push(node);
            }
        }
        chosen
    }

    /// An answer has come from `from`.
    pub(crate) fn answer(&mut self, from: NodeId, number: u32) -> Answered {
        if let Some(probe) = &mut self.current
            && probe.number == number
            && (probe.target == from || probe.helpers.contains(&from))
        {
            probe.is_answered = true;
            probe.escalates = None;
            return Answered::Own;
        }
        match self.relays.get(&number) {
            Some(relay) if relay.target == from => {
                let Relay { asker, number: theirs, .. } = *relay;
                self.relays.remove(&number);
                Answered::Relayed { asker, number: theirs }
            }
            _ => Answered::Nothing,
        }
    }

    /// One that was asked for help lives, and has no answer.
    pub(crate) fn nack(&mut self, from: NodeId, number: u32) {
        if let Some(probe) = &mut self.current
            && probe.number == number
            && probe.helpers.contains(&from)
            && !probe.heard.contains(&from)
        {
            probe.heard.push(from);
        }
    }

    /// Begins a probe on behalf of `asker`; its number, unless there are too many.
    pub(crate) fn relay(
        &mut self,
        (asker, number): (NodeId, u32),
        target: NodeId,
        now: Time,
        (nack, ends): (Option<Duration>, Duration),
    ) -> Option<u32> {
        if MAX_RELAYS <= self.relays.len() {
            return None;
        }
        let own = self.new_number();
        let (nack, ends) = (nack.map(|after| now + after), now + ends);
        self.relays.insert(own, Relay { asker, target, number, nack, ends });
        Some(own)
    }

    /// One whose probe has no answer yet, who is to be told so now; forgets the probes that are over.
    pub(crate) fn overdue(&mut self, now: Time) -> Option<(NodeId, u32)> {
        self.relays.retain(|_, relay| now < relay.ends);
        let is_due = |relay: &&mut Relay| relay.nack.is_some_and(|nack| nack <= now);
        let relay = self.relays.values_mut().find(is_due)?;
        relay.nack = None;
        Some((relay.asker, relay.number))
    }

    /// When something is to be done for others.
    pub(crate) fn next_relay(&self) -> Option<Time> {
        self.relays.values().map(|relay| relay.nack.unwrap_or(relay.ends)).min()
    }

    fn new_number(&mut self) -> u32 {
        self.number = self.number.wrapping_add(1);
        self.number
    }
}

impl Probe {
    /// Notes who was asked for help.
    pub(crate) fn escalate(&mut self, helpers: Vec<NodeId>) {
        (self.helpers, self.escalates) = (helpers, None);
    }

    /// How many were asked for help, and how many of them were not heard at all.
    pub(crate) fn help(&self) -> (usize, usize) {
        (self.helpers.len(), self.helpers.len() - self.heard.len())
    }
}

/// Draws without putting back, without copying what it draws from.
struct Draw<'a> {
    from: &'a [NodeId],
    /// Where those stand that were moved to the place of a drawn one.
    moved: BTreeMap<usize, usize>,
    left: usize,
}

impl<'a> Draw<'a> {
    fn new(from: &'a [NodeId]) -> Self {
        Self { from, moved: BTreeMap::new(), left: from.len() }
    }

    fn draw(&mut self, rng: &mut impl Rng) -> Option<NodeId> {
        self.left = self.left.checked_sub(1)?;
        let place = rng.random_range(0..=self.left);
        let last = self.moved.get(&self.left).copied().unwrap_or(self.left);
        let drawn = self.moved.insert(place, last).unwrap_or(place);
        self.from.get(drawn).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn node(byte: u8) -> NodeId {
        NodeId([byte; 32])
    }

    fn at(millis: u64) -> Time {
        Time(Duration::from_millis(millis))
    }

    fn prober(nodes: u8) -> (Prober, StdRng) {
        let (mut prober, mut rng) = (Prober::default(), StdRng::seed_from_u64(7));
        (0..nodes).for_each(|byte| prober.add(node(byte), &mut rng));
        (prober, rng)
    }

    fn begin(prober: &mut Prober, rng: &mut StdRng) -> (NodeId, u32) {
        prober.begin(at(500), rng).unwrap()
    }

    #[test]
    fn everybody_is_probed_once_in_a_round() {
        let (mut prober, mut rng) = prober(9);
        let mut round =
            || -> Vec<NodeId> { (0..9).map(|_| begin(&mut prober, &mut rng).0).collect() };
        let (first, second) = (round(), round());
        assert_ne!(first, second, "rounds are shuffled");
        for round in [first, second] {
            assert_eq!(round.into_iter().collect::<BTreeSet<_>>().len(), 9);
        }
    }

    #[test]
    fn who_comes_and_goes_changes_no_others_turn() {
        let (mut prober, mut rng) = prober(9);
        let mut probed: Vec<NodeId> = (0..4).map(|_| begin(&mut prober, &mut rng).0).collect();
        prober.remove(probed[0]);
        (100..110).for_each(|byte| prober.add(node(byte), &mut rng));
        while prober.next < prober.order.len() {
            probed.push(begin(&mut prober, &mut rng).0);
        }
        let old: Vec<_> = probed.iter().filter(|node| node.0[0] < 9).collect();
        assert_eq!((old.len(), old.iter().collect::<BTreeSet<_>>().len()), (9, 9), "{probed:?}");
    }

    #[test]
    fn an_answer_counts_from_whom_it_was_wanted() {
        let (mut prober, mut rng) = prober(3);
        let (target, number) = begin(&mut prober, &mut rng);
        let other = node((target.0[0] + 1) % 3);
        assert_eq!(prober.answer(other, number), Answered::Nothing);
        assert_eq!(prober.answer(target, number + 1), Answered::Nothing);
        prober.current.as_mut().unwrap().escalate(vec![other]);
        prober.nack(target, number);
        assert_eq!(prober.current.as_ref().unwrap().help(), (1, 1));
        prober.nack(other, number);
        prober.nack(other, number);
        assert_eq!(prober.current.as_ref().unwrap().help(), (1, 0));
        assert_eq!(prober.answer(other, number), Answered::Own);
        assert!(prober.current.unwrap().is_answered);
    }

    #[test]
    fn those_who_ask_for_help_are_answered() {
        let (mut prober, _) = prober(3);
        let times = (Some(Duration::from_millis(400)), Duration::from_millis(1000));
        let own = prober.relay((node(0), 77), node(1), at(0), times).unwrap();
        assert_eq!((prober.overdue(at(399)), prober.next_relay()), (None, Some(at(400))));
        assert_eq!(prober.overdue(at(400)), Some((node(0), 77)));
        assert_eq!((prober.overdue(at(400)), prober.next_relay()), (None, Some(at(1000))));
        assert_eq!(prober.answer(node(2), own), Answered::Nothing);
        let answered = Answered::Relayed { asker: node(0), number: 77 };
        assert_eq!(prober.answer(node(1), own), answered, "late, and still good");
        let asked = (0..300).filter_map(|_| prober.relay((node(0), 7), node(1), at(0), times));
        assert_eq!(asked.count(), MAX_RELAYS);
        prober.overdue(at(1000));
        assert_eq!(prober.next_relay(), None);
    }

    #[test]
    fn some_are_different_and_not_the_one() {
        let (prober, mut rng) = prober(5);
        for count in 0..9 {
            let some = prober.some(count, node(2), &mut rng);
            assert_eq!(some.len(), count.min(4));
            assert_eq!(some.iter().collect::<BTreeSet<_>>().len(), some.len());
            assert!(!some.contains(&node(2)));
        }
        let mut seen = BTreeSet::new();
        (0..100).for_each(|_| seen.extend(prober.some(1, node(2), &mut rng)));
        assert_eq!(seen.len(), 4);
    }

    #[test]
    fn the_doubtful_come_first() {
        let (mut prober, mut rng) = prober(9);
        prober.hurry(node(5));
        prober.hurry(node(77));
        assert_eq!(begin(&mut prober, &mut rng).0, node(5));
        prober.remove(node(5));
        assert!(prober.current.is_none(), "nobody waits for one who is gone");
        prober.hurry(node(6));
        let next = [begin(&mut prober, &mut rng).0, begin(&mut prober, &mut rng).0];
        assert_eq!(next[1], node(6), "every other turn is the others'");
    }
}
