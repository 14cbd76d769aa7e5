//! Signatures of a node, each for one purpose.

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use rumormill_transport_api::NodeId;

use crate::SecretKey;

/// What a signature says. One that was made for a purpose is worth nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A frame between two nodes.
    Frame,
    /// That certain tickets count no more.
    Revocation,
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
    /// anybody can make signatures that verify.
    pub fn of(node: NodeId) -> Option<Self> {
        VerifyingKey::from_bytes(&node.0).ok().filter(|key| !key.is_weak()).map(Self)
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
        let signature = Signature::from_bytes(signature);
        self.0.verify_strict(&signed(purpose, digest), &signature).is_ok()
    }
}

/// 47 bytes: with what Ed25519 puts before them they fill one block of its hash, and no second.
fn signed(purpose: Purpose, digest: &[u8; 32]) -> [u8; 47] {
    let tag: &[u8; 15] = match purpose {
        Purpose::Frame => b"rumormill.frame",
        Purpose::Revocation => b"rumormill.revok",
        Purpose::Ticket => b"rumormill.tickt",
    };
    let mut message = [0; 47];
    message[..15].copy_from_slice(tag);
    message[15..].copy_from_slice(digest);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURPOSES: [Purpose; 3] = [Purpose::Frame, Purpose::Revocation, Purpose::Ticket];

    #[test]
    fn a_signature_holds_for_one_purpose_one_digest_and_one_node() {
        let (key, other) = (SecretKey::from_bytes(&[1; 32]), SecretKey::from_bytes(&[2; 32]));
        let public = |key: &SecretKey| PublicKey::of(key.node()).unwrap();
        for signed in PURPOSES {
            let signature = key.sign(signed, &[7; 32]);
            for asked in PURPOSES {
                let verifies = public(&key).verifies(asked, &[7; 32], &signature);
                assert_eq!(verifies, asked == signed, "{signed:?} as {asked:?}");
            }
            assert!(!public(&key).verifies(signed, &[8; 32], &signature));
            assert!(!public(&other).verifies(signed, &[7; 32], &signature));
        }
    }

    #[test]
    fn no_bit_of_a_signature_can_change() {
        let key = SecretKey::from_bytes(&[1; 32]);
        let public = PublicKey::of(key.node()).unwrap();
        let signature = key.sign(Purpose::Frame, &[7; 32]);
        for bit in 0..8 * SIGNATURE {
            let mut bent = signature;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(!public.verifies(Purpose::Frame, &[7; 32], &bent), "bit {bit}");
        }
    }

    #[test]
    fn the_same_signature_in_another_form_is_refused() {
        let key = SecretKey::from_bytes(&[1; 32]);
        let public = PublicKey::of(key.node()).unwrap();
        let mut signature = key.sign(Purpose::Frame, &[7; 32]);
        // S + L means the same as S (RFC 8032, section 8.4).
        let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
        let mut carry = 0;
        for (at, byte) in signature[32..].iter_mut().enumerate() {
            let add = u16::from_str_radix(&order[2 * at..2 * at + 2], 16).unwrap();
            let sum = u16::from(*byte) + add + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert!(!public.verifies(Purpose::Frame, &[7; 32], &signature));
    }

    #[test]
    fn what_is_no_key_or_everybodys_is_refused() {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert!(PublicKey::of(NodeId(neutral)).is_none());
        assert!(PublicKey::of(NodeId([0; 32])).is_none());
        assert!(PublicKey::of(NodeId([2; 32])).is_none());
    }
}
