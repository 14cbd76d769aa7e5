//! Links that are slow, narrow, or lose, repeat and reorder what they carry.

use std::{collections::BTreeSet, num::NonZeroU64, time::Duration};

use rumormill_transport_api::{Delivery, Listener, Target, Transport, Writer};
use rumormill_transport_mem::{Link, Network};
use tokio::time::{Instant, sleep_until};

use crate::ends::{
    MS, datagrams, listen, number, numbered, on, recv, recv_rest, recv_timed, send, slow, streams,
    target,
};

#[tokio::test(start_paused = true)]
async fn latency_is_exact_and_of_one_direction() {
    let network = Network::new(1);
    for (mut a, mut b) in [streams(&network).await, datagrams(&network).await] {
        network.set_link("a", "b", slow(30 * MS));
        let start = Instant::now();
        send(&mut b, ["back"]).await.unwrap();
        send(&mut a, ["there"]).await.unwrap();
        assert_eq!(recv_timed(&mut a, 1, start).await, [(Duration::ZERO, "back".into())]);
        assert_eq!(recv_timed(&mut b, 1, start).await, [(30 * MS, "there".into())]);
        network.set_link("a", "b", Link::default());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_opens_in_a_round_trip() {
    let network = Network::new(1);
    network.set_link("a", "b", slow(20 * MS));
    network.set_link("b", "a", slow(30 * MS));
    let mut port = listen(&on(&network, "b", Delivery::Stream), "mem://b:0").await;
    let target = Target::new(port.addr().clone());
    let start = Instant::now();
    let accepted = tokio::spawn(async move {
        let accepted = port.accept().await.unwrap();
        (accepted, start.elapsed())
    });
    let _dialed = on(&network, "a", Delivery::Stream).dial(&target).await.unwrap();
    assert_eq!(start.elapsed(), 50 * MS);
    assert_eq!(accepted.await.unwrap().1, 20 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_takes_a_round_trip() {
    let network = Network::new(1);
    network.set_default_link(slow(20 * MS));
    let start = Instant::now();
    let refused = on(&network, "a", Delivery::Stream).dial(&target("mem://b:7")).await;
    assert!(refused.is_err());
    assert_eq!(start.elapsed(), 40 * MS);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_changes_leaves_alone_what_is_on_its_way() {
    let network = Network::new(1);
    let (mut a, mut b) = datagrams(&network).await;
    network.set_link("a", "b", slow(30 * MS));
    let start = Instant::now();
    send(&mut a, ["first"]).await.unwrap();
    network.set_link("a", "b", slow(10 * MS));
    send(&mut a, ["second"]).await.unwrap();
    let expected = [(10 * MS, "second".into()), (30 * MS, "first".into())];
    assert_eq!(recv_timed(&mut b, 2, start).await, expected);
}

#[tokio::test(start_paused = true)]
async fn the_default_link_holds_where_none_was_set() {
    let network = Network::new(1);
    let (mut a, mut b) = streams(&network).await;
    network.set_link("b", "a", slow(5 * MS));
    network.set_default_link(slow(20 * MS));
    assert_eq!(network.link("a", "b"), slow(20 * MS));
    assert_eq!(network.link("b", "a"), slow(5 * MS));
    assert_eq!(network.link("x", "y"), slow(20 * MS));
    let start = Instant::now();
    send(&mut a, ["there"]).await.unwrap();
    send(&mut b, ["back"]).await.unwrap();
    assert_eq!(recv_timed(&mut a, 1, start).await[0].0, 5 * MS);
    assert_eq!(recv_timed(&mut b, 1, start).await[0].0, 20 * MS);
}

#[tokio::test(start_paused = true)]
async fn jitter_spreads_datagrams_over_its_span() {
    let network = Network::new(1);
    let (mut a, mut b) = datagrams(&network).await;
    network.set_link("a", "b", Link { jitter: 20 * MS, ..slow(10 * MS) });
    let start = Instant::now();
    send(&mut a, numbered(0..2000)).await.unwrap();
    let arrived = recv_timed(&mut b, 2000, start).await;
    assert!(arrived.iter().all(|(at, _)| (10 * MS..=30 * MS).contains(at)));
    let total: Duration = arrived.iter().map(|(at, _)| *at).sum();
    // 20 ms and the half millisecond of the timer; 20 ms of jitter have a deviation of 5.8 ms.
    let mean = total / 2000;
    assert!((20 * MS..21 * MS).contains(&mean), "{mean:?}");
    let in_order = arrived.iter().map(|(_, message)| number(message)).is_sorted();
    assert!(!in_order);
}

#[tokio::test(start_paused = true)]
async fn jitter_leaves_streams_in_order() {
    let network = Network::new(1);
    let (mut a, mut b) = streams(&network).await;
    network.set_link("a", "b", Link { jitter: 20 * MS, ..slow(10 * MS) });
    let start = Instant::now();
    send(&mut a, numbered(0..2000)).await.unwrap();
    let arrived = recv_timed(&mut b, 2000, start).await;
    assert!(arrived.iter().map(|(_, message)| number(message)).eq(0..2000));
    assert!(arrived.iter().all(|(at, _)| (10 * MS..=30 * MS).contains(at)));
}

#[tokio::test(start_paused = true)]
async fn datagrams_are_lost_at_the_rate_of_the_link() {
    let network = Network::new(1);
    let (mut a, mut b) = datagrams(&network).await;
    network.set_link("a", "b", Link { loss: 0.15, ..Link::default() });
    let mut arrived = Vec::new();
    for start in (0..20_000).step_by(1000) {
        send(&mut a, numbered(start..start + 1000)).await.unwrap();
        arrived.extend(recv_rest(&mut b).await.iter().map(number));
    }
    // A deviation is 50.
    assert!((16_800..17_200).contains(&arrived.len()), "{}", arrived.len());
    assert!(arrived.is_sorted_by(|one, next| one < next));
}

#[tokio::test(start_paused = true)]
async fn a_loss_on_a_stream_stalls_what_is_behind_it() {
    let network = Network::new(1);
    let (mut a, mut b) = streams(&network).await;
    network.set_link("a", "b", Link { loss: 0.15, ..slow(10 * MS) });
    let mut lost = 0;
    for start in 0..2000 {
        let sent = Instant::now();
        send(&mut a, numbered(start..start + 1)).await.unwrap();
        let [(at, message)] = &recv_timed(&mut b, 1, sent).await[..] else { panic!("one") };
        assert_eq!(number(message), start);
        assert_eq!(at.as_millis() % 200, 10);
        lost += at.as_millis() / 200;
    }
    // The mean is 0.15 / 0.85 of 2,000, a deviation is 20.
    assert!((273..433).contains(&lost), "{lost}");
}

#[tokio::test(start_paused = true)]
async fn datagrams_are_doubled_at_the_rate_of_the_link() {
    let network = Network::new(1);
    let (mut a, mut b) = datagrams(&network).await;
    network.set_link("a", "b", Link { duplicate: 0.2, jitter: 5 * MS, ..Link::default() });
    let mut arrived = Vec::new();
    for start in (0..10_000).step_by(1000) {
        send(&mut a, numbered(start..start + 1000)).await.unwrap();
        arrived.extend(recv_rest(&mut b).await.iter().map(number));
    }
    // A deviation is 40.
    assert!((11_840..12_160).contains(&arrived.len()), "{}", arrived.len());
    let different: BTreeSet<u32> = arrived.into_iter().collect();
    assert!(different.into_iter().eq(0..10_000));
}

#[tokio::test(start_paused = true)]
async fn later_datagrams_overtake_the_reordered_ones() {
    let network = Network::new(1);
    let (mut a, mut b) = datagrams(&network).await;
    network.set_link("a", "b", Link { reorder: 0.1, ..slow(30 * MS) });
    let start = Instant::now();
    for at in 0..1000 {
        sleep_until(start + at * MS).await;
        send(&mut a, numbered(at..at + 1)).await.unwrap();
    }
    let late = recv_rest(&mut b).await;
    let overtaken = late.windows(2).filter(|pair| number(&pair[1]) < number(&pair[0])).count();
    assert_eq!(late.len(), 1000);
    // A deviation is 9.5; two that follow each other are overtaken together.
    assert!((60..140).contains(&overtaken), "{overtaken}");
}

#[tokio::test(start_paused = true)]
async fn a_reordered_datagram_takes_another_latency_and_at_least_10_ms() {
    let network = Network::new(1);
    let (mut a, mut b) = datagrams(&network).await;
    for (latency, total) in [(30 * MS, 60 * MS), (2 * MS, 12 * MS)] {
        network.set_link("a", "b", Link { reorder: 1.0, ..slow(latency) });
        let start = Instant::now();
        send(&mut a, ["late"]).await.unwrap();
        assert_eq!(recv_timed(&mut b, 1, start).await, [(total, "late".into())]);
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_take_their_time_on_a_narrow_link() {
    let network = Network::new(1);
    let (mut a, mut b) = streams(&network).await;
    network.set_link("a", "b", narrow(100_000));
    let start = Instant::now();
    let sending = tokio::spawn(async move {
        send(&mut a, (0..10).map(|_| vec![0; 100_000])).await.unwrap();
        a
    });
    let arrived = recv_timed(&mut b, 10, start).await;
    let seconds: Vec<u64> = arrived.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(seconds, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    sending.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn conns_share_the_bandwidth_of_their_link() {
    let network = Network::new(1);
    network.set_link("a", "b", narrow(100_000));
    let start = Instant::now();
    let (mut one, mut other) = (streams(&network).await, streams(&network).await);
    for (a, _) in [&mut one, &mut other] {
        send(a, (0..50).map(|_| vec![0; 1000])).await.unwrap();
    }
    assert_eq!(recv_timed(&mut one.1, 50, start).await[49].0, 500 * MS);
    assert_eq!(recv_timed(&mut other.1, 50, start).await[49].0, 1000 * MS);
}

#[tokio::test(start_paused = true)]
async fn datagrams_do_not_queue_without_end() {
    let network = Network::new(1);
    let (mut a, mut b) = datagrams(&network).await;
    network.set_link("a", "b", narrow(100_000));
    let start = Instant::now();
    send(&mut a, (0..200).map(|_| vec![0; 1000])).await.unwrap();
    // Those that wait for up to a second, and the one that then takes its turn.
    let arrived = recv_timed(&mut b, 101, start).await;
    assert_eq!(arrived[100].0, 1010 * MS);
    assert!(recv_rest(&mut b).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_end_travels_like_a_message() {
    let network = Network::new(1);
    network.set_link("a", "b", slow(30 * MS));
    let (mut a, mut b) = streams(&network).await;
    let start = Instant::now();
    a.writer.close().await.unwrap();
    crate::ends::assert_closed(recv(&mut b).await);
    assert_eq!(start.elapsed(), 30 * MS);
}

fn narrow(bandwidth: u64) -> Link {
    Link { bandwidth: NonZeroU64::new(bandwidth), ..Link::default() }
}
