//! Who the hosts of a network are.

use std::{collections::HashMap, sync::OnceLock};

use rumormill_gossip::{Signer, StandIn};
use rumormill_identity::SecretKey;
use rumormill_transport_api::NodeId;

/// Hosts of a network, at most.
pub const MOST: usize = 1024;

/// Who signs.
#[derive(Clone, Copy, Debug)]
pub enum Signing {
    /// Ed25519.
    Real,
    /// A hash of the same length.
    StandIn,
}

impl Signing {
    pub(super) fn signer(self, at: usize) -> Box<dyn Signer> {
        match self {
            Self::Real => Box::new(key(at)),
            Self::StandIn => Box::new(StandIn(id(at))),
        }
    }
}

fn key(at: usize) -> SecretKey {
    SecretKey::from_bytes(blake3::hash(&at.to_be_bytes()).as_bytes())
}

/// The id of a host.
///
/// # Panics
/// If a network cannot have so many.
pub fn id(at: usize) -> NodeId {
    static IDS: OnceLock<Vec<NodeId>> = OnceLock::new();
    IDS.get_or_init(|| (0..MOST).map(|at| key(at).node()).collect())[at]
}

/// The host of an id.
pub fn place(node: NodeId) -> Option<usize> {
    static PLACES: OnceLock<HashMap<NodeId, usize>> = OnceLock::new();
    PLACES.get_or_init(|| (0..MOST).map(|at| (id(at), at)).collect()).get(&node).copied()
}
