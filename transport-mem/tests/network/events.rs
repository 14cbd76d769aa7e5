//! The log of events, and that runs repeat themselves.

use std::{num::NonZeroU64, time::Duration};

use rumormill_transport_api::{Delivery, Listener, Reader, Transport, Writer};
use rumormill_transport_mem::{Event, EventKind, Link, Mem, MemPort, Network};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::ends::{MS, listen, numbered, on, recv, send, slow, streams, target};

#[tokio::test(start_paused = true)]
async fn events_tell_what_happened() {
    let network = Network::new(1);
    network.record(100);
    network.set_link("a", "b", slow(10 * MS));
    let (mut a, mut b) = streams(&network).await;
    send(&mut a, ["hello"]).await.unwrap();
    recv(&mut b).await.unwrap();
    network.partition("b", "a");
    send(&mut b, ["you"]).await.unwrap();
    b.writer.close().await.unwrap();
    drop(a);
    let told: Vec<_> = network.take_events().into_iter().map(tell).collect();
    assert_eq!(
        told,
        [
            "0ns a-b 0 Dialed",
            "10ms a-b 0 Accepted",
            "10ms a-b 0 Sent { len: 5 }",
            "20ms a-b 0 Delivered { len: 5 }",
            "20ms b-a 0 Sent { len: 3 }",
            "20ms b-a 0 Held",
            "20ms b-a 0 Closed",
            "20ms a-b 0 Cut",
        ]
    );
    assert_eq!(network.take_events(), []);
}

fn tell(event: Event) -> String {
    let Event { at, conn, from, to, kind } = event;
    format!("{at:?} {from}-{to} {conn} {kind:?}")
}

#[tokio::test(start_paused = true)]
async fn a_full_record_counts_what_it_leaves_out() {
    let network = Network::new(1);
    network.record(3);
    let (mut a, _b) = streams(&network).await;
    send(&mut a, numbered(0..10)).await.unwrap();
    assert_eq!(network.take_events().len(), 3);
    assert_eq!(network.events_overflowed(), 9);
    send(&mut a, numbered(0..1)).await.unwrap();
    assert_eq!(network.take_events().len(), 1);
    network.record(0);
    send(&mut a, numbered(0..1)).await.unwrap();
    assert_eq!((network.take_events().len(), network.events_overflowed()), (0, 0));
}

#[test]
fn one_seed_takes_one_course() {
    let (one, same, other) = (course(1), course(1), course(2));
    assert!(10_000 < one.len(), "{}", one.len());
    assert!(one == same, "{:?}", one.iter().zip(&same).find(|(one, same)| one != same));
    assert_ne!(one, other);
    for wanted in [
        EventKind::Accepted,
        EventKind::Held,
        EventKind::Lost { len: 4 },
        EventKind::Duplicated { len: 4 },
        EventKind::Delayed { by: Duration::from_millis(10) },
        EventKind::Delayed { by: Duration::from_millis(200) },
        EventKind::Closed,
        EventKind::Cut,
    ] {
        assert!(one.iter().any(|event| event.kind == wanted), "{wanted:?}");
    }
}

/// The events of a faulty network, on which everybody talks to everybody.
fn course(seed: u64) -> Vec<Event> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let network = Network::new(seed);
        network.record(1_000_000);
        network.set_default_link(faulty());
        let mut tasks = JoinSet::new();
        for host in 0..HOSTS {
            for delivery in [Delivery::Stream, Delivery::Datagram] {
                let mem = on(&network, &host.to_string(), delivery);
                tasks.spawn(answer(listen(&mem, "mem://:7").await));
                (0..HOSTS).for_each(|peer| drop(tasks.spawn(talk(mem.clone(), peer))));
            }
        }
        tasks.spawn(meddle(network.clone()));
        tasks.join_all().await;
        assert_eq!(network.events_overflowed(), 0);
        network.take_events()
    })
}

fn faulty() -> Link {
    Link {
        latency: 5 * MS,
        jitter: 3 * MS,
        loss: 0.1,
        duplicate: 0.05,
        reorder: 0.05,
        bandwidth: NonZeroU64::new(100_000),
    }
}

/// Parts and heals hosts for a while.
async fn meddle(network: Network) {
    let start = Instant::now();
    for round in 0..20_u32 {
        sleep_until(start + round * 100 * MS).await;
        let (one, other) = ((round % HOSTS).to_string(), (round % 3).to_string());
        network.partition(&one, &other);
        sleep_until(start + (round * 100 + 60) * MS).await;
        network.heal(&one, &other);
    }
}

/// Dials a host, sends to it for a while, and leaves it with or without a word.
async fn talk(mem: Mem, peer: u32) {
    let dialed = timeout(LIFE, mem.dial(&target(&format!("mem://{peer}:7")))).await;
    let Ok(Ok(mut conn)) = dialed else { return };
    let start = Instant::now();
    for round in 0..20 {
        sleep_until(start + round * 20 * MS).await;
        let sent = timeout(LIFE, send(&mut conn, numbered(round * 5..round * 5 + 5))).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
    let mut arrived = Vec::new();
    while arrived.len() < 50
        && matches!(timeout(LIFE, conn.reader.recv(&mut arrived)).await, Ok(Ok(())))
    {}
    if peer.is_multiple_of(2) {
        conn.writer.close().await.unwrap_or_default();
    }
}

/// Sends back what arrives, until nobody has come for a while.
async fn answer(mut port: MemPort) {
    let mut conns = JoinSet::new();
    while let Ok(Ok(mut conn)) = timeout(LIFE, port.accept()).await {
        conns.spawn(async move {
            while let Ok(Ok(arrived)) = timeout(LIFE, recv(&mut conn)).await {
                if send(&mut conn, arrived).await.is_err() {
                    return;
                }
            }
        });
    }
    conns.join_all().await;
}

const HOSTS: u32 = 8;
const LIFE: Duration = Duration::from_secs(2);
