//! Who is let in, and to what.

use std::time::Duration;

use rumormill_broker::{
    Access, Config, CutReason, Principal, Side, Topic, proof,
    wire::{Answer, Hello, RefusedWhy, Request, Welcome},
};
use rumormill_identity::{PublicKey, Purpose, SecretKey};
use rumormill_transport_api::NodeId;

use super::raw::{Peer, Place, publish, registry, subscribe, topics, with};

const NONCE: [u8; 32] = [7; 32];

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

async fn place_with_key(key: Option<SecretKey>, config: Config) -> Place {
    Place::with(registry(), key, config).await
}

async fn hello(peer: &mut Peer, node: Option<NodeId>) -> Welcome {
    peer.say(Request::Hello(Hello { nonce: NONCE, node })).await;
    peer.answer(|answer| match answer {
        Answer::Welcome(welcome) => welcome,
        answer => panic!("{answer:?} instead of a welcome"),
    })
    .await
}

fn signature(key: &SecretKey, welcome: &Welcome) -> [u8; 64] {
    let broker = welcome.broker.map(|(node, _)| node);
    let digest = proof(Side::Client, Some(key.node()), &NONCE, broker, &welcome.nonce);
    key.sign(Purpose::Broker, &digest)
}

#[tokio::test(start_paused = true)]
async fn a_broker_with_a_key_proves_itself() {
    let place = place_with_key(Some(key(9)), topics(&["t"])).await;
    for node in [None, Some(key(1).node())] {
        let welcome = hello(&mut place.dial().await, node).await;
        let (broker, signature) = welcome.broker.expect("a proof");
        let digest = proof(Side::Broker, node, &NONCE, Some(broker), &welcome.nonce);
        assert_eq!(broker, key(9).node());
        let key = PublicKey::of(broker).expect("a key");
        assert!(key.verifies(Purpose::Broker, &digest, &signature));
    }
}

#[tokio::test(start_paused = true)]
async fn a_welcome_tells_the_limits() {
    let place = Place::new(topics(&["t"])).await;
    let welcome = hello(&mut place.dial().await, None).await;
    assert_eq!((welcome.idle_ms, welcome.broker), (30_000, None));
    assert!(1 << 20 <= welcome.publish_window && welcome.publish_window < welcome.max_frame);
}

#[tokio::test(start_paused = true)]
async fn only_a_node_that_proves_itself_is_that_node() {
    let access = Access::Only(vec![Principal::Node(key(1).node())]);
    let config = with([("t", Topic { publish: access, ..Topic::default() })]);
    for broker in [None, Some(key(9))] {
        let place = place_with_key(broker, config.clone()).await;
        let mut peer = place.dial().await;
        let welcome = hello(&mut peer, Some(key(1).node())).await;
        peer.say(Request::Prove { signature: signature(&key(1), &welcome) }).await;
        peer.publish("t", Some(1), &["m"]).await;
        assert_eq!(peer.receipt().await, 1);
        assert!(place.broker.conns()[0].label.contains(&key(1).node().to_string()));
    }
}

#[tokio::test(start_paused = true)]
async fn who_proves_too_little_is_turned_away() {
    let place = place_with_key(Some(key(9)), topics(&["t"])).await;
    // Another's key, another's nonce, and none at all.
    let mut peer = place.dial().await;
    let welcome = hello(&mut peer, Some(key(1).node())).await;
    peer.say(Request::Prove { signature: signature(&key(2), &welcome) }).await;
    assert_eq!(peer.refused().await, RefusedWhy::Unproven);
    peer.ends().await;

    let mut peer = place.dial().await;
    hello(&mut peer, Some(key(1).node())).await;
    peer.say(Request::Prove { signature: signature(&key(1), &welcome) }).await;
    assert_eq!(peer.refused().await, RefusedWhy::Unproven);
    peer.ends().await;

    let mut peer = place.dial().await;
    hello(&mut peer, Some(key(1).node())).await;
    peer.say(subscribe("t")).await;
    assert_eq!(peer.refused().await, RefusedWhy::Unexpected);
    peer.ends().await;

    let weak = NodeId([0; 32]);
    let mut peer = place.dial().await;
    hello(&mut peer, Some(weak)).await;
    peer.say(Request::Prove { signature: [0; 64] }).await;
    assert_eq!(peer.refused().await, RefusedWhy::Unproven);
}

