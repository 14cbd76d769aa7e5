//! The course of one seed.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_endpoint::Class;
use rumormill_transport_api::Addr;
use rumormill_transport_conformance::Faults;
use rumormill_transport_mem::{Link, Network};
use tokio::time::{Instant, sleep_until};

use crate::{
    facts::{Coverage, Facts, Life},
    node::{Node, host, id},
};

/// What came of a seed.
pub(crate) struct Course {
    pub(crate) log: Vec<String>,
    pub(crate) coverage: Coverage,
}

struct World {
    rng: StdRng,
    network: Network,
    faults: Faults,
    nodes: Vec<Node>,
    routes: Vec<Addr>,
    facts: Facts,
}

pub(crate) async fn course(seed: u64) -> Course {
    let mut world = World::new(seed).await;
    for _ in 0..world.rng.random_range(6..20) {
        world.step().await;
        let pause = world.rng.random_range(0..400);
        sleep_until(Instant::now() + Duration::from_millis(pause)).await;
    }
    world.heal_everything().await;
    let World { nodes, network, facts, .. } = world;
    for node in nodes {
        node.stop(Duration::from_secs(5)).await;
    }
    facts.finish(network.take_events())
}

impl World {
    async fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let network = Network::new(seed);
        network.record(100_000);
        let mut upto = |most: u64| Duration::from_millis(rng.random_range(0..=most));
        let (latency, jitter) = (upto(50), upto(30));
        let mut share = |most: f64| if rng.random() { rng.random_range(0.0..most) } else { 0.0 };
        network.set_default_link(Link {
            latency,
            jitter,
            loss: share(0.2),
            duplicate: share(0.2),
            reorder: share(0.2),
            bandwidth: None,
        });
        let faults = Faults { seed, cut: share(0.05), ..Faults::default() };
        let routes = (0..rng.random_range(2..=5_u8))
            .map(|node| {
                let options = if rng.random() { "" } else { "?delivery=datagram" };
                format!("mem://{}{options}", host(node)).parse().expect("an address")
            })
            .collect();
        let facts = Facts::new();
        let mut world = Self { rng, network, faults, nodes: Vec::new(), routes, facts };
        for node in 0..world.routes.len() {
            let node = world.start(Life { node: node as u8, start: 0 }).await;
            world.nodes.push(node);
        }
        world
    }

    async fn start(&self, life: Life) -> Node {
        let seed = self.faults.seed << 16 | u64::from(life.start) << 8 | u64::from(life.node);
        let (at, faults) = (&self.routes[usize::from(life.node)], Faults { seed, ..self.faults });
        let node = Node::start(life, at, &self.network, faults, &self.facts).await;
        for (other, route) in self.routes.iter().enumerate() {
            if other != usize::from(life.node) {
                node.endpoint.learn(id(other as u8), vec![route.clone()]).expect("room");
            }
        }
        node
    }

    /// Two different nodes.
    fn pair(&mut self) -> (usize, u8) {
        let one = self.rng.random_range(0..self.nodes.len());
        let step = self.rng.random_range(1..self.nodes.len());
        (one, ((one + step) % self.nodes.len()) as u8)
    }

    async fn step(&mut self) {
        let (one, other) = self.pair();
        match self.rng.random_range(0..100) {
            0..45 => self.burst(one, other),
            45..70 => {
                let deadline = Duration::from_millis(self.rng.random_range(1..5000));
                self.nodes[one].ask(other, deadline);
            }
            70..75 => {
                self.facts.note(format!("{one} forgets {other}"));
                if self.nodes[one].endpoint.forget(id(other)) {
                    self.facts.count(|coverage| coverage.forgotten += 1);
                }
            }
            75..80 => self.learn(one, other),
            80..86 => {
                self.facts.note(format!("{one} and {other} are parted"));
                self.facts.count(|coverage| coverage.partitions += 1);
                self.network.partition_both(&host(one as u8), &host(other));
            }
            86..91 => {
                self.facts.note(format!("{one} and {other} are joined"));
                self.network.heal_both(&host(one as u8), &host(other));
            }
            _ => self.restart(one).await,
        }
    }

    fn burst(&mut self, one: usize, other: u8) {
        for _ in 0..self.rng.random_range(1..6) {
            let class = [Class::Control, Class::Gossip, Class::Bulk][self.rng.random_range(0..3)];
            self.nodes[one].send(other, class);
        }
    }

    fn learn(&self, one: usize, other: u8) {
        self.facts.note(format!("{one} learns {other}"));
        let routes = vec![self.routes[usize::from(other)].clone()];
        self.nodes[one].endpoint.learn(id(other), routes).expect("room");
    }

    async fn restart(&mut self, one: usize) {
        let node = self.nodes.remove(one);
        let life = Life { start: node.life.start + 1, ..node.life };
        if self.rng.random_range(0..3) == 0 {
            self.facts.note(format!("{:?} vanishes", node.life));
            self.facts.count(|coverage| coverage.vanished += 1);
            node.vanish().await;
        } else {
            let deadline = Duration::from_millis(self.rng.random_range(0..2000));
            self.facts.note(format!("{:?} closes within {deadline:?}", node.life));
            self.facts.count(|coverage| coverage.closes += 1);
            node.stop(deadline).await;
        }
        for other in &mut self.nodes {
            other.ask(life.node, Duration::from_millis(self.rng.random_range(1..5000)));
        }
        let absence = self.rng.random_range(0..1500);
        sleep_until(Instant::now() + Duration::from_millis(absence)).await;
        let node = self.start(life).await;
        self.nodes.insert(one, node);
    }

    /// When all is well again, everybody reaches everybody.
    async fn heal_everything(&mut self) {
        self.facts.note("everything is healed");
        self.network.set_default_link(Link::default());
        let count = self.nodes.len();
        for (one, other) in (0..count).flat_map(|one| (0..count).map(move |other| (one, other))) {
            self.network.heal_both(&host(one as u8), &host(other as u8));
        }
        for one in 0..count {
            let other = ((one + 1) % count) as u8;
            self.learn(one, other);
            self.nodes[one].reach(other).await;
        }
    }
}
