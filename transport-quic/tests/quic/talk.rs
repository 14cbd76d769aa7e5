//! The verbs that the tests are written in.

use std::{fmt::Debug, future::Future, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{
    Addr, Batch, Error, Limits, Listener, Reader, Result, Server, Target, Transport, Writer, serve,
};
use rumormill_transport_quic::{Quic, QuicConn, QuicListener, QuicReader, QuicWriter};
use tokio::{sync::Mutex, time::timeout};

/// Where listeners of these tests are.
pub(crate) const HERE: &str = "quic://127.0.0.1:0";

/// Held by tests that take all of the machine, so that there is one of them at a time.
pub(crate) static HEAVY: Mutex<()> = Mutex::const_new(());

/// Waits for what must happen, but not for ever.
pub(crate) async fn soon<T>(doing: &str, future: impl Future<Output = T>) -> T {
    match timeout(Duration::from_secs(30), future).await {
        Ok(value) => value,
        Err(_) => panic!("{doing} took too long"),
    }
}

/// Waits until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let holds = async {
        while !condition() {
            a_moment().await;
        }
    };
    soon(what, holds).await;
}

/// Lets others get on, between two looks at a condition.
pub(crate) async fn a_moment() {
    tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_millis(5)).await;
}

pub(crate) fn addr(text: impl AsRef<str>) -> Addr {
    text.as_ref().parse().expect("an address")
}

pub(crate) async fn listen(quic: &Quic, options: &str) -> QuicListener {
    quic.listen(&addr(format!("{HERE}{options}"))).await.expect("listening")
}

/// A listener that echoes.
pub(crate) async fn echoing(quic: &Quic, options: &str) -> Server {
    let limits = Limits { max_conns: 10_000, ..Limits::default() };
    serve(listen(quic, options).await, limits, |_, message| std::future::ready(Some(message)))
}

pub(crate) async fn try_dial(quic: &Quic, to: &Addr) -> Result<QuicConn> {
    soon("dialling", quic.dial(&Target::new(to.clone()))).await
}

pub(crate) async fn dial(quic: &Quic, to: &Addr) -> QuicConn {
    try_dial(quic, to).await.expect("dialling")
}

pub(crate) async fn accept(listener: &mut QuicListener) -> QuicConn {
    soon("accepting", listener.accept()).await.expect("accepting")
}

/// A conn that has said `hello`, from both of its ends.
pub(crate) async fn connect(quic: &Quic, listener: &mut QuicListener) -> (QuicConn, QuicConn) {
    let mut dialled = dial(quic, listener.addr()).await;
    send(&mut dialled.writer, ["hello"]).await;
    let mut accepted = accept(listener).await;
    assert_eq!(recv(&mut accepted.reader, 1).await, ["hello"]);
    (dialled, accepted)
}

pub(crate) async fn send<M: Into<Bytes>>(
    writer: &mut QuicWriter,
    messages: impl IntoIterator<Item = M>,
) {
    let mut batch: Batch = messages.into_iter().collect();
    soon("sending", writer.send(&mut batch)).await.expect("sending");
}

/// The next `count` messages.
pub(crate) async fn recv(reader: &mut QuicReader, count: usize) -> Vec<Bytes> {
    let mut arrived = Vec::new();
    while arrived.len() < count {
        soon("receiving", reader.recv(&mut arrived)).await.expect("receiving");
    }
    arrived
}

/// Everything until the end, and the end.
pub(crate) async fn recv_to_end(reader: &mut QuicReader) -> (Vec<Bytes>, Error) {
    let mut arrived = Vec::new();
    loop {
        if let Err(end) = soon("waiting for the end", reader.recv(&mut arrived)).await {
            return (arrived, end);
        }
    }
}

pub(crate) async fn echo(conn: &mut QuicConn, text: &'static str) {
    send(&mut conn.writer, [text]).await;
    assert_eq!(recv(&mut conn.reader, 1).await, [text]);
}

/// The error that `result` must be.
pub(crate) fn error<T: Debug>(result: Result<T>) -> Error {
    result.expect_err("this must fail")
}
