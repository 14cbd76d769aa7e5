//! Names that an authority vouches for, instead of nodes' keys.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rumormill_identity::SecretKey;
use rumormill_transport_api::{
    Addr, AnyConn, AnyListener, Batch, Credentials, Error, Expect, Listener, Proof, Reader, Writer,
};

use tokio_rustls::TlsAcceptor;

use crate::{
    node::{Node, accept, beside, exchange, soon},
    stranger::{self, Stranger},
};

/// An authority, and what it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        // Two authorities of one name would be told apart by their signatures only.
        let name = SecretKey::generate().node().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    /// A node that this authority vouches for by these names.
    fn vouch(&self, names: &[&str]) -> Node {
        self.vouch_until(names, 4096)
    }

    fn vouch_until(&self, names: &[&str], year: i32) -> Node {
        Node::of(self.credentials(names, year, &rcgen::PKCS_ECDSA_P256_SHA256))
    }

    fn credentials(
        &self,
        names: &[&str],
        year: i32,
        kind: &'static rcgen::SignatureAlgorithm,
    ) -> Credentials {
        let key = KeyPair::generate_for(kind).unwrap();
        let names = names.iter().copied().map(String::from).collect::<Vec<_>>();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Credentials {
            node: SecretKey::generate().node(),
            chain: vec![certificate.der().to_vec()],
            key: key.serialize_der().into(),
            authorities: vec![self.certificate.clone()],
        }
    }
}

fn name(name: &str) -> Expect {
    Expect::Name(name.into())
}

/// How to dial a listener by the name of its machine.
fn localhost(listener: &AnyListener) -> Addr {
    let port = listener.addr().rest().rsplit(':').next().unwrap();
    format!("tls://localhost:{port}").parse().unwrap()
}

async fn check_unproven(client: &Node, listener: &mut AnyListener, expect: Expect, why: &str) {
    let addr = localhost(listener);
    let error = beside(listener, client.dial_expecting(&addr, expect)).await.unwrap_err();
    assert!(matches!(error, Error::Unproven { .. }), "{error:?}");
    assert!(error.to_string().contains(why), "{error}");
}

