//! A transport that shows whose credentials it was built with, and counts how often.

use std::sync::Arc;

use rumormill_registry::Registry;
use rumormill_transport_api::{
    Addr, AnyConn, AnyListener, AnyReader, AnyTransport, AnyWriter, Caps, Context, Counters,
    Credentials, Error, Factory, NodeId, Result, Target, Transport,
};

/// A factory for `scheme` whose transport refuses every dial by the name of its own node, and how
/// often it did so before.
pub(crate) fn factory(scheme: &'static str) -> Factory {
    Factory { scheme, provider: scheme, caps: Caps::STREAM, options: &[], build }
}

/// The node whose key is this byte, over and over.
pub(crate) fn credentials(byte: u8) -> Arc<Credentials> {
    let node = NodeId([byte; 32]);
    Credentials { node, chain: vec![], key: vec![].into(), authorities: vec![] }.into()
}

/// What a dial of `scheme` says, if it is as expected of the node with this byte.
pub(crate) async fn check(registry: &Registry, scheme: &str, byte: Option<u8>, before: u64) {
    let addr: Addr = format!("{scheme}://x").parse().expect("an address");
    let error = registry.dial(&addr.into()).await.expect_err("a badge is no conn");
    let shown = shown(byte.map(|byte| NodeId([byte; 32])), before);
    assert_eq!(error.to_string(), format!("the peer refused: {shown}"), "{scheme}");
}

fn build(context: &Context) -> Result<AnyTransport> {
    let node = context.credentials.as_ref().map(|credentials| credentials.node);
    Ok(AnyTransport::new(Badge { node, counters: context.counters.clone() }))
}

fn shown(node: Option<NodeId>, before: u64) -> String {
    format!("{node:?} after {before}")
}

struct Badge {
    node: Option<NodeId>,
    counters: Arc<Counters>,
}

impl Transport for Badge {
    type Reader = AnyReader;
    type Writer = AnyWriter;
    type Listener = AnyListener;

    fn caps(&self) -> Caps {
        Caps::STREAM
    }

    async fn dial(&self, _: &Target) -> Result<AnyConn> {
        let problem = shown(self.node, self.counters.conns_vanished.get()).into();
        self.counters.conns_vanished.add(1);
        Err(Error::Refused { problem })
    }

    async fn listen(&self, _: &Addr) -> Result<AnyListener> {
        Err(Error::Finished)
    }
}
