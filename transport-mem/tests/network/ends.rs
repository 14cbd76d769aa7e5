//! Two ends of one conn, between the hosts `a` and `b`.

use std::{future::Future, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{
    Batch, Conn, Delivery, Error, Listener, Reader, Result, Target, Transport, Writer,
};
use rumormill_transport_mem::{Link, Mem, MemPort, MemReader, MemWriter, Network, Settings};
use tokio::time::Instant;

pub(crate) type End = Conn<MemReader, MemWriter>;

pub(crate) const MS: Duration = Duration::from_millis(1);

pub(crate) fn on(network: &Network, host: &str, delivery: Delivery) -> Mem {
    let host = host.into();
    Mem::new(network.clone(), Settings { host, delivery, ..Settings::default() })
}

pub(crate) fn target(addr: &str) -> Target {
    Target::new(addr.parse().unwrap())
}

pub(crate) async fn listen(mem: &Mem, addr: &str) -> MemPort {
    mem.listen(&addr.parse().unwrap()).await.unwrap()
}

/// `a`'s end of a stream that it dialled, and `b`'s.
pub(crate) async fn streams(network: &Network) -> (End, End) {
    let mut port = listen(&on(network, "b", Delivery::Stream), "mem://b:0").await;
    let target = Target::new(port.addr().clone());
    let dialed = on(network, "a", Delivery::Stream).dial(&target).await.unwrap();
    (dialed, port.accept().await.unwrap())
}

/// `a`'s end of a conn of datagrams that it dialled, and `b`'s, on which one message arrived.
pub(crate) async fn datagrams(network: &Network) -> (End, End) {
    let mut port = listen(&on(network, "b", Delivery::Datagram), "mem://b:0").await;
    let target = Target::new(port.addr().clone());
    let mut dialed = on(network, "a", Delivery::Datagram).dial(&target).await.unwrap();
    send(&mut dialed, ["hello"]).await.unwrap();
    let mut accepted = port.accept().await.unwrap();
    assert_eq!(recv(&mut accepted).await.unwrap(), ["hello"]);
    (dialed, accepted)
}

pub(crate) async fn send<M: Into<Bytes>>(
    end: &mut End,
    messages: impl IntoIterator<Item = M>,
) -> Result<()> {
    let mut batch: Batch = messages.into_iter().collect();
    let sent = end.writer.send(&mut batch).await;
    assert!(batch.is_empty() || sent.is_err());
    sent
}

/// What arrives next.
pub(crate) async fn recv(end: &mut End) -> Result<Vec<Bytes>> {
    let mut arrived = Vec::new();
    end.reader.recv(&mut arrived).await?;
    assert!(!arrived.is_empty());
    Ok(arrived)
}

/// The next `count` messages, each with the time since `start`.
pub(crate) async fn recv_timed(
    end: &mut End,
    count: usize,
    start: Instant,
) -> Vec<(Duration, Bytes)> {
    let mut all = Vec::new();
    while all.len() < count {
        let arrived = recv(end).await.unwrap();
        all.extend(arrived.into_iter().map(|message| (start.elapsed(), message)));
    }
    all
}

/// Everything that arrives until nothing has for an hour.
pub(crate) async fn recv_rest(end: &mut End) -> Vec<Bytes> {
    let mut all = Vec::new();
    while let Some(arrived) = soon(recv(end)).await {
        all.extend(arrived.unwrap());
    }
    all
}

/// What a future gives within an hour of the paused clock.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from_secs(3600), future).await.ok()
}

/// What a future gives when it is polled once, and then dropped.
pub(crate) async fn once<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}

/// Numbered messages.
pub(crate) fn numbered(range: std::ops::Range<u32>) -> impl Iterator<Item = Vec<u8>> {
    range.map(|number| number.to_be_bytes().to_vec())
}

pub(crate) fn number(message: &Bytes) -> u32 {
    u32::from_be_bytes(message[..].try_into().unwrap())
}

pub(crate) fn slow(latency: Duration) -> Link {
    Link { latency, ..Link::default() }
}

pub(crate) fn assert_cut<T: std::fmt::Debug>(result: Result<T>) {
    assert!(matches!(result, Err(Error::Cut { .. })), "{result:?}");
}

pub(crate) fn assert_closed<T: std::fmt::Debug>(result: Result<T>) {
    assert!(matches!(result, Err(Error::Closed)), "{result:?}");
}
