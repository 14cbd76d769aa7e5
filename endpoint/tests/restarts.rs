//! A peer that stops and starts again and again is met again, and nobody storms it meanwhile.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_endpoint::{Admission, Class, Config, Endpoint, Inboxes, Retry};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, Context, NodeId};
use rumormill_transport_mem::{EventKind, Network};
use tokio::{
    task::{JoinHandle, JoinSet},
    time::{Instant, sleep_until},
};

const RESTARTS: usize = 200;
const DATAGRAM: &str = "mem://b?delivery=datagram";
const CLIENTS: u8 = 100;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

fn peer() -> NodeId {
    key(200).node()
}

fn start(network: &Network, seed: u8, retry: Retry) -> (Endpoint, Inboxes) {
    let registry = Registry::of([
        rumormill_transport_mem::FACTORY,
        rumormill_transport_tcp::FACTORY,
        rumormill_transport_udp::FACTORY,
    ])
    .expect("three schemes");
    let mut context = Context::default();
    context.extensions.insert(network.clone());
    registry.configure("mem", context).expect("mem is there");
    let config = Config { retry, ..Config::new("restarts", Admission::Open) };
    Endpoint::start(Arc::new(registry), key(seed), config).expect("a good config")
}

/// How the first call after each return is made.
#[derive(Clone, Copy, Debug)]
enum Question {
    Once,
    Idempotent,
}

/// The peer, which answers until it is killed.
struct Running {
    bound: Addr,
    answering: JoinHandle<()>,
}

impl Running {
    async fn start(network: &Network, at: &Addr) -> Self {
        let (endpoint, mut inboxes) = start(network, 200, Retry::default());
        // Whoever listened there before may not be gone altogether.
        let bound = loop {
            match endpoint.listen(at).await {
                Ok(bound) => break bound,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let answering = tokio::spawn(async move {
            while let Some(message) = inboxes.bulk.recv().await {
                endpoint.reply(&message, message.bytes.clone()).ok();
            }
        });
        Self { bound, answering }
    }

    /// Drops the endpoint, wherever it is, as a crash would.
    async fn kill(self) {
        self.answering.abort();
        drop(self.answering.await);
    }
}

async fn pause(millis: u64) {
    sleep_until(Instant::now() + Duration::from_millis(millis)).await;
}

/// How many requests succeeded, of those that were made first after each of the peer's returns.
async fn successes(at: &str, retry: Retry, outage: u64, question: Question) -> usize {
    let (network, mut rng) = (Network::new(7), StdRng::seed_from_u64(7));
    let (client, _inboxes) = start(&network, 1, retry);
    let client = Arc::new(client);
    let mut running = Running::start(&network, &at.parse().expect("an address")).await;
    let at = running.bound.clone();
    client.learn(peer(), vec![at.clone()]).expect("room");
    let asker = client.clone();
    let noise = tokio::spawn(async move {
        loop {
            asker.request(peer(), "noise", Duration::from_millis(20)).await.ok();
            asker.send(peer(), Class::Gossip, "noise").ok();
            pause(20).await;
        }
    });
    let mut successes = 0;
    for _ in 0..RESTARTS {
        pause(rng.random_range(0..outage)).await;
        running.kill().await;
        pause(rng.random_range(1..outage)).await;
        running = Running::start(&network, &at).await;
        let deadline = Duration::from_secs(5);
        let answer = match question {
            Question::Once => client.request(peer(), "there?", deadline).await,
            Question::Idempotent => client.request_idempotent(peer(), "there?", deadline).await,
        };
        successes += usize::from(answer.is_ok());
    }
    noise.abort();
    running.kill().await;
    successes
}

#[tokio::test(start_paused = true)]
async fn the_first_call_after_a_return_succeeds_in_memory() {
    for outage in [20, 500] {
        let successes = successes("mem://b", Retry::default(), outage, Question::Once).await;
        assert!(RESTARTS * 99 < successes * 100, "{successes} of {RESTARTS} within {outage} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_call_after_a_return_succeeds_over_datagrams() {
    for outage in [20, 500, 2000] {
        let successes = successes(DATAGRAM, Retry::default(), outage, Question::Once).await;
        assert!(RESTARTS * 99 < successes * 100, "{successes} of {RESTARTS} within {outage} ms");
    }
}

#[tokio::test]
async fn the_first_call_after_a_return_succeeds_over_udp() {
    let retry = Retry { base: Duration::from_millis(5), ..Retry::default() };
    // An answer of the network about an earlier datagram may end a conn after a question has left.
    let question = Question::Idempotent;
    let successes = successes("udp://127.0.0.1:0", retry, 20, question).await;
    assert!(RESTARTS * 99 < successes * 100, "{successes} of {RESTARTS}");
}

#[tokio::test]
async fn the_first_call_after_a_return_succeeds_over_tcp() {
    let retry = Retry { base: Duration::from_millis(5), ..Retry::default() };
    let successes = successes("tcp://127.0.0.1:0", retry, 20, Question::Once).await;
    assert!(RESTARTS * 99 < successes * 100, "{successes} of {RESTARTS}");
}

/// Dials since the last call, by the tenth of a second.
fn dials(network: &Network, into: &mut BTreeMap<u128, u32>) {
    for event in network.take_events() {
        if event.kind == EventKind::Dialed {
            *into.entry(event.at.as_millis() / 100).or_default() += 1;
        }
    }
    assert_eq!(network.events_overflowed(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_clients_do_not_storm_a_peer_that_is_gone() {
    let (network, mut tenths) = (Network::new(7), BTreeMap::new());
    network.record(1 << 20);
    let at: Addr = "mem://b".parse().unwrap();
    let clients: Vec<_> = (0..CLIENTS).map(|at| start(&network, at, Retry::default())).collect();
    for (client, _) in &clients {
        client.learn(peer(), vec![at.clone()]).unwrap();
    }
    for _ in 0..600 {
        for (client, _) in &clients {
            client.send(peer(), Class::Gossip, "anybody?").unwrap();
        }
        pause(100).await;
        dials(&network, &mut tenths);
    }
    // At first all try together, three times; the budget of a client has ten retries in reserve.
    let second = |at: u128| (at * 10..at * 10 + 10).filter_map(|tenth| tenths.get(&tenth)).sum();
    let seconds: Vec<u32> = (0..60).map(second).collect();
    let clients_count = u32::from(CLIENTS);
    assert!(seconds.iter().all(|dials| *dials <= 7 * clients_count), "{seconds:?}");
    // Later each waits two thirds of a second or more, and one in ten may be a retry.
    assert!(seconds[10..].iter().all(|dials| *dials * 10 <= 18 * clients_count), "{seconds:?}");
    // And jitter has spread them over the second.
    let most = tenths.range(200..).map(|(_, dials)| *dials).max().unwrap();
    assert!(most <= clients_count / 2, "{most} of {clients_count} within a tenth of a second");

    let running = Running::start(&network, &at).await;
    let mut asking = JoinSet::new();
    for (client, _inboxes) in clients {
        asking.spawn(async move {
            let answer = client.request(peer(), "there?", Duration::from_secs(5)).await;
            client.close(Duration::from_secs(1)).await;
            answer.is_ok()
        });
    }
    let answered = asking.join_all().await.into_iter().filter(|answered| *answered).count();
    assert_eq!(answered, usize::from(CLIENTS));
    let before: u32 = tenths.values().sum();
    dials(&network, &mut tenths);
    let now = tenths.values().sum::<u32>() - before;
    assert!(now <= 5 * clients_count, "{now} dials for {clients_count} clients");
    running.kill().await;
}
