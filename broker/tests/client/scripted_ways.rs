//! Subscriptions to fanout topics, greetings and reconnects.

use std::{sync::Arc, time::Duration};

use rumormill_broker::{
    Client, ClientConfig, ClientEvent, ConnectError, Ended, Gap, GreetError, Incoming,
    PublishError, Routing, Side, SubscribeError, SubscribeOptions, proof,
    wire::{Answer, EndReason, GapReason, LENGTH, NONCE, RefusedWhy, Request, Resume, Welcome},
};
use rumormill_identity::{PublicKey, Purpose, SecretKey};
use tokio::time::timeout;

use crate::{
    peer::{Peer, Place, delivery, message, topic, until, welcome, within},
    scripted::prove,
};

async fn subscribed(place: &mut Place) -> (Client, Peer, rumormill_broker::Subscription) {
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let subscribing = client.subscribe(topic(), SubscribeOptions::default());
    let (subscription, _) = tokio::join!(subscribing, peer.subscribes(Routing::Fanout, 5, 10));
    (client, peer, subscription.expect("it is subscribed"))
}

/// Welcomes a client that may publish so many bytes before the first Credit.
async fn welcomed_with(place: &mut Place, publish_window: u32) -> Peer {
    let mut peer = place.accept().await;
    peer.hear().await;
    peer.say(&Answer::Welcome(Welcome { publish_window, ..welcome() })).await;
    peer
}

pub(crate) async fn with_window(place: &mut Place, publish_window: u32) -> (Client, Peer) {
    let addrs = [place.addr.clone()];
    let connecting = Client::connect(place.registry.clone(), addrs, ClientConfig::default());
    let (client, peer) = tokio::join!(connecting, welcomed_with(place, publish_window));
    (client.expect("it is welcome"), peer)
}

/// Hears so many messages, in blocks that are no longer than the window, and grants more for each.
/// Returns how many came in each block.
async fn blocks_within(peer: &mut Peer, window: usize, count: usize, before: usize) -> Vec<usize> {
    let (mut blocks, mut through) = (Vec::new(), before);
    while blocks.iter().sum::<usize>() < count {
        let (receipt, messages) = peer.published().await;
        let len: usize = messages.iter().map(|message| LENGTH + message.len()).sum();
        assert!(len <= window, "{len} bytes");
        if let Some(receipt) = receipt {
            let first = 1000 + blocks.iter().sum::<usize>() as u64;
            peer.receipt(receipt, first).await;
        }
        blocks.push(messages.len());
        through += len;
        peer.say(&Answer::Credit { topic: "t", through: (through + window) as u64 }).await;
    }
    blocks
}

async fn gap(subscription: &mut rumormill_broker::Subscription) -> Gap {
    match within(subscription.next()).await {
        Some(Incoming::Gap(gap)) => gap,
        other => panic!("no gap: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn messages_arrive_in_order_and_are_told_to_be_seen() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) = subscribed(&mut place).await;
    peer.deliver(10, &["a", "b"]).await;
    peer.deliver(12, &["c"]).await;
    for (seq, text) in [(10, "a"), (11, "b"), (12, "c")] {
        let delivery = message(&mut subscription).await;
        assert_eq!((delivery.seq, &*delivery.payload), (seq, text.as_bytes()));
    }
    // What was taken last is not finished with.
    let asking = tokio::spawn(async move { subscription.next().await });
    let frame = peer.hear().await;
    assert_eq!(Request::decode(&frame), Ok(Request::Seen { topic: "t", through: 12 }));
    asking.abort();
}

#[tokio::test(start_paused = true)]
async fn next_may_be_dropped() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) = subscribed(&mut place).await;
    for round in 0..100 {
        let nothing = timeout(Duration::from_millis(1), subscription.next()).await;
        assert!(nothing.is_err(), "{nothing:?}");
        peer.deliver(10 + 2 * round, &["x", "y"]).await;
        assert_eq!(message(&mut subscription).await.seq, 10 + 2 * round);
        assert_eq!(message(&mut subscription).await.seq, 11 + 2 * round);
    }
}

