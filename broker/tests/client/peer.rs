//! A broker that says what a test makes it say.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use rumormill_broker::{
    Client, ClientConfig, Delivery, Incoming, Routing, Subscription, TopicName,
    wire::{Answer, Block, Deliver, NONCE, Publish, Request, Subscribed, Welcome},
};
use rumormill_registry::Registry;
use rumormill_transport_api::{
    Addr, AnyListener, AnyReader, AnyWriter, Batch, Context, Listener, Reader, Writer,
};
use rumormill_transport_mem::{FACTORY, Network};
use tokio::time::{Instant, sleep_until, timeout};

/// Where scripted brokers listen.
pub(crate) struct Place {
    pub(crate) registry: Arc<Registry>,
    pub(crate) addr: Addr,
    listener: AnyListener,
}

/// One conn of such a broker.
pub(crate) struct Peer {
    reader: AnyReader,
    writer: AnyWriter,
    heard: VecDeque<Bytes>,
}

impl Place {
    pub(crate) async fn new() -> Self {
        let registry = Registry::of([FACTORY]).expect("one transport");
        let mut context = Context::default();
        context.extensions.insert(Network::new(1));
        registry.configure("mem", context).expect("not built yet");
        let addr: Addr = "mem://broker".parse().expect("an address");
        let listener = registry.listen(&addr).await.expect("a free name");
        Self { registry: Arc::new(registry), addr, listener }
    }

    pub(crate) async fn accept(&mut self) -> Peer {
        let conn = within(self.listener.accept()).await.expect("a conn");
        Peer { reader: conn.reader, writer: conn.writer, heard: VecDeque::new() }
    }

    /// A client, and the peer at the other end of its conn, which has welcomed it.
    pub(crate) async fn client(&mut self, config: ClientConfig) -> (Client, Peer) {
        let registry = Arc::clone(&self.registry);
        let connecting = Client::connect(registry, [self.addr.clone()], config);
        let (client, peer) = tokio::join!(within(connecting), self.welcomed());
        (client.expect("it is welcome"), peer)
    }

    pub(crate) async fn welcomed(&mut self) -> Peer {
        let mut peer = self.accept().await;
        let hello = peer.hear().await;
        assert!(matches!(Request::decode(&hello), Ok(Request::Hello(_))), "{hello:?}");
        peer.say(&Answer::Welcome(welcome())).await;
        peer
    }
}

pub(crate) fn welcome() -> Welcome {
    Welcome {
        nonce: [7; NONCE],
        max_frame: 10 << 20,
        publish_window: 1 << 20,
        idle_ms: 30_000,
        broker: None,
    }
}

impl Peer {
    /// The next frame that is no Ping; Pings are answered.
    pub(crate) async fn hear(&mut self) -> Bytes {
        loop {
            let frame = self.hear_any().await;
            match Request::decode(&frame) {
                Ok(Request::Ping { token }) => self.say(&Answer::Pong { token }).await,
                _ => return frame,
            }
        }
    }

    pub(crate) async fn hear_any(&mut self) -> Bytes {
        let mut frames = Vec::new();
        while self.heard.is_empty() {
            within(self.reader.recv(&mut frames)).await.expect("a frame");
            self.heard.extend(frames.drain(..));
        }
        self.heard.pop_front().expect("one was heard")
    }

    /// What arrives until the client closes; Pings are answered.
    pub(crate) async fn hear_to_the_end(&mut self) -> Vec<Bytes> {
        let (mut frames, mut all) = (Vec::new(), Vec::new());
        loop {
            let received = within(self.reader.recv(&mut frames)).await;
            self.heard.extend(frames.drain(..));
            while let Some(frame) = self.heard.pop_front() {
                match Request::decode(&frame) {
                    Ok(Request::Ping { token }) => {
                        self.try_to_say_all(&[Answer::Pong { token }.encode()]).await;
                    }
                    _ => all.push(frame),
                }
            }
            if received.is_err() {
                return all;
            }
        }
    }

    pub(crate) async fn say(&mut self, answer: &Answer<'_>) {
        self.say_all(&[answer.encode()]).await;
    }

    pub(crate) async fn say_all(&mut self, frames: &[Bytes]) {
        assert!(self.try_to_say_all(frames).await, "the client reads");
    }

    /// Whether the client has read it.
    pub(crate) async fn try_to_say_all(&mut self, frames: &[Bytes]) -> bool {
        let mut batch = Batch::from_iter(frames.iter().cloned());
        within(self.writer.send(&mut batch)).await.is_ok()
    }

    /// Hears the next Publish: its receipt and its messages.
    pub(crate) async fn published(&mut self) -> (Option<u64>, Vec<Bytes>) {
        let frame = self.hear().await;
        match Request::decode(&frame) {
            Ok(Request::Publish(Publish { receipt, block, .. })) => {
                (receipt, block.iter().collect())
            }
            other => panic!("no Publish: {other:?}"),
        }
    }

    pub(crate) async fn receipt(&mut self, receipt: u64, first: u64) {
        self.say(&Answer::Receipt { receipt, first, count: 1, subscribers: 1 }).await;
    }

    /// Hears a Subscribe, and says that it is done.
    pub(crate) async fn subscribes(&mut self, routing: Routing, epoch: u64, next: u64) -> Bytes {
        let frame = self.hear().await;
        let Ok(Request::Subscribe(subscribe)) = Request::decode(&frame) else {
            panic!("no Subscribe: {frame:?}")
        };
        let topic = subscribe.topic;
        self.say(&Answer::Subscribed(Subscribed {
            topic,
            epoch,
            next,
            routing,
            max_message: 1024,
        }))
        .await;
        frame
    }

    pub(crate) async fn deliver(&mut self, first: u64, messages: &[&str]) {
        self.say_all(&[delivery(first, 0, messages)]).await;
    }

    /// Cuts the conn.
    pub(crate) fn cut(self) {}
}

pub(crate) fn delivery(first: u64, redelivered: u8, messages: &[&str]) -> Bytes {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.extend_from_slice(Block::of(message.as_bytes()).bytes());
    }
    let block = Block::parse(bytes.into()).expect("a block");
    Answer::Deliver(Deliver { topic: "t", first, redelivered, block }).encode()
}

pub(crate) fn topic() -> TopicName {
    "t".parse().expect("a name")
}

/// Nothing here takes a minute, of virtual time at most.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), work).await.expect("it comes")
}

pub(crate) async fn until(is_so: impl Fn() -> bool) {
    within(async {
        while !is_so() {
            sleep_until(Instant::now() + Duration::from_millis(1)).await;
        }
    })
    .await;
}

pub(crate) async fn message(subscription: &mut Subscription) -> Delivery {
    match within(subscription.next()).await {
        Some(Incoming::Message(delivery)) => delivery,
        other => panic!("no message: {other:?}"),
    }
}
