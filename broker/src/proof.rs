//! What a node signs to prove itself to the other end of a conn.

use rumormill_transport_api::NodeId;

use crate::wire::NONCE;

/// Who proves something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The broker, in its Welcome.
    Broker,
    /// The client, after it.
    Client,
}

/// What is signed, with [`Purpose::Broker`](rumormill_identity::Purpose::Broker): BLAKE3 of a tag, the
/// side that signs, both nonces, and both nodes, each 32 zero bytes if there is none.
///
/// The nonces make it worth nothing on another conn. The broker's id in what the client signs keeps a
/// broker from passing it on as its own to another one, if the client knows which broker it expects. Over a carrier that does not encrypt, whoever
/// can change what is on its way can still speak in the client's name afterwards: docs/security.md.
pub fn proof(
    side: Side,
    client: Option<NodeId>,
    client_nonce: &[u8; NONCE],
    broker: Option<NodeId>,
    broker_nonce: &[u8; NONCE],
) -> [u8; 32] {
    let node = |node: Option<NodeId>| node.map_or([0; 32], |node| node.0);
    let mut hasher = blake3::Hasher::new_derive_key("rumormill 2026 broker proof v1");
    hasher.update(&[side as u8]);
    hasher.update(client_nonce);
    hasher.update(broker_nonce);
    hasher.update(&node(client));
    hasher.update(&node(broker));
    *hasher.finalize().as_bytes()
}
