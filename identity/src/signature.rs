//! Signatures of a node, each for one purpose.

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use rumormill_transport_api::NodeId;

use crate::SecretKey;

/// What a signature says. One that was made for a purpose is worth nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// That a member suspects another, or holds it for failed.
    Accusation,
    /// Who is at an end of a conn between a broker and its client.
    Broker,
    /// A frame between two nodes.
    Frame,
    /// What a member says of itself.
    Record,
    /// That certain tickets count no more.
    Revocation,
    /// What a member says to all.
    Rumor,
    /// That a node may be a member.
    Ticket,
}

/// Bytes of a signature (Ed25519, RFC 8032).
pub const SIGNATURE: usize = 64;

impl SecretKey {
    /// Signs what has this digest, for this purpose and no other.
    ///
    /// Only a purpose and a digest are ever signed, so nobody can get a signature here that means
    /// something in another protocol: a handshake of TLS, say.
    pub fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> [u8; SIGNATURE] {
        self.signing_key().sign(&signed(purpose, digest)).to_bytes()
    }
}

/// The public half of a node's key, ready to verify with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// The key that `node` names; `None` if it names none, or one of small order, with which
    /// anybody can make signatures that verify, or one that goes by another name, so that no key
    /// is two nodes.
    pub fn of(node: NodeId) -> Option<Self> {
        let key = VerifyingKey::from_bytes(&node.0).ok()?;
        let is_canonical = key.to_edwards().compress().to_bytes() == node.0;
        (is_canonical && !key.is_weak()).then_some(Self(key))
    }

    /// The node that it names.
    pub fn node(&self) -> NodeId {
        NodeId(self.0.to_bytes())
    }

    /// Whether the node signed what has this digest, for this purpose.
    ///
    /// It accepts exactly one form of each signature (`verify_strict`): malleable ones and points
    /// of small order are refused, so that all nodes agree.
    #[must_use]
    pub fn verifies(
        &self,
        purpose: Purpose,
        digest: &[u8; 32],
        signature: &[u8; SIGNATURE],
    ) -> bool {
        self.verify(&signed(purpose, digest), signature)
    }

    fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

/// 47 bytes: with what Ed25519 puts before them they fill one block of its hash, and no second.
fn signed(purpose: Purpose, digest: &[u8; 32]) -> [u8; 47] {
    let tag: &[u8; 15] = match purpose {
        Purpose::Accusation => b"rumormill.accus",
        Purpose::Broker => b"rumormill.brokr",
        Purpose::Frame => b"rumormill.frame",
        Purpose::Record => b"rumormill.recrd",
        Purpose::Revocation => b"rumormill.revok",
        Purpose::Rumor => b"rumormill.rumor",
        Purpose::Ticket => b"rumormill.tickt",
    };
    let mut message = [0; 47];
    message[..15].copy_from_slice(tag);
    message[15..].copy_from_slice(digest);
    message
}

#[cfg(test)]
mod tests;
