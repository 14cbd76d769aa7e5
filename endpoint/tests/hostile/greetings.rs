//! Greetings that are not what they should be.

use std::{sync::Arc, time::Duration};

use rumormill_endpoint::{
    Class, Config, Endpoint, Error, Rejected,
    frame::{Frame, Lane},
    hello::{Greeting, Stale},
    seal::Party,
};
use rumormill_registry::Registry;
use rumormill_transport_api::NodeId;
use rumormill_transport_mem::Network;

use crate::{
    DATAGRAM, STREAM, Victim, addr, config, key, registry,
    stranger::{Stranger, Wire, bent},
    until,
};

#[tokio::test(start_paused = true)]
async fn nobody_can_claim_to_be_somebody_else() {
    let mut victim = Victim::at(&[STREAM]).await;
    let mut wire = Wire::dial(&victim.registry, STREAM, 3, 1).await;
    wire.us.node = key(1).node();
    assert!(wire.greet(Lane::Urgent).await.is_none());
    victim.has_rejected(Rejected::Forged, 1).await;
    assert!(victim.endpoint.peers().is_empty(), "a claim changes nothing");
    victim.is_well(STREAM).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_that_anybody_can_sign_for_is_nobodys() {
    let mut victim = Victim::at(&[STREAM]).await;
    // The neutral element, one of order eight, and what is no point at all.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let eight = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    let eight = std::array::from_fn(|at| {
        u8::from_str_radix(&eight[2 * at..2 * at + 2], 16).expect("hexadecimal")
    });
    for (node, count) in [neutral, eight, [2; 32]].into_iter().zip(1..) {
        let mut wire = Wire::dial(&victim.registry, STREAM, 3, 1).await;
        wire.us.node = NodeId(node);
        assert!(wire.ask().await.is_none());
        victim.has_rejected(Rejected::Forged, count).await;
    }
    victim.is_well(STREAM).await;
}

