//! Conns to one peer share a connection.

use std::{sync::Arc, time::Duration};

use rumormill_transport_api::{Addr, Error, Expect, Listener, NodeId, Proof, Target, Transport};
use rumormill_transport_quic::{Quic, Settings};
use tokio::{task::JoinSet, time::timeout};

use crate::{
    proxy::{Proxy, Weather},
    support::{RawDialer, context, quic},
    talk::{accept, addr, connect, dial, echo, echoing, error, listen, send, soon},
};

fn node(quic: &rumormill_transport_api::Context) -> NodeId {
    quic.credentials.as_ref().expect("credentials").node
}

fn expecting(to: &Addr, node: NodeId) -> Target {
    Target { expect: Expect::Node(node), ..Target::new(to.clone()) }
}

#[tokio::test]
async fn conns_to_one_peer_share_a_connection_and_others_have_their_own() {
    let context = context();
    let server = Quic::new(Settings::default(), &context).unwrap();
    let mut listener = listen(&server, "?connections=2").await;
    let dialer = quic();
    let pinned = expecting(listener.addr(), node(&context));
    let mut conns = Vec::new();
    for n in 0..20 {
        let target = match n % 2 {
            0 => pinned.clone(),
            _ => Target::new(listener.addr().clone()),
        };
        let mut dialled = dialer.dial(&target).await.unwrap();
        assert_eq!(dialled.info.proof, Some(Proof::Node(node(&context))));
        send(&mut dialled.writer, ["hello"]).await;
        conns.push((dialled, accept(&mut listener).await));
    }
    let mut ends: Vec<_> = conns.iter().map(|(_, accepted)| &accepted.info.remote).collect();
    ends.dedup();
    assert_eq!(ends.len(), 1, "all came from one socket");
    // Two connections are all that the listener takes: what was pinned and what was not.
    let from = listen(&dialer, "").await;
    let target = Target { from: Some(from.addr().clone()), ..pinned };
    let error = error(soon("dialling", dialer.dial(&target)).await);
    assert!(matches!(error, Error::Busy { .. }), "{error:?}");
}

#[tokio::test]
async fn a_dial_goes_out_of_the_listener_that_it_names() {
    let (server, dialer) = (quic(), quic());
    let mut listener = listen(&server, "").await;
    let from = listen(&dialer, "").await;
    let target = Target { from: Some(from.addr().clone()), ..Target::new(listener.addr().clone()) };
    let mut dialled = dialer.dial(&target).await.unwrap();
    send(&mut dialled.writer, ["hello"]).await;
    let accepted = accept(&mut listener).await;
    assert_eq!(&accepted.info.remote, from.addr());
    assert_eq!(&dialled.info.local, from.addr());
    assert_eq!(&accepted.info.local, listener.addr());
    // What was accepted is not dialled over: the way back is a connection of its own.
    let back = Target { from: Some(listener.addr().clone()), ..Target::new(from.addr().clone()) };
    let mut from = from;
    let mut returned = server.dial(&back).await.unwrap();
    send(&mut returned.writer, ["back"]).await;
    assert_eq!(&accept(&mut from).await.info.remote, listener.addr());
    drop(from);
    let gone = error(dialer.dial(&target).await);
    assert!(matches!(gone, Error::Address { .. }), "{gone:?}");
}

#[tokio::test]
async fn the_local_address_of_a_dial_is_the_one_that_the_peer_sees() {
    let (server, dialer) = (quic(), quic());
    let mut listener = listen(&server, "").await;
    let (dialled, accepted) = connect(&dialer, &mut listener).await;
    assert_eq!(dialled.info.local, accepted.info.remote);
}

