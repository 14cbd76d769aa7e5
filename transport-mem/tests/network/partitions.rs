//! Links that let nothing pass for a while.

use std::time::Duration;

use rumormill_transport_api::{Delivery, Listener, Reader, Target, Transport};
use rumormill_transport_mem::{Link, Network};
use tokio::time::{Instant, sleep_until};

use crate::ends::{
    MS, assert_cut, datagrams, listen, on, recv, recv_rest, recv_timed, send, slow, soon, streams,
};

#[tokio::test(start_paused = true)]
async fn a_partition_holds_up_a_stream_in_one_direction() {
    let network = Network::new(1);
    network.set_link("a", "b", slow(10 * MS));
    let (mut a, mut b) = streams(&network).await;
    network.partition("a", "b");
    send(&mut a, ["one"]).await.unwrap();
    send(&mut a, ["two"]).await.unwrap();
    send(&mut b, ["back"]).await.unwrap();
    assert_eq!(recv(&mut a).await.unwrap(), ["back"]);
    assert!(soon(recv(&mut b)).await.is_none());

    let start = Instant::now();
    network.heal("a", "b");
    let expected = [(10 * MS, "one".into()), (10 * MS, "two".into())];
    assert_eq!(recv_timed(&mut b, 2, start).await, expected);
}

#[tokio::test(start_paused = true)]
async fn what_was_on_its_way_arrives_during_a_partition() {
    let network = Network::new(1);
    network.set_default_link(slow(10 * MS));
    for (mut a, mut b) in [streams(&network).await, datagrams(&network).await] {
        send(&mut a, ["before"]).await.unwrap();
        network.partition_both("a", "b");
        send(&mut a, ["during"]).await.unwrap();
        assert_eq!(recv(&mut b).await.unwrap(), ["before"]);
        assert!(soon(recv(&mut b)).await.is_none());
        network.heal_both("a", "b");
    }
}

#[tokio::test(start_paused = true)]
async fn a_heal_wakes_a_reader_that_waits() {
    let network = Network::new(1);
    let (mut a, mut b) = streams(&network).await;
    network.partition("a", "b");
    send(&mut a, ["held"]).await.unwrap();
    let reading = tokio::spawn(async move { recv(&mut b).await.unwrap() });
    sleep_until(Instant::now() + 50 * MS).await;
    assert!(!reading.is_finished());
    network.heal("a", "b");
    assert_eq!(soon(reading).await.unwrap().unwrap(), ["held"]);
}

#[tokio::test(start_paused = true)]
async fn datagrams_are_lost_during_a_partition() {
    let network = Network::new(1);
    let (mut a, mut b) = datagrams(&network).await;
    network.partition("a", "b");
    send(&mut a, ["during"]).await.unwrap();
    send(&mut b, ["back"]).await.unwrap();
    network.heal("a", "b");
    send(&mut a, ["after"]).await.unwrap();
    assert_eq!(recv(&mut a).await.unwrap(), ["back"]);
    assert_eq!(recv_rest(&mut b).await, ["after"]);
}

#[tokio::test(start_paused = true)]
async fn a_dial_waits_for_the_heal_of_either_direction() {
    let network = Network::new(1);
    let mut port = listen(&on(&network, "b", Delivery::Stream), "mem://b:0").await;
    let target = Target::new(port.addr().clone());
    let a = on(&network, "a", Delivery::Stream);
    for (from, to) in [("a", "b"), ("b", "a")] {
        network.partition(from, to);
        let (a, target) = (a.clone(), target.clone());
        let dialing = tokio::spawn(async move { a.dial(&target).await });
        sleep_until(Instant::now() + Duration::from_secs(100)).await;
        assert!(!dialing.is_finished());
        network.heal(from, to);
        soon(dialing).await.unwrap().unwrap().unwrap();
        port.accept().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_writer_waits_at_the_window_during_a_partition() {
    let network = Network::new(1);
    let (mut a, mut b) = streams(&network).await;
    network.partition("a", "b");
    let messages = || (0..1000).map(|_| vec![0; 1000]);
    assert!(soon(send(&mut a, messages())).await.is_none());
    network.heal("a", "b");
    let sending = tokio::spawn(async move { send(&mut a, [""]).await });
    let arrived = recv_timed(&mut b, 1001, Instant::now()).await;
    assert!(arrived[1000].1.is_empty());
    sending.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_loss_of_one_holds_up_a_stream_until_the_link_is_better() {
    let network = Network::new(1);
    let (mut a, mut b) = streams(&network).await;
    network.set_link("a", "b", Link { loss: 1.0, ..Link::default() });
    send(&mut a, ["held"]).await.unwrap();
    assert!(soon(recv(&mut b)).await.is_none());
    network.set_default_link(Link::default());
    assert!(soon(recv(&mut b)).await.is_none());
    network.set_link("a", "b", Link::default());
    assert_eq!(soon(recv(&mut b)).await.unwrap().unwrap(), ["held"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_behind_a_partition_is_learnt_of_after_the_heal() {
    let network = Network::new(1);
    network.set_default_link(slow(10 * MS));
    let (mut a, b) = streams(&network).await;
    network.partition("b", "a");
    drop(b);
    send(&mut a, ["into the void"]).await.unwrap();
    assert!(soon(recv(&mut a)).await.is_none());
    send(&mut a, ["still"]).await.unwrap();

    network.heal("b", "a");
    let start = Instant::now();
    assert_cut(recv(&mut a).await);
    assert_eq!(start.elapsed(), 10 * MS);
    assert_cut(send(&mut a, ["now known"]).await);
}

#[tokio::test(start_paused = true)]
async fn a_crash_behind_a_partition_holds_up_the_writer() {
    let network = Network::new(1);
    let (mut a, b) = streams(&network).await;
    network.partition("b", "a");
    drop(b);
    let sending = tokio::spawn(async move { send(&mut a, (0..1000).map(|_| vec![0; 1000])).await });
    sleep_until(Instant::now() + Duration::from_secs(100)).await;
    assert!(!sending.is_finished());
    network.heal("b", "a");
    assert_cut(soon(sending).await.unwrap().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_partition_of_a_host_from_itself_heals() {
    let network = Network::new(1);
    let a = on(&network, "a", Delivery::Stream);
    let mut port = listen(&a, "mem://a:0").await;
    let mut dialed = a.dial(&Target::new(port.addr().clone())).await.unwrap();
    let mut accepted = port.accept().await.unwrap();
    network.partition("a", "a");
    send(&mut dialed, ["there"]).await.unwrap();
    send(&mut accepted, ["back"]).await.unwrap();
    drop(accepted.writer);
    assert!(soon(dialed.reader.recv(&mut Vec::new())).await.is_none());
    drop(accepted.reader);
    network.heal("a", "a");
    assert_eq!(recv(&mut dialed).await.unwrap(), ["back"]);
    assert_cut(recv(&mut dialed).await);
    assert_cut(send(&mut dialed, ["more"]).await);
}
