//! What a listener takes, and what it counts when there is more.

use std::time::Duration;

use rumormill_transport_api::{Error, Listener, Transport};
use rumormill_transport_quic::{Quic, Settings};

use crate::{
    support::{RawDialer, context, quic},
    talk::{a_moment, connect, dial, echo, echoing, error, listen, soon, try_dial, until},
};

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_until_there_is_room() {
    for options in ["?connections=2", "?source_connections=2"] {
        let there = context();
        let server = Quic::new(Settings::default(), &there).unwrap();
        let mut listener = listen(&server, options).await;
        let first = connect(&quic(), &mut listener).await;
        let _second = connect(&quic(), &mut listener).await;
        let third = quic();
        let busy = error(try_dial(&third, listener.addr()).await);
        assert!(matches!(busy, Error::Busy { .. }) && busy.is_retryable(), "{busy:?}");
        assert_eq!(there.counters.conns_refused.get(), 1);
        drop(first);
        let target = listener.addr().clone().into();
        let room = async {
            while third.dial(&target).await.is_err() {
                a_moment().await;
            }
        };
        soon("room for a third", room).await;
    }
}

/// Two shake hands for the last place: one of them has it, the other is told.
#[tokio::test]
async fn of_many_dials_at_once_as_many_are_served_as_there_is_room_for() {
    let there = context();
    let server = Quic::new(Settings::default(), &there).unwrap();
    let server = echoing(&server, "?connections=3").await;
    let mut dials = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let to = server.addr().clone();
        dials.spawn(async move {
            let dialer = quic();
            let mut conn = dialer.dial(&to.into()).await?;
            let mut batch = ["hello"].into_iter().collect();
            rumormill_transport_api::Writer::send(&mut conn.writer, &mut batch).await?;
            let mut arrived = Vec::new();
            rumormill_transport_api::Reader::recv(&mut conn.reader, &mut arrived).await?;
            Ok::<_, Error>(conn)
        });
    }
    let dials = soon("the dials", dials.join_all()).await;
    let served = dials.iter().filter(|dial| dial.is_ok()).count();
    let busy = dials.iter().filter(|dial| matches!(dial, Err(Error::Busy { .. }))).count();
    assert_eq!((served, busy), (3, 9), "{dials:?}");
    assert_eq!(there.counters.conns_refused.get(), 9);
}

/// Signs of life keep a connection from falling silent, but not one without conns.
#[tokio::test]
async fn a_connection_without_conns_does_not_keep_its_place() {
    let server = echoing(&quic(), "?idle=1s&connections=1").await;
    let mut dialer = RawDialer::default();
    dialer.keep_alive = Some(Duration::from_millis(100));
    let connection = dialer.connect(server.addr().clone()).await.unwrap();
    soon("the connection to end", connection.closed()).await;
    let mut conn = dial(&quic(), server.addr()).await;
    echo(&mut conn, "there is a place").await;
}

/// Conns may be silent for longer than a connection may.
#[tokio::test]
async fn a_silent_conn_stays() {
    let settings = Settings {
        idle: Duration::from_secs(1),
        keep_alive: Some(Duration::from_millis(200)),
        ..Settings::default()
    };
    let dialer = Quic::new(settings, &context()).unwrap();
    let server = echoing(&quic(), "?idle=1s").await;
    let mut conn = dial(&dialer, server.addr()).await;
    echo(&mut conn, "before").await;
    let long_enough = tokio::time::Instant::now() + Duration::from_millis(2500);
    tokio::time::sleep_until(long_enough).await;
    echo(&mut conn, "after").await;
}

/// Conns that nobody accepts fill their connection, and then their dialer is told.
#[tokio::test]
async fn conns_that_nobody_accepts_are_bounded() {
    let server = quic();
    let mut listener = listen(&server, "?backlog=2&conns=8").await;
    let dialer = quic();
    let mut dialled = Vec::new();
    for _ in 0..8 {
        let mut conn = dial(&dialer, listener.addr()).await;
        crate::talk::send(&mut conn.writer, ["hello"]).await;
        dialled.push(conn);
    }
    assert!(matches!(try_dial(&dialer, listener.addr()).await, Err(Error::Busy { .. })));
    for _ in 0..8 {
        crate::talk::accept(&mut listener).await;
    }
}

#[tokio::test]
async fn what_is_no_quic_at_all_is_passed_over() {
    let there = context();
    let server = Quic::new(Settings::default(), &there).unwrap();
    let server = echoing(&server, "").await;
    let stranger = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    stranger.connect(server.addr().rest()).await.unwrap();
    for len in 0..1200usize {
        // As short and as long headers, with every type, and as plain text.
        let noise: Vec<u8> =
            (0..len).map(|i| (i * 31 + len) as u8 | ((len % 3) as u8 * 64)).collect();
        stranger.send(&noise).await.unwrap();
        stranger.send(&b"GET / HTTP/1.1\r\n\r\n".repeat(1 + len / 20)).await.unwrap();
        if len % 100 == 0 {
            echo(&mut dial(&quic(), server.addr()).await, "unharmed").await;
        }
    }
    assert_eq!(there.counters.conns_refused.get(), 0);
    until("no handshake to be left", || there.counters.conns_evicted.get() == 0).await;
}