/// Of many dials at once most are given up, and the rest are served by one handshake.
#[tokio::test]
async fn dials_share_an_attempt_and_survive_each_other() {
    let server = quic();
    let mut listener = listen(&server, "?connections=1").await;
    let slow = Weather { delay: Duration::from_millis(60), ..Weather::default() };
    let proxy = Proxy::to(listener.addr(), slow).await;
    let dialer = Arc::new(quic());
    let mut dials = JoinSet::new();
    for n in 0..40u64 {
        let (dialer, target) = (dialer.clone(), Target::new(proxy.addr.clone()));
        dials.spawn(async move {
            let patience = if n % 4 == 3 { 20_000 } else { n };
            timeout(Duration::from_millis(patience), dialer.dial(&target)).await
        });
    }
    let dialled: Vec<_> = dials.join_all().await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(dialled.len(), 10);
    for conn in dialled {
        let mut conn = conn.expect("a dial that was waited for");
        send(&mut conn.writer, ["hello"]).await;
        accept(&mut listener).await;
    }
}

/// The first conn takes a handshake; with 60 ms in each direction, further ones would take 120 ms
/// if they took any round trip.
#[tokio::test]
async fn a_further_conn_costs_no_round_trip() {
    let server = echoing(&quic(), "").await;
    let slow = Weather { delay: Duration::from_secs(1), ..Weather::default() };
    let proxy = Proxy::to(server.addr(), slow).await;
    let dialer = quic();
    let _first = dial(&dialer, &proxy.addr).await;
    let further = timeout(Duration::from_millis(500), async {
        for _ in 0..100 {
            drop(dialer.dial(&Target::new(proxy.addr.clone())).await.expect("dialling"));
        }
    });
    further.await.expect("no round trip");
}

#[tokio::test]
async fn a_connection_that_died_is_replaced() {
    let dialer = quic();
    let server = quic();
    let mut listener = listen(&server, "").await;
    let to = listener.addr().clone();
    let (dialled, accepted) = connect(&dialer, &mut listener).await;
    drop((listener, accepted));
    let ended = async {
        let mut reader = dialled.reader;
        crate::talk::recv_to_end(&mut reader).await
    };
    ended.await;
    let listening = async {
        loop {
            match server.listen(&to).await {
                Ok(listener) => return listener,
                Err(_) => crate::talk::a_moment().await,
            }
        }
    };
    let mut listener = soon("listening again", listening).await;
    // The writer is still held, and with it what was the connection.
    let again = connect(&dialer, &mut listener).await;
    drop((again, dialled.writer));
}

#[tokio::test]
async fn a_peer_takes_so_many_conns_and_the_next_is_busy() {
    let server = quic();
    let mut listener = listen(&server, "?conns=3").await;
    let dialer = quic();
    let mut conns = Vec::new();
    for _ in 0..3 {
        conns.push(connect(&dialer, &mut listener).await);
    }
    let to = Target::new(listener.addr().clone());
    let busy = error(dialer.dial(&to).await);
    assert!(matches!(busy, Error::Busy { .. }) && busy.is_retryable(), "{busy:?}");
    conns.pop();
    let place = async {
        while dialer.dial(&to).await.is_err() {
            crate::talk::a_moment().await;
        }
    };
    soon("a place to be free", place).await;
}

#[tokio::test]
async fn options_of_a_dial_concern_its_conn_only() {
    let server = echoing(&quic(), "").await;
    let dialer = quic();
    let mut usual = dial(&dialer, server.addr()).await;
    let mut small = dial(&dialer, &addr(format!("{}?max_message=10", server.addr()))).await;
    assert_eq!(small.info.caps.max_message, 10);
    echo(&mut usual, "more than ten bytes").await;
    echo(&mut small, "ten").await;
    let refused = dialer.dial(&addr(format!("{}?idle=5s", server.addr())).into()).await;
    assert!(matches!(refused, Err(Error::Option { .. })), "{refused:?}");
}

/// A stream of somebody who speaks no frames harms nobody beside it.
#[tokio::test]
async fn a_stranger_beneath_the_framing_harms_nobody() {
    use tokio::io::AsyncWriteExt;
    let server = echoing(&quic(), "").await;
    let mut stranger = RawDialer::default().dial(server.addr().clone()).await.unwrap();
    stranger.write_all(&[0xff; 1000]).await.unwrap();
    let mut conn = dial(&quic(), server.addr()).await;
    echo(&mut conn, "unharmed").await;
}
