//! How conns end, and what arrives before.

use std::sync::Arc;

use bytes::Bytes;
use rumormill_transport_api::{AnyConn, Batch, Error, Listener, Writer};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::Semaphore, task::JoinSet};

use crate::{
    node::{Node, accept, close, recv_to_end, send, soon},
    stranger::{self, Stranger},
};

/// Dials, sends, closes, and drops the conn without ever receiving.
async fn tell(client: Arc<Node>, to: String, messages: usize) {
    let conn = client.dial(&to.parse().expect("an address")).await;
    let AnyConn { mut writer, .. } = conn.expect("a conn");
    for part in 0..10 {
        let message = |n| Bytes::from(vec![part; 1000 + n]);
        let mut batch: Batch = (0..messages / 10).map(message).collect();
        soon("sending", writer.send(&mut batch)).await.expect("sending");
    }
    close(&mut writer).await;
}

/// Many conns that never receive, against a server that reads only when the last of them is gone:
/// most of what they send is still in the kernel of their side then.
async fn check_that_all_arrives(conns: usize, listen: &str, dial: &str) {
    let (server, client) = (Node::new(), Arc::new(Node::new()));
    let mut listener =
        server.listen_at(&format!("tls://127.0.0.1:0?recv_buffer=8KiB{listen}")).await;
    let addr = format!("{}?send_buffer=512KiB{dial}", listener.addr());
    let (mut tellers, mut readers) = (JoinSet::new(), JoinSet::new());
    let gone = Arc::new(Semaphore::new(0));
    for _ in 0..conns {
        tellers.spawn(tell(client.clone(), addr.clone(), 100));
    }
    for _ in 0..conns {
        let (AnyConn { mut reader, .. }, gone) = (accept(&mut listener).await, gone.clone());
        readers.spawn(async move {
            let _ = gone.acquire().await;
            recv_to_end(&mut reader).await
        });
    }
    while let Some(told) = tellers.join_next().await {
        told.unwrap();
    }
    gone.close();
    while let Some(read) = readers.join_next().await {
        let (arrived, end) = read.unwrap();
        assert!(matches!(end, Error::Closed), "{} arrived, then {end:?}", arrived.len());
        assert_eq!(arrived.len(), 100);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_never_receive_lose_nothing() {
    check_that_all_arrives(500, "", "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_never_receive_lose_nothing_without_sessions() {
    check_that_all_arrives(50, "&resumption=false", "").await;
    check_that_all_arrives(50, "", "&resumption=false").await;
    check_that_all_arrives(50, "&resumption=false", "&resumption=false").await;
}

/// While one task closes and another receives, both read from the socket.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_takes_nothing_from_the_reader() {
    let (server, client) = (Node::new(), Node::new());
    let mut listener = server.listen().await;
    for round in 0..100 {
        let (dialled, accepted) = client.connect(&mut listener).await;
        let (AnyConn { mut reader, mut writer, .. }, mut peer) = (dialled, accepted.writer);
        let sending = tokio::spawn(async move {
            let mut batch: Batch = (0..200).map(|n| Bytes::from(vec![n; 300])).collect();
            peer.send(&mut batch).await.expect("sending");
            close(&mut peer).await;
        });
        let receiving = tokio::spawn(async move { recv_to_end(&mut reader).await });
        let closing = tokio::spawn(async move { close(&mut writer).await });
        closing.await.unwrap();
        sending.await.unwrap();
        let (arrived, end) = receiving.await.unwrap();
        assert!(matches!(end, Error::Closed), "{end:?}");
        assert!(arrived.iter().map(|m| m[0]).eq(0..200), "{} in round {round}", arrived.len());
    }
}

#[tokio::test]
async fn closing_waits_for_no_program() {
    let (server, client) = (Node::new(), Node::new());
    let mut listener = server.listen().await;
    // The accepted conn is never read from, written to or closed.
    let (mut dialled, accepted) = client.connect(&mut listener).await;
    send(&mut dialled.writer, "that was all").await;
    close(&mut dialled.writer).await;
    let AnyConn { mut reader, mut writer, .. } = accepted;
    send(&mut writer, "late").await;
    drop(writer);
    let (arrived, end) = recv_to_end(&mut dialled.reader).await;
    assert!(arrived == ["late"] && matches!(end, Error::Cut { .. }), "{end:?}");
    let (arrived, end) = recv_to_end(&mut reader).await;
    assert!(arrived == ["that was all"] && matches!(end, Error::Closed), "{end:?}");
}

/// A listener that goes away before it has agreed.
#[tokio::test]
async fn closing_tells_that_nobody_agreed() {
    let (server, client) = (Node::new(), Node::new());
    let (listener, addr) = stranger::listen().await;
    let stranger = Stranger::of(&server.credentials);
    for says_something in [true, false] {
        let relay = relay_without_finish(&listener, &stranger);
        let (dialled, ()) = tokio::join!(client.dial(&addr), relay);
        let mut writer = dialled.unwrap().writer;
        if says_something {
            let mut batch: Batch = ["in vain"].into_iter().collect();
            // Whether this is told of it depends on the moment.
            let _ = soon("sending", writer.send(&mut batch)).await;
        }
        let closed = soon("closing", writer.close()).await;
        assert_eq!(closed.is_ok(), !says_something, "{closed:?}");
    }
}

/// Answers the hello of a dialer, and hangs up before it has read what comes then.
async fn relay_without_finish(listener: &tokio::net::TcpListener, stranger: &Stranger) {
    let (mut stream, _) = listener.accept().await.expect("a conn");
    let mut session = rustls::ServerConnection::new(Arc::new(stranger.server.clone())).unwrap();
    let mut hello = [0; 4096];
    let len = soon("a hello", tokio::io::AsyncReadExt::read(&mut stream, &mut hello)).await;
    session.read_tls(&mut &hello[..len.unwrap()]).unwrap();
    session.process_new_packets().unwrap();
    let mut answer = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut answer).unwrap();
    }
    stream.write_all(&answer).await.unwrap();
    let _gone: TcpStream = stream;
}
