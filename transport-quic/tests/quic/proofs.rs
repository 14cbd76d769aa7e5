//! Who is believed, and what each side is told when it is not.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use quinn::{
    Endpoint, EndpointConfig, ServerConfig, TokioRuntime, crypto::rustls::QuicServerConfig,
};
use rumormill_identity::{
    SecretKey,
    tls::{Sessions, Tls},
};
use rumormill_transport_api::{
    Addr, Context, Error, Expect, Listener, NodeId, Proof, Reader, Target, Transport, Writer,
};
use rumormill_transport_quic::{FACTORY, Quic, QuicConn, Settings};
use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

use crate::{
    support::{RawDialer, context, quic},
    talk::{
        a_moment, accept, addr, connect, dial, echo, echoing, error, listen, send, soon, try_dial,
        until,
    },
};

fn transport(context: &Context) -> Quic {
    Quic::new(Settings::default(), context).expect("a transport")
}

fn expecting(to: &Addr, expect: Expect) -> Target {
    Target { expect, ..Target::new(to.clone()) }
}

#[tokio::test]
async fn both_sides_know_the_others_node() {
    let (here, there) = (context(), context());
    let node = |context: &Context| context.credentials.as_ref().unwrap().node;
    let (server, dialer) = (transport(&there), transport(&here));
    let mut listener = listen(&server, "").await;
    let (dialled, accepted) = connect(&dialer, &mut listener).await;
    assert_eq!(dialled.info.proof, Some(Proof::Node(node(&there))));
    assert_eq!(accepted.info.proof, Some(Proof::Node(node(&here))));
    assert!(dialled.info.caps.secure && accepted.info.caps.secure);
}

#[tokio::test]
async fn somebody_else_is_unproven_and_nothing_is_opened() {
    let there = context();
    let mut listener = listen(&transport(&there), "").await;
    let target = expecting(listener.addr(), Expect::Node(NodeId([7; 32])));
    let unproven = error(soon("dialling", quic().dial(&target)).await);
    let node = there.credentials.as_ref().unwrap().node.to_string();
    assert!(
        matches!(&unproven, Error::Unproven { problem, .. } if problem.contains(&node)),
        "{unproven}"
    );
    until("the listener to know", || there.counters.conns_vanished.get() == 1).await;
    // It is as good as before.
    connect(&quic(), &mut listener).await;
}

#[tokio::test]
async fn without_credentials_nothing_is_built() {
    let refused = (FACTORY.build)(&Context::default()).err();
    assert!(matches!(refused, Some(Error::Unsupported { .. })), "{refused:?}");
    let mut with_options = context();
    with_options.options.insert("max_message", "1000");
    assert_eq!((FACTORY.build)(&with_options).unwrap().caps().max_message, 1000);
}

/// A certificate by an authority, for a name.
struct Pki {
    authority: rcgen::CertifiedIssuer<'static, rcgen::KeyPair>,
}

#[derive(Clone, Copy, PartialEq)]
enum Dates {
    Valid,
    Expired,
}

impl Pki {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("a certificate");
        let name = SecretKey::generate().node().to_string();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a certificate");
        Self { authority: rcgen::CertifiedIssuer::self_signed(params, key).expect("a certificate") }
    }

    fn context(&self, name: &str, dates: Dates) -> Context {
        let mut params = rcgen::CertificateParams::new(vec![name.into()]).expect("a certificate");
        if dates == Dates::Expired {
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        let key = rcgen::KeyPair::generate().expect("a certificate");
        let certificate = params.signed_by(&key, &self.authority).expect("a certificate");
        let mut credentials = SecretKey::generate().credentials();
        credentials.chain = vec![certificate.der().to_vec()];
        credentials.key = key.serialize_der().into();
        credentials.authorities = vec![self.authority.der().to_vec()];
        Context { credentials: Some(Arc::new(credentials)), ..Context::default() }
    }
}