#[tokio::test(start_paused = true)]
async fn a_recorded_proof_proves_nothing() {
    for at in [STREAM, DATAGRAM] {
        let mut victim = Victim::at(&[at]).await;
        let peer = Stranger::meet(&victim.registry, at, 3, 1).await;
        let mut replayer = Wire::dial(&victim.registry, at, 3, 1).await;
        assert!(replayer.ask().await.is_some(), "anybody may ask");
        replayer.say(peer.confirm.clone()).await;
        victim.has_rejected(Rejected::Unexpected, 1).await;
        assert!(victim.endpoint.peers().iter().all(|known| known.node == key(3).node()));
        victim.is_well(at).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_out_of_turn_ends_a_stream() {
    let victim = Victim::at(&[STREAM]).await;
    let stale = Greeting::Stale(Stale { tag: [1; 8], echo: [2; 16] });
    let mut wire = Wire::dial(&victim.registry, STREAM, 3, 1).await;
    wire.say(stale.encode(0)).await;
    assert!(wire.hear().await.is_none());
    let mut twice = Wire::dial(&victim.registry, STREAM, 3, 1).await;
    let (hello, _) = twice.ask().await.expect("an answer");
    twice.say_hello(&hello).await;
    assert!(twice.hear().await.is_none());
    victim.has_rejected(Rejected::Unexpected, 2).await;
    let mut noise = Wire::dial(&victim.registry, STREAM, 3, 1).await;
    noise.say("GET / HTTP/1.1").await;
    assert!(noise.hear().await.is_none());
    victim.has_rejected(Rejected::Malformed, 1).await;
}

#[tokio::test(start_paused = true)]
async fn nobody_is_a_peer_of_itself() {
    for at in [STREAM, DATAGRAM] {
        let victim = Victim::at(&[at]).await;
        let error = victim.endpoint.contact(&addr(at)).await.expect_err("it is this node");
        assert!(matches!(error, Error::NoPeer { .. } | Error::Timeout { .. }), "{error:?}");
        assert!(victim.endpoint.peers().is_empty());
        assert!(0 < victim.rejected(Rejected::Myself));
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_say_in_the_name_of_a_dialer_does_not_end_its_greeting() {
    let mut victim = Victim::at(&[DATAGRAM]).await;
    let mut wire = Wire::dial(&victim.registry, DATAGRAM, 3, 1).await;
    let (hello, _) = wire.ask().await.expect("an answer");
    let other = Party { node: key(2).node(), session: 9 };
    wire.say("noise").await;
    wire.say(wire.seal_by_hand(other, 1, "forged")).await;
    wire.say_hello(&wire.hello([7; 16], None)).await;
    // The greeting goes on: its Hello is answered as before.
    wire.say_hello(&hello).await;
    let mut again = None;
    while let Some(greeting) = wire.hear_greeting().await {
        again = Some(greeting);
    }
    assert!(matches!(again, Some(Greeting::Answer(_))), "{again:?}");
    victim.has_rejected(Rejected::Malformed, 1).await;
    victim.is_well(DATAGRAM).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_proof_is_shown_again() {
    let mut victim = Victim::at(&[DATAGRAM]).await;
    let mut peer = Stranger::meet(&victim.registry, DATAGRAM, 3, 1).await;
    peer.say(peer.confirm.clone()).await;
    let shown = peer.wire.hear().await.expect("the same once more");
    assert_eq!(Frame::parse(shown).map(|frame| frame.counter), Ok(1));
    assert_eq!(victim.refused(), 0, "nothing is wrong with it");
    victim.is_well(DATAGRAM).await;
}

#[tokio::test(start_paused = true)]
async fn a_living_conn_survives_late_doubles_and_made_up_hints() {
    let mut victim = Victim::at(&[DATAGRAM]).await;
    let mut peer = Stranger::meet(&victim.registry, DATAGRAM, 3, 1).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    peer.wire.say_hello(&peer.hello.clone()).await;
    victim.has_rejected(Rejected::Replayed, 1).await;
    // Somebody who knows both sessions, but has not seen a frame.
    let tag = peer.wire.cluster.tag(peer.wire.us);
    peer.say(Greeting::Stale(Stale { tag, echo: [0; 16] }).encode(0)).await;
    victim.has_rejected(Rejected::Unexpected, 1).await;
    let frame = peer.seal("still here");
    peer.say(frame).await;
    victim.hears("still here").await;
    // Who got a frame, and knows nothing of it, is believed.
    let before = victim.endpoint.snapshot().links.ended;
    victim.endpoint.send(key(3).node(), Class::Gossip, "who are you").expect("room");
    let frame = Frame::parse(peer.wire.hear().await.expect("a frame")).expect("a frame");
    peer.say(Greeting::Stale(Stale::to(&frame).expect("long enough")).encode(0)).await;
    let has_ended = || 0 < victim.endpoint.snapshot().links.ended - before;
    until(has_ended, || victim.endpoint.snapshot()).await;
    let frame = peer.seal("too late");
    peer.say(frame).await;
    let stale = peer.wire.hear_greeting().await;
    assert!(matches!(stale, Some(Greeting::Stale(_))), "the conn has ended: {stale:?}");
}

#[tokio::test(start_paused = true)]
async fn who_begins_again_from_the_same_place_is_met_again() {
    let mut victim = Victim::at(&[DATAGRAM]).await;
    let mut peer = Stranger::meet(&victim.registry, DATAGRAM, 3, 1).await;
    let wire = &mut peer.wire;
    wire.us.session = 2;
    tokio::time::advance(Duration::from_secs(1)).await;
    let mut hello = wire.hello([5; 16], None);
    let mut is_answered = false;
    for _ in 0..4 {
        wire.say_hello(&hello).await;
        match wire.hear_greeting().await {
            Some(Greeting::Challenge(challenge)) => hello.cookie = Some(challenge.cookie),
            Some(Greeting::Answer(_)) => is_answered = true,
            _ => (),
        }
    }
    assert!(is_answered);
    victim.is_well(DATAGRAM).await;
}

/// Two endpoints that both have something to say, each listening where the other dials.
async fn both_greet_at_once(places: [&str; 2]) {
    let network = Network::new(7);
    let start = |seed| Endpoint::start(registry(&network), key(seed), config()).expect("fine");
    let ((a, mut ia), (b, mut ib)) = (start(4), start(5));
    let at_a = a.listen(&addr(places[0])).await.expect("listening");
    let at_b = b.listen(&addr(places[1])).await.expect("listening");
    a.learn(b.node(), vec![at_b]).expect("room");
    b.learn(a.node(), vec![at_a]).expect("room");
    a.send(b.node(), Class::Gossip, "from a").expect("room");
    b.send(a.node(), Class::Gossip, "from b").expect("room");
    let heard = async { (ia.gossip.recv().await, ib.gossip.recv().await) };
    let heard = tokio::time::timeout(Duration::from_secs(2), heard).await;
    let Ok((from_b, from_a)) = heard else { panic!("{:?} {:?}", a.snapshot(), b.snapshot()) };
    assert_eq!(from_b.map(|message| message.from), Some(b.node()));
    assert_eq!(from_a.map(|message| message.from), Some(a.node()));
}

#[tokio::test(start_paused = true)]
async fn both_may_greet_at_once_over_datagrams() {
    both_greet_at_once(["mem://a?delivery=datagram", DATAGRAM]).await;
}

/// Here both dial from the socket that they listen on, so that there is only one conn.
#[tokio::test]
async fn both_may_greet_at_once_over_the_same_datagrams() {
    both_greet_at_once(["udp://127.0.0.1:0"; 2]).await;
}

#[tokio::test]
async fn who_claims_another_id_than_tls_has_proved_is_refused() {
    let of = |seed: u8| -> Arc<Registry> {
        let registry = Registry::of([rumormill_transport_tcp::tls::FACTORY]).expect("one scheme");
        Arc::new(registry.with_credentials(key(seed).credentials().into()))
    };
    let (endpoint, inboxes) = Endpoint::start(of(2), key(2), config()).expect("a good config");
    let at = endpoint.listen(&addr("tls://127.0.0.1:0")).await.expect("listening").to_string();
    let mut victim = Victim { registry: of(1), endpoint, inboxes };
    // It has both keys, so that everything but the carrier's proof is right.
    let liar = Wire::dial(&of(4), &at, 3, 1).await;
    assert!(liar.greet(Lane::Urgent).await.is_none());
    victim.has_rejected(Rejected::Unproven, 1).await;
    assert!(Wire::dial(&of(3), &at, 3, 1).await.greet(Lane::Urgent).await.is_some());
    victim.is_well(&at).await;
}

#[tokio::test(start_paused = true)]
async fn no_bit_of_a_proof_can_change() {
    let mut victim = Victim::at(&[DATAGRAM]).await;
    let peer = Stranger::meet(&victim.registry, DATAGRAM, 3, 1).await;
    for bit in (0..8 * peer.confirm.len()).step_by(37) {
        let mut wire = Wire::dial(&victim.registry, DATAGRAM, 3, 1).await;
        wire.ask().await.expect("an answer");
        wire.say(bent(&peer.confirm, bit)).await;
        assert!(wire.hear().await.is_none(), "bit {bit}");
    }
    victim.is_well(DATAGRAM).await;
}

#[tokio::test(start_paused = true)]
async fn strangers_leave_room_for_those_who_are_wanted() {
    let config = Config { max_peers: 8, ..config() };
    let victim = Victim::with(&registry(&Network::new(7)), config, &[STREAM]).await;
    let mut held = Vec::new();
    for seed in 10..20 {
        held.push(Wire::dial(&victim.registry, STREAM, seed, 1).await.greet(Lane::Urgent).await);
    }
    assert_eq!(held.iter().flatten().count(), 4);
    victim.has_rejected(Rejected::Crowded, 6).await;
    for seed in 100..104 {
        victim.endpoint.learn(key(seed).node(), Vec::new()).expect("room for the wanted");
    }
    held.clear();
    let peers = victim.endpoint.peers().len();
    assert!(peers <= 8, "{peers}");
}
