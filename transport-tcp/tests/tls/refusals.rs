//! Handshakes that fail, on the side that can know why; afterwards there is room for others.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rumormill_identity::SecretKey;
use rumormill_transport_api::{
    AnyConn, AnyListener, AnyTransport, Batch, Credentials, Error, Listener, Target, Transport,
    Writer,
};
use rumormill_transport_tcp::Tcp;
use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::{CertifiedKey, SingleCertAndKey},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    node::{Node, beside, exchange, recv_to_end},
    stranger::{self, Stranger, rest, say, tcp},
};

/// A listener to be misused: after each stranger it counts one more, and serves others.
struct Misused {
    server: Node,
    listener: AnyListener,
    strangers: u64,
}

impl Misused {
    async fn new(options: &str) -> Self {
        let server = Node::new();
        let listener = server.listen_at(&format!("tls://127.0.0.1:0{options}")).await;
        Self { server, listener, strangers: 0 }
    }

    /// What a stranger that wrote `bytes` and ended was answered.
    async fn told(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = tcp(self.listener.addr()).await;
        let answer = beside(&mut self.listener, say(&mut stream, bytes)).await;
        self.is_as_before().await;
        answer
    }

    /// A stranger that shakes hands with this client configuration, and what it learnt.
    async fn met(&mut self, bend: impl FnOnce(&mut Stranger)) -> std::io::Error {
        let mut stranger = Stranger::of(&Node::new().credentials);
        bend(&mut stranger);
        let addr = self.listener.addr().clone();
        let meeting = async {
            let mut tls = stranger.connect(&addr).await?;
            // The listener has the last word.
            tls.read_u8().await
        };
        let error = beside(&mut self.listener, meeting).await.unwrap_err();
        self.is_as_before().await;
        error
    }

    async fn is_as_before(&mut self) {
        self.strangers += 1;
        beside(&mut self.listener, self.server.vanished(self.strangers)).await;
        let shown = format!("{:?}", self.listener);
        assert!(shown.contains("pending: 0") || !shown.contains("pending"), "{shown}");
        let (mut one, mut other) = Node::new().connect(&mut self.listener).await;
        exchange(&mut one, &mut other).await;
    }
}

