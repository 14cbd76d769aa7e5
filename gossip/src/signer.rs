//! Who signs, and what a signature of a member covers.

use blake3::Hasher;
use bytes::Bytes;
use rumormill_identity::{PublicKey, Purpose, SIGNATURE, SecretKey};
use rumormill_transport_api::NodeId;

use crate::record::{MAX_TICKET, ProfileError};

/// What signs for one node, verifies for all, and knows who may be a member.
///
/// It is a trait so that simulations can run many nodes without the cost of curves; every such
/// stand-in makes signatures of the same length.
pub trait Signer {
    /// Whose signatures it makes.
    fn node(&self) -> NodeId;

    /// The node's signature of a digest, for this purpose and no other.
    fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> [u8; SIGNATURE];

    /// Whether `node` has signed this digest for this purpose, by the key that its id is unless this is
    /// overridden.
    fn verifies(
        &self,
        node: NodeId,
        purpose: Purpose,
        digest: &[u8; 32],
        signature: &[u8; SIGNATURE],
    ) -> bool {
        PublicKey::of(node).is_some_and(|key| key.verifies(purpose, digest, signature))
    }

    /// Whether `node`, which shows `ticket`, may be a member. Asked before anything of it enters a table;
    /// anybody may, unless this is overridden.
    fn admits(&self, _node: NodeId, _ticket: &[u8]) -> Grant {
        Grant::Member
    }

    /// What this node shows itself; nothing, unless this is overridden.
    fn ticket(&self) -> Bytes {
        Bytes::new()
    }
}

/// What a node is to those who decide about membership.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Grant {
    /// It may be a member.
    Member,
    /// It may, and this name belongs to it, whoever else claims it.
    Named(Box<str>),
    /// It may not.
    None,
}

impl Signer for SecretKey {
    fn node(&self) -> NodeId {
        Self::node(self)
    }

    fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> [u8; SIGNATURE] {
        Self::sign(self, purpose, digest)
    }
}

impl<S: Signer + ?Sized> Signer for Box<S> {
    fn node(&self) -> NodeId {
        (**self).node()
    }

    fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> [u8; SIGNATURE] {
        (**self).sign(purpose, digest)
    }

    fn verifies(
        &self,
        node: NodeId,
        purpose: Purpose,
        digest: &[u8; 32],
        signature: &[u8; SIGNATURE],
    ) -> bool {
        (**self).verifies(node, purpose, digest, signature)
    }

    fn admits(&self, node: NodeId, ticket: &[u8]) -> Grant {
        (**self).admits(node, ticket)
    }

    fn ticket(&self) -> Bytes {
        (**self).ticket()
    }
}

/// A signer for simulations, which anybody can forge: a hash of what is signed and of whose name it
/// is signed with.
#[derive(Clone, Copy, Debug)]
pub struct StandIn(pub NodeId);

impl Signer for StandIn {
    fn node(&self) -> NodeId {
        self.0
    }

    fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> [u8; SIGNATURE] {
        mark(self.0, purpose, digest)
    }

    fn verifies(
        &self,
        node: NodeId,
        purpose: Purpose,
        digest: &[u8; 32],
        signature: &[u8; SIGNATURE],
    ) -> bool {
        mark(node, purpose, digest) == *signature
    }
}

fn mark(node: NodeId, purpose: Purpose, digest: &[u8; 32]) -> [u8; SIGNATURE] {
    let mut hasher = Hasher::new_keyed(&node.0);
    hasher.update(&[purpose as u8]).update(digest);
    let mut signature = [0; SIGNATURE];
    hasher.finalize_xof().fill(&mut signature);
    signature
}

/// A signer within one cluster: what is signed in one is worth nothing in another.
#[derive(Debug)]
pub(crate) struct Notary<S> {
    signer: S,
    key: [u8; 32],
}

impl<S: Signer> Notary<S> {
    pub(crate) fn new(signer: S, cluster: &str) -> Self {
        Self { signer, key: blake3::derive_key("rumormill 1 gossip", cluster.as_bytes()) }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.signer.node()
    }

    pub(crate) fn sign(&self, purpose: Purpose, bytes: &[u8]) -> [u8; SIGNATURE] {
        self.signer.sign(purpose, &self.digest(bytes))
    }

    pub(crate) fn verifies(
        &self,
        node: NodeId,
        purpose: Purpose,
        bytes: &[u8],
        signature: &[u8; SIGNATURE],
    ) -> bool {
        self.signer.verifies(node, purpose, &self.digest(bytes), signature)
    }

    pub(crate) fn admits(&self, node: NodeId, ticket: &[u8]) -> Grant {
        self.signer.admits(node, ticket)
    }

    /// That a record can hold its ticket.
    pub(crate) fn check(&self) -> Result<(), ProfileError> {
        match self.ticket().len() {
            len if MAX_TICKET < len => Err(ProfileError::Ticket(len)),
            _ => Ok(()),
        }
    }

    pub(crate) fn ticket(&self) -> Bytes {
        self.signer.ticket()
    }

    fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        *blake3::keyed_hash(&self.key, bytes).as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(one: impl Signer, other: impl Signer) {
        let (node, stranger) = (one.node(), other.node());
        let one = Notary::new(one, "test");
        let signature = one.sign(Purpose::Record, b"a");
        assert!(one.verifies(node, Purpose::Record, b"a", &signature));
        assert!(!one.verifies(node, Purpose::Record, b"b", &signature));
        assert!(!one.verifies(node, Purpose::Accusation, b"a", &signature));
        assert!(!one.verifies(stranger, Purpose::Record, b"a", &signature));
        let elsewhere = Notary::new(other, "elsewhere");
        assert!(!elsewhere.verifies(node, Purpose::Record, b"a", &signature));
    }

    #[test]
    fn a_signature_is_worth_nothing_elsewhere() {
        check(SecretKey::from_bytes(&[1; 32]), SecretKey::from_bytes(&[2; 32]));
        check(StandIn(NodeId([1; 32])), StandIn(NodeId([2; 32])));
    }
}
