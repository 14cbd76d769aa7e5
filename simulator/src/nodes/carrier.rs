//! The transport in memory under two schemes, so that a node is reached by streams and by datagrams.

use std::sync::Arc;

use rumormill_registry::Registry;
use rumormill_transport_api::{
    Addr, AnyTransport, Caps, Conn, Context, Delivery as Kind, Factory, Listener, Result, Target,
    Transport,
};
use rumormill_transport_mem::{Mem, MemPort, MemReader, MemWriter, Network, Settings};

use crate::nodes::scenario::Delivery;

/// A transport in memory with a scheme of its own.
#[derive(Clone, Debug)]
struct Carrier {
    scheme: &'static str,
    inner: Mem,
}

struct Port {
    scheme: &'static str,
    inner: MemPort,
    addr: Addr,
}

const PACKETS: &str = "packets";
const STREAMS: &str = "streams";
const INNER: &str = "mem";

impl Delivery {
    /// The schemes of a node's addresses, the best first.
    pub(crate) fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Stream => &[STREAMS],
            Self::Datagram => &[PACKETS],
            Self::Both => &[PACKETS, STREAMS],
        }
    }
}

/// The transports of a node at `host`.
pub(crate) fn registry(network: &Network, host: &str, delivery: Delivery) -> Arc<Registry> {
    let carriers: Vec<Carrier> =
        delivery.schemes().iter().map(|scheme| Carrier::new(network, host, scheme)).collect();
    let factory = |carrier: &Carrier| Factory {
        scheme: carrier.scheme,
        provider: "the simulator",
        build: |context| {
            let carrier = context.extensions.get::<Carrier>();
            Ok(AnyTransport::new(carrier.cloned().expect("invariant: it was configured")))
        },
        ..rumormill_transport_mem::FACTORY
    };
    let registry = Registry::of(carriers.iter().map(factory)).expect("invariant: two schemes");
    for carrier in carriers {
        let (scheme, mut context) = (carrier.scheme, Context::default());
        context.extensions.insert(carrier);
        registry.configure(scheme, context).expect("invariant: nothing is built yet");
    }
    Arc::new(registry)
}

impl Carrier {
    fn new(network: &Network, host: &str, scheme: &'static str) -> Self {
        let delivery = if scheme == PACKETS { Kind::Datagram } else { Kind::Stream };
        let settings = Settings { host: host.into(), delivery, ..Settings::default() };
        Self { scheme, inner: Mem::new(network.clone(), settings) }
    }
}

impl Transport for Carrier {
    type Reader = MemReader;
    type Writer = MemWriter;
    type Listener = Port;

    fn caps(&self) -> Caps {
        self.inner.caps()
    }

    async fn dial(&self, target: &Target) -> Result<Conn<MemReader, MemWriter>> {
        let from = target.from.as_ref().map(|from| named(INNER, from));
        let inner = Target { addr: named(INNER, &target.addr), from, ..target.clone() };
        Ok(disguised(self.scheme, self.inner.dial(&inner).await?))
    }

    async fn listen(&self, addr: &Addr) -> Result<Port> {
        let inner = self.inner.listen(&named(INNER, addr)).await?;
        let addr = named(self.scheme, inner.addr());
        Ok(Port { scheme: self.scheme, inner, addr })
    }
}

impl Listener for Port {
    type Reader = MemReader;
    type Writer = MemWriter;

    fn addr(&self) -> &Addr {
        &self.addr
    }

    async fn accept(&mut self) -> Result<Conn<MemReader, MemWriter>> {
        Ok(disguised(self.scheme, self.inner.accept().await?))
    }
}

fn disguised<R, W>(scheme: &str, mut conn: Conn<R, W>) -> Conn<R, W> {
    conn.info.local = named(scheme, &conn.info.local);
    conn.info.remote = named(scheme, &conn.info.remote);
    conn
}

fn named(scheme: &str, addr: &Addr) -> Addr {
    Addr::new(scheme, addr.rest()).expect("invariant: the rest was good before")
}
