//! Frames that are not what they should be.

use rumormill_endpoint::{
    Class, Rejected,
    echo::Echo,
    frame::{Kind, Lane, Payload},
    seal::{Cluster, Sealer},
};
use rumormill_transport_mem::Network;

use crate::{
    DATAGRAM, STREAM, Victim, config, key, registry,
    stranger::{Stranger, Wire, bent},
    timeout, until,
};

#[tokio::test(start_paused = true)]
async fn no_bit_of_a_frame_can_change_on_a_living_conn() {
    let mut victim = Victim::at(&[DATAGRAM]).await;
    let mut peer = Stranger::meet(&victim.registry, DATAGRAM, 3, 1).await;
    let frame = peer.seal("rumor");
    let bits = 8 * frame.len();
    for bit in 0..bits {
        peer.say(bent(&frame, bit)).await;
        until(|| (bit as u64) < victim.refused(), || victim.endpoint.snapshot()).await;
    }
    for why in [Rejected::Forged, Rejected::Malformed, Rejected::Elsewhere, Rejected::Unsigned] {
        assert!(0 < victim.rejected(why), "{why:?}");
    }
    peer.say(frame.clone()).await;
    // Many forged frames may have used up the patience, which returns.
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    peer.say(frame).await;
    victim.hears("rumor").await;
    victim.is_well(DATAGRAM).await;
}

