//! A client that speaks the protocol by hand, and brokers for it.

use std::{collections::VecDeque, future::Future, sync::Arc, time::Duration};

use rumormill_broker::{
    Broker, Config, Topic,
    wire::{Answer, Block, Blocks, Hello, Publish, RefusedWhy, Request, Subscribe},
};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::{
    Addr, AnyConn, AnyReader, AnyWriter, Batch, Conn, Listener, Reader, Target, Writer,
    bytes::Bytes,
};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A broker, where it listens, and what it is reached with.
pub(crate) struct Place {
    pub(crate) broker: Broker,
    pub(crate) addr: Addr,
    pub(crate) registry: Arc<Registry>,
    /// Where its socket is.
    pub(crate) _dir: Option<TempDir>,
}

impl Place {
    /// A broker on one carrier, by its scheme.
    pub(crate) async fn on(scheme: &str, config: Config) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let addr = match scheme {
            "unix" => format!("unix://{}", dir.path().join("b.sock").display()),
            "tcp" => "tcp://127.0.0.1:0".into(),
            _ => "mem://broker:0".into(),
        };
        Self { _dir: Some(dir), ..Self::at(&addr, registry(), None, config).await }
    }

    /// A broker in memory.
    pub(crate) async fn new(config: Config) -> Self {
        Self::with(registry(), None, config).await
    }

    /// A broker at `mem`, whoever that is.
    pub(crate) async fn with(registry: Registry, key: Option<SecretKey>, config: Config) -> Self {
        Self::at("mem://broker:0", registry, key, config).await
    }

    async fn at(addr: &str, registry: Registry, key: Option<SecretKey>, config: Config) -> Self {
        let registry = Arc::new(registry);
        let broker = Broker::start(registry.clone(), key, config).expect("a good config");
        let addr = broker.listen(&addr.parse().expect("an address")).await.expect("listening");
        Self { broker, addr, registry, _dir: None }
    }

    /// A conn on which nothing was said yet.
    pub(crate) async fn dial(&self) -> Peer {
        let target = Target::new(self.addr.clone());
        let conn = soon(self.registry.dial(&target)).await.expect("a conn");
        Peer { reader: conn.reader, writer: conn.writer, arrived: VecDeque::new() }
    }

    /// A conn of somebody who has been let in.
    pub(crate) async fn peer(&self) -> Peer {
        let mut peer = self.dial().await;
        peer.say(Request::Hello(Hello { nonce: [7; 32], node: None })).await;
        peer.answer(|answer| assert!(matches!(answer, Answer::Welcome(_)), "{answer:?}")).await;
        peer
    }
}

/// The carriers that the tests use.
pub(crate) fn registry() -> Registry {
    Registry::of([
        rumormill_transport_mem::FACTORY,
        rumormill_transport_tcp::FACTORY,
        rumormill_transport_unix::FACTORY,
    ])
    .expect("three schemes")
}

/// Topics as they are by default.
pub(crate) fn topics(names: &[&str]) -> Config {
    with(names.iter().map(|name| (*name, Topic::default())))
}

pub(crate) fn with<'a>(topics: impl IntoIterator<Item = (&'a str, Topic)>) -> Config {
    let topics = topics.into_iter();
    let topics = topics.map(|(name, topic)| (name.parse().expect("a name"), topic));
    Config { topics: topics.collect(), ..Config::default() }
}

/// A client that speaks the protocol by hand.
pub(crate) struct Peer {
    pub(crate) reader: AnyReader,
    pub(crate) writer: AnyWriter,
    pub(crate) arrived: VecDeque<Bytes>,
}

impl Peer {
    /// A client, and the other end of its conn, which no broker has yet.
    pub(crate) async fn pair(place: &Place) -> (Self, AnyConn) {
        let at = "mem://aside:0".parse().expect("an address");
        let mut listener = place.registry.listen(&at).await.expect("listening");
        let target = Target::new(listener.addr().clone());
        let (dialed, accepted) = tokio::join!(place.registry.dial(&target), listener.accept());
        let Conn { reader, writer, .. } = dialed.expect("a conn");
        (Self { reader, writer, arrived: VecDeque::new() }, accepted.expect("a conn"))
    }

