//! Paths that lose, delay, reorder, and change.

use std::time::Duration;

use bytes::Bytes;
use rumormill_transport_api::{Error, Listener, Writer};

use crate::{
    proxy::{Proxy, Weather},
    support::quic,
    talk::{
        accept, addr, dial, echo, echoing, error, listen, recv, recv_to_end, send, soon, try_dial,
    },
};

#[tokio::test]
async fn a_conn_lives_on_when_its_dialer_moves() {
    let server = echoing(&quic(), "").await;
    let proxy = Proxy::to(server.addr(), Weather::default()).await;
    let dialer = quic();
    let mut conn = dial(&dialer, &proxy.addr).await;
    echo(&mut conn, "before").await;
    for _ in 0..3 {
        proxy.move_away();
        for _ in 0..20 {
            echo(&mut conn, "after").await;
        }
    }
    // New conns take the connection at its new place.
    echo(&mut dial(&dialer, &proxy.addr).await, "beside").await;
    soon("closing", conn.writer.close()).await.expect("closing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_arrives_in_order_over_a_lossy_path() {
    let server = quic();
    let mut listener = listen(&server, "").await;
    let (delay, jitter) = (Duration::from_millis(50), Duration::from_millis(20));
    let proxy = Proxy::to(listener.addr(), Weather { loss: 5, delay, jitter }).await;
    let mut dialled = dial(&quic(), &proxy.addr).await;
    let sent: Vec<Bytes> =
        (0..400u32).map(|n| n.to_be_bytes().repeat(1 + 2 * n as usize % 300).into()).collect();
    let sending = async {
        for some in sent.chunks(50) {
            send(&mut dialled.writer, some.iter().cloned()).await;
        }
        soon("closing", dialled.writer.close()).await.expect("closing");
    };
    let receiving = async {
        let mut accepted = accept(&mut listener).await;
        let (arrived, end) = recv_to_end(&mut accepted.reader).await;
        (arrived, end, accepted)
    };
    let ((), (arrived, end, mut accepted)) = tokio::join!(sending, receiving);
    assert!(arrived == sent, "{} messages arrived of {}", arrived.len(), sent.len());
    assert!(matches!(end, Error::Closed), "{end:?}");
    send(&mut accepted.writer, sent.iter().take(20).cloned()).await;
    assert_eq!(recv(&mut dialled.reader, 20).await, sent[..20]);
}

#[tokio::test]
async fn a_silent_peer_is_unreachable_after_the_handshakes_deadline() {
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let settings = rumormill_transport_quic::Settings {
        handshake: Duration::from_millis(300),
        ..Default::default()
    };
    let dialer = rumormill_transport_quic::Quic::new(settings, &crate::support::context()).unwrap();
    let to = addr(format!("quic://{}", silent.local_addr().unwrap()));
    let error = error(try_dial(&dialer, &to).await);
    assert!(matches!(error, Error::Unreachable { .. }) && error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn a_peer_that_vanishes_is_a_cut() {
    let server = echoing(&quic(), "").await;
    let proxy = Proxy::to(server.addr(), Weather::default()).await;
    let settings =
        rumormill_transport_quic::Settings { idle: Duration::from_secs(1), ..Default::default() };
    let dialer = rumormill_transport_quic::Quic::new(settings, &crate::support::context()).unwrap();
    let mut conn = dial(&dialer, &proxy.addr).await;
    echo(&mut conn, "before").await;
    drop(proxy);
    let (_, end) = recv_to_end(&mut conn.reader).await;
    assert!(matches!(end, Error::Cut { .. }), "{end:?}");
    let closed = soon("closing", conn.writer.close()).await;
    assert!(matches!(closed, Err(Error::Cut { .. })), "{closed:?}");
}
