//! Two nodes prove themselves to each other, or fail to, without a socket between them.

#![cfg(feature = "tls")]

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rumormill_identity::{
    SecretKey,
    tls::{Sessions, Tls, failed},
};
use rumormill_transport_api::{Addr, Context, Credentials, Error, Expect, NodeId, Proof, Target};
use rustls::{
    ClientConnection, HandshakeKind, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer},
};

const PROTOCOL: &[u8] = b"test/1";
const PLACE: &str = "tls://10.0.0.1:7946";

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

fn tls(credentials: Credentials) -> Tls {
    let context = Context { credentials: Some(Arc::new(credentials)), ..Context::default() };
    Tls::new(&context, PROTOCOL, Sessions::Resumed).expect("usable credentials")
}

fn node(seed: u8) -> Tls {
    tls(key(seed).credentials())
}

fn target(expect: Expect) -> Target {
    Target { expect, ..Target::new(PLACE.parse().expect("an address")) }
}

/// Both ends of a handshake that went as far as it could.
struct Met {
    client: ClientConnection,
    server: ServerConnection,
    /// Whose error came first, if any did: that of the dialling side, or of the accepting one.
    dialer: Option<rustls::Error>,
    acceptor: Option<rustls::Error>,
    name: String,
}

impl Met {
    fn listeners_proof(&self, tls: &Tls, expect: Expect) -> Result<Proof, Error> {
        let shown = self.client.peer_certificates().unwrap_or_default();
        tls.proof_of_listener(&target(expect), &self.name, shown)
    }

    fn dialers_proof(&self, tls: &Tls) -> Result<Proof, Error> {
        tls.proof_of_dialer(self.server.peer_certificates().unwrap_or_default())
    }
}

fn meet(dialer: &Tls, acceptor: &Tls, expect: Expect) -> Met {
    let target = target(expect);
    let name =
        dialer.server_name(&target, "10.0.0.1", "10.0.0.1:7946".parse().expect("an address"));
    let name = name.expect("a name");
    let server_name = name.clone().try_into().expect("a name for TLS");
    let mut client = ClientConnection::new(dialer.client().clone(), server_name).expect("a client");
    let mut server = ServerConnection::new(acceptor.server().clone()).expect("a server");
    let (mut dialer, mut acceptor) = (None, None);
    for _ in 0..4 {
        pass(&mut client, &mut server, &mut acceptor);
        pass(&mut server, &mut client, &mut dialer);
    }
    Met { client, server, dialer, acceptor, name }
}

fn pass<A, B>(from: &mut A, to: &mut B, error: &mut Option<rustls::Error>)
where
    A: Ends,
    B: Ends,
{
    let mut wire = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut wire);
    }
    let mut wire = wire.as_slice();
    while !wire.is_empty() && error.is_none() {
        to.read_tls(&mut wire);
        *error = to.process().err();
    }
}

/// What the two kinds of connection have in common.
trait Ends {
    fn wants_write(&self) -> bool;
    fn write_tls(&mut self, wire: &mut Vec<u8>);
    fn read_tls(&mut self, wire: &mut &[u8]);
    fn process(&mut self) -> Result<(), rustls::Error>;
}

macro_rules! ends {
    ($($connection:ty),*) => {$(impl Ends for $connection {
        fn wants_write(&self) -> bool {
            (**self).wants_write()
        }
        fn write_tls(&mut self, wire: &mut Vec<u8>) {
            (**self).write_tls(wire).expect("memory takes it");
        }
        fn read_tls(&mut self, wire: &mut &[u8]) {
            (**self).read_tls(wire).expect("memory gives it");
        }
        fn process(&mut self) -> Result<(), rustls::Error> {
            self.process_new_packets().map(drop)
        }
    })*};
}

ends!(ClientConnection, ServerConnection);

fn addr() -> Addr {
    PLACE.parse().expect("an address")
}

#[test]
fn each_side_learns_the_others_key() {
    let (a, b) = (node(1), node(2));
    for expect in [Expect::Any, Expect::Node(key(2).node())] {
        let met = meet(&a, &b, expect.clone());
        assert_eq!((&met.dialer, &met.acceptor), (&None, &None));
        assert_eq!(met.listeners_proof(&a, expect).unwrap(), Proof::Node(key(2).node()));
        assert_eq!(met.dialers_proof(&b).unwrap(), Proof::Node(key(1).node()));
        assert_eq!(met.client.alpn_protocol(), Some(PROTOCOL));
        assert_eq!(met.server.server_name(), None, "the name stays in the process");
    }
}

