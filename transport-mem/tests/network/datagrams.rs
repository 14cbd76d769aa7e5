//! Datagrams: by themselves, bounded by loss, and without an end.

use rumormill_transport_api::{
    Batch, Caps, Delivery, Error, Listener, Reader, Target, Transport, Writer,
};
use rumormill_transport_mem::{Link, Mem, Network, Settings};
use tokio::{task::yield_now, time::Instant};

use crate::ends::{
    MS, assert_closed, datagrams, listen, number, numbered, on, once, recv, recv_rest, send, slow,
    soon, target,
};

#[tokio::test(start_paused = true)]
async fn a_full_queue_drops_and_counts() {
    let network = Network::new(1);
    let b = on(&network, "b", Delivery::Datagram);
    let mut port = listen(&b, "mem://b:7").await;
    let a = on(&network, "a", Delivery::Datagram);
    let mut dialed = a.dial(&target("mem://b:7")).await.unwrap();
    for start in (0..10_000).step_by(100) {
        send(&mut dialed, numbered(start..start + 100)).await.unwrap();
    }
    let mut accepted = port.accept().await.unwrap();
    let arrived = recv_rest(&mut accepted).await;
    let fitting = Settings::default().window / (4 + 64);
    assert!(arrived.iter().map(number).eq(0..fitting as u32));
    assert_eq!(b.counters().messages_overflowed.get(), 10_000 - fitting as u64);
    assert_eq!(a.counters().messages_overflowed.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dial_to_nobody_is_silent_and_counted() {
    let network = Network::new(1);
    let a = on(&network, "a", Delivery::Datagram);
    let mut dialed = a.dial(&target("mem://b:7")).await.unwrap();
    send(&mut dialed, ["one", "two"]).await.unwrap();
    assert!(soon(recv(&mut dialed)).await.is_none());
    assert_eq!(a.counters().messages_unsent.get(), 2);

    let mut port = listen(&on(&network, "b", Delivery::Datagram), "mem://b:7").await;
    send(&mut dialed, ["three"]).await.unwrap();
    assert_eq!(recv(&mut port.accept().await.unwrap()).await.unwrap(), ["three"]);
}

#[tokio::test(start_paused = true)]
async fn the_listener_learns_of_a_conn_with_its_first_message() {
    let network = Network::new(1);
    network.set_default_link(slow(10 * MS));
    let mut port = listen(&on(&network, "b", Delivery::Datagram), "mem://b:7").await;
    let a = on(&network, "a", Delivery::Datagram);
    let mut dialed = a.dial(&target("mem://b:7")).await.unwrap();
    assert!(soon(port.accept()).await.is_none());
    let start = Instant::now();
    send(&mut dialed, ["first"]).await.unwrap();
    let mut accepted = port.accept().await.unwrap();
    assert_eq!(start.elapsed(), 10 * MS);
    assert_eq!(recv(&mut accepted).await.unwrap(), ["first"]);
    send(&mut accepted, ["reply"]).await.unwrap();
    assert_eq!(recv(&mut dialed).await.unwrap(), ["reply"]);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_overtakes_the_first_brings_the_conn() {
    let network = Network::new(1);
    let mut port = listen(&on(&network, "b", Delivery::Datagram), "mem://b:7").await;
    let a = on(&network, "a", Delivery::Datagram);
    let mut dialed = a.dial(&target("mem://b:7")).await.unwrap();
    let start = Instant::now();
    for latency in [50, 20, 30] {
        network.set_default_link(slow(latency * MS));
        send(&mut dialed, [latency.to_string()]).await.unwrap();
    }
    let mut accepted = port.accept().await.unwrap();
    assert_eq!(start.elapsed(), 20 * MS);
    assert_eq!(recv_rest(&mut accepted).await, ["20", "30", "50"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_message_brings_no_conn() {
    let network = Network::new(1);
    network.set_default_link(Link { loss: 1.0, ..Link::default() });
    let mut port = listen(&on(&network, "b", Delivery::Datagram), "mem://b:7").await;
    let a = on(&network, "a", Delivery::Datagram);
    let mut dialed = a.dial(&target("mem://b:7")).await.unwrap();
    send(&mut dialed, ["lost"]).await.unwrap();
    assert!(soon(port.accept()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn the_longest_datagram_passes_and_no_longer_one() {
    let (mut a, mut b) = datagrams(&Network::new(1)).await;
    assert_eq!(a.info.caps, Caps { local_only: true, ..Caps::DATAGRAM });
    send(&mut a, [vec![7; 65_507]]).await.unwrap();
    assert_eq!(recv(&mut b).await.unwrap(), [vec![7; 65_507]]);
    let mut batch = Batch::from_iter([vec![7; 65_508], vec![1]]);
    let refused = a.writer.send(&mut batch).await;
    assert!(matches!(refused, Err(Error::TooLarge { len: 65_508, max: 65_507 })), "{refused:?}");
    assert_eq!(batch.len(), 2);
    send(&mut a, [""]).await.unwrap();
    assert_eq!(recv_rest(&mut b).await, [""]);
}

#[tokio::test(start_paused = true)]
async fn a_datagram_longer_than_the_receiver_takes_is_rejected() {
    let network = Network::new(1);
    let delivery = Delivery::Datagram;
    let short = Settings { host: "b".into(), delivery, max_message: 100, ..Settings::default() };
    let b = Mem::new(network.clone(), short);
    let mut port = listen(&b, "mem://:7").await;
    let mut dialed =
        on(&network, "a", delivery).dial(&Target::new(port.addr().clone())).await.unwrap();
    send(&mut dialed, [vec![0; 100], vec![0; 101]]).await.unwrap();
    let mut accepted = port.accept().await.unwrap();
    assert_eq!(accepted.info.caps.max_message, 100);
    assert_eq!(recv_rest(&mut accepted).await, [vec![0; 100]]);
    assert_eq!(b.counters().messages_rejected.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_learns_of_the_end() {
    let (mut a, b) = datagrams(&Network::new(1)).await;
    a.writer.close().await.unwrap();
    assert_closed(send(&mut a, ["more"]).await);
    assert_closed(a.writer.close().await);
    drop(b);
    assert!(soon(recv(&mut a)).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_left_comes_anew() {
    let network = Network::new(1);
    let mut port = listen(&on(&network, "b", Delivery::Datagram), "mem://b:7").await;
    let a = on(&network, "a", Delivery::Datagram);
    let mut dialed = a.dial(&target("mem://b:7")).await.unwrap();
    for round in ["one", "two", "three"] {
        send(&mut dialed, [round]).await.unwrap();
        let mut accepted = port.accept().await.unwrap();
        assert_eq!(accepted.info.remote, dialed.info.local);
        assert_eq!(recv(&mut accepted).await.unwrap(), [round]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_any_more_is_rejected() {
    let network = Network::new(1);
    let b = on(&network, "b", Delivery::Datagram);
    let mut port = listen(&b, "mem://b:7").await;
    let mut dialed =
        on(&network, "a", Delivery::Datagram).dial(&target("mem://b:7")).await.unwrap();
    send(&mut dialed, ["one"]).await.unwrap();
    let accepted = port.accept().await.unwrap();
    drop(accepted.reader);
    send(&mut dialed, ["two"]).await.unwrap();
    assert_eq!(b.counters().messages_rejected.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dial_from_a_listener_is_answered_there() {
    let network = Network::new(1);
    let (a, b) = (on(&network, "a", Delivery::Datagram), on(&network, "b", Delivery::Datagram));
    let (mut at_a, mut at_b) = (listen(&a, "mem://:7").await, listen(&b, "mem://:7").await);
    let from_a = Target { from: Some(at_a.addr().clone()), ..target("mem://b:7") };
    let mut dialed = a.dial(&from_a).await.unwrap();
    assert_eq!(&dialed.info.local, at_a.addr());
    let busy = a.dial(&from_a).await;
    assert!(matches!(busy, Err(Error::Busy { .. })), "{busy:?}");

    send(&mut dialed, ["question"]).await.unwrap();
    let mut accepted = at_b.accept().await.unwrap();
    assert_eq!(&accepted.info.remote, at_a.addr());
    send(&mut accepted, ["answer"]).await.unwrap();
    assert_eq!(recv(&mut dialed).await.unwrap(), ["answer"]);

    drop(dialed);
    send(&mut accepted, ["afterthought"]).await.unwrap();
    let mut returned = at_a.accept().await.unwrap();
    assert_eq!(&returned.info.remote, at_b.addr());
    assert_eq!(recv(&mut returned).await.unwrap(), ["afterthought"]);
}

#[tokio::test(start_paused = true)]
async fn a_dial_from_somebody_elses_listener_is_refused() {
    let network = Network::new(1);
    let (a, b) = (on(&network, "a", Delivery::Datagram), on(&network, "b", Delivery::Datagram));
    let port = listen(&b, "mem://b:7").await;
    for from in [port.addr().clone(), "mem://a:9".parse().unwrap()] {
        let refused = a.dial(&Target { from: Some(from), ..target("mem://b:7") }).await;
        assert!(matches!(refused, Err(Error::Address { .. })), "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_backlog_drops_and_counts() {
    let network = Network::new(1);
    let b = on(&network, "b", Delivery::Datagram);
    let mut port = listen(&b, "mem://b:7?backlog=2").await;
    let a = on(&network, "a", Delivery::Datagram);
    let mut conns = Vec::new();
    for _ in 0..3 {
        let mut dialed = a.dial(&target("mem://b:7")).await.unwrap();
        send(&mut dialed, ["hello"]).await.unwrap();
        conns.push(dialed);
    }
    assert_eq!(b.counters().conns_refused.get(), 1);
    assert_eq!(b.counters().messages_rejected.get(), 1);
    for dialed in &conns[..2] {
        assert_eq!(port.accept().await.unwrap().info.remote, dialed.info.local);
    }
    assert!(soon(port.accept()).await.is_none());
    send(&mut conns[2], ["again"]).await.unwrap();
    assert_eq!(recv(&mut port.accept().await.unwrap()).await.unwrap(), ["again"]);
}

#[tokio::test(start_paused = true)]
async fn an_accepted_conn_outlives_its_listener() {
    let network = Network::new(1);
    let b = on(&network, "b", Delivery::Datagram);
    let mut port = listen(&b, "mem://b:7").await;
    let a = on(&network, "a", Delivery::Datagram);
    let mut old = a.dial(&target("mem://b:7")).await.unwrap();
    send(&mut old, ["hello"]).await.unwrap();
    let mut accepted = port.accept().await.unwrap();
    drop(port);

    let mut port = listen(&b, "mem://b:7").await;
    let mut new = a.dial(&target("mem://b:7")).await.unwrap();
    send(&mut old, ["old"]).await.unwrap();
    send(&mut new, ["new"]).await.unwrap();
    assert_eq!(recv_rest(&mut accepted).await, ["hello", "old"]);
    assert_eq!(recv_rest(&mut port.accept().await.unwrap()).await, ["new"]);
}

#[tokio::test(start_paused = true)]
async fn dropped_futures_lose_and_double_nothing() {
    let (mut a, mut b) = datagrams(&Network::new(1)).await;
    let sending = tokio::spawn(async move {
        for start in (0..50_000).step_by(10) {
            let mut batch: Batch = numbered(start..start + 10).collect();
            let mut sent = once(a.writer.send(&mut batch)).await;
            assert!(batch.is_empty());
            while sent.is_none() {
                yield_now().await;
                sent = once(a.writer.send(&mut batch)).await;
            }
            sent.unwrap().unwrap();
        }
    });
    let (mut arrived, mut dropped) = (Vec::new(), 0);
    while arrived.len() < 50_000 {
        match once(b.reader.recv(&mut arrived)).await {
            Some(received) => received.unwrap(),
            None => {
                dropped += 1;
                yield_now().await;
            }
        }
    }
    sending.await.unwrap();
    assert!(arrived.iter().map(number).eq(0..50_000));
    assert!(10 < dropped, "{dropped}");
}
