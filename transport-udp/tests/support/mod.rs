//! The verbs that the tests are written in.

#![expect(dead_code, reason = "every test file uses some of them")]

use std::{future::Future, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{
    Addr, Batch, Conn, Counters, Error, Listener, Reader, Result, Target, Transport, Writer,
};
use rumormill_transport_udp::{Settings, Udp, UdpListener, UdpReader, UdpWriter};
use tokio::{net::UdpSocket, time::timeout};

pub(crate) type UdpConn = Conn<UdpReader, UdpWriter>;

/// Waits for what must happen, but not for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), future).await.expect("this takes too long")
}

/// Waits until `condition` holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let holds = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    soon(holds).await;
}

/// Polls `future` once and drops it; what it returned if it was done.
pub(crate) async fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        value = future => Some(value),
        () = std::future::ready(()) => None,
    }
}

pub(crate) fn addr(text: &str) -> Addr {
    text.parse().expect("an address")
}

pub(crate) fn socket_addr(addr: &Addr) -> SocketAddr {
    addr.rest().parse().expect("an address of a socket")
}

/// A transport that counts where the test can see it.
pub(crate) fn counted(settings: Settings) -> (Udp, Arc<Counters>) {
    let counters = Arc::<Counters>::default();
    (Udp::counted(settings, counters.clone()), counters)
}

pub(crate) async fn listen(udp: &Udp) -> UdpListener {
    udp.listen(&addr("udp://127.0.0.1:0")).await.expect("listening")
}

pub(crate) async fn dial(udp: &Udp, to: &Addr) -> Result<UdpConn> {
    soon(udp.dial(&Target::new(to.clone()))).await
}

pub(crate) async fn dial_from(udp: &Udp, from: &Addr, to: &Addr) -> Result<UdpConn> {
    let target = Target { from: Some(from.clone()), ..Target::new(to.clone()) };
    soon(udp.dial(&target)).await
}

pub(crate) async fn accept(listener: &mut UdpListener) -> UdpConn {
    soon(listener.accept()).await.expect("accepting")
}

/// A conn whose dialer has said hello, seen from both sides.
pub(crate) async fn connect(udp: &Udp, listener: &mut UdpListener) -> (UdpConn, UdpConn) {
    let mut dialed = dial(udp, listener.addr()).await.expect("dialling");
    send(&mut dialed.writer, b"hello").await;
    let mut accepted = accept(listener).await;
    assert_eq!(recv(&mut accepted.reader).await, "hello");
    (dialed, accepted)
}

pub(crate) fn batch(messages: &[&[u8]]) -> Batch {
    messages.iter().map(|message| Bytes::copy_from_slice(message)).collect()
}

pub(crate) async fn send(writer: &mut UdpWriter, message: &[u8]) {
    soon(writer.send(&mut batch(&[message]))).await.expect("sending");
}

/// The next message, which must be the only one.
pub(crate) async fn recv(reader: &mut UdpReader) -> Bytes {
    let mut into = Vec::new();
    soon(reader.recv(&mut into)).await.expect("receiving");
    assert_eq!(into.len(), 1, "{into:?}");
    into.remove(0)
}

/// Everything until the conn ends, and how it ended.
pub(crate) async fn recv_to_end(reader: &mut UdpReader) -> (Vec<Bytes>, Error) {
    let mut into = Vec::new();
    loop {
        if let Err(error) = soon(reader.recv(&mut into)).await {
            return (into, error);
        }
    }
}

/// A peer that is no rumormill.
pub(crate) async fn stranger() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.expect("binding")
}

pub(crate) async fn say(peer: &UdpSocket, message: &[u8], to: &Addr) {
    peer.send_to(message, socket_addr(to)).await.expect("sending");
}

/// A conn with a stranger, accepted, and its first message read.
pub(crate) async fn welcome(listener: &mut UdpListener) -> (UdpSocket, UdpConn) {
    let peer = stranger().await;
    say(&peer, b"hello", listener.addr()).await;
    let mut conn = accept(listener).await;
    assert_eq!(recv(&mut conn.reader).await, "hello");
    (peer, conn)
}

pub(crate) fn is_cut<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::Cut { .. }))
}

pub(crate) fn is_busy<T>(result: Result<T>) -> bool {
    matches!(result, Err(Error::Busy { .. }))
}
