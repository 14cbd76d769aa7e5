//! A node with a transport, and what tests do with it.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use rumormill_identity::SecretKey;
use rumormill_transport_api::{
    Addr, AnyConn, AnyListener, AnyReader, AnyTransport, AnyWriter, Batch, Context, Counters,
    Credentials, Error, Expect, Listener, NodeId, Proof, Reader, Result, Target, Transport, Writer,
};
use rumormill_transport_tcp::tls::FACTORY;
use tokio::time::timeout;

/// Somebody with a key, and the transport `tls`.
pub(crate) struct Node {
    pub(crate) transport: AnyTransport,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) counters: Arc<Counters>,
}

impl Node {
    pub(crate) fn new() -> Self {
        Self::of(SecretKey::generate().credentials())
    }

    pub(crate) fn of(credentials: Credentials) -> Self {
        let (credentials, counters) = (Arc::new(credentials), Arc::<Counters>::default());
        let context = Context {
            credentials: Some(credentials.clone()),
            counters: counters.clone(),
            ..Context::default()
        };
        let transport = (FACTORY.build)(&context).expect("a transport");
        Self { transport, credentials, counters }
    }

    pub(crate) fn id(&self) -> NodeId {
        self.credentials.node
    }

    pub(crate) fn proof(&self) -> Option<Proof> {
        Some(Proof::Node(self.id()))
    }

    pub(crate) async fn listen(&self) -> AnyListener {
        self.listen_at("tls://127.0.0.1:0").await
    }

    pub(crate) async fn listen_at(&self, addr: &str) -> AnyListener {
        let addr = addr.parse().expect("an address");
        soon("listening", self.transport.listen(&addr)).await.expect("listening")
    }

    pub(crate) async fn dial(&self, to: &Addr) -> Result<AnyConn> {
        self.dial_expecting(to, Expect::Any).await
    }

    pub(crate) async fn dial_expecting(&self, to: &Addr, expect: Expect) -> Result<AnyConn> {
        let target = Target { expect, ..Target::new(to.clone()) };
        soon("dialling", self.transport.dial(&target)).await
    }

    /// Two ends of a conn: the dialler's, which is ours, and the listener's.
    pub(crate) async fn connect(&self, listener: &mut AnyListener) -> (AnyConn, AnyConn) {
        let addr = listener.addr().clone();
        let (dialler, accepted) = tokio::join!(self.dial(&addr), accept(listener));
        (dialler.expect("a conn"), accepted)
    }

    pub(crate) async fn vanished(&self, count: u64) {
        until("a failed handshake to be counted", || self.counters.conns_vanished.get() == count)
            .await;
    }
}

pub(crate) async fn accept(listener: &mut AnyListener) -> AnyConn {
    soon("accepting", listener.accept()).await.expect("a conn")
}

/// Accepts while `other` goes on, which is not accepted.
pub(crate) async fn beside<T>(listener: &mut AnyListener, other: impl Future<Output = T>) -> T {
    tokio::select! {
        accepted = listener.accept() => panic!("accepted {:?}", accepted.map(|conn| conn.info)),
        result = soon("what goes on beside a listener", other) => result,
    }
}

pub(crate) async fn send(writer: &mut AnyWriter, message: impl Into<Bytes>) {
    let mut batch: Batch = [message.into()].into_iter().collect();
    soon("sending", writer.send(&mut batch)).await.expect("sending");
}

pub(crate) async fn close(writer: &mut AnyWriter) {
    soon("closing", writer.close()).await.expect("closing");
}

/// All messages up to the end, and the end.
pub(crate) async fn recv_to_end(reader: &mut AnyReader) -> (Vec<Bytes>, Error) {
    let mut arrived = Vec::new();
    loop {
        if let Err(end) = soon("receiving", reader.recv(&mut arrived)).await {
            return (arrived, end);
        }
    }
}

/// Sends a message each way and sees it arrive.
pub(crate) async fn exchange(one: &mut AnyConn, other: &mut AnyConn) {
    for (from, to) in [(&mut one.writer, &mut other.reader), (&mut other.writer, &mut one.reader)] {
        send(from, "rumor").await;
        let mut arrived = Vec::new();
        soon("receiving", to.recv(&mut arrived)).await.expect("a message");
        assert_eq!(arrived, ["rumor"]);
    }
}

pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = timeout(SOON, future).await;
    result.unwrap_or_else(|_| panic!("{what} took longer than {SOON:?}"))
}

pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let holds = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    soon(what, holds).await;
}

const SOON: Duration = Duration::from_secs(30);
