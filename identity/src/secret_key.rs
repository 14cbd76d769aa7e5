//! The secret half of a node's key.

use std::{fmt, path::Path};

use ed25519_dalek::{
    SigningKey,
    pkcs8::{
        DecodePrivateKey, EncodePrivateKey, KeypairBytes, SecretDocument,
        spki::der::pem::LineEnding,
    },
};
use rand::{RngExt, rand_core::UnwrapErr, rngs::SysRng};
use rumormill_transport_api::NodeId;
use zeroize::Zeroizing;

use crate::{Result, key_file};

/// The secret half of a node's key (Ed25519, RFC 8032).
///
/// It is wiped from memory when dropped, and never printed. It signs nothing but digests for a
/// [`Purpose`](crate::Purpose).
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A new key, and so a new node, from the system's randomness.
    ///
    /// # Panics
    /// If the system has none.
    pub fn generate() -> Self {
        // Not from the generator of this thread, which a forked process would share.
        Self::from_bytes(&Zeroizing::new(UnwrapErr(SysRng).random()))
    }

    /// The key with this seed, the 32 bytes that RFC 8032 calls the private key.
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// What others know the node by.
    pub fn node(&self) -> NodeId {
        NodeId(self.0.verifying_key().to_bytes())
    }

    /// The key in a file that [`save`](Self::save) wrote, or
    /// `openssl genpkey -algorithm ed25519`.
    ///
    /// # Errors
    /// [`Exposed`](crate::Error::Exposed) and [`Foreign`](crate::Error::Foreign) if others can read
    /// the file (on Unix; elsewhere that is not looked at),
    /// [`Malformed`](crate::Error::Malformed), [`Io`](crate::Error::Io).
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let text = key_file::read_secret(path.as_ref())?;
        // Who copies a key by hand adds empty lines.
        match SigningKey::from_pkcs8_pem(text.trim()) {
            Ok(key) => Ok(Self(key)),
            Err(_) => Err(key_file::malformed(
                path.as_ref(),
                "holds no Ed25519 key in PEM (PKCS#8); `rumormill keygen` makes one",
            )),
        }
    }

    /// Writes the key to a new file that only its owner can read, as PKCS#8 in PEM.
    ///
    /// # Errors
    /// [`Exists`](crate::Error::Exists), [`Io`](crate::Error::Io). If the key could not be written
    /// whole, there is no file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let document = self.document();
        let pem = document.to_pem("PRIVATE KEY", LineEnding::LF);
        key_file::create(path.as_ref(), &pem.expect("invariant: a key fits into PEM"))
    }

    /// PKCS#8, version 1: the form without the public half, which every library reads.
    fn document(&self) -> SecretDocument {
        let bytes = KeypairBytes { secret_key: self.0.to_bytes(), public_key: None };
        bytes.to_pkcs8_der().expect("invariant: a key fits into DER")
    }

    #[cfg(feature = "tls")]
    pub(crate) fn to_der(&self) -> Zeroizing<Vec<u8>> {
        self.document().to_bytes()
    }

    pub(crate) fn signing_key(&self) -> &SigningKey {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.node())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_half_is_that_of_rfc_8032() {
        // Section 7.1, test 1.
        let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(SecretKey::from_bytes(&seed).node(), NodeId(public));
    }

    #[test]
    fn two_keys_are_two_nodes() {
        assert_ne!(SecretKey::generate().node(), SecretKey::generate().node());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let key = SecretKey::from_bytes(&[0xab; 32]);
        let shown = format!("{key:?}");
        assert_eq!(shown, format!("SecretKey(of {})", key.node()));
    }

    fn hex(text: &str) -> [u8; 32] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    }
}