    pub(crate) async fn say(&mut self, request: Request<'_>) {
        self.say_bytes([request.encode()]).await;
    }

    pub(crate) async fn say_bytes(&mut self, frames: impl IntoIterator<Item = Bytes>) {
        let mut batch = Batch::from_iter(frames);
        soon(self.writer.send(&mut batch)).await.expect("the broker takes it");
    }

    /// The next frame; `None` at the end.
    pub(crate) async fn frame(&mut self) -> Option<Bytes> {
        while self.arrived.is_empty() {
            let mut more = Vec::new();
            let received = soon(self.reader.recv(&mut more)).await;
            self.arrived.extend(more);
            if received.is_err() && self.arrived.is_empty() {
                return None;
            }
        }
        self.arrived.pop_front()
    }

    pub(crate) async fn answer<T>(&mut self, read: impl FnOnce(Answer<'_>) -> T) -> T {
        let frame = self.frame().await.expect("another frame");
        read(Answer::decode(&frame).expect("an answer"))
    }

    /// The conn ends without another word.
    pub(crate) async fn ends(&mut self) {
        if let Some(frame) = self.frame().await {
            panic!("{:?} instead of the end", Answer::decode(&frame));
        }
    }

    pub(crate) async fn refused(&mut self) -> RefusedWhy {
        self.answer(|answer| match answer {
            Answer::Refused { why, .. } => why,
            answer => panic!("{answer:?} instead of a refusal"),
        })
        .await
    }

    /// Something is answered behind all that was said before.
    pub(crate) async fn ping(&mut self) {
        self.say(Request::Ping { token: 99 }).await;
        self.answer(|answer| assert_eq!(answer, Answer::Pong { token: 99 })).await;
    }

    pub(crate) async fn publish(&mut self, topic: &str, receipt: Option<u64>, messages: &[&str]) {
        self.say(publish(topic, receipt, messages)).await;
    }

    /// The number of the first message, as a receipt tells it.
    pub(crate) async fn receipt(&mut self) -> u64 {
        loop {
            let first = self.answer(|answer| match answer {
                Answer::Receipt { first, .. } => Some(first),
                Answer::Credit { .. } => None,
                answer => panic!("{answer:?} instead of a receipt"),
            });
            if let Some(first) = first.await {
                return first;
            }
        }
    }

    /// Subscribes; returns the number of the next message.
    pub(crate) async fn subscribe(&mut self, topic: &str) -> u64 {
        self.say(subscribe(topic)).await;
        self.answer(|answer| match answer {
            Answer::Subscribed(subscribed) if subscribed.topic == topic => subscribed.next,
            answer => panic!("{answer:?} instead of a subscription"),
        })
        .await
    }

    /// The next `count` messages of a fanout topic with their numbers, and tells that they were seen.
    pub(crate) async fn messages(&mut self, count: usize) -> Vec<(u64, String)> {
        let mut messages = Vec::new();
        while messages.len() < count {
            let frame = self.frame().await.expect("another frame");
            let Answer::Deliver(deliver) = Answer::decode(&frame).expect("an answer") else {
                panic!("{:?} instead of messages", Answer::decode(&frame))
            };
            let text = |bytes: Bytes| String::from_utf8_lossy(&bytes).into_owned();
            messages.extend((deliver.first..).zip(deliver.block.iter().map(text)));
            let through = deliver.first + u64::from(deliver.block.count()) - 1;
            self.say(Request::Seen { topic: deliver.topic, through }).await;
        }
        messages
    }
}

pub(crate) fn block(messages: &[&str]) -> Block {
    let mut blocks = Blocks::default();
    messages.iter().for_each(|message| blocks.push(message.as_bytes()));
    blocks.take()
}

pub(crate) fn publish<'a>(topic: &'a str, receipt: Option<u64>, messages: &[&str]) -> Request<'a> {
    Request::Publish(Publish { topic, receipt, block: block(messages) })
}

pub(crate) fn subscribe(topic: &str) -> Request<'_> {
    Request::Subscribe(Subscribe { topic, window: 1 << 20, resume: None })
}

/// What comes in time.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future).await.expect("in time")
}

/// Waits until something is the case.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::task::yield_now().await;
    }
}
