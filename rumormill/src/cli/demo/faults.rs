//! Transports around transports, which suffer and can be blocked.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use rumormill::{
    Registry,
    transport::{AnyTransport, Context, Factory, NodeId, Result as CarrierResult},
};
use rumormill_transport_conformance::{Faulty, Road};

use super::chaos::Chaos;
use crate::cli::Result;

/// The switches of a registry's transports.
#[derive(Debug)]
pub(super) struct Switches(BTreeMap<&'static str, Switch>);

/// A transport, once it was built.
type Switch = Arc<OnceLock<Faulty<AnyTransport>>>;

/// What is put around what, and where it is to be found.
struct Around {
    inner: Factory,
    chaos: Chaos,
    seed: u64,
    switch: Switch,
}

impl Switches {
    /// Blocks a transport, or lets everything in again.
    pub(super) fn set(&self, scheme: &str, road: Road) {
        // One that was never built has no conns either.
        if let Some(faulty) = self.0.get(scheme).and_then(|switch| switch.get()) {
            faulty.set_road(road);
        }
    }

    /// Lets everything in again, by all transports.
    pub(super) fn open(&self) {
        self.0.keys().for_each(|scheme| self.set(scheme, Road::Open));
    }
}

/// The transports that are linked, for this node, whose conns suffer.
pub(super) fn registry(chaos: Chaos, node: NodeId) -> Result<(Registry, Switches)> {
    let linked = rumormill::registry()?;
    let seed = node.0.iter().fold(0, |seed: u64, byte| seed.rotate_left(8) ^ u64::from(*byte));
    let inner: Vec<Factory> = linked.factories().copied().collect();
    let registry = Registry::of(inner.iter().map(|inner| Factory { build, ..*inner }))?;
    let mut switches = BTreeMap::new();
    for inner in inner {
        let switch = Switch::default();
        switches.insert(inner.scheme, Arc::clone(&switch));
        let mut context = Context::default();
        context.extensions.insert(Around { inner, chaos, seed, switch });
        registry.configure(inner.scheme, context)?;
    }
    Ok((registry, Switches(switches)))
}

/// Builds the transport that its context names, with faults around it.
fn build(context: &Context) -> CarrierResult<AnyTransport> {
    let around: &Around =
        context.extensions.get().expect("invariant: `registry` configures what it registers");
    let Around { inner, chaos, seed, switch } = around;
    let faults = chaos.faults(inner.caps.delivery, *seed);
    let faulty = Faulty::new((inner.build)(context)?, faults);
    Ok(AnyTransport::new(switch.get_or_init(|| faulty).clone()))
}