#[tokio::test(start_paused = true)]
async fn no_piece_of_a_frame_is_one() {
    let mut victim = Victim::at(&[DATAGRAM]).await;
    let mut peer = Stranger::meet(&victim.registry, DATAGRAM, 3, 1).await;
    let frame = peer.seal("rumor");
    for len in 0..frame.len() {
        peer.say(frame.slice(..len)).await;
        until(|| (len as u64) < victim.refused(), || victim.endpoint.snapshot()).await;
    }
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    peer.say(frame).await;
    victim.hears("rumor").await;
    victim.is_well(DATAGRAM).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_with_too_much_nonsense_ends() {
    let mut victim = Victim::at(&[STREAM]).await;
    let mut peer = Stranger::meet(&victim.registry, STREAM, 3, 1).await;
    let frame = bent(&peer.seal("rumor"), 8 * 60);
    while peer.say(frame.clone()).await && victim.rejected(Rejected::Forged) < 100 {
        tokio::task::yield_now().await;
    }
    assert!(peer.wire.hear().await.is_none(), "it has ended");
    assert!((1..=20).contains(&victim.rejected(Rejected::Forged)));
    victim.is_well(STREAM).await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_is_opened_once_on_whatever_conn() {
    let mut victim = Victim::at(&[STREAM]).await;
    let mut peer = Stranger::meet(&victim.registry, STREAM, 3, 1).await;
    let frame = peer.seal("rumor");
    peer.say(frame.clone()).await;
    victim.hears("rumor").await;
    peer.say(frame.clone()).await;
    victim.has_rejected(Rejected::Replayed, 1).await;
    let mut again = Stranger::meet(&victim.registry, STREAM, 3, 1).await;
    again.say(frame.clone()).await;
    victim.has_rejected(Rejected::Replayed, 2).await;
    let bulk = Wire::dial(&victim.registry, STREAM, 3, 1).await.greet(Lane::Bulk).await;
    let mut bulk = bulk.expect("a conn of the other lane");
    bulk.say(frame.clone()).await;
    victim.has_rejected(Rejected::Replayed, 3).await;
    victim.endpoint.forget(key(3).node());
    let mut back = Stranger::meet(&victim.registry, STREAM, 3, 1).await;
    back.say(frame).await;
    victim.has_rejected(Rejected::Replayed, 4).await;
    victim.is_well(STREAM).await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_is_worth_nothing_after_a_restart_of_its_sender() {
    let mut victim = Victim::at(&[STREAM]).await;
    let mut peer = Stranger::meet(&victim.registry, STREAM, 3, 1).await;
    let (heard, kept) = (peer.seal("rumor"), peer.seal("kept back"));
    peer.say(heard.clone()).await;
    victim.hears("rumor").await;
    let mut restarted = Stranger::meet(&victim.registry, STREAM, 3, 2).await;
    restarted.say(heard).await;
    restarted.say(kept).await;
    victim.has_rejected(Rejected::Forged, 2).await;
    assert!(peer.wire.hear().await.is_none(), "the conn of the session before has ended");
    victim.is_well(STREAM).await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_is_worth_nothing_elsewhere() {
    let registry = registry(&Network::new(7));
    let first = Victim::with(&registry, config(), &["mem://first"]).await;
    let peer = Stranger::meet(&registry, "mem://first", 3, 1).await;
    let to_first = peer.seal("rumor");
    // The same node after a restart is another session; another node is another id.
    let mut second = Victim::with(&registry, config(), &[STREAM]).await;
    let mut peer = Stranger::meet(&registry, STREAM, 3, 1).await;
    peer.say(to_first).await;
    second.has_rejected(Rejected::Elsewhere, 1).await;
    let sealed = |cluster: &Cluster, from, to| {
        let payload = Payload::message(Class::Gossip, "rumor");
        Sealer::new(cluster, from, to).seal(Lane::Urgent, [payload].iter(), Some(&key(3)))
    };
    let (us, them, ours) = (peer.wire.us, peer.them, Cluster::named("test"));
    for (frame, why, count) in [
        (sealed(&Cluster::named("other"), us, them), Rejected::Elsewhere, 2),
        (sealed(&ours, Stranger::other(us), them), Rejected::Elsewhere, 3),
        (sealed(&ours, them, us), Rejected::Elsewhere, 4),
    ] {
        peer.say(frame).await;
        second.has_rejected(why, count).await;
    }
    drop(first);
    second.is_well(STREAM).await;
}

#[tokio::test(start_paused = true)]
async fn who_has_not_said_hello_is_nobody() {
    for at in [STREAM, DATAGRAM] {
        let mut victim = Victim::at(&[at]).await;
        let mut wire = Wire::dial(&victim.registry, at, 3, 1).await;
        let them = rumormill_endpoint::seal::Party { node: key(2).node(), session: 5 };
        wire.say(wire.seal_by_hand(them, 1, "rumor")).await;
        victim.has_rejected(Rejected::Elsewhere, 1).await;
        assert!(victim.endpoint.peers().is_empty());
        victim.is_well(at).await;
    }
}

#[tokio::test(start_paused = true)]
async fn frames_may_overtake_each_other_within_the_window() {
    let mut victim = Victim::at(&[STREAM]).await;
    let mut peer = Stranger::meet(&victim.registry, STREAM, 3, 1).await;
    let texts = ["a", "b", "c"];
    let frames = texts.map(|text| peer.seal(text));
    for (text, frame) in texts.iter().zip(&frames).rev().take(2) {
        peer.say(frame.clone()).await;
        victim.hears(text).await;
    }
    (0..1100).for_each(|_| drop(peer.seal("lost")));
    let last = peer.seal("last");
    peer.say(last).await;
    victim.hears("last").await;
    peer.say(frames[0].clone()).await;
    victim.has_rejected(Rejected::Old, 1).await;
    victim.is_well(STREAM).await;
}

#[tokio::test(start_paused = true)]
async fn counters_at_their_ends_harm_only_their_sender() {
    let mut victim = Victim::at(&[STREAM]).await;
    let mut peer = Stranger::meet(&victim.registry, STREAM, 3, 1).await;
    let sealed = |peer: &Stranger, counter| peer.wire.seal_by_hand(peer.them, counter, "x");
    peer.say(sealed(&peer, 0)).await;
    victim.has_rejected(Rejected::Old, 1).await;
    peer.say(sealed(&peer, u64::MAX)).await;
    victim.hears("x").await;
    peer.say(sealed(&peer, u64::MAX)).await;
    victim.has_rejected(Rejected::Replayed, 1).await;
    peer.say(sealed(&peer, 7)).await;
    victim.has_rejected(Rejected::Old, 2).await;
    let mut restarted = Stranger::meet(&victim.registry, STREAM, 3, 2).await;
    let frame = restarted.seal("begun again");
    restarted.say(frame).await;
    victim.hears("begun again").await;
    victim.is_well(STREAM).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_forgotten_is_not_heard_any_more() {
    let mut victim = Victim::at(&[STREAM]).await;
    let mut peer = Stranger::meet(&victim.registry, STREAM, 3, 1).await;
    let (before, after) = (peer.seal("before"), peer.seal("after"));
    peer.say(before).await;
    victim.hears("before").await;
    victim.endpoint.forget(key(3).node());
    peer.say(after).await;
    assert!(peer.wire.hear().await.is_none(), "it was cut at once");
    assert!(timeout(victim.inboxes.gossip.recv()).await.is_none(), "nothing is delivered");
    victim.is_well(STREAM).await;
}

#[tokio::test(start_paused = true)]
async fn a_frame_tells_of_each_lane_once() {
    let mut victim = Victim::at(&[STREAM]).await;
    let mut peer = Stranger::meet(&victim.registry, STREAM, 3, 1).await;
    let echo = Echo { lane: Lane::Urgent, highest: u64::MAX, seen: 0 };
    let (class, kind, bytes) = (Class::Control, Kind::Echo, echo.encode());
    let many = vec![Payload { class, kind, bytes }; 4];
    let frame = peer.sealer.seal(Lane::Urgent, many.iter(), Some(&peer.wire.key));
    peer.say(frame).await;
    victim.has_rejected(Rejected::Malformed, 1).await;
    victim.is_well(STREAM).await;
}