#[test]
fn somebody_else_is_unproven_and_never_sees_our_certificate() {
    let (a, b) = (node(1), node(2));
    let met = meet(&a, &b, Expect::Node(key(3).node()));
    let error = failed(&addr(), &met.dialer.expect("the dialer notices"));
    assert!(matches!(error, Error::Unproven { .. }), "{error:?}");
    assert!(error.to_string().contains(&format!("it proved to be {}", key(2).node())), "{error}");
    assert!(met.server.peer_certificates().is_none());
    assert!(matches!(met.acceptor, Some(rustls::Error::AlertReceived(_))));
}

#[test]
fn a_second_handshake_is_resumed_and_proves_the_same() {
    let (a, b) = (node(1), node(2));
    let expected = Expect::Node(key(2).node());
    for (kind, expect) in [
        (HandshakeKind::Full, Expect::Any),
        (HandshakeKind::Resumed, Expect::Any),
        (HandshakeKind::Full, expected.clone()),
        (HandshakeKind::Resumed, expected),
    ] {
        let met = meet(&a, &b, expect.clone());
        assert_eq!(met.client.handshake_kind(), Some(kind));
        assert_eq!(met.listeners_proof(&a, expect).unwrap(), Proof::Node(key(2).node()));
        assert_eq!(met.dialers_proof(&b).unwrap(), Proof::Node(key(1).node()));
    }
}

#[test]
fn a_session_with_one_node_proves_no_other() {
    let a = node(1);
    meet(&a, &node(2), Expect::Any);
    let met = meet(&a, &node(2), Expect::Node(key(3).node()));
    assert!(matches!(met.dialer, Some(rustls::Error::InvalidCertificate(_))));
    // Another node at the same place, for which the ticket is just noise.
    let met = meet(&a, &node(4), Expect::Any);
    assert_eq!(met.client.handshake_kind(), Some(HandshakeKind::Full));
    assert_eq!(met.listeners_proof(&a, Expect::Any).unwrap(), Proof::Node(key(4).node()));
}

#[test]
fn without_sessions_every_handshake_is_whole() {
    let context =
        Context { credentials: Some(Arc::new(key(1).credentials())), ..Context::default() };
    let a = Tls::new(&context, PROTOCOL, Sessions::Never).unwrap();
    for _ in 0..2 {
        let met = meet(&a, &a, Expect::Any);
        assert_eq!(met.client.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(met.client.tls13_tickets_received(), 0);
    }
}

#[test]
fn certificates_of_no_node_are_refused() {
    let ecdsa = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = CertificateParams::default().self_signed(&ecdsa).unwrap();
    let mut credentials = key(1).credentials();
    credentials.chain = vec![certificate.der().to_vec()];
    credentials.key = ecdsa.serialize_der().into();
    let (stranger, b) = (tls(credentials), node(2));
    let met = meet(&b, &stranger, Expect::Any);
    assert!(met.dialer.is_some() && met.listeners_proof(&b, Expect::Any).is_err());
    let met = meet(&stranger, &b, Expect::Any);
    assert!(met.acceptor.is_some() && met.dialers_proof(&b).is_err());
}

/// With the neutral element as a key, anybody can make signatures that verify.
#[test]
fn a_key_that_everybody_holds_is_nobodys() {
    struct Weak([u8; 32]);
    impl rcgen::PublicKeyData for Weak {
        fn der_bytes(&self) -> &[u8] {
            &self.0
        }
        fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
            &rcgen::PKCS_ED25519
        }
    }
    impl rcgen::SigningKey for Weak {
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
            Ok(vec![0; 64])
        }
    }
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let params = CertificateParams::default();
    let weak = CertificateDer::from(params.self_signed(&Weak(neutral)).unwrap().der().to_vec());
    assert_eq!(rumormill_identity::tls::node_of(&weak), None);
    let strong = CertificateDer::from(key(1).credentials().chain[0].clone());
    assert_eq!(rumormill_identity::tls::node_of(&strong), Some(key(1).node()));
}

#[test]
fn malformed_certificates_prove_nothing() {
    let whole = key(1).credentials().chain[0].clone();
    for cut in 0..whole.len() {
        let piece = CertificateDer::from(whole[..cut].to_vec());
        assert_eq!(rumormill_identity::tls::node_of(&piece), None);
    }
    for at in 0..whole.len() {
        let mut bent = whole.clone();
        bent[at] ^= 0x55;
        // Whatever it is, it is no panic.
        let _: Option<NodeId> = rumormill_identity::tls::node_of(&CertificateDer::from(bent));
    }
}

#[test]
fn what_cannot_be_proven_is_not_promised() {
    let (nodes, names) = (node(1), tls(Authority::new().issue(&["a.example"])));
    let name = |tls: &Tls, expect| {
        tls.server_name(&target(expect), "a.example", "10.0.0.1:1".parse().unwrap())
    };
    for (tls, expect) in [
        (&nodes, Expect::Name("a.example".into())),
        (&nodes, Expect::Uid(0)),
        (&names, Expect::Node(key(1).node())),
        (&names, Expect::Uid(0)),
    ] {
        let error = name(tls, expect).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    }
    assert_eq!(name(&names, Expect::Any).unwrap(), "a.example");
    assert_eq!(name(&names, Expect::Name("b.example".into())).unwrap(), "b.example");
}