#[tokio::test(start_paused = true)]
async fn gaps_are_shown_where_they_are() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) = subscribed(&mut place).await;
    let (topic, reason) = ("t", GapReason::Dropped);
    let told = Answer::Gap { topic, from: 11, to: 13, reason }.encode();
    let frames = [delivery(10, 0, &["a"]), told, delivery(14, 0, &["b"]), delivery(17, 0, &["c"])];
    peer.say_all(&frames).await;
    // What comes twice is shown once.
    peer.deliver(16, &["?", "c", "d"]).await;
    assert_eq!(message(&mut subscription).await.seq, 10);
    assert_eq!(gap(&mut subscription).await, Gap { from: 11, to: 13, reason });
    assert_eq!(message(&mut subscription).await.seq, 14);
    let own = gap(&mut subscription).await;
    assert_eq!((own, own.missing()), (Gap { from: 15, to: 16, reason }, Some(2)));
    assert_eq!(message(&mut subscription).await.seq, 17);
    assert_eq!(&*message(&mut subscription).await.payload, b"d");
}

#[tokio::test(start_paused = true)]
async fn a_subscription_is_resumed() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) = subscribed(&mut place).await;
    peer.deliver(10, &["a", "b"]).await;
    assert_eq!(message(&mut subscription).await.seq, 10);
    peer.cut();
    let mut peer = place.welcomed().await;
    let frame = peer.subscribes(Routing::Fanout, 5, 20).await;
    let Ok(Request::Subscribe(subscribe)) = Request::decode(&frame) else { panic!("{frame:?}") };
    assert_eq!(subscribe.resume, Some(Resume { epoch: 5, after: 11 }));
    let reason = GapReason::Away;
    peer.say(&Answer::Gap { topic: "t", from: 12, to: 19, reason }).await;
    peer.deliver(20, &["c"]).await;
    assert_eq!(message(&mut subscription).await.seq, 11, "it has arrived before");
    assert_eq!(gap(&mut subscription).await, Gap { from: 12, to: 19, reason });
    assert_eq!(message(&mut subscription).await.seq, 20);
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_began_anew_is_shown() {
    let mut place = Place::new().await;
    let (_client, mut peer, mut subscription) = subscribed(&mut place).await;
    peer.deliver(10, &["a"]).await;
    peer.say(&Answer::Ended { topic: "t", reason: EndReason::Stopping }).await;
    peer.cut();
    let mut peer = place.welcomed().await;
    peer.subscribes(Routing::Fanout, 6, 3).await;
    let reason = GapReason::Restarted;
    peer.say(&Answer::Gap { topic: "t", from: 1, to: 2, reason }).await;
    peer.deliver(3, &["c"]).await;
    assert_eq!(message(&mut subscription).await.seq, 10);
    let gap = gap(&mut subscription).await;
    assert_eq!((gap, gap.missing()), (Gap { from: 1, to: 2, reason }, None));
    assert_eq!(message(&mut subscription).await.seq, 3);
}