#[tokio::test]
async fn an_authority_proves_names() {
    let pki = Pki::new();
    let server = transport(&pki.context("there.example", Dates::Valid));
    let dialer = transport(&pki.context("here.example", Dates::Valid));
    let mut listener = listen(&server, "").await;
    let name = |name: &str| Expect::Name(name.into());
    let target = expecting(listener.addr(), name("there.example"));
    let mut dialled = dialer.dial(&target).await.unwrap();
    assert_eq!(dialled.info.proof, Some(Proof::Name("there.example".into())));
    send(&mut dialled.writer, ["hello"]).await;
    let accepted = accept(&mut listener).await;
    assert_eq!(accepted.info.proof, Some(Proof::Name("here.example".into())));
    let other = expecting(listener.addr(), name("elsewhere.example"));
    let unproven = error(dialer.dial(&other).await);
    assert!(matches!(unproven, Error::Unproven { .. }), "{unproven:?}");
    let node = expecting(listener.addr(), Expect::Node(NodeId([7; 32])));
    assert!(matches!(dialer.dial(&node).await, Err(Error::Unsupported { .. })));
}

#[tokio::test]
async fn a_listener_that_proves_nothing_is_unproven() {
    let (ours, others) = (Pki::new(), Pki::new());
    let dialer = ours.context("here.example", Dates::Valid);
    for (what, there) in [
        ("expired", ours.context("there.example", Dates::Expired)),
        ("of another authority", others.context("there.example", Dates::Valid)),
        ("of a node", context()),
    ] {
        let listener = listen(&transport(&there), "").await;
        let target = expecting(listener.addr(), Expect::Name("there.example".into()));
        let unproven = error(soon("dialling", transport(&dialer).dial(&target)).await);
        assert!(matches!(unproven, Error::Unproven { .. }), "{what}: {unproven:?}");
        until("the listener to know", || there.counters.conns_vanished.get() == 1).await;
    }
    // A node has no use for an authority's certificate, which the listener is the first to see.
    let listener = listen(&transport(&dialer), "").await;
    let refused = error(try_dial(&quic(), listener.addr()).await);
    assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
}

/// The dialer's part of the handshake is done before the listener sees its certificate.
#[tokio::test]
async fn a_dialer_that_proves_nothing_is_refused() {
    let (ours, others) = (Pki::new(), Pki::new());
    let there = ours.context("there.example", Dates::Valid);
    let mut expired = ours.context("here.example", Dates::Expired);
    expired.counters = Arc::default();
    for (way_out, here) in [("expired", expired), ("authority", trusting(&ours, &others))] {
        let there = Context { counters: Arc::default(), ..there.clone() };
        let listener = listen(&transport(&there), "").await;
        let target = expecting(listener.addr(), Expect::Name("there.example".into()));
        let refused = match soon("dialling", transport(&here).dial(&target)).await {
            Err(refused) => refused,
            Ok(conn) => first_error(conn).await,
        };
        assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
        assert!(refused.to_string().contains(way_out), "{refused}");
        until("the listener to know", || there.counters.conns_vanished.get() == 1).await;
    }
}

/// Somebody who believes `ours` and is vouched for by `others`.
fn trusting(ours: &Pki, others: &Pki) -> Context {
    let context = others.context("here.example", Dates::Valid);
    let foreign = context.credentials.expect("credentials");
    let mut credentials = SecretKey::generate().credentials();
    credentials.chain = foreign.chain.clone();
    credentials.key = foreign.key.clone();
    credentials.authorities = vec![ours.authority.der().to_vec()];
    Context { credentials: Some(Arc::new(credentials)), ..Context::default() }
}

async fn first_error(mut conn: QuicConn) -> Error {
    soon("hearing of it", conn.reader.recv(&mut Vec::new())).await.expect_err("it is refused")
}

#[tokio::test]
async fn the_refusal_also_reaches_a_writer() {
    let (ours, others) = (Pki::new(), Pki::new());
    let listener = listen(&transport(&ours.context("there.example", Dates::Valid)), "").await;
    let target = expecting(listener.addr(), Expect::Name("there.example".into()));
    let Ok(mut conn) = transport(&trusting(&ours, &others)).dial(&target).await else { return };
    let refused = async {
        loop {
            if let Err(error) = conn.writer.send(&mut ["hello"].into_iter().collect()).await {
                return error;
            }
            a_moment().await;
        }
    };
    let refused = soon("hearing of it", refused).await;
    assert!(matches!(refused, Error::Refused { .. }), "{refused:?}");
}