fn tls_error(error: &std::io::Error) -> String {
    error.get_ref().map(|inner| inner.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn what_is_no_tls_is_answered_by_an_alert() {
    let mut misused = Misused::new("").await;
    // A fatal alert: decode_error, unexpected_message or another.
    let answer = misused.told(b"GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!(answer.first_chunk(), Some(&[21, 3, 3, 0, 2, 2]), "{answer:02x?}");
    misused.told(b"").await;
    misused.told(&[0; 10_000]).await;
    // A length of 4 GiB is no reason to wait for more of it.
    misused.told(&[22, 3, 1, 0xff, 0xff, 1, 0xff, 0xff, 0xff]).await;
}

#[tokio::test]
async fn half_a_hello_is_no_handshake() {
    let mut misused = Misused::new("").await;
    let hello = Stranger::of(&Node::new().credentials).hello();
    for len in [1, 5, 6, 100, hello.len() - 1] {
        assert_eq!(misused.told(&hello[..len]).await, b"", "{len}");
    }
    let answer = misused.told(&hello).await;
    assert_eq!(answer.first_chunk(), Some(&[22, 3, 3]), "a whole hello is answered");
}

#[tokio::test]
async fn old_tls_is_told_so() {
    let mut misused = Misused::new("").await;
    let answer = misused.told(&old_hello()).await;
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 70], "a fatal alert, protocol_version");
}

#[tokio::test]
async fn other_protocols_are_told_so() {
    let mut misused = Misused::new("").await;
    let other = |stranger: &mut Stranger| stranger.client.alpn_protocols = vec![b"h2".to_vec()];
    let error = misused.met(other).await;
    assert!(tls_error(&error).contains("NoApplicationProtocol"), "{error:?}");
    // Who names none would go on and speak something else.
    misused.met(|stranger| stranger.client.alpn_protocols.clear()).await;
}

#[tokio::test]
async fn dialers_without_a_nodes_certificate_are_told_so() {
    let mut misused = Misused::new("").await;
    let nothing = |stranger: &mut Stranger| {
        stranger.client.client_auth_cert_resolver = Arc::new(NoCertificate);
    };
    let error = misused.met(nothing).await;
    assert!(tls_error(&error).contains("CertificateRequired"), "{error:?}");
    let another_kind = |stranger: &mut Stranger| {
        stranger.client.client_auth_cert_resolver = Arc::new(no_node());
    };
    let error = misused.met(another_kind).await;
    assert!(tls_error(&error).contains("received fatal alert"), "{error:?}");
    let stolen = |stranger: &mut Stranger| {
        stranger.client.client_auth_cert_resolver = Arc::new(stolen(&somebody()));
    };
    let error = misused.met(stolen).await;
    assert!(tls_error(&error).contains("received fatal alert"), "{error:?}");
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_at_the_deadline() {
    let mut misused = Misused::new("?handshake=300ms").await;
    let hello = Stranger::of(&Node::new().credentials).hello();
    for said in [&b""[..], &hello[..20], &hello] {
        let mut stream = tcp(misused.listener.addr()).await;
        stream.write_all(said).await.unwrap();
        beside(&mut misused.listener, rest(&mut stream)).await;
        misused.is_as_before().await;
    }
}

#[tokio::test]
async fn a_plaintext_dialer_is_no_conn() {
    let mut misused = Misused::new("").await;
    let addr = format!("tcp://{}", misused.listener.addr().rest()).parse().unwrap();
    let conn = AnyTransport::new(Tcp::default()).dial(&Target::new(addr)).await.unwrap();
    let AnyConn { mut reader, mut writer, .. } = conn;
    let mut batch: Batch = ["no hello"].into_iter().collect();
    writer.send(&mut batch).await.unwrap();
    let (arrived, end) = beside(&mut misused.listener, recv_to_end(&mut reader)).await;
    let is_typed = matches!(end, Error::TooLarge { .. } | Error::Cut { .. });
    assert!(arrived.is_empty() && is_typed, "{arrived:?}, then {end:?}");
    misused.is_as_before().await;
}

/// Dials a listener that `answers`, and returns the error.
async fn dialled<F>(answers: impl FnOnce(TcpStream) -> F) -> Error
where
    F: Future<Output = ()>,
{
    let (listener, addr) = stranger::listen().await;
    let answering = async {
        let (stream, _) = listener.accept().await.unwrap();
        answers(stream).await;
    };
    let client = Node::new();
    let (dialled, ()) = tokio::join!(client.dial(&addr), answering);
    dialled.map(|conn| conn.info).unwrap_err()
}

/// Dials a listener of TLS that is bent in some way, and returns the error.
async fn dialled_tls(bend: impl FnOnce(&mut Stranger)) -> Error {
    let mut stranger = Stranger::of(&Node::new().credentials);
    bend(&mut stranger);
    dialled(async |stream| {
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(stranger.server));
        if let Ok(mut tls) = acceptor.accept(stream).await {
            let _ = tls.read_u8().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_listener_that_speaks_something_else_is_noticed() {
    let error = dialled(async |mut stream| {
        stream.write_all(b"SSH-2.0-OpenSSH_9.2\r\n").await.unwrap();
        rest(&mut stream).await;
    });
    let error = error.await;
    assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
    assert!(error.to_string().contains("no TLS"), "{error}");
}

#[tokio::test]
async fn a_listener_that_hangs_up_is_unreachable() {
    for heard in [0, 10] {
        let error = dialled(async |mut stream| {
            let _ = stream.read_exact(&mut vec![0; heard]).await;
        });
        let error = error.await;
        assert!(matches!(error, Error::Unreachable { .. }) && error.is_retryable(), "{error:?}");
    }
}

/// A listener of `tcp` takes the hello for the length of a message, far too large, and hangs up.
#[tokio::test]
async fn a_plaintext_listener_is_unreachable() {
    let tcp = AnyTransport::new(Tcp::default());
    let mut listener = tcp.listen(&"tcp://127.0.0.1:0".parse().unwrap()).await.unwrap();
    let addr = format!("tls://{}", listener.addr().rest()).parse().unwrap();
    let client = Node::new();
    let serving = async {
        let AnyConn { mut reader, .. } = listener.accept().await.unwrap();
        recv_to_end(&mut reader).await.1
    };
    let (error, end) = tokio::join!(client.dial(&addr), serving);
    assert!(matches!(end, Error::TooLarge { .. }), "{end:?}");
    let error = error.map(|conn| conn.info).unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_listener_of_another_protocol_is_noticed() {
    let other = dialled_tls(|stranger| stranger.server.alpn_protocols = vec![b"h2".to_vec()]).await;
    let none = dialled_tls(|stranger| stranger.server.alpn_protocols.clear()).await;
    for error in [other, none] {
        assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
        assert!(error.to_string().contains("ALPN"), "{error}");
    }
}

#[tokio::test]
async fn old_tls_is_noticed() {
    let error = dialled(async |mut stream| {
        stream.read_u8().await.unwrap();
        stream.write_all(&old_server_hello()).await.unwrap();
        rest(&mut stream).await;
    });
    let error = error.await;
    assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
    assert!(error.to_string().contains("TLS 1.3"), "{error}");
}

#[tokio::test]
async fn a_listener_without_a_nodes_key_is_noticed() {
    // It is told that we take nothing else, and gives up by itself.
    let error = dialled_tls(|stranger| stranger.server.cert_resolver = Arc::new(no_node())).await;
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("nothing to prove itself with"), "{error}");
    let stolen = stolen(&somebody());
    let error = dialled_tls(|stranger| stranger.server.cert_resolver = Arc::new(stolen)).await;
    assert!(matches!(error, Error::Unproven { .. }), "{error:?}");
}

/// A dial that is given up while the listener says nothing leaves no conn behind.
#[tokio::test]
async fn a_dial_can_be_given_up() {
    let (listener, addr) = stranger::listen().await;
    let client = Node::new();
    let (mut stream, _) = tokio::select! {
        dialled = client.dial(&addr) => panic!("dialled {:?}", dialled.map(|conn| conn.info)),
        accepted = listener.accept() => accepted.unwrap(),
    };
    rest(&mut stream).await;
}

#[derive(Debug)]
struct NoCertificate;

impl ResolvesClientCert for NoCertificate {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}

/// A certificate whose key is none of a node.
fn no_node() -> SingleCertAndKey {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap();
    let secret = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    CertifiedKey::from_der(vec![certificate.der().clone()], secret, &provider).unwrap().into()
}

/// The certificate of a node, beside the key of another.
fn stolen(from: &Credentials) -> SingleCertAndKey {
    let own = SecretKey::generate().credentials();
    let secret = PrivateKeyDer::try_from(own.key.to_vec()).unwrap();
    let key = rustls::crypto::ring::sign::any_eddsa_type(match &secret {
        PrivateKeyDer::Pkcs8(pkcs8) => pkcs8,
        _ => panic!("no PKCS#8"),
    });
    let chain = vec![CertificateDer::from(from.chain[0].clone())];
    CertifiedKey::new(chain, key.unwrap()).into()
}

fn somebody() -> Credentials {
    SecretKey::generate().credentials()
}

/// The hello of a client that knows TLS up to 1.2 (RFC 5246, section 7.4.1.2), with ALPN.
fn old_hello() -> Vec<u8> {
    let extensions: &[&[u8]] = &[
        &[0, 10, 0, 4, 0, 2, 0, 29],      // groups: x25519
        &[0, 13, 0, 6, 0, 4, 8, 7, 4, 3], // signatures: Ed25519, ECDSA on P-256
        &[0, 16, 0, 14, 0, 12, 11],       // ALPN, and then:
        b"rumormill/1",
    ];
    let extensions = extensions.concat();
    let len = u16::try_from(extensions.len()).unwrap().to_be_bytes();
    let ciphers = [0, 4, 0xc0, 0x2b, 0xc0, 0x2f];
    let body = [&[3, 3][..], &[7; 32], &[0], &ciphers, &[1, 0], &len, &extensions].concat();
    handshake(1, &body)
}

/// The answer of a server that knows TLS up to 1.2.
fn old_server_hello() -> Vec<u8> {
    handshake(2, &[&[3, 3][..], &[7; 32], &[0], &[0xc0, 0x2b], &[0], &[0, 0]].concat())
}

fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = |extra: usize| u16::try_from(body.len() + extra).unwrap().to_be_bytes();
    [&[22, 3, 3][..], &len(4), &[kind, 0], &len(0), body].concat()
}