#[tokio::test(start_paused = true)]
async fn ends_have_reasons() {
    for reason in [EndReason::Removed, EndReason::Lagging, EndReason::NotAllowed] {
        let mut place = Place::new().await;
        let (client, mut peer, mut subscription) = subscribed(&mut place).await;
        peer.deliver(10, &["last"]).await;
        peer.say(&Answer::Ended { topic: "t", reason }).await;
        assert_eq!(message(&mut subscription).await.seq, 10);
        assert_eq!(subscription.ended(), None);
        assert_eq!(within(subscription.next()).await, None);
        assert_eq!(subscription.ended(), Some(Ended::Broker(reason)));
        drop(subscription);
        let subscribing = client.subscribe(topic(), SubscribeOptions::default());
        let (again, _) = tokio::join!(subscribing, peer.subscribes(Routing::Fanout, 5, 11));
        assert!(again.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_closed_client_ends_its_subscriptions() {
    let mut place = Place::new().await;
    let (client, mut peer, mut subscription) = subscribed(&mut place).await;
    peer.deliver(10, &["last"]).await;
    let closing = tokio::spawn(async move { client.close(Duration::from_secs(5)).await });
    peer.hear_to_the_end().await;
    peer.cut();
    assert_eq!(within(closing).await.unwrap().unsent, 0);
    assert_eq!(message(&mut subscription).await.seq, 10);
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.ended(), Some(Ended::Closed));
}

#[tokio::test(start_paused = true)]
async fn subscribing_fails_with_reasons() {
    let mut place = Place::new().await;
    let (client, mut peer, subscription) = subscribed(&mut place).await;
    let options = SubscribeOptions::default();
    let twice = client.subscribe(topic(), options).await.expect_err("one per topic");
    assert_eq!(twice, SubscribeError::Already(topic()));

    let (why, text) = (RefusedWhy::UnknownTopic, "".into());
    let refusing = async {
        peer.hear().await;
        peer.say(&Answer::Refused { why, topic: "u", receipt: None, messages: 0, text }).await;
    };
    let name: rumormill_broker::TopicName = "u".parse().unwrap();
    let (refused, ()) = tokio::join!(client.subscribe(name.clone(), options), refusing);
    assert_eq!(refused.expect_err("unknown"), SubscribeError::Refused(why));

    let silence = client.subscribe(name.clone(), options).await.expect_err("no answer");
    assert_eq!(silence, SubscribeError::Timeout(Duration::from_secs(5)));
    let frames = [peer.hear().await, peer.hear().await];
    assert!(matches!(Request::decode(&frames[0]), Ok(Request::Subscribe(_))));
    assert_eq!(Request::decode(&frames[1]), Ok(Request::Unsubscribe { topic: "u" }));

    drop(subscription);
    let report = client.close(Duration::ZERO).await;
    assert_eq!(report.unsent, 0);
    let closed = client.subscribe(name, options).await.expect_err("closed");
    assert_eq!(closed, SubscribeError::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_is_left_is_not_mixed_with_what_comes() {
    let mut place = Place::new().await;
    let (client, mut peer, subscription) = subscribed(&mut place).await;
    drop(subscription);
    let frame = peer.hear().await;
    assert_eq!(Request::decode(&frame), Ok(Request::Unsubscribe { topic: "t" }));
    let subscribing = client.subscribe(topic(), SubscribeOptions::default());
    let answering = async {
        // Of the subscription before.
        peer.deliver(10, &["old"]).await;
        peer.say(&Answer::Ended { topic: "t", reason: EndReason::Unsubscribed }).await;
        peer.subscribes(Routing::Fanout, 5, 11).await;
        peer.deliver(11, &["new"]).await;
    };
    let (subscription, ()) = tokio::join!(subscribing, answering);
    let mut subscription = subscription.unwrap();
    assert_eq!(message(&mut subscription).await.seq, 11);
    let leaving = tokio::spawn(subscription.unsubscribe());
    while !matches!(Request::decode(&peer.hear().await), Ok(Request::Unsubscribe { .. })) {}
    assert!(!leaving.is_finished());
    peer.say(&Answer::Ended { topic: "t", reason: EndReason::Unsubscribed }).await;
    within(leaving).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_floods_is_cut_off() {
    let mut place = Place::new().await;
    let (client, mut peer, _subscription) = subscribed(&mut place).await;
    let mut events = client.events();
    let long = "x".repeat(1 << 20);
    let frames: Vec<_> = (10..20).map(|seq| delivery(seq, 0, &[&long])).collect();
    peer.try_to_say_all(&frames).await;
    let event = within(events.recv()).await.unwrap();
    let ClientEvent::Disconnected { why } = event else { panic!("{event:?}") };
    assert_eq!(why.to_string(), "the broker sends more than a subscription takes");
    let frame = place.welcomed().await.subscribes(Routing::Fanout, 5, 20).await;
    let Ok(Request::Subscribe(subscribe)) = Request::decode(&frame) else { panic!("{frame:?}") };
    let resume = Some(Resume { epoch: 5, after: 12 });
    assert_eq!(subscribe.resume, resume, "what was too much did not arrive");
}

#[tokio::test(start_paused = true)]
async fn nonsense_ends_the_conn() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let mut events = client.events();
    peer.say_all(&["nonsense".into()]).await;
    let event = within(events.recv()).await.unwrap();
    let ClientEvent::Disconnected { why } = event else { panic!("{event:?}") };
    assert_eq!(
        why.to_string(),
        "the broker breaks the protocol: the kind of a frame cannot be 110"
    );
    let mut peer = place.welcomed().await;
    until(|| client.stats().is_connected).await;
    peer.say(&Answer::Welcome(welcome())).await;
    let event = within(async {
        loop {
            if let ClientEvent::Disconnected { why } = events.recv().await.unwrap() {
                return why;
            }
        }
    });
    assert_eq!(event.await.to_string(), "the broker says something at the wrong moment");
}

#[tokio::test(start_paused = true)]
async fn both_sides_prove_who_they_are() {
    let mut place = Place::new().await;
    let (mine, theirs) = (SecretKey::from_bytes(&[1; 32]), SecretKey::from_bytes(&[2; 32]));
    let other = SecretKey::from_bytes(&[3; 32]);
    for expect_broker in [None, Some(theirs.node()), Some(other.node())] {
        let config =
            ClientConfig { key: Some(mine.clone()), expect_broker, ..ClientConfig::default() };
        let connecting = Client::connect(Arc::clone(&place.registry), [place.addr.clone()], config);
        let greeting = async {
            let mut peer = place.accept().await;
            let frame = peer.hear().await;
            let Ok(Request::Hello(hello)) = Request::decode(&frame) else { panic!("{frame:?}") };
            assert_eq!(hello.node, Some(mine.node()));
            let (node, nonce) = (Some(theirs.node()), [9; NONCE]);
            let digest = |side| proof(side, hello.node, &hello.nonce, node, &nonce);
            let signature = theirs.sign(Purpose::Broker, &digest(Side::Broker));
            let broker = Some((theirs.node(), signature));
            peer.say(&Answer::Welcome(Welcome { nonce, broker, ..welcome() })).await;
            if expect_broker == Some(other.node()) {
                return peer;
            }
            let frame = peer.hear().await;
            let Ok(Request::Prove { signature }) = Request::decode(&frame) else {
                panic!("{frame:?}")
            };
            let key = PublicKey::of(mine.node()).unwrap();
            assert!(key.verifies(Purpose::Broker, &digest(Side::Client), &signature));
            peer
        };
        let (client, _peer) = tokio::join!(within(connecting), greeting);
        match (client, expect_broker == Some(other.node())) {
            (Ok(client), false) => assert!(client.stats().is_connected),
            (Err(ConnectError::Nobody(failed)), true) => {
                assert!(matches!(failed[0].1, GreetError::Unproven { .. }), "{failed:?}");
            }
            (other, _) => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn connecting_fails_with_reasons() {
    let mut place = Place::new().await;
    let connect = |addrs: &[&str]| {
        let addrs: Vec<_> = addrs.iter().map(|addr| addr.parse().unwrap()).collect();
        Client::connect(Arc::clone(&place.registry), addrs, ClientConfig::default())
    };
    let none = connect(&[]).await.expect_err("no address");
    assert_eq!(none.to_string(), "no address of a broker was given");
    let text = connect(&["mem://nobody", "tpc://x"]).await.expect_err("nobody").to_string();
    assert!(text.starts_with("no broker could be reached: mem://nobody: nobody answers"), "{text}");
    assert!(text.contains("; tpc://x: no transport 'tpc'"), "{text}");
    let text = connect(&["mem://x?delivery=datagram"]).await.expect_err("no stream").to_string();
    assert!(text.contains("mem:// is no stream"), "{text}");

    let connecting = connect(&["mem://broker"]);
    let refusing = async {
        let mut peer = place.accept().await;
        peer.hear().await;
        let (why, text) = (RefusedWhy::TooManyConns, "1,000 \u{1b}[31m".into());
        peer.say(&Answer::Refused { why, topic: "", receipt: None, messages: 0, text }).await;
        peer
    };
    let (refused, _peer) = tokio::join!(connecting, refusing);
    let text = refused.expect_err("refused").to_string();
    assert!(text.contains("the broker has too many conns (1,000"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[tokio::test(start_paused = true)]
async fn blocks_are_no_longer_than_a_short_window() {
    const WINDOW: usize = 16 << 10;
    let mut place = Place::new().await;
    let (client, mut peer) = with_window(&mut place, WINDOW as u32).await;
    prove(&client, &mut peer, 100).await;
    let publisher = client.publisher(topic());
    (0..1000).for_each(|_| publisher.publish([0; 100]).unwrap());
    let blocks = blocks_within(&mut peer, WINDOW, 1000, LENGTH + 100).await;
    assert!(blocks.len() < 20, "{blocks:?}");
    assert!(client.stats().refused.is_empty(), "{:?}", client.stats());
}

#[tokio::test(start_paused = true)]
async fn blocks_are_parted_for_a_broker_that_takes_less() {
    const WINDOW: usize = 16 << 10;
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    prove(&client, &mut peer, 100).await;
    let publisher = client.publisher(topic());
    peer.cut();
    until(|| !client.stats().is_connected).await;
    let submitted: Vec<_> = (0..1000).map(|_| publisher.submit([0; 100]).unwrap()).collect();
    let long = publisher.submit([0; WINDOW]).unwrap();
    publisher.publish("last").unwrap();
    let mut peer = welcomed_with(&mut place, WINDOW as u32).await;
    let blocks = blocks_within(&mut peer, WINDOW, 1001, 0).await;
    assert!(blocks.len() < 20, "{blocks:?}");
    for (index, submitted) in submitted.into_iter().enumerate() {
        assert_eq!(within(submitted).await.unwrap().seq, 1000 + index as u64);
    }
    assert_eq!(within(long).await, Err(PublishError::Refused(RefusedWhy::TooLarge)));
    let stats = client.stats();
    assert_eq!((stats.refused[&RefusedWhy::TooLarge], stats.waiting), (1, 0));
}
