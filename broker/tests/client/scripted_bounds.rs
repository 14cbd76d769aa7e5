//! What a subscription holds, and shows, whatever the broker does: it errs, or comes back as another.

use std::time::Duration;

use rumormill_broker::{
    Client, ClientConfig, Gap, Incoming, Routing, Settle, SubscribeOptions, Subscription,
    wire::{Answer, EndReason, GapReason, RefusedWhy, Request, Verdict},
};
use tokio::time::{Instant, timeout};

use crate::peer::{Peer, Place, delivery, message, topic, until, within};

async fn subscribed(
    place: &mut Place,
    routing: Routing,
    settle: Settle,
) -> (Client, Peer, Subscription) {
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let options = SubscribeOptions { settle, window: Some(1000) };
    let subscribing = client.subscribe(topic(), options);
    let (subscription, _) = tokio::join!(subscribing, peer.subscribes(routing, 5, 10));
    (client, peer, subscription.expect("it is subscribed"))
}

async fn gap(subscription: &mut Subscription) -> Gap {
    match within(subscription.next()).await {
        Some(Incoming::Gap(gap)) => gap,
        other => panic!("no gap: {other:?}"),
    }
}

/// Asks for what does not come, which says that what came is finished with.
async fn asks_for_more(subscription: &mut Subscription) {
    let nothing = timeout(Duration::from_millis(100), subscription.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

/// The window that the client asks the next conn for.
async fn window(place: &mut Place, next: u64) -> (Peer, u32) {
    let mut peer = place.welcomed().await;
    let frame = peer.subscribes(Routing::Fanout, 5, next).await;
    match Request::decode(&frame) {
        Ok(Request::Subscribe(subscribe)) => (peer, subscribe.window),
        other => panic!("no Subscribe: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_queue_may_come_back_as_fanout() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) =
        subscribed(&mut place, Routing::Queue, Settle::Auto).await;
    peer.deliver(10, &["a"]).await;
    message(&mut subscription).await;
    peer.cut();
    let mut peer = place.welcomed().await;
    peer.subscribes(Routing::Fanout, 6, 3).await;
    peer.deliver(3, &["b", "c"]).await;
    assert_eq!(gap(&mut subscription).await.reason, GapReason::Restarted);
    assert_eq!(message(&mut subscription).await.seq, 3);
    assert_eq!(message(&mut subscription).await.seq, 4);
    asks_for_more(&mut subscription).await;
    let frame = peer.hear().await;
    assert_eq!(Request::decode(&frame), Ok(Request::Seen { topic: "t", through: 4 }));
    assert_eq!(subscription.routing(), Routing::Fanout);
}

#[tokio::test(start_paused = true)]
async fn a_fanout_topic_may_come_back_as_a_queue() {
    for settle in [Settle::Auto, Settle::Manual] {
        let mut place = Place::new().await;
        let (_client, mut peer, mut subscription) =
            subscribed(&mut place, Routing::Fanout, settle).await;
        peer.deliver(10, &["a", "b"]).await;
        assert_eq!(message(&mut subscription).await.seq, 10);
        peer.deliver(12, &["c"]).await;
        peer.cut();
        let mut peer = place.welcomed().await;
        peer.subscribes(Routing::Queue, 6, 1).await;
        peer.deliver(1, &["d"]).await;
        // Those before are nobody else's.
        assert_eq!(message(&mut subscription).await.seq, 11);
        assert_eq!(message(&mut subscription).await.seq, 12);
        let delivery = message(&mut subscription).await;
        assert_eq!(delivery.seq, 1);
        if settle == Settle::Manual {
            subscription.done(&delivery);
        }
        asks_for_more(&mut subscription).await;
        let (topic, verdict, runs) = ("t", Verdict::Done, vec![(1, 1)]);
        let frame = peer.hear().await;
        assert_eq!(Request::decode(&frame), Ok(Request::Settle { topic, verdict, runs }));
        assert_eq!(subscription.routing(), Routing::Queue);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_taker_never_settles_takes_no_room() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) =
        subscribed(&mut place, Routing::Queue, Settle::Manual).await;
    let long = "x".repeat(600 << 10);
    for seq in 10..13 {
        peer.deliver(seq, &[&long]).await;
        assert_eq!(message(&mut subscription).await.seq, seq);
    }
    let frames = [delivery(13, 0, &["a"]), delivery(14, 0, &["b"]), delivery(15, 0, &["c"])];
    peer.say_all(&frames).await;
    for seq in 13..16 {
        assert_eq!(message(&mut subscription).await.seq, seq);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_queue_sends_beyond_the_window_is_stale() {
    let mut place = Place::new().await;
    let (client, mut peer, mut subscription) =
        subscribed(&mut place, Routing::Queue, Settle::Manual).await;
    let long = "x".repeat(600 << 10);
    let frames: Vec<_> = (10..20).map(|seq| delivery(seq, 0, &[&long])).collect();
    peer.say_all(&frames).await;
    until(|| client.stats().received == 10).await;
    for seq in 18..20 {
        assert_eq!(message(&mut subscription).await.seq, seq);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_over_reconnects_counts() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) =
        subscribed(&mut place, Routing::Fanout, Settle::Auto).await;
    let text = "x".repeat(396);
    for (seq, expected) in [(10, 600), (11, 200), (12, 62)] {
        peer.deliver(seq, &[&text]).await;
        peer.cut();
        let asked;
        (peer, asked) = window(&mut place, seq + 1).await;
        assert_eq!(asked, expected);
    }
    for seq in 10..13 {
        assert_eq!(message(&mut subscription).await.seq, seq);
    }
    // The broker's window is small, and what it waits for is told at once.
    peer.deliver(13, &[&"m".repeat(60)]).await;
    assert_eq!(message(&mut subscription).await.seq, 13);
    let since = Instant::now();
    let asking = tokio::spawn(async move {
        asks_for_more(&mut subscription).await;
        subscription
    });
    let frame = peer.hear().await;
    assert_eq!(Request::decode(&frame), Ok(Request::Seen { topic: "t", through: 13 }));
    assert_eq!(since.elapsed(), Duration::ZERO);
    let _subscription = within(asking).await.unwrap();
    peer.cut();
    assert_eq!(window(&mut place, 14).await.1, 1000);
}

#[tokio::test(start_paused = true)]
async fn a_gap_hides_nothing() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) =
        subscribed(&mut place, Routing::Fanout, Settle::Auto).await;
    let reason = GapReason::Dropped;
    let told = |from, to| Answer::Gap { topic: "t", from, to, reason }.encode();
    // Of each only the end counts, unless it is behind; those that meet are shown as one.
    let mut frames = vec![told(1, 9), told(100, 100)];
    frames.extend((101..200).map(|seq| told(seq, seq)));
    frames.extend([told(50, 60), delivery(203, 0, &["a"]), told(0, u64::MAX), told(7, u64::MAX)]);
    peer.say_all(&frames).await;
    assert_eq!(gap(&mut subscription).await, Gap { from: 10, to: 202, reason });
    assert_eq!(message(&mut subscription).await.seq, 203);
    assert_eq!(gap(&mut subscription).await, Gap { from: 204, to: u64::MAX, reason });
    asks_for_more(&mut subscription).await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_shows_no_gap() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) =
        subscribed(&mut place, Routing::Queue, Settle::Auto).await;
    let (topic, reason) = ("t", GapReason::Dropped);
    let told = Answer::Gap { topic, from: 10, to: 19, reason }.encode();
    peer.say_all(&[told, delivery(20, 0, &["a"])]).await;
    assert_eq!(message(&mut subscription).await.seq, 20);
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_ends_while_it_is_left_may_be_subscribed_to_again() {
    let crossings = [
        (EndReason::Removed, RefusedWhy::UnknownTopic),
        (EndReason::Removed, RefusedWhy::NotSubscribed),
        (EndReason::Stopping, RefusedWhy::Stopping),
    ];
    for (reason, why) in crossings {
        let mut place = Place::new().await;
        let (client, mut peer, subscription) =
            subscribed(&mut place, Routing::Fanout, Settle::Auto).await;
        let leaving = tokio::spawn(subscription.unsubscribe());
        let frame = peer.hear().await;
        assert_eq!(Request::decode(&frame), Ok(Request::Unsubscribe { topic: "t" }));
        peer.say(&Answer::Ended { topic: "t", reason }).await;
        let text = "".into();
        peer.say(&Answer::Refused { why, topic: "t", receipt: None, messages: 0, text }).await;
        let since = Instant::now();
        within(leaving).await.unwrap();
        assert!(since.elapsed() < Duration::from_secs(1), "it need not wait in vain");
        let subscribing = client.subscribe(topic(), SubscribeOptions::default());
        let (again, _) = tokio::join!(subscribing, peer.subscribes(Routing::Fanout, 6, 1));
        again.expect("it is subscribed");
    }
}
