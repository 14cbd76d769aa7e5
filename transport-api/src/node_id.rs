//! The name of a node: its Ed25519 public key.

use std::fmt;

/// The Ed25519 public key that a node is known by.
///
/// Here it is 32 bytes to compare; what signs with it, checks it or writes it down for people is
/// the business of crates above.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 32]);

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeId(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}
