//! Many clients that do whatever comes to their minds, while the broker is reloaded.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_broker::{
    Broker, Config, CutReason, Policy, Routing, Topic,
    wire::{Answer, Request, Subscribe, Verdict},
};
use rumormill_transport_api::{Batch, Writer, bytes::Bytes};
use tokio::{task::JoinSet, time::timeout};

use super::raw::{Peer, Place, publish, soon, until, with};

const NAMES: [&str; 5] = ["fanout", "block", "disconnect", "queue", "gone"];

fn config(dice: &mut StdRng) -> Config {
    let topic = |policy, routing| Topic {
        policy,
        routing,
        max_messages: 20,
        block_timeout: Duration::from_millis(5),
        ack_timeout: Duration::from_millis(5),
        dead_letter: (routing == Routing::Queue).then(|| "fanout".parse().expect("a name")),
        ..Topic::default()
    };
    let mut config = with([
        ("fanout", topic(Policy::DropOldest, Routing::Fanout)),
        ("block", topic(Policy::Block, Routing::Fanout)),
        ("disconnect", topic(Policy::Disconnect, Routing::Fanout)),
        ("queue", topic(Policy::Block, Routing::Queue)),
    ]);
    config.limits.memory = 4 << 20;
    // What waits for room when its publisher closes waits no longer than this.
    config.limits.idle = Duration::from_secs(1);
    if dice.random_bool(0.5) {
        let name = NAMES[dice.random_range(0..4)];
        config.topics.retain(|topic, settings| {
            settings.max_messages = dice.random_range(1..40);
            topic.as_str() != name || name == "fanout"
        });
    }
    config
}

fn request(dice: &mut StdRng) -> Bytes {
    let (topic, seq) = (NAMES[dice.random_range(0..5)], dice.random_range(0..500));
    let texts: Vec<_> = (0..dice.random_range(1..30)).map(|at| "x".repeat(at * 20)).collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    let request = match dice.random_range(0..20) {
        0..8 => publish(topic, dice.random_bool(0.5).then_some(seq), &texts),
        8..11 => {
            let window = dice.random_range(0..10_000);
            Request::Subscribe(Subscribe { topic, window, resume: None })
        }
        11 => Request::Unsubscribe { topic },
        12..15 => Request::Seen { topic, through: seq },
        15..19 => {
            let verdict = if dice.random_bool(0.5) { Verdict::Done } else { Verdict::GiveBack };
            Request::Settle { topic, verdict, runs: vec![(seq, 40), (0, u32::MAX), (seq, 1)] }
        }
        _ => Request::Ping { token: seq },
    };
    request.encode()
}

/// Does some things, and leaves in some way.
async fn client(mut peer: Peer, mut dice: StdRng) {
    for _ in 0..dice.random_range(0..60) {
        let mut some: Batch = (0..dice.random_range(1..5)).map(|_| request(&mut dice)).collect();
        if dice.random_ratio(1, 100) {
            some.push("\u{ff}");
        }
        if !matches!(timeout(PAUSE, peer.writer.send(&mut some)).await, Ok(Ok(()))) {
            return;
        }
        while dice.random_bool(0.7) {
            match timeout(PAUSE, peer.frame()).await {
                Ok(Some(frame)) => drop(Answer::decode(&frame).expect("an answer")),
                Ok(None) => return,
                Err(_) => break,
            }
        }
    }
    if dice.random_bool(0.5) {
        drop(timeout(PAUSE, peer.writer.close()).await);
        while timeout(PAUSE, peer.frame()).await.is_ok_and(|frame| frame.is_some()) {}
    }
}

async fn chaos(scheme: &str, seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let place = Place::on(scheme, config(&mut dice)).await;
    let mut clients = JoinSet::new();
    for round in 0..100 {
        let dice = StdRng::seed_from_u64(seed ^ (round << 32));
        clients.spawn(client(place.peer().await, dice));
        if round % 5 == 0 {
            place.broker.reload(config(&mut StdRng::seed_from_u64(round))).expect("a good config");
        }
    }
    soon(clients.join_all()).await;
    nothing_is_left(&place.broker).await;
}

async fn nothing_is_left(broker: &Broker) {
    until("all are gone", || broker.stats().conns == 0).await;
    let stats = broker.stats();
    assert_eq!(stats.cut.get(&CutReason::Panicked), None);
    assert!(stats.topics.values().all(|topic| topic.subscribers == 0));
    assert!(stats.topics.values().all(|topic| topic.parked.messages == 0), "{:?}", stats.topics);
    let report = broker.stop(Duration::from_secs(1)).await;
    assert!(report.left.iter().all(|it| it.left.topic.as_str() == "queue" && it.conn.is_none()));
    assert_eq!((report.aborted, broker.stats().memory_used), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chaos_leaves_nothing_over_memory() {
    chaos("mem", 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chaos_leaves_nothing_over_unix_sockets() {
    chaos("unix", 2).await;
}

/// How long a client waits before it does something else.
const PAUSE: Duration = Duration::from_millis(20);
