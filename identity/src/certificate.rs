//! The certificate that a node signs for itself.

use ed25519_dalek::{
    Signer,
    pkcs8::spki::der::pem::{self, LineEnding},
};
use rcgen::{
    CertificateParams, DnType, PublicKeyData, SerialNumber, SignatureAlgorithm, SigningKey,
};
use rumormill_transport_api::Credentials;

use crate::SecretKey;

impl SecretKey {
    /// What a carrier that encrypts proves this node with: the key, and a certificate that it
    /// signs for itself.
    ///
    /// The same key always gives the same certificate, byte for byte: it has no date of its own and
    /// no randomness. Its names and dates mean nothing to peers, only its key does.
    pub fn credentials(&self) -> Credentials {
        Credentials {
            node: self.node(),
            chain: vec![self.certificate()],
            key: self.to_der(),
            authorities: Vec::new(),
        }
    }

    /// The certificate alone, in PEM, for programs that are not ours: to show it they need the
    /// key's file too, and to know this node by it they need nothing else.
    pub fn certificate_pem(&self) -> String {
        let pem = pem::encode_string("CERTIFICATE", LineEnding::LF, &self.certificate());
        pem.expect("invariant: a certificate fits into PEM")
    }

    fn certificate(&self) -> Vec<u8> {
        let node = self.node();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, node.to_string());
        params.serial_number = Some(SerialNumber::from_slice(&[1]));
        // From 1975 to 4096: the default of rcgen, here so that no version of it can change them.
        params.not_before = rcgen::date_time_ymd(1975, 1, 1);
        params.not_after = rcgen::date_time_ymd(4096, 1, 1);
        let signer = SelfSigner { key: self, public: node.0 };
        let certificate = params.self_signed(&signer);
        certificate.expect("invariant: nothing in it varies but the key").der().to_vec()
    }
}

struct SelfSigner<'a> {
    key: &'a SecretKey,
    public: [u8; 32],
}

impl PublicKeyData for SelfSigner<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl SigningKey for SelfSigner<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.key.signing_key().sign(message).to_bytes().to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_key_gives_the_same_certificate() {
        let certificate = SecretKey::from_bytes(&[7; 32]).certificate();
        assert_eq!(certificate, SecretKey::from_bytes(&[7; 32]).certificate());
        assert_ne!(certificate, SecretKey::from_bytes(&[8; 32]).certificate());
        let golden = include_bytes!("../tests/seven.der");
        assert_eq!(certificate, golden, "peers of other versions may have pinned it");
    }
}