#[tokio::test(start_paused = true)]
async fn who_claims_nothing_may_go_on_at_once() {
    let place = Place::new(topics(&["t"])).await;
    let mut peer = place.dial().await;
    let hello = Request::Hello(Hello { nonce: NONCE, node: None });
    let publish = publish("t", Some(5), &["m"]);
    peer.say_bytes([hello.encode(), subscribe("t").encode(), publish.encode()]).await;
    peer.answer(|answer| assert!(matches!(answer, Answer::Welcome(_)), "{answer:?}")).await;
    peer.answer(|answer| assert!(matches!(answer, Answer::Subscribed(_)), "{answer:?}")).await;
    assert_eq!(peer.receipt().await, 1);
    assert_eq!(peer.messages(1).await, [(1, "m".into())]);
}

#[tokio::test(start_paused = true)]
async fn who_begins_otherwise_is_turned_away() {
    let place = Place::new(topics(&["t"])).await;
    let mut peer = place.dial().await;
    peer.say(Request::Ping { token: 1 }).await;
    assert_eq!(peer.refused().await, RefusedWhy::Unexpected);
    peer.ends().await;
    let mut peer = place.peer().await;
    peer.say(Request::Hello(Hello { nonce: NONCE, node: None })).await;
    assert_eq!(peer.refused().await, RefusedWhy::Unexpected);
    peer.ends().await;
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_cut_off() {
    let place = Place::new(topics(&["t"])).await;
    let (mut silent, mut half) = (place.dial().await, place.dial().await);
    hello(&mut half, Some(key(1).node())).await;
    silent.ends().await;
    half.ends().await;
    assert_eq!(place.broker.stats().cut[&CutReason::Handshake], 2);
}

/// Whether a client over a Unix socket may publish and subscribe.
async fn may(publish: Access, subscribe: Access) -> (bool, bool) {
    let config = with([("t", Topic { publish, subscribe, ..Topic::default() })]);
    let place = Place::on("unix", config).await;
    let mut peer = place.peer().await;
    let denied = |answer: Answer<'_>| match answer {
        Answer::Refused { why: RefusedWhy::NotAllowed, .. } => false,
        Answer::Subscribed(_) | Answer::Receipt { .. } => true,
        answer => panic!("{answer:?}"),
    };
    peer.publish("t", Some(1), &["m"]).await;
    let may_publish = peer.answer(denied).await;
    peer.say(super::raw::subscribe("t")).await;
    (may_publish, peer.answer(denied).await)
}

#[tokio::test]
async fn a_unix_socket_proves_users_and_groups() {
    let me = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("linux"));
    let only = |principal| Access::Only(vec![principal]);
    let (mine, others) = (only(Principal::Uid(me)), only(Principal::Uid(me + 1)));
    assert_eq!(may(mine.clone(), others.clone()).await, (true, false));
    assert_eq!(may(others, mine).await, (false, true));
    assert_eq!(may(Access::Only(vec![]), Access::Anybody).await, (false, true));
    let name = only(Principal::Name("a.example".into()));
    assert_eq!(may(name.clone(), name).await, (false, false));
}

#[tokio::test(start_paused = true)]
async fn names_that_a_carrier_proves_are_admitted() {
    use rumormill_transport_api::Proof;
    let access = Access::Only(vec![Principal::Name("a.example".into())]);
    let config = with([("t", Topic { publish: access, ..Topic::default() })]);
    let place = Place::new(config).await;
    for (name, is_let_in) in [("a.example", true), ("b.example", false)] {
        let (mut peer, mut conn) = Peer::pair(&place).await;
        conn.info.proof = Some(Proof::Name(name.into()));
        place.broker.serve(conn).expect("room");
        hello(&mut peer, None).await;
        peer.publish("t", Some(1), &["m"]).await;
        match is_let_in {
            true => drop(peer.receipt().await),
            false => assert_eq!(peer.refused().await, RefusedWhy::NotAllowed),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_takes_long_but_not_too_long_is_good() {
    let place = Place::new(topics(&["t"])).await;
    let mut peer = place.dial().await;
    tokio::time::advance(Duration::from_secs(4)).await;
    hello(&mut peer, None).await;
    peer.ping().await;
}
