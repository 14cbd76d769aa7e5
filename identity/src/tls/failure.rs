//! What a failed handshake means in the words of the transport contract.

use rumormill_transport_api::{Addr, Error};
use rustls::{AlertDescription, CertificateError, PeerIncompatible};

/// Why a handshake failed that this side began with whoever listens at `addr`.
pub fn failed(addr: &Addr, error: &rustls::Error) -> Error {
    use rustls::Error as Tls;
    let unproven =
        |problem: String| Error::Unproven { addr: addr.clone(), problem: problem.into() };
    match error {
        Tls::AlertReceived(alert) => refused(*alert),
        Tls::InvalidCertificate(CertificateError::Other(refusal)) => {
            unproven(refusal.0.to_string())
        }
        Tls::InvalidCertificate(problem) => unproven(problem.to_string()),
        Tls::NoCertificatesPresented => unproven("it showed no certificate".into()),
        Tls::InvalidMessage(_) => Error::protocol("it answers with something that is no TLS"),
        Tls::NoApplicationProtocol => Error::protocol(OTHER_PROTOCOL),
        Tls::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => Error::protocol(OLD),
        other => Error::protocol(format!("the TLS handshake failed: {other}")),
    }
}

/// What it means that the peer ended the conn with `alert` (RFC 8446, section 6.2).
pub fn refused(alert: AlertDescription) -> Error {
    use AlertDescription as Alert;
    let because = |problem: &str| Error::Refused { problem: problem.into() };
    match alert {
        Alert::AccessDenied => because("it does not want us"),
        Alert::BadCertificate | Alert::CertificateUnknown => because(
            "it takes no certificate like ours; nodes with and without an authority do not mix",
        ),
        Alert::CertificateExpired => because("our certificate has expired; renew it"),
        Alert::CertificateRequired => because("it wants a certificate, and got none"),
        Alert::CertificateRevoked => because("our certificate was revoked"),
        Alert::DecryptError => because("it could not verify our signature"),
        Alert::UnsupportedCertificate => because(
            "our certificate does not serve to dial; it needs a DNS name, and where it has a list \
             of purposes, clientAuth among them",
        ),
        Alert::UnknownCA => because("it does not know the authority of our certificate"),
        Alert::HandshakeFailure => {
            because("it has nothing to prove itself with that we would take")
        }
        Alert::NoApplicationProtocol => Error::protocol(OTHER_PROTOCOL),
        Alert::ProtocolVersion => Error::protocol(OLD),
        other => because(&format!("it sent the TLS alert {other:?}")),
    }
}

const OTHER_PROTOCOL: &str = "it speaks TLS, but not for rumormill (ALPN)";
const OLD: &str = "it does not speak TLS 1.3";
