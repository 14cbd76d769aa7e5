//! A certificate proves the node whose key it holds.

use std::{fmt, sync::Arc};

use rumormill_transport_api::NodeId;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::name;
use crate::PublicKey;

/// Accepts a certificate with the key of the node that the name expects, and as the accepting side
/// that of any node; the handshake's own signature shows that the peer holds the key.
///
/// Nothing else in the certificate is looked at: its names, dates and signature are the holder's
/// own word.
#[derive(Debug)]
pub(super) struct NodeVerifier(Arc<CryptoProvider>);

/// Why a certificate was refused, for whoever refused it.
#[derive(thiserror::Error)]
enum Refusal {
    #[error("it showed no certificate of a node, which has an Ed25519 key")]
    NoNode,
    #[error("it proved to be {0}")]
    Other(NodeId),
}

/// What carriers that pass an error on as text only print of a cause that rustls does not know.
impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl NodeVerifier {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self(provider)
    }

    fn check(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }
}

impl ServerCertVerifier for NodeVerifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let node = node(shown).ok_or_else(|| refuse(Refusal::NoNode))?;
        let ServerName::DnsName(name) = name else { return Err(not_ours()) };
        match name::expected(name.as_ref()).ok_or_else(not_ours)? {
            Some(expected) if expected != node => Err(refuse(Refusal::Other(node))),
            Some(_) | None => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for NodeVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match node(shown) {
            Some(_) => Ok(ClientCertVerified::assertion()),
            None => Err(refuse(Refusal::NoNode)),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// The node whose key `certificate` holds.
pub(super) fn node(certificate: &CertificateDer<'_>) -> Option<NodeId> {
    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    let info = certificate.subject_public_key_info();
    let key = info.as_ref().strip_prefix(ED25519)?.try_into().ok()?;
    PublicKey::of(NodeId(key)).map(|key| key.node())
}

fn refuse(refusal: Refusal) -> Error {
    CertificateError::Other(OtherError(Arc::new(refusal))).into()
}

fn not_ours() -> Error {
    Error::General("the name of the peer was not made by `Tls::server_name`".into())
}

fn no_tls12() -> Error {
    Error::General("only TLS 1.3 is spoken".into())
}

/// What stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410, section 4).
const ED25519: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
