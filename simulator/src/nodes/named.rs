//! Scenarios with names.

use std::time::Duration;

use rumormill_transport_mem::Link;

use crate::nodes::scenario::{Crash, Delivery, Place, Preset, Scenario, Slot, Step};

/// The names of all of them, and what each is about.
pub const NAMES: &[(&str, &str)] = &[
    ("calm", "nothing happens but messages"),
    ("churn", "nodes join, leave, crash and come back, several at a time"),
    ("clone", "a second process starts with the key of one that runs"),
    ("crash", "one process ends, and later a machine does"),
    ("leave", "two say goodbye, and one of them comes back"),
    ("lossy", "datagrams are lost, repeated and overtaken while one node crashes"),
    ("moved", "a machine ends, and its node starts again elsewhere"),
    ("names", "one node takes the name of another"),
    ("oneway", "one node is not heard by another, which it hears"),
    ("partition", "four of nine nodes are parted from the others, and come back"),
    ("pause", "a node stands still for a while, a short and a long one"),
    ("rumors", "all are told rumors, short and long ones, while four of eight are parted"),
    ("strangers", "nodes of another cluster take the address of one that crashed"),
    ("wide", "a cluster over a wide area, in which a node crashes"),
];

/// The scenario with this name, and the seed 1.
#[must_use]
pub fn named(name: &str) -> Option<Scenario> {
    let scenario = match name {
        "calm" => of(8, Delivery::Both).loaded(2_000, 18_000),
        "churn" => churn(),
        "clone" => of(6, Delivery::Stream).then(5_000, Step::Clone(2)),
        "crash" => of(10, Delivery::Both)
            .then(8_000, Step::Crash(3, Crash::Process))
            .then(30_000, Step::Crash(7, Crash::Machine)),
        "leave" => of(7, Delivery::Both)
            .then(8_000, Step::Leave(2))
            .then(11_000, Step::Leave(5))
            .then(22_000, Step::Restart(2, Place::Same)),
        "lossy" => lossy(),
        "moved" => of(8, Delivery::Both)
            .then(6_000, Step::Crash(4, Crash::Machine))
            .then(26_000, Step::Restart(4, Place::New)),
        "names" => of(5, Delivery::Both)
            .then(4_000, Step::Change(3))
            .then(6_000, Step::Rename { rival: 1, holder: 4 }),
        "oneway" => of(6, Delivery::Both)
            .then(5_000, Step::Silence { from: 1, to: 2 })
            .then(30_000, Step::Heal),
        "partition" => {
            of(9, Delivery::Both).then(6_000, Step::Part(vec![0, 1, 2, 3])).then(36_000, Step::Heal)
        }
        "pause" => of(7, Delivery::Both)
            .then(5_000, Step::Pause(2))
            .then(7_000, Step::Resume(2))
            .then(12_000, Step::Pause(5))
            .then(40_000, Step::Resume(5)),
        "rumors" => rumors(),
        "strangers" => of(6, Delivery::Both)
            .then(5_000, Step::Crash(3, Crash::Process))
            .then(6_000, Step::Stranger(3))
            .then(7_000, Step::Crash(4, Crash::Machine))
            .then(8_000, Step::Stranger(4))
            .then(30_000, Step::Restart(3, Place::Same)),
        "wide" => wide(),
        _ => return None,
    };
    Some(Scenario { name: name.into(), ..scenario })
}

fn of(nodes: Slot, delivery: Delivery) -> Scenario {
    let (latency, jitter) = (Duration::from_millis(2), Duration::from_millis(3));
    Scenario {
        name: "".into(),
        seed: 1,
        nodes,
        delivery,
        preset: Preset::Local,
        link: Link { latency, jitter, ..Link::default() },
        steps: Vec::new(),
    }
}

fn lossy() -> Scenario {
    let scenario = of(8, Delivery::Datagram);
    let link = Link { loss: 0.1, duplicate: 0.1, reorder: 0.1, ..scenario.link };
    Scenario { link, ..scenario }
        .then(10_000, Step::Crash(3, Crash::Machine))
        .loaded(11_000, 20_000)
}

fn rumors() -> Scenario {
    let scenario = of(8, Delivery::Both);
    let link = Link { loss: 0.1, ..scenario.link };
    let lens = [0, 9, 500, 700, 9_000, 60_000];
    (0..24).fold(Scenario { link, ..scenario }, |scenario, turn: u16| {
        let step = Step::Broadcast { from: turn % 8, count: 3, len: lens[usize::from(turn) % 6] };
        let scenario = scenario.then(8_000 + u64::from(turn) * 500, step);
        match turn {
            8 => scenario.then(12_200, Step::Part(vec![0, 1, 2, 3])),
            18 => scenario.then(17_200, Step::Heal),
            _ => scenario,
        }
    })
}

fn wide() -> Scenario {
    let (latency, jitter) = (Duration::from_millis(120), Duration::from_millis(60));
    let link = Link { latency, jitter, loss: 0.01, ..Link::default() };
    Scenario { preset: Preset::Wan, link, ..of(8, Delivery::Both) }
        .then(20_000, Step::Crash(3, Crash::Machine))
}

fn churn() -> Scenario {
    of(10, Delivery::Both)
        .then(4_000, Step::Join)
        .then(6_000, Step::Crash(2, Crash::Process))
        .then(8_000, Step::Leave(6))
        .then(9_000, Step::Join)
        .then(11_000, Step::Crash(4, Crash::Machine))
        .then(14_000, Step::Restart(2, Place::Same))
        .then(16_000, Step::Pause(8))
        .then(19_000, Step::Resume(8))
        .then(22_000, Step::Leave(10))
        .then(24_000, Step::Restart(6, Place::New))
        .then(30_000, Step::Restart(4, Place::Same))
        .then(33_000, Step::Join)
}

impl Scenario {
    /// Adds messages and questions between all, one after the other, from one moment to another.
    #[must_use]
    fn loaded(mut self, from_ms: u64, to_ms: u64) -> Self {
        let nodes = self.nodes;
        for (turn, at) in (from_ms..to_ms).step_by(500).enumerate() {
            let from = turn as Slot % nodes;
            let to = (from + 1 + turn as Slot / nodes % (nodes - 1)) % nodes;
            let step = match turn % 2 {
                0 => Step::Send { from, to, count: 5 },
                _ => Step::Ask { from, to },
            };
            self = self.then(at, step);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_a_scenario_in_order_of_time() {
        for (name, _) in NAMES {
            let scenario = named(name).expect("it is listed");
            assert_eq!(&*scenario.name, *name);
            assert!(scenario.steps.is_sorted_by_key(|(at, _)| *at), "{name}");
        }
        assert!(NAMES.is_sorted() && named("else").is_none());
    }
}
