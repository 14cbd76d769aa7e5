//! Takers of queues.

use std::time::Duration;

use rumormill_broker::{
    Client, ClientConfig, Routing, Settle, SubscribeOptions, Subscription,
    wire::{Answer, EndReason, Request, Verdict},
};
use tokio::time::timeout;

use crate::peer::{Peer, Place, delivery, message, topic, within};

async fn taker(place: &mut Place, settle: Settle) -> (Client, Peer, Subscription) {
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let options = SubscribeOptions { settle, window: Some(1000) };
    let subscribing = client.subscribe(topic(), options);
    let (subscription, _) = tokio::join!(subscribing, peer.subscribes(Routing::Queue, 5, 10));
    (client, peer, subscription.expect("it is subscribed"))
}

async fn settles(peer: &mut Peer, expected: (Verdict, &[(u64, u32)])) {
    let frame = peer.hear().await;
    match Request::decode(&frame) {
        Ok(Request::Settle { topic: "t", verdict, runs }) => {
            assert_eq!((verdict, &*runs), expected);
        }
        other => panic!("no Settle: {other:?}"),
    }
}

async fn waits_in_vain(subscription: &mut Subscription) {
    let nothing = timeout(Duration::from_millis(100), subscription.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

#[tokio::test(start_paused = true)]
async fn a_message_is_settled_when_the_next_is_asked_for() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) = taker(&mut place, Settle::Auto).await;
    let frames = [delivery(10, 0, &["a", "b"]), delivery(7, 2, &["c"])];
    peer.say_all(&frames).await;
    for (seq, redelivered) in [(10, 0), (11, 0), (7, 2)] {
        let delivery = message(&mut subscription).await;
        assert_eq!((delivery.seq, delivery.redelivered), (seq, redelivered));
    }
    settles(&mut peer, (Verdict::Done, &[(10, 2)])).await;
    waits_in_vain(&mut subscription).await;
    settles(&mut peer, (Verdict::Done, &[(7, 1)])).await;
    peer.deliver(12, &["d"]).await;
    assert_eq!(message(&mut subscription).await.seq, 12);
    let leaving = tokio::spawn(subscription.unsubscribe());
    settles(&mut peer, (Verdict::Done, &[(12, 1)])).await;
    let frame = peer.hear().await;
    assert_eq!(Request::decode(&frame), Ok(Request::Unsubscribe { topic: "t" }));
    peer.say(&Answer::Ended { topic: "t", reason: EndReason::Unsubscribed }).await;
    within(leaving).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn messages_are_settled_by_hand() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) = taker(&mut place, Settle::Manual).await;
    peer.deliver(10, &["a", "b", "c", "d"]).await;
    let mut taken = Vec::new();
    while taken.len() < 4 {
        taken.push(message(&mut subscription).await);
    }
    subscription.done(&taken[0]);
    subscription.give_back(&taken[1]);
    subscription.done(&taken[3]);
    waits_in_vain(&mut subscription).await;
    settles(&mut peer, (Verdict::Done, &[(10, 1), (13, 1)])).await;
    settles(&mut peer, (Verdict::GiveBack, &[(11, 1)])).await;
}

#[tokio::test(start_paused = true)]
async fn a_taker_that_drops_its_message_has_not_settled_it() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) = taker(&mut place, Settle::Auto).await;
    peer.deliver(10, &["a", "b"]).await;
    message(&mut subscription).await;
    message(&mut subscription).await;
    drop(subscription);
    settles(&mut peer, (Verdict::Done, &[(10, 1)])).await;
    let frame = peer.hear().await;
    assert_eq!(Request::decode(&frame), Ok(Request::Unsubscribe { topic: "t" }));
}

#[tokio::test(start_paused = true)]
async fn what_came_over_a_conn_that_is_lost_is_at_others() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) = taker(&mut place, Settle::Manual).await;
    peer.deliver(10, &["a", "b"]).await;
    peer.deliver(12, &["c"]).await;
    let old = message(&mut subscription).await;
    peer.cut();
    let mut peer = place.welcomed().await;
    let frame = peer.subscribes(Routing::Queue, 5, 13).await;
    let Ok(Request::Subscribe(subscribe)) = Request::decode(&frame) else { panic!("{frame:?}") };
    assert_eq!(subscribe.resume, None, "a queue has kept everything");
    peer.say_all(&[delivery(12, 1, &["c"])]).await;
    subscription.done(&old);
    assert_eq!(message(&mut subscription).await.seq, 11, "of a block that it has begun");
    let again = message(&mut subscription).await;
    assert_eq!((again.seq, again.redelivered), (12, 1));
    subscription.done(&again);
    settles(&mut peer, (Verdict::Done, &[(12, 1)])).await;
}

#[tokio::test(start_paused = true)]
async fn a_small_window_is_settled_at_once() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let options = SubscribeOptions { window: Some(1), ..SubscribeOptions::default() };
    let subscribing = client.subscribe(topic(), options);
    let (subscription, _) = tokio::join!(subscribing, peer.subscribes(Routing::Queue, 5, 1));
    let mut subscription = subscription.unwrap();
    let taking = tokio::spawn(async move {
        for seq in 1..=100 {
            assert_eq!(message(&mut subscription).await.seq, seq);
        }
    });
    for seq in 1..100 {
        peer.deliver(seq, &["m"]).await;
        settles(&mut peer, (Verdict::Done, &[(seq, 1)])).await;
    }
    peer.deliver(100, &["m"]).await;
    within(taking).await.unwrap();
}