/// A listener of quinn alone that speaks `protocol`, and counts the sessions it resumes.
fn foreign_listener(protocol: &[u8]) -> (Endpoint, Addr, Arc<Resumed>) {
    let tls = Tls::new(&context(), protocol, Sessions::Resumed).expect("credentials");
    let (mut crypto, resumed) = (rustls::ServerConfig::clone(tls.server()), Resumed::new());
    crypto.session_storage = resumed.clone();
    let crypto = QuicServerConfig::try_from(crypto).expect("a suite");
    let config = Some(ServerConfig::with_crypto(Arc::new(crypto)));
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let runtime = Arc::new(TokioRuntime);
    let endpoint =
        Endpoint::new(EndpointConfig::default(), config, socket, runtime).expect("an endpoint");
    let at: SocketAddr = endpoint.local_addr().expect("an address");
    (endpoint, addr(format!("quic://{at}")), resumed)
}

#[tokio::test]
async fn who_speaks_something_else_is_told_apart() {
    let (endpoint, to, _) = foreign_listener(b"h3");
    let serving = tokio::spawn(async move { endpoint.accept().await.unwrap().await.map(drop) });
    let other = error(try_dial(&quic(), &to).await);
    assert!(
        matches!(other, Error::Protocol { .. }) && other.to_string().contains("ALPN"),
        "{other}"
    );
    assert!(serving.await.unwrap().is_err());
    // And the other way round.
    let there = context();
    let listener = listen(&transport(&there), "").await;
    let stranger = RawDialer::speaking(b"h3");
    let connected = stranger.connect(listener.addr().clone()).await;
    assert!(connected.is_err());
    until("the listener to know", || there.counters.conns_vanished.get() == 1).await;
}

#[tokio::test]
async fn sessions_are_resumed_and_prove_the_same() {
    let (endpoint, to, resumed) = foreign_listener(b"rumormill/1");
    let serving = tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            let connection = incoming.await.expect("a handshake");
            tokio::spawn(async move { connection.closed().await });
        }
    });
    let dialer = quic();
    let first = dial(&dialer, &to).await.info.proof;
    assert!(matches!(first, Some(Proof::Node(_))));
    let resuming = async {
        while resumed.taken.load(Relaxed) < 3 {
            let conn = dial(&dialer, &to).await;
            assert_eq!(conn.info.proof, first);
            // For the next ticket to come.
            a_moment().await;
        }
    };
    soon("three sessions to be resumed", resuming).await;
    serving.abort();
}

#[tokio::test]
async fn without_resumption_every_handshake_is_whole() {
    let (endpoint, to, resumed) = foreign_listener(b"rumormill/1");
    let serving = tokio::spawn(async move {
        while let Some(incoming) = endpoint.accept().await {
            let connection = incoming.await.expect("a handshake");
            tokio::spawn(async move { connection.closed().await });
        }
    });
    let settings = Settings { resumption: false, ..Settings::default() };
    let dialer = Quic::new(settings, &context()).expect("a transport");
    for _ in 0..3 {
        drop(dial(&dialer, &to).await);
        a_moment().await;
    }
    assert_eq!(resumed.taken.load(Relaxed), 0);
    serving.abort();
}

#[tokio::test]
async fn a_listener_knows_who_resumes() {
    let here = context();
    let node = here.credentials.as_ref().unwrap().node;
    let (server, dialer) = (quic(), transport(&here));
    let mut listener = listen(&server, "").await;
    for _ in 0..5 {
        let (mut dialled, mut accepted) = connect(&dialer, &mut listener).await;
        assert_eq!(accepted.info.proof, Some(Proof::Node(node)));
        soon("closing", accepted.writer.close()).await.expect("closing");
        soon("closing", dialled.writer.close()).await.expect("closing");
    }
    let server = echoing(&server, "").await;
    echo(&mut dial(&dialer, server.addr()).await, "at another port").await;
}

#[derive(Debug)]
struct Resumed {
    kept: Arc<ServerSessionMemoryCache>,
    taken: AtomicUsize,
}

impl Resumed {
    fn new() -> Arc<Self> {
        Arc::new(Self { kept: ServerSessionMemoryCache::new(64), taken: AtomicUsize::new(0) })
    }
}

impl StoresServerSessions for Resumed {
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> bool {
        self.kept.put(key, value)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.kept.get(key)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        let taken = self.kept.take(key);
        self.taken.fetch_add(usize::from(taken.is_some()), Relaxed);
        taken
    }

    fn can_cache(&self) -> bool {
        true
    }
}
