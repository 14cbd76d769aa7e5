//! How conns and connections end.

use std::time::Duration;

use bytes::Bytes;
use rumormill_transport_api::{Addr, Batch, Error, Listener, Transport, Writer};
use rumormill_transport_quic::{Quic, QuicListener, Settings};
use tokio::time::timeout;

use crate::{
    support::quic,
    talk::{
        a_moment, accept, addr, connect, dial, listen, recv, recv_to_end, send, soon, try_dial,
    },
};

/// The dialer closes and drops the only conn, and with it the connection, without ever receiving.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conn_that_was_closed_loses_nothing() {
    let (server, dialer) = (quic(), quic());
    let mut listener = listen(&server, "").await;
    let sent: Vec<Bytes> = (0..3000u32).map(|n| n.to_be_bytes().repeat(50).into()).collect();
    for round in 0..30 {
        let mut conn = dial(&dialer, listener.addr()).await;
        let receiving = async {
            let mut accepted = accept(&mut listener).await;
            // Nothing is read until the dialer is gone.
            let (arrived, end) = recv_to_end(&mut accepted.reader).await;
            assert!(arrived == sent, "{} of {} in round {round}", arrived.len(), sent.len());
            assert!(matches!(end, Error::Closed), "{end:?}");
        };
        let sending = async {
            for some in sent.chunks(700) {
                send(&mut conn.writer, some.iter().cloned()).await;
            }
            soon("closing", conn.writer.close()).await.expect("closing");
            drop(conn);
        };
        tokio::join!(sending, receiving);
    }
}

/// What waits to be accepted is there, even if its dialer and the connection are gone.
#[tokio::test]
async fn a_conn_arrives_after_its_connection_is_gone() {
    let (server, dialer) = (quic(), quic());
    let mut listener = listen(&server, "").await;
    for _ in 0..5 {
        let mut conn = dial(&dialer, listener.addr()).await;
        send(&mut conn.writer, ["the", "rumor"]).await;
        soon("closing", conn.writer.close()).await.expect("closing");
    }
    drop(dialer);
    for _ in 0..5 {
        let mut accepted = accept(&mut listener).await;
        let (arrived, end) = recv_to_end(&mut accepted.reader).await;
        assert_eq!(arrived, ["the", "rumor"]);
        assert!(matches!(end, Error::Closed), "{end:?}");
        // The peer has left, and nothing is pending.
        soon("closing", accepted.writer.close()).await.expect("closing");
    }
}

#[tokio::test]
async fn a_dropped_half_is_noticed_by_the_other_end() {
    let (server, dialer) = (quic(), quic());
    let mut listener = listen(&server, "").await;
    let (dialled, mut accepted) = connect(&dialer, &mut listener).await;
    drop(dialled.writer);
    let (_, end) = recv_to_end(&mut accepted.reader).await;
    assert!(matches!(end, Error::Cut { .. }), "{end:?}");
    drop(dialled.reader);
    let stopped = async {
        loop {
            if let Err(error) = accepted.writer.send(&mut ["more"].into_iter().collect()).await {
                return error;
            }
            a_moment().await;
        }
    };
    let error = soon("noticing", stopped).await;
    assert!(matches!(error, Error::Cut { .. }), "{error:?}");
}

/// Conns go on after their listener is dropped, and further ones are turned away at once.
#[tokio::test]
async fn a_dropped_listener_turns_away_and_lets_live() {
    let (server, dialer) = (quic(), quic());
    let mut listener = listen(&server, "").await;
    let to = listener.addr().clone();
    let (mut dialled, mut accepted) = connect(&dialer, &mut listener).await;
    let mut waiting = dial(&dialer, &to).await;
    send(&mut waiting.writer, ["too late"]).await;
    drop(listener);
    let (_, end) = recv_to_end(&mut waiting.reader).await;
    assert!(matches!(end, Error::Cut { .. }), "{end:?}");
    let mut late = dial(&dialer, &to).await;
    send(&mut late.writer, ["later"]).await;
    let (_, end) = recv_to_end(&mut late.reader).await;
    assert!(matches!(end, Error::Cut { .. }) && end.is_retryable(), "{end:?}");
    send(&mut dialled.writer, ["still here"]).await;
    assert_eq!(recv(&mut accepted.reader, 1).await, ["still here"]);
    send(&mut accepted.writer, ["so am I"]).await;
    assert_eq!(recv(&mut dialled.reader, 1).await, ["so am I"]);
    // The last half takes the connection with it, and the socket with that.
    assert!(matches!(listen_again(&server, &to).await, Err(Error::InUse { .. })));
    drop(accepted);
    let (_, end) = recv_to_end(&mut dialled.reader).await;
    assert!(matches!(end, Error::Cut { .. }), "{end:?}");
    let free = async { while listen_again(&server, &to).await.is_err() {} };
    soon("the address to be free", free).await;
}

