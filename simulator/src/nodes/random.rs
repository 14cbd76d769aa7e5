//! Scenarios at random.

use std::{collections::BTreeSet, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_transport_mem::Link;

use crate::nodes::scenario::{Crash, Delivery, Place, Preset, Scenario, Slot, Step};

/// The scenario of a seed.
#[must_use]
pub fn random(seed: u64) -> Scenario {
    let mut rng = StdRng::seed_from_u64(seed);
    let nodes = rng.random_range(2..=7);
    let delivery = [Delivery::Stream, Delivery::Datagram, Delivery::Both][rng.random_range(0..3)];
    let preset = if rng.random_bool(0.85) { Preset::Local } else { Preset::Lan };
    let link = link(&mut rng);
    let steps = Plot::new(nodes).write(&mut rng);
    Scenario { name: "random".into(), seed, nodes, delivery, preset, link, steps }
}

fn link(rng: &mut StdRng) -> Link {
    let mut upto = |most: u64| Duration::from_millis(rng.random_range(0..=most));
    let (latency, jitter) = (upto(30), upto(20));
    let mut share = |most: f64| if rng.random() { rng.random_range(0.0..most) } else { 0.0 };
    let (loss, duplicate, reorder) = (share(0.2), share(0.2), share(0.2));
    Link { latency, jitter, loss, duplicate, reorder, bandwidth: None }
}

/// What is so far, so that what comes next makes sense.
struct Plot {
    up: BTreeSet<Slot>,
    down: BTreeSet<Slot>,
    /// Those whose key another one has as well: they end, and do not come back.
    doubled: BTreeSet<Slot>,
    paused: Option<Slot>,
    is_cut: bool,
    slots: Slot,
}

impl Plot {
    fn new(nodes: Slot) -> Self {
        Self {
            up: (0..nodes).collect(),
            down: BTreeSet::new(),
            doubled: BTreeSet::new(),
            paused: None,
            is_cut: false,
            slots: nodes,
        }
    }

    fn write(mut self, rng: &mut StdRng) -> Vec<(Duration, Step)> {
        let (mut at, mut steps) = (1000 + u64::from(self.slots) * 100, Vec::new());
        for _ in 0..rng.random_range(4..=14) {
            // Some come at once, and some leave time for what they cause.
            at += [50, 400, 1500, 4000][rng.random_range(0..4)] + rng.random_range(0..300);
            steps.extend(self.next(rng).map(|step| (Duration::from_millis(at), step)));
        }
        steps
    }

    fn next(&mut self, rng: &mut StdRng) -> Option<Step> {
        match rng.random_range(0..100) {
            0..28 => self.talk(rng),
            28..37 => self.part(rng),
            37..43 => self.heal(),
            43..49 => self.pause(rng),
            49..65 => self.end(rng),
            65..80 => self.begin(rng),
            80..90 => Some(Step::Change(pick(&self.up, rng)?)),
            90..94 => {
                let (rival, holder) = self.pair(rng)?;
                Some(Step::Rename { rival, holder })
            }
            94..97 => Some(Step::Links(link(rng))),
            _ => self.double(rng),
        }
    }

    fn talk(&self, rng: &mut StdRng) -> Option<Step> {
        let (from, to) = self.pair(rng)?;
        Some(match rng.random_range(0..4) {
            0 => Step::Send { from, to, count: rng.random_range(1..10) },
            1 => Step::Ask { from, to },
            _ => Step::Broadcast {
                from,
                count: rng.random_range(1..10),
                len: [0, 9, 500, 700, 9000][rng.random_range(0..5)],
            },
        })
    }

    fn part(&mut self, rng: &mut StdRng) -> Option<Step> {
        self.is_cut = true;
        if rng.random() {
            let (from, to) = self.pair(rng)?;
            return Some(Step::Silence { from, to });
        }
        let side: Vec<Slot> = self.up.iter().copied().filter(|_| rng.random()).collect();
        (!side.is_empty()).then_some(Step::Part(side))
    }

    fn heal(&mut self) -> Option<Step> {
        self.is_cut = false;
        Some(Step::Heal)
    }

    fn pause(&mut self, rng: &mut StdRng) -> Option<Step> {
        match self.paused.take() {
            Some(slot) => Some(Step::Resume(slot)),
            None => {
                self.paused = Some(pick(&self.up, rng)?);
                self.paused.map(Step::Pause)
            }
        }
    }

    fn end(&mut self, rng: &mut StdRng) -> Option<Step> {
        let slot = pick(&self.up, rng).filter(|_| 1 < self.up.len())?;
        self.up.remove(&slot);
        self.down.insert(slot);
        match rng.random_range(0..3) {
            0 => Some(Step::Crash(slot, Crash::Process)),
            1 => Some(Step::Crash(slot, Crash::Machine)),
            _ => Some(Step::Leave(slot)),
        }
    }

    /// A node that nobody knows could meet only others of its kind behind a partition, and would stay
    /// with them for ever.
    fn begin(&mut self, rng: &mut StdRng) -> Option<Step> {
        let down = pick(&self.down, rng);
        match (rng.random_range(0..6), down) {
            (0, Some(at)) => {
                self.slots += 1;
                Some(Step::Stranger(at))
            }
            (1.., Some(slot)) => {
                self.down.remove(&slot);
                self.up.insert(slot);
                let place = if rng.random() { Place::Same } else { Place::New };
                Some(Step::Restart(slot, place))
            }
            _ if self.is_cut || self.paused.is_some() => None,
            _ => {
                self.slots += 1;
                self.up.insert(self.slots - 1);
                Some(Step::Join)
            }
        }
    }

    fn double(&mut self, rng: &mut StdRng) -> Option<Step> {
        let slot = pick(&self.up, rng).filter(|slot| !self.doubled.contains(slot))?;
        if self.is_cut || self.paused.is_some() {
            return None;
        }
        self.up.remove(&slot);
        self.doubled.insert(slot);
        self.up.insert(self.slots);
        self.doubled.insert(self.slots);
        self.slots += 1;
        Some(Step::Clone(slot))
    }

    /// Two different nodes.
    fn pair(&self, rng: &mut StdRng) -> Option<(Slot, Slot)> {
        let one = pick(&self.up, rng)?;
        let other = pick(&self.up, rng)?;
        (one != other).then_some((one, other))
    }
}

fn pick(slots: &BTreeSet<Slot>, rng: &mut StdRng) -> Option<Slot> {
    let at = rng.random_range(0..slots.len().max(1));
    slots.iter().nth(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_scenario() {
        assert!((0..100).all(|seed| random(seed) == random(seed)));
        assert_ne!(random(1), random(2));
    }

    #[test]
    fn steps_are_in_order_of_time() {
        assert!((0..100).all(|seed| random(seed).steps.is_sorted_by_key(|(at, _)| *at)));
    }
}
