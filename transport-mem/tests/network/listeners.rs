//! Who can be dialled, by whom, and how many wait.

use std::io;

use rumormill_transport_api::{
    Delivery, Error, Expect, Listener, NodeId, Reader, Target, Transport, Writer,
};
use rumormill_transport_mem::{Mem, Network};
use tokio::task::JoinSet;

use crate::ends::{
    MS, assert_closed, assert_cut, listen, number, numbered, on, once, recv, send, slow, soon,
    target,
};

#[tokio::test(start_paused = true)]
async fn an_address_has_one_listener_of_each_kind() {
    let network = Network::new(1);
    let stream = on(&network, "b", Delivery::Stream);
    let datagram = on(&network, "b", Delivery::Datagram);
    let ports = (listen(&stream, "mem://b:7").await, listen(&datagram, "mem://b:7").await);
    for mem in [&stream, &datagram] {
        let taken = mem.listen(&"mem://:7".parse().unwrap()).await;
        assert!(matches!(taken, Err(Error::InUse { .. })), "{taken:?}");
    }
    drop(ports);
    listen(&stream, "mem://b:7").await;
    listen(&datagram, "mem://b:7").await;
}

#[tokio::test(start_paused = true)]
async fn a_dial_to_nobody_is_refused() {
    let mem = on(&Network::new(1), "a", Delivery::Stream);
    let refused = mem.dial(&target("mem://b:7")).await;
    let Err(Error::Unreachable { addr, source }) = refused else { panic!("{refused:?}") };
    assert_eq!(addr.to_string(), "mem://b:7");
    assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn a_full_backlog_is_busy_until_somebody_is_accepted() {
    let network = Network::new(1);
    let b = on(&network, "b", Delivery::Stream);
    let mut port = listen(&b, "mem://b:7?backlog=2").await;
    let a = on(&network, "a", Delivery::Stream);
    let dial = || async { a.dial(&target("mem://b:7")).await };
    let _waiting = (dial().await.unwrap(), dial().await.unwrap());
    let busy = dial().await;
    assert!(matches!(busy, Err(Error::Busy { .. })), "{busy:?}");
    assert_eq!(b.counters().conns_refused.get(), 1);
    port.accept().await.unwrap();
    dial().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dropped_listener_cuts_off_whoever_waits_and_nobody_else() {
    let network = Network::new(1);
    let mut port = listen(&on(&network, "b", Delivery::Stream), "mem://b:7").await;
    let a = on(&network, "a", Delivery::Stream);
    let mut accepted_one = a.dial(&target("mem://b:7")).await.unwrap();
    let mut accepted = port.accept().await.unwrap();
    let mut waiting = a.dial(&target("mem://b:7")).await.unwrap();
    drop(port);
    assert_cut(recv(&mut waiting).await);
    assert_cut(send(&mut waiting, ["hello"]).await);
    send(&mut accepted_one, ["hello"]).await.unwrap();
    assert_eq!(recv(&mut accepted).await.unwrap(), ["hello"]);
    assert!(a.dial(&target("mem://b:7")).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_dial_is_a_cut_at_the_listener() {
    let network = Network::new(1);
    network.set_default_link(slow(10 * MS));
    let mut port = listen(&on(&network, "b", Delivery::Stream), "mem://b:7").await;
    let a = on(&network, "a", Delivery::Stream);
    for (after, is_known) in [(5, false), (15, true)] {
        let dialed = tokio::time::timeout(after * MS, a.dial(&target("mem://b:7"))).await;
        assert!(dialed.is_err());
        match soon(port.accept()).await {
            Some(accepted) if is_known => assert_cut(recv(&mut accepted.unwrap()).await),
            accepted => assert!(accepted.is_none() && !is_known),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_number_0_is_one_that_nobody_has_had() {
    let network = Network::new(1);
    let mem = on(&network, "b", Delivery::Stream);
    let mut addrs = Vec::new();
    for text in ["mem://b:0", "mem://:0", "mem://b:0", "mem://c:0"] {
        addrs.push(listen(&mem, text).await.addr().to_string());
    }
    assert_eq!(addrs, ["mem://b:49152", "mem://b:49153", "mem://b:49154", "mem://c:49155"]);
    let refused = mem.dial(&target("mem://b:0")).await;
    assert!(matches!(refused, Err(Error::Address { .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn a_conn_tells_complete_addresses() {
    let network = Network::new(1);
    let mem = on(&network, "b", Delivery::Stream);
    let ports = (listen(&mem, "mem://:7").await, listen(&mem, "mem://:7?delivery=datagram").await);
    for (text, port) in [
        ("mem://:7?window=1KiB", &ports.0),
        ("mem://:7?delivery=datagram&host=b&window=1KiB", &ports.1),
    ] {
        let dialed = mem.dial(&target(text)).await.unwrap();
        assert_eq!(&dialed.info.remote, port.addr());
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_honoured_is_refused() {
    let network = Network::new(1);
    for delivery in [Delivery::Stream, Delivery::Datagram] {
        let mem = on(&network, "b", delivery);
        let port = listen(&mem, "mem://b:7").await;
        let expect = Expect::Node(NodeId([7; 32]));
        let refused = mem.dial(&Target { expect, ..target("mem://b:7") }).await;
        assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
        let from = Some(port.addr().clone());
        let dialed = mem.dial(&Target { from, ..target("mem://b:7") }).await;
        let is_refused = matches!(dialed, Err(Error::Unsupported { .. }));
        assert_eq!(is_refused, delivery == Delivery::Stream, "{dialed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn silent_dialers_hold_up_nobody() {
    let network = Network::new(1);
    for delivery in [Delivery::Stream, Delivery::Datagram] {
        let mut port = listen(&on(&network, "b", delivery), "mem://b:7").await;
        let a = on(&network, "a", delivery);
        let mut silent = Vec::new();
        for _ in 0..1000 {
            silent.push(a.dial(&target("mem://b:7")).await.unwrap());
        }
        let mut dialed = a.dial(&target("mem://b:7")).await.unwrap();
        send(&mut dialed, ["hello"]).await.unwrap();
        let mut accepted = port.accept().await.unwrap();
        while accepted.info.remote != dialed.info.local {
            accepted = port.accept().await.unwrap();
        }
        assert_eq!(recv(&mut accepted).await.unwrap(), ["hello"]);
    }
}

#[tokio::test(start_paused = true)]
async fn dropped_accepts_lose_no_conn() {
    let network = Network::new(1);
    network.set_default_link(slow(10 * MS));
    let mut port = listen(&on(&network, "b", Delivery::Stream), "mem://b:7").await;
    let a = on(&network, "a", Delivery::Stream);
    let mut dialing = JoinSet::new();
    for _ in 0..100 {
        let a = a.clone();
        dialing.spawn(async move { a.dial(&target("mem://b:7")).await.unwrap() });
    }
    let mut accepted = Vec::new();
    while accepted.len() < 100 {
        match once(port.accept()).await {
            Some(conn) => accepted.push(conn.unwrap()),
            None => tokio::time::advance(MS / 10).await,
        }
    }
    assert!(once(port.accept()).await.is_none());
    assert_eq!(dialing.join_all().await.len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_conns_echo_at_once() {
    let network = Network::new(1);
    let mut port = listen(&on(&network, "b", Delivery::Stream), "mem://b:7").await;
    let a = on(&network, "a", Delivery::Stream);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut echoes = JoinSet::new();
        for _ in 0..1000 {
            echoes.spawn(echo(port.accept().await.unwrap()));
        }
        echoes.join_all().await;
    });
    for _ in 0..1000 {
        tasks.spawn(ask(a.clone()));
    }
    tasks.join_all().await;
}

async fn ask(a: Mem) {
    let mut conn = a.dial(&target("mem://b:7")).await.unwrap();
    for start in (0..200).step_by(50) {
        send(&mut conn, numbered(start..start + 50)).await.unwrap();
        let mut answers = Vec::new();
        while answers.len() < 50 {
            conn.reader.recv(&mut answers).await.unwrap();
        }
        assert!(answers.iter().map(number).eq(start..start + 50));
    }
    conn.writer.close().await.unwrap();
    assert_closed(recv(&mut conn).await);
}

async fn echo(mut conn: crate::ends::End) {
    while let Ok(arrived) = recv(&mut conn).await {
        send(&mut conn, arrived).await.unwrap();
    }
    conn.writer.close().await.unwrap();
}