/// What listening at `at` gives, a moment later.
async fn listen_again(quic: &Quic, at: &Addr) -> Result<QuicListener, Error> {
    a_moment().await;
    quic.listen(at).await
}

/// Without conns and listener there is no connection either.
#[tokio::test]
async fn connections_without_conns_end_with_their_listener() {
    let (server, dialer) = (quic(), crate::support::RawDialer::default());
    let listener = listen(&server, "").await;
    let connection = dialer.connect(listener.addr().clone()).await.unwrap();
    drop(listener);
    soon("the connection to end", connection.closed()).await;
}

/// A write that waits for its reader does not hold up the other conns of the connection.
#[tokio::test]
async fn stopped_readers_hold_up_nobody_else() {
    let (server, dialer) = (quic(), quic());
    let mut listener = listen(&server, "").await;
    let mut stopped = Vec::new();
    for _ in 0..16 {
        let (mut dialled, accepted) = connect(&dialer, &mut listener).await;
        let mut much: Batch = (0..64).map(|_| vec![7; 64 << 10]).collect();
        tokio::select! {
            biased;
            _ = dialled.writer.send(&mut much) => panic!("nobody reads"),
            () = a_moment() => (),
        }
        stopped.push((dialled, accepted));
    }
    let (mut dialled, mut accepted) = connect(&dialer, &mut listener).await;
    let sent: Vec<Bytes> = (0..100).map(|n| vec![n; 50_000].into()).collect();
    let sending = send(&mut dialled.writer, sent.iter().cloned());
    let ((), arrived) = tokio::join!(sending, recv(&mut accepted.reader, 100));
    assert!(arrived == sent);
}

/// A runtime that was shut down takes its sockets along; the next dial opens a new one.
#[test]
fn a_transport_outlives_its_runtime() {
    let (server, dialer) = (quic(), quic());
    let mut left = Vec::new();
    for _ in 0..3 {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        left.push(runtime.block_on(async {
            let mut listener = listen(&server, "").await;
            (connect(&dialer, &mut listener).await, listener)
        }));
        drop(runtime);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (_, listener) in &mut left {
            let finished = soon("accepting", listener.accept()).await;
            assert!(matches!(finished, Err(Error::Finished)), "{finished:?}");
        }
    });
}

/// A program that was killed says no farewell. When it is there again, its peers learn of it with
/// the next packet that they send, long before they would give up.
#[test]
fn a_node_that_started_anew_is_noticed_at_once() {
    let there = crate::support::context();
    let server = || Quic::new(Settings::default(), &there).unwrap();
    let (dialer, killed) = (quic(), tokio::runtime::Runtime::new().unwrap());
    let mut listener = killed.block_on(listen(&server(), ""));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut dialled, accepted) = runtime.block_on(connect(&dialer, &mut listener));
    drop(killed);
    let to = listener.addr().clone();
    drop((accepted, listener));
    runtime.block_on(async {
        let again = async {
            loop {
                match listen_again(&server(), &to).await {
                    Ok(listener) => return listener,
                    Err(error) => assert!(matches!(error, Error::InUse { .. }), "{error:?}"),
                }
            }
        };
        let mut again = soon("starting anew", again).await;
        send(&mut dialled.writer, ["are you there?"]).await;
        let noticed = recv_to_end(&mut dialled.reader);
        let (_, end) = timeout(Duration::from_secs(10), noticed).await.expect("at once");
        assert!(matches!(end, Error::Cut { .. }), "{end:?}");
        connect(&dialer, &mut again).await;
    });
}

#[tokio::test]
async fn nobody_listens_at_port_zero() {
    let error = crate::talk::error(try_dial(&quic(), &addr("quic://127.0.0.1:0")).await);
    assert!(matches!(error, Error::Address { .. }), "{error:?}");
}
