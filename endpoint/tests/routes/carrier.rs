//! Transports in memory under the names of others, so that a node has several of each kind.

use rumormill_endpoint::{Config, Endpoint, Inboxes};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::{
    Addr, AnyTransport, Caps, Conn, Context, Delivery, Factory, Listener, Result, Target, Transport,
};
use rumormill_transport_conformance::{
    Faults, Faulty, FaultyListener, FaultyReader, FaultyWriter, Road,
};
use rumormill_transport_mem::{Mem, Network, Settings};

/// A transport with a scheme of its own. Each node has a host of its own for it, so that the ways
/// between two nodes can be parted one by one.
#[derive(Clone, Debug)]
struct Carrier {
    scheme: &'static str,
    inner: Faulty<Mem>,
}

struct CarrierListener {
    inner: FaultyListener<Mem>,
    scheme: &'static str,
    addr: Addr,
}

/// The carriers of one node.
pub(crate) struct Carriers(Vec<Carrier>);

/// All that there are: one of datagrams, three of streams, the last of which stays on the machine.
pub(crate) const ALL: [&str; 4] = ["udp", "tcp", "quic", "unix"];

/// Where `node` is to be found by the carrier of `scheme`.
pub(crate) fn host(node: &str, scheme: &str) -> String {
    format!("{node}-{scheme}")
}

impl Carriers {
    pub(crate) fn new(network: &Network, node: &str, schemes: &[&'static str]) -> Self {
        let carrier = |scheme: &&'static str| {
            let delivery = if *scheme == "udp" { Delivery::Datagram } else { Delivery::Stream };
            let settings = Settings { host: host(node, scheme), delivery, ..Settings::default() };
            let inner = Faulty::new(Mem::new(network.clone(), settings), Faults::default());
            Carrier { scheme, inner }
        };
        Self(schemes.iter().map(carrier).collect())
    }

    /// An endpoint over them.
    pub(crate) fn start(&self, key: SecretKey, config: Config) -> (Endpoint, Inboxes) {
        let factories = self.0.iter().map(|carrier| Factory {
            scheme: carrier.scheme,
            provider: "this test",
            build: |context| {
                let carrier = context.extensions.get::<Carrier>().expect("it was configured");
                Ok(AnyTransport::new(carrier.clone()))
            },
            ..rumormill_transport_mem::FACTORY
        });
        let registry = Registry::of(factories).expect("each scheme is there once");
        for carrier in &self.0 {
            let mut context = Context::default();
            context.extensions.insert(carrier.clone());
            registry.configure(carrier.scheme, context).expect("nothing is built");
        }
        Endpoint::start(registry.into(), key, config).expect("a good config")
    }

    /// Blocks or opens what one of them receives and dials.
    pub(crate) fn set_road(&self, scheme: &str, road: Road) {
        let of_scheme = self.0.iter().filter(|carrier| carrier.scheme == scheme);
        of_scheme.for_each(|carrier| carrier.inner.set_road(road));
    }
}

impl Transport for Carrier {
    type Reader = FaultyReader<Mem>;
    type Writer = FaultyWriter<Mem>;
    type Listener = CarrierListener;

    fn caps(&self) -> Caps {
        Caps { local_only: self.scheme == "unix", ..self.inner.caps() }
    }

    async fn dial(&self, target: &Target) -> Result<Conn<Self::Reader, Self::Writer>> {
        let from = target.from.as_ref().map(|from| named("mem", from));
        let inner = Target { addr: named("mem", &target.addr), from, ..target.clone() };
        Ok(disguised(self.scheme, self.inner.dial(&inner).await?))
    }

    async fn listen(&self, addr: &Addr) -> Result<CarrierListener> {
        let inner = self.inner.listen(&named("mem", addr)).await?;
        let addr = named(self.scheme, inner.addr());
        Ok(CarrierListener { inner, scheme: self.scheme, addr })
    }
}

impl Listener for CarrierListener {
    type Reader = FaultyReader<Mem>;
    type Writer = FaultyWriter<Mem>;

    fn addr(&self) -> &Addr {
        &self.addr
    }

    async fn accept(&mut self) -> Result<Conn<Self::Reader, Self::Writer>> {
        Ok(disguised(self.scheme, self.inner.accept().await?))
    }
}

fn disguised<R, W>(scheme: &str, mut conn: Conn<R, W>) -> Conn<R, W> {
    conn.info.local = named(scheme, &conn.info.local);
    conn.info.remote = named(scheme, &conn.info.remote);
    conn.info.caps.local_only = scheme == "unix";
    conn
}

fn named(scheme: &str, addr: &Addr) -> Addr {
    Addr::new(scheme, addr.rest()).expect("the rest was good before")
}
