//! What hostile peers, strangers and networks do to an endpoint, and what comes of it: nothing, but
//! that it is counted.

mod floods;
mod frames;
mod greetings;
mod stranger;

use std::{future::Future, sync::Arc, time::Duration};

use rumormill_endpoint::{Admission, Class, Config, Endpoint, Inboxes, Rejected, Snapshot};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, Context};
use rumormill_transport_mem::Network;

const STREAM: &str = "mem://b";
const DATAGRAM: &str = "mem://b?delivery=datagram";

/// An endpoint that is attacked, and the network around it.
struct Victim {
    registry: Arc<Registry>,
    endpoint: Endpoint,
    inboxes: Inboxes,
}

impl Victim {
    async fn at(places: &[&str]) -> Self {
        Self::with(&registry(&Network::new(7)), config(), places).await
    }

    async fn with(registry: &Arc<Registry>, config: Config, places: &[&str]) -> Self {
        let (endpoint, inboxes) =
            Endpoint::start(registry.clone(), key(2), config).expect("a good config");
        for at in places {
            endpoint.listen(&addr(at)).await.expect("listening");
        }
        Self { registry: registry.clone(), endpoint, inboxes }
    }

    /// What was refused, in all.
    fn refused(&self) -> u64 {
        self.endpoint.snapshot().rejected.iter().map(|(_, count)| count).sum()
    }

    fn rejected(&self, why: Rejected) -> u64 {
        self.endpoint.snapshot().rejected(why)
    }

    /// Waits until so much was refused for this reason, and sees that it stays so.
    async fn has_rejected(&self, why: Rejected, count: u64) {
        until(|| count <= self.rejected(why), || self.endpoint.snapshot()).await;
        assert_eq!(self.rejected(why), count, "{:?}", self.endpoint.snapshot());
    }

    async fn hears(&mut self, text: &str) {
        let message = timeout(self.inboxes.gossip.recv()).await.flatten();
        let bytes = message.map(|message| message.bytes);
        assert_eq!(bytes.as_deref(), Some(text.as_bytes()), "{:?}", self.endpoint.snapshot());
    }

    /// An honest peer is met and heard, and nothing else is.
    async fn is_well(&mut self, at: &str) {
        let (honest, _inboxes) =
            Endpoint::start(self.registry.clone(), key(1), config()).expect("a good config");
        honest.learn(self.endpoint.node(), vec![addr(at)]).expect("room");
        honest.send(self.endpoint.node(), Class::Gossip, "honest").expect("room");
        self.hears("honest").await;
        honest.close(Duration::from_secs(1)).await;
    }
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

fn addr(text: &str) -> Addr {
    text.parse().expect("an address")
}

fn config() -> Config {
    Config::new("test", Admission::Open)
}

fn registry(network: &Network) -> Arc<Registry> {
    let registry = Registry::of([
        rumormill_transport_mem::FACTORY,
        rumormill_transport_tcp::FACTORY,
        rumormill_transport_tcp::tls::FACTORY,
        rumormill_transport_udp::FACTORY,
    ])
    .expect("four schemes");
    let mut context = Context::default();
    context.extensions.insert(network.clone());
    registry.configure("mem", context).expect("mem is there");
    Arc::new(registry)
}

async fn timeout<T>(future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(Duration::from_secs(10), future).await.ok()
}

/// Waits for a condition.
async fn until(holds: impl Fn() -> bool, what: impl Fn() -> Snapshot) {
    let waiting = async {
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        while !holds() {
            tick.tick().await;
        }
    };
    assert!(timeout(waiting).await.is_some(), "{:?}", what());
}
