//! Sessions: that they are resumed, and prove no more than they did.

use rumormill_identity::tls::node_of;
use rumormill_transport_api::{AnyConn, Error, Expect, Listener, Reader};
use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    node::{Node, accept, beside, close, recv_to_end, soon},
    stranger::{self, Stranger},
};

/// Dials again and again; how each handshake went at the other side.
async fn kinds_of_dials(options: &[&str]) -> Vec<HandshakeKind> {
    let (server, client) = (Node::new(), Node::new());
    let stranger = Stranger::of(&server.credentials);
    let (listener, addr) = stranger::listen().await;
    let mut kinds = Vec::new();
    for options in options {
        let addr = format!("{addr}{options}").parse().unwrap();
        let (dialled, accepted) = tokio::join!(client.dial(&addr), stranger.accept(&listener));
        let (mut dialled, mut accepted) = (dialled.unwrap(), accepted.unwrap());
        assert_eq!(dialled.info.proof, server.proof());
        let (_, session) = accepted.get_ref();
        let shown = session.peer_certificates().unwrap().first().unwrap();
        assert_eq!(node_of(shown), Some(client.id()));
        kinds.push(session.handshake_kind().unwrap());
        // The dialer learns of its ticket at the latest when it closes.
        close(&mut dialled.writer).await;
        accepted.shutdown().await.unwrap();
        assert!(matches!(recv_to_end(&mut dialled.reader).await, (_, Error::Closed)));
    }
    kinds
}

/// Is dialled again and again; how each handshake went at the other side.
async fn kinds_of_accepts(options: &str) -> Vec<HandshakeKind> {
    let (server, client) = (Node::new(), Node::new());
    let stranger = Stranger::of(&client.credentials);
    let mut listener = server.listen_at(&format!("tls://127.0.0.1:0{options}")).await;
    let addr = listener.addr().clone();
    let mut kinds = Vec::new();
    for _ in 0..3 {
        let (dialled, accepted) = tokio::join!(stranger.connect(&addr), accept(&mut listener));
        let (mut dialled, AnyConn { info, mut writer, .. }) = (dialled.unwrap(), accepted);
        assert_eq!(info.proof, client.proof());
        close(&mut writer).await;
        assert_eq!(soon("reading to the end", dialled.read(&mut [0])).await.unwrap(), 0);
        let (_, session) = dialled.get_ref();
        assert_eq!(session.tls13_tickets_received(), 1, "each listener sends one");
        kinds.push(session.handshake_kind().unwrap());
    }
    kinds
}

const FULL: HandshakeKind = HandshakeKind::Full;
const RESUMED: HandshakeKind = HandshakeKind::Resumed;

#[tokio::test]
async fn dials_are_resumed_unless_they_shall_not() {
    let options = ["", "", "?resumption=false", "?resumption=true", ""];
    assert_eq!(kinds_of_dials(&options).await, [FULL, RESUMED, FULL, RESUMED, RESUMED]);
}

#[tokio::test]
async fn accepts_are_resumed_unless_they_shall_not() {
    assert_eq!(kinds_of_accepts("").await, [FULL, RESUMED, RESUMED]);
    assert_eq!(kinds_of_accepts("?resumption=false").await, [FULL; 3]);
}

#[tokio::test]
async fn a_session_with_anybody_is_none_with_somebody() {
    let (server, client) = (Node::new(), Node::new());
    let mut listener = server.listen().await;
    let addr = listener.addr().clone();
    for _ in 0..3 {
        let (mut dialled, _accepted) = client.connect(&mut listener).await;
        close(&mut dialled.writer).await;
    }
    let other = client.dial_expecting(&addr, Expect::Node(client.id()));
    let error = beside(&mut listener, other).await.unwrap_err();
    assert!(matches!(error, Error::Unproven { .. }), "{error:?}");
    let same = client.dial_expecting(&addr, Expect::Node(server.id()));
    let (dialled, _accepted) = tokio::join!(same, accept(&mut listener));
    assert_eq!(dialled.unwrap().info.proof, server.proof());
}

#[tokio::test]
async fn another_key_at_the_same_address_is_noticed() {
    let (first, second, client) = (Node::new(), Node::new(), Node::new());
    let mut listener = first.listen().await;
    let addr = listener.addr().clone();
    for expect in [Expect::Any, Expect::Node(first.id())] {
        let dialling = client.dial_expecting(&addr, expect);
        let (dialled, accepted) = tokio::join!(dialling, accept(&mut listener));
        let mut dialled = dialled.unwrap();
        close(&mut dialled.writer).await;
        drop(accepted);
        // This side's socket must not be the one that keeps the address.
        assert!(soon("the end", dialled.reader.recv(&mut Vec::new())).await.is_err());
    }
    drop(listener);
    let mut listener = second.listen_at(&addr.to_string()).await;
    let (dialled, accepted) = client.connect(&mut listener).await;
    assert_eq!((dialled.info.proof, accepted.info.proof), (second.proof(), client.proof()));
    let expected = client.dial_expecting(&addr, Expect::Node(first.id()));
    let error = beside(&mut listener, expected).await.unwrap_err();
    assert!(matches!(error, Error::Unproven { .. }), "{error:?}");
}
