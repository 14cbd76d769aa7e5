//! A route fails while messages flow, and is back later.

use std::{sync::Arc, time::Duration};

use rumormill_endpoint::Class;
use rumormill_transport_api::Timeouts;
use rumormill_transport_conformance::Road;
use rumormill_transport_mem::Network;
use tokio::{task::JoinSet, time::Instant};

use crate::{
    carrier::host,
    node::{Node, balance, millis, pause},
};

const SECOND: Duration = Duration::from_secs(1);
/// When the route fails, when it is back, and when all is over.
const FAILS: Duration = Duration::from_secs(5);
const RETURNS: Duration = Duration::from_secs(20);
const ENDS: Duration = Duration::from_secs(30);
/// How long a message takes that nothing holds up.
const QUICK: Duration = Duration::from_millis(50);

/// How late an echo may be.
const ECHO: Duration = Duration::from_millis(250);

/// How a route fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing passes either way.
    Both,
    /// Nothing passes from the one that asks.
    There,
    /// Nothing passes to it.
    Back,
    /// Everybody is told.
    Refused,
}

/// Who speaks first, and so dials.
#[derive(Clone, Copy, Debug)]
enum First {
    Asker,
    Asked,
}

#[derive(Clone, Copy, Debug)]
struct Case {
    schemes: &'static [&'static str],
    fails: &'static str,
    fault: Fault,
    first: First,
    /// Keys, so that either side has the lower id.
    seeds: (u8, u8),
    /// How long it is from one message to the next: the less there are, the later is a side that
    /// only answers to notice anything.
    pause: Duration,
}

/// What became of what was sent at a moment.
struct Sample {
    since: Duration,
    took: Duration,
    scheme: String,
}

impl Case {
    /// How long the first message behind the failure may take.
    fn bound(self) -> Duration {
        let timeouts = Timeouts::lan();
        let notice = match (self.fault, self.fails) {
            (Fault::Refused, _) => return QUICK,
            (_, "udp") => timeouts.read * 2 / 5,
            _ => timeouts.read,
        };
        // What came just before the failure may still be echoed.
        notice + timeouts.dial + ECHO
    }

    fn fail(self, network: &Network, asker: &Node, asked: &Node) {
        let (here, there) = (host(asker.name, self.fails), host(asked.name, self.fails));
        match self.fault {
            Fault::Both => network.partition_both(&here, &there),
            Fault::There => network.partition(&here, &there),
            Fault::Back => network.partition(&there, &here),
            Fault::Refused => {
                asker.set_road(self.fails, Road::Refused);
                asked.set_road(self.fails, Road::Refused);
            }
        }
    }

    fn mend(self, network: &Network, asker: &Node, asked: &Node) {
        network.heal_both(&host(asker.name, self.fails), &host(asked.name, self.fails));
        asker.set_road(self.fails, Road::Open);
        asked.set_road(self.fails, Road::Open);
    }

    /// Whether messages of this kind travel by the route that fails, while it does not.
    fn concerns(self, class: Class) -> bool {
        let is_packets = class != Class::Bulk && self.schemes.contains(&"udp");
        is_packets == (self.fails == "udp")
    }

    fn check(self, class: Class, samples: &[Sample]) {
        let slowest = samples.iter().map(|sample| sample.took).max().expect("some");
        // Timers tick in milliseconds, and the pump wakes by them.
        assert!(slowest <= self.bound() + QUICK, "{self:?} {class:?}: {slowest:?}");
        if !self.concerns(class) {
            assert!(slowest <= QUICK, "{self:?} {class:?}: {slowest:?}");
        }
        for Sample { since, took, scheme } in samples {
            let is_down = (FAILS + self.bound() + SECOND..RETURNS).contains(since);
            assert!(!is_down || *took <= QUICK, "{self:?} {class:?} at {since:?}: {took:?}");
            let is_back = RETURNS + 5 * SECOND <= *since || *since < FAILS;
            let is_preferred = scheme == self.fails || !self.concerns(class);
            assert!(!is_back || is_preferred, "{self:?} {class:?} at {since:?}: {scheme}");
        }
    }
}

async fn run(case: Case) {
    let network = Network::new(7);
    let (one, other) = case.seeds;
    let asker = Arc::new(Node::start(&network, "a", one, case.schemes).await);
    let asked = Arc::new(Node::start(&network, "b", other, case.schemes).await);
    asker.learn(&asked);
    asked.learn(&asker);
    let (from, to) = match case.first {
        First::Asker => (&asker, &asked),
        First::Asked => (&asked, &asker),
    };
    from.send(to, Class::Control, "hello");
    from.ask(to, "who is there?").await;
    to.gets(from, "hello").await;
    pause(3 * SECOND).await;

    let (bulk, urgent, ()) = tokio::join!(
        biased;
        flow(&asker, &asked, Class::Bulk, case.pause),
        flow(&asker, &asked, Class::Control, case.pause),
        async {
            pause(FAILS).await;
            case.fail(&network, &asker, &asked);
            pause(RETURNS - FAILS).await;
            case.mend(&network, &asker, &asked);
        },
    );
    case.check(Class::Bulk, &bulk);
    case.check(Class::Control, &urgent);
    let alone = |node| Arc::into_inner(node).expect("all tasks are over");
    balance(alone(asker), alone(asked)).await;
}

/// Messages of one class from one node to the other; questions, where they are bulk.
async fn flow(from: &Arc<Node>, to: &Arc<Node>, class: Class, every: Duration) -> Vec<Sample> {
    let began = Instant::now();
    let mut tasks = JoinSet::new();
    while began.elapsed() < ENDS {
        let (from, to) = (from.clone(), to.clone());
        tasks.spawn(async move {
            let since = began.elapsed();
            let label = format!("{class:?} {since:?}");
            let took = match class {
                Class::Bulk => from.ask(&to, &label).await,
                Class::Control | Class::Gossip => {
                    from.send(&to, class, &label);
                    let arrival = to.gets(&from, &label).await;
                    arrival.at - began - since
                }
            };
            let arrival = to.gets(&from, &label).await;
            assert_eq!(arrival.class, class);
            Sample { since, took, scheme: arrival.scheme }
        });
        pause(every).await;
    }
    tasks.join_all().await
}

async fn all(schemes: &'static [&'static str], fails: &'static str) {
    for fault in [Fault::Both, Fault::There, Fault::Back, Fault::Refused] {
        for first in [First::Asker, First::Asked] {
            for (seeds, pause) in [((1, 2), 100), ((2, 1), 100), ((1, 2), 1700), ((2, 1), 1700)] {
                run(Case { schemes, fails, fault, first, seeds, pause: millis(pause) }).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_fails_beside_another() {
    all(&["udp", "tcp", "quic"], "tcp").await;
}

#[tokio::test(start_paused = true)]
async fn the_only_stream_fails() {
    all(&["udp", "tcp"], "tcp").await;
}

#[tokio::test(start_paused = true)]
async fn datagrams_fail() {
    all(&["udp", "tcp"], "udp").await;
}

#[tokio::test(start_paused = true)]
async fn one_of_two_streams_fails() {
    all(&["tcp", "quic"], "tcp").await;
}