#[test]
fn credentials_that_tls_cannot_use_are_named() {
    let context = |change: fn(&mut Credentials)| {
        let mut credentials = key(1).credentials();
        change(&mut credentials);
        Context { credentials: Some(Arc::new(credentials)), ..Context::default() }
    };
    for (key, context, reason) in [
        ("key", context(|c| c.key = vec![1, 2, 3].into()), ""),
        ("cert", context(|c| c.key = key(2).credentials().key), "of another key"),
        ("cert", context(|c| c.chain.clear()), ""),
        ("cert", context(|c| c.chain = vec![vec![1]]), "no X.509 certificate of version 3"),
        ("ca", context(|c| c.authorities = vec![vec![1]]), ""),
    ] {
        let error = Tls::new(&context, PROTOCOL, Sessions::Resumed).unwrap_err();
        assert!(matches!(&error, Error::Option { key: named, .. } if **named == *key), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    let error = Tls::new(&Context::default(), PROTOCOL, Sessions::Resumed).unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error}");
}

/// A certificate authority of a test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a certificate");
        let mut params = CertificateParams::default();
        // Authorities are told apart by their names before their keys are looked at.
        let name = SecretKey::generate().node().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate").der().to_vec();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    fn issue(&self, names: &[&str]) -> Credentials {
        self.issue_until(names, 2999)
    }

    fn issue_until(&self, names: &[&str], year: i32) -> Credentials {
        let names: Vec<String> = names.iter().map(|name| (*name).into()).collect();
        let mut params = CertificateParams::new(names).expect("a certificate");
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let key_pair = KeyPair::generate().expect("a certificate");
        let certificate = params.signed_by(&key_pair, &self.issuer).expect("a certificate");
        Credentials {
            node: key(9).node(),
            chain: vec![certificate.der().to_vec()],
            key: PrivateKeyDer::try_from(key_pair.serialize_der())
                .expect("a certificate")
                .secret_der()
                .to_vec()
                .into(),
            authorities: vec![self.certificate.clone()],
        }
    }
}

#[test]
fn an_authority_proves_names_to_both_sides() {
    let authority = Authority::new();
    let (a, b) = (tls(authority.issue(&["a.example"])), tls(authority.issue(&["b.example"])));
    let expect = Expect::Name("b.example".into());
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let met = meet(&a, &b, expect.clone());
        assert_eq!(met.client.handshake_kind(), Some(kind), "{:?} {:?}", met.dialer, met.acceptor);
        let proof = met.listeners_proof(&a, expect.clone()).unwrap();
        assert_eq!(proof, Proof::Name("b.example".into()));
        assert_eq!(met.dialers_proof(&b).unwrap(), Proof::Name("a.example".into()));
    }
}

#[test]
fn what_an_authority_does_not_vouch_for_is_unproven() {
    let (authority, other) = (Authority::new(), Authority::new());
    let a = tls(authority.issue(&["a.example"]));
    for (what, b, name) in [
        ("another name", authority.issue(&["b.example"]), "c.example"),
        ("another authority", other.issue(&["b.example"]), "b.example"),
        ("expired", authority.issue_until(&["b.example"], 1999), "b.example"),
        ("a node", key(2).credentials(), "b.example"),
    ] {
        let met = meet(&a, &tls(b), Expect::Name(name.into()));
        let error = failed(&addr(), &met.dialer.expect(what));
        assert!(matches!(error, Error::Unproven { .. }), "{what}: {error:?}");
    }
}

#[test]
fn dialers_that_an_authority_does_not_vouch_for_are_told() {
    let authority = Authority::new();
    let listener = tls(authority.issue(&["b.example"]));
    for (what, mut dialer, reason) in [
        ("foreign", Authority::new().issue(&["a.example"]), "authority"),
        ("expired", authority.issue_until(&["a.example"], 1999), "expired"),
        ("nameless", authority.issue(&["10.0.0.1"]), "it needs a DNS name"),
        ("wild", authority.issue(&["*.example"]), "it needs a DNS name"),
    ] {
        dialer.authorities = vec![authority.certificate.clone()];
        let met = meet(&tls(dialer), &listener, Expect::Name("b.example".into()));
        assert!(met.acceptor.is_some(), "{what}");
        let error = failed(&addr(), &met.dialer.expect(what));
        assert!(matches!(error, Error::Refused { .. }), "{what}: {error:?}");
        assert!(error.to_string().contains(reason), "{what}: {error}");
    }
}
