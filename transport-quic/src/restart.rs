//! How peers learn that a node has started anew: stateless resets (RFC 9000, section 10.3).
//!
//! A node that knows nothing of a connection any more can prove that it is the same node by a token
//! that depends on its key alone. So the key that tokens are made with comes from the node's, and
//! ids of connections tell nothing that only one run of the program would know.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use quinn::{
    ConnectionId, ConnectionIdGenerator,
    crypto::{CryptoError, HmacKey},
};
use rumormill_identity::tls;
use rumormill_transport_api::{Context, Error, Result};
use rustls::crypto::{
    SecureRandom,
    tls13::{Hkdf, HkdfExpander, OkmBlock},
};

/// What the keys of one node's sockets are derived from.
pub(crate) struct ResetSecret {
    hkdf: &'static dyn Hkdf,
    secret: Box<dyn HkdfExpander>,
}

impl ResetSecret {
    pub(crate) fn new(context: &Context) -> Result<Self> {
        let unsupported = || Error::unsupported("QUIC without TLS 1.3 or a key", "provide both");
        let suites = tls::provider().cipher_suites.clone();
        let suite = suites.iter().find_map(|suite| suite.tls13()).ok_or_else(unsupported)?;
        let credentials = context.credentials.as_ref().ok_or_else(unsupported)?;
        let hkdf = suite.hkdf_provider;
        Ok(Self { hkdf, secret: hkdf.extract_from_secret(Some(SALT), &credentials.key) })
    }

    /// The key of the socket at `local`, other than that of any other socket: one would else make
    /// tokens for connections of the other.
    pub(crate) fn key(&self, local: SocketAddr) -> Arc<dyn HmacKey> {
        let key = self.secret.expand_block(&[local.to_string().as_bytes()]);
        Arc::new(ResetKey { hkdf: self.hkdf, key })
    }
}

struct ResetKey {
    hkdf: &'static dyn Hkdf,
    key: OkmBlock,
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        signature_out.copy_from_slice(self.hkdf.hmac_sign(&self.key, data).as_ref());
    }

    fn signature_len(&self) -> usize {
        self.hkdf.hmac_sign(&self.key, &[]).as_ref().len()
    }

    /// Tokens are compared by whoever gets them; their maker never does.
    fn verify(&self, data: &[u8], signature: &[u8]) -> std::result::Result<(), CryptoError> {
        match self.hkdf.hmac_sign(&self.key, data).as_ref() == signature {
            true => Ok(()),
            false => Err(CryptoError),
        }
    }
}

/// Ids of connections that are random, and nothing but that.
pub(crate) struct RandomIds(&'static dyn SecureRandom);

impl Default for RandomIds {
    fn default() -> Self {
        Self(tls::provider().secure_random)
    }
}

impl ConnectionIdGenerator for RandomIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; ID];
        self.0.fill(&mut id).expect("invariant: the system has randomness, or TLS had failed");
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        ID
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

const SALT: &[u8] = b"rumormill/1 stateless reset";
/// Bytes of an id: enough that no two are alike, and no more, since each packet carries one.
const ID: usize = 8;

#[cfg(test)]
mod tests {
    use rumormill_identity::SecretKey;

    use super::*;

    fn token(key: &SecretKey, local: &str) -> Vec<u8> {
        let credentials = Some(Arc::new(key.credentials()));
        let context = Context { credentials, ..Context::default() };
        let key = ResetSecret::new(&context).unwrap().key(local.parse().unwrap());
        let mut token = vec![0; key.signature_len()];
        key.sign(b"an id", &mut token);
        assert!(key.verify(b"an id", &token).is_ok() && key.verify(b"other", &token).is_err());
        token
    }

    #[test]
    fn tokens_depend_on_the_node_and_its_address_alone() {
        let (one, other) = (SecretKey::generate(), SecretKey::generate());
        assert_eq!(token(&one, "10.0.0.1:1"), token(&one, "10.0.0.1:1"));
        assert_ne!(token(&one, "10.0.0.1:1"), token(&one, "10.0.0.1:2"));
        assert_ne!(token(&one, "10.0.0.1:1"), token(&other, "10.0.0.1:1"));
    }
}
