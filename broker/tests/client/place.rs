//! A real broker, and clients of it over any carrier.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rumormill_broker::{
    Broker, Client, ClientConfig, Config, Policy, Routing, SubscribeOptions, Subscription, Topic,
    TopicName,
};
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, Context};
use rumormill_transport_mem::Network;
use tempfile::TempDir;

use crate::peer::within;

/// A broker with the topics `fan`, `queue` and `block`.
pub(crate) struct Place {
    pub(crate) registry: Arc<Registry>,
    pub(crate) broker: Broker,
    pub(crate) addr: Addr,
    /// Where sockets are.
    _folder: TempDir,
}

pub(crate) const CARRIERS: [&str; 3] = ["mem", "tcp", "unix"];

pub(crate) fn name(name: &str) -> TopicName {
    name.parse().expect("a name")
}

pub(crate) fn topics() -> BTreeMap<TopicName, Topic> {
    let topic = |routing, policy| Topic { routing, policy, ..Topic::default() };
    [
        ("fan", topic(Routing::Fanout, Policy::DropOldest)),
        ("queue", topic(Routing::Queue, Policy::Block)),
        ("block", topic(Routing::Fanout, Policy::Block)),
    ]
    .map(|(text, topic)| (name(text), topic))
    .into()
}

impl Place {
    pub(crate) async fn new(scheme: &str) -> Self {
        Self::with(scheme, Config { topics: topics(), ..Config::default() }).await
    }

    pub(crate) async fn with(scheme: &str, config: Config) -> Self {
        let registry = registry();
        let folder = TempDir::new().expect("a folder");
        let addr = match scheme {
            "mem" => "mem://broker".into(),
            "unix" => format!("unix://{}/b.sock", folder.path().display()),
            other => format!("{other}://127.0.0.1:0"),
        };
        let addr: Addr = addr.parse().expect("an address");
        let broker = Broker::start(Arc::clone(&registry), None, config).expect("it can be used");
        let addr = within(broker.listen(&addr)).await.expect("it can be bound");
        Self { registry, broker, addr, _folder: folder }
    }

    /// Another broker at the same address, after this one has stopped.
    pub(crate) async fn restart(&mut self) {
        let config = self.broker.config();
        let _ = self.broker.stop(Duration::from_secs(1)).await;
        let registry = Arc::clone(&self.registry);
        self.broker = Broker::start(registry, None, config).expect("it could be used before");
        within(self.broker.listen(&self.addr)).await.expect("it was bound before");
    }

    pub(crate) async fn client(&self) -> Client {
        self.client_with(ClientConfig::default()).await
    }

    pub(crate) async fn client_with(&self, config: ClientConfig) -> Client {
        let registry = Arc::clone(&self.registry);
        within(Client::connect(registry, [self.addr.clone()], config)).await.expect("a broker")
    }

    pub(crate) async fn subscribe(&self, topic: &str) -> Subscription {
        let client = self.client().await;
        let subscribed = client.subscribe(name(topic), SubscribeOptions::default());
        within(subscribed).await.expect("it is there")
    }
}

fn registry() -> Arc<Registry> {
    let factories = [
        rumormill_transport_mem::FACTORY,
        rumormill_transport_tcp::FACTORY,
        rumormill_transport_unix::FACTORY,
    ];
    let registry = Registry::of(factories).expect("different schemes");
    let mut context = Context::default();
    context.extensions.insert(Network::new(1));
    registry.configure("mem", context).expect("not built yet");
    Arc::new(registry)
}