/// Dials somebody who will not have us; what `recv`, `close` and at last `send` report.
async fn check_refused(client: &Node, listener: &mut AnyListener, why: &str) {
    let addr = localhost(listener);
    for way in 0..3 {
        let trying = async {
            let mut conn = client.dial(&addr).await.expect("a listener has the last word");
            loop {
                let mut batch: Batch = ["let me in"].into_iter().collect();
                let told = match way {
                    0 => conn.reader.recv(&mut Vec::new()).await,
                    1 => conn.writer.close().await,
                    _ => conn.writer.send(&mut batch).await,
                };
                if let Err(error) = told {
                    return error;
                }
            }
        };
        let error = beside(listener, soon("being refused", trying)).await;
        assert!(matches!(error, Error::Refused { .. }), "by way {way}: {error:?}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test]
async fn both_sides_learn_the_others_name() {
    let authority = Authority::new();
    let server = authority.vouch(&["server.example", "localhost", "127.0.0.1"]);
    let client = authority.vouch(&["client.example"]);
    let mut listener = server.listen().await;
    let by_name = localhost(&listener);
    let by_address = listener.addr().clone();
    for (addr, expect, proven) in [
        (&by_name, Expect::Any, "localhost"),
        (&by_address, Expect::Any, "127.0.0.1"),
        (&by_address, name("server.example"), "server.example"),
        // The second time it is resumed.
        (&by_address, name("server.example"), "server.example"),
    ] {
        let dialling = async { client.dial_expecting(addr, expect).await.unwrap() };
        let (mut dialled, mut accepted) = tokio::join!(dialling, accept(&mut listener));
        assert_eq!(dialled.info.proof, Some(Proof::Name(proven.into())));
        assert_eq!(accepted.info.proof, Some(Proof::Name("client.example".into())));
        exchange(&mut dialled, &mut accepted).await;
    }
}

#[tokio::test]
async fn another_name_is_unproven() {
    let authority = Authority::new();
    let (server, client) = (authority.vouch(&["server.example"]), authority.vouch(&["client"]));
    let mut listener = server.listen().await;
    check_unproven(&client, &mut listener, Expect::Any, "not valid for name").await;
    check_unproven(&client, &mut listener, name("other.example"), "not valid for name").await;
    beside(&mut listener, server.vanished(2)).await;
    // A session in which the name was proven is none under another name.
    let addr = localhost(&listener);
    let right = client.dial_expecting(&addr, name("server.example"));
    let (dialled, mut accepted) = tokio::join!(right, accept(&mut listener));
    exchange(&mut dialled.unwrap(), &mut accepted).await;
    check_unproven(&client, &mut listener, name("other.example"), "not valid for name").await;
}

#[tokio::test]
async fn a_key_cannot_be_expected_by_name_nor_a_name_that_is_none() {
    let client = Authority::new().vouch(&["client.example"]);
    let addr = "tls://127.0.0.1:1".parse().unwrap();
    for expect in [Expect::Node(client.id()), name(""), name("no name"), name("-")] {
        let error = client.dial_expecting(&addr, expect).await.unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn an_expired_certificate_proves_nothing() {
    let authority = Authority::new();
    let (good, expired) =
        (authority.vouch(&["localhost"]), authority.vouch_until(&["localhost"], 2001));
    let mut listener = expired.listen().await;
    check_unproven(&good, &mut listener, Expect::Any, "expired").await;
    let mut listener = good.listen().await;
    check_refused(&expired, &mut listener, "our certificate has expired").await;
    beside(&mut listener, good.vanished(3)).await;
}

#[tokio::test]
async fn a_foreign_authority_vouches_for_nobody() {
    let (one, other) =
        (Authority::new().vouch(&["localhost"]), Authority::new().vouch(&["localhost"]));
    let mut listener = one.listen().await;
    check_unproven(&other, &mut listener, Expect::Any, "UnknownIssuer").await;
    // Who trusts everybody and is trusted by nobody.
    let authority = Authority::new();
    let naive = Credentials {
        authorities: vec![authority.certificate.clone()],
        ..Authority::new().credentials(&["client"], 4096, &rcgen::PKCS_ECDSA_P256_SHA256)
    };
    let mut listener = authority.vouch(&["localhost"]).listen().await;
    check_refused(&Node::of(naive), &mut listener, "authority of our certificate").await;
}

#[tokio::test]
async fn nodes_with_and_without_an_authority_do_not_mix() {
    let authority = Authority::new();
    // Its key could be a node's.
    let server = Node::of(authority.credentials(&["localhost"], 4096, &rcgen::PKCS_ED25519));
    let node = Node::new();
    let mut listener = server.listen().await;
    check_refused(&node, &mut listener, "authority").await;
    let mut listener = node.listen().await;
    let addr = localhost(&listener);
    let error = beside(&mut listener, server.dial(&addr)).await.unwrap_err();
    assert!(matches!(error, Error::Unproven { .. }), "{error:?}");
}

/// The one task is told as well as the other, even by a listener that does not hang up.
#[tokio::test]
async fn both_halves_are_told_of_a_refusal() {
    let authority = Authority::new();
    let server = authority.credentials(&["localhost"], 4096, &rcgen::PKCS_ED25519);
    let stranger = Stranger::of(&server.into());
    let (listener, addr) = stranger::listen().await;
    for _ in 0..20 {
        let refusing = async {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = TlsAcceptor::from(Arc::new(stranger.server.clone()));
            let (_, stream) = acceptor.accept(stream).into_fallible().await.unwrap_err();
            stream
        };
        let dialling = async { Node::new().dial(&addr).await.unwrap() };
        let (AnyConn { mut reader, mut writer, .. }, _stream) = tokio::join!(dialling, refusing);
        let receiving = tokio::spawn(async move { reader.recv(&mut Vec::new()).await });
        let closing = tokio::spawn(async move { writer.close().await });
        for told in [soon("receiving", receiving).await, soon("closing", closing).await] {
            let error = told.unwrap().unwrap_err();
            assert!(matches!(error, Error::Refused { .. }), "{error:?}");
        }
    }
}
