//! Who a node is: its Ed25519 key, the files that keep it, and the certificates that prove it.
//!
//! A node *is* its key: [`SecretKey::node`] is the [`NodeId`](rumormill_transport_api::NodeId) that
//! others know it by. A new key is a new node.
//!
//! ```
//! use rumormill_identity::SecretKey;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("node.key");
//! let key = SecretKey::generate();
//! key.save(&path)?; // readable by its owner alone; an existing file is never overwritten
//! assert_eq!(SecretKey::load(&path)?.node(), key.node());
//! # Ok(())
//! # }
//! ```
//!
//! The feature `tls` adds what carriers that encrypt need: `SecretKey::credentials`, credentials
//! from the files of an authority, and the module `tls`, by which both sides of a handshake check
//! each other. Without it nothing of TLS is compiled.

mod secret_key;
mod signature;

mod error;
mod key_file;

#[cfg(feature = "tls")]
mod certificate;
#[cfg(feature = "tls")]
mod pki;
#[cfg(feature = "tls")]
pub mod tls;

pub use error::{Error, Result};
#[cfg(feature = "tls")]
pub use pki::PkiFiles;
pub use secret_key::SecretKey;
pub use signature::{PublicKey, Purpose, SIGNATURE};
