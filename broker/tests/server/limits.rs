//! What one client may take, and what it costs the others if it wants more.

use std::time::Duration;

use rumormill_broker::{
    CutReason, Policy, Topic,
    wire::{Answer, EndReason, RefusedWhy, Request, Subscribe},
};
use rumormill_transport_api::{Batch, Reader, Writer};
use tokio::time::Instant;

use super::raw::{Peer, Place, publish, soon, subscribe, topics, until, with};

#[tokio::test(start_paused = true)]
async fn subscriptions_of_a_conn_are_bounded() {
    let names: Vec<_> = (0..10_000).map(|at| format!("t{at}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let mut config = topics(&names);
    config.limits.max_subscriptions = 1_000;
    let place = Place::new(config).await;
    let (mut peer, mut other) = (place.peer().await, place.peer().await);
    let (mut let_in, mut refused) = (0, 0);
    for some in names.chunks(100) {
        peer.say_bytes(some.iter().map(|name| subscribe(name).encode())).await;
        for name in some {
            peer.answer(|answer| match answer {
                Answer::Subscribed(subscribed) if subscribed.topic == *name => let_in += 1,
                Answer::Refused { why: RefusedWhy::TooManySubscriptions, topic, .. }
                    if topic == *name =>
                {
                    refused += 1;
                }
                answer => panic!("{answer:?}"),
            })
            .await;
        }
    }
    assert_eq!((let_in, refused), (1_000, 9_000));
    assert_eq!(place.broker.conns()[0].subscriptions, 1_000);
    // One that ends makes room for another.
    peer.say(Request::Unsubscribe { topic: "t0" }).await;
    peer.answer(|answer| assert!(matches!(answer, Answer::Ended { .. }), "{answer:?}")).await;
    peer.subscribe("t9999").await;
    other.publish("t9999", None, &["m"]).await;
    assert_eq!(peer.messages(1).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_subscribing_and_unsubscribing_disturbs_nobody() {
    let place = Place::new(topics(&["t"])).await;
    let (mut storm, mut publisher, mut subscriber) =
        (place.peer().await, place.peer().await, place.peer().await);
    subscriber.subscribe("t").await;
    let round = [subscribe("t").encode(), Request::Unsubscribe { topic: "t" }.encode()];
    for at in 1..=200 {
        storm.say_bytes(round.iter().cycle().take(20).cloned()).await;
        publisher.publish("t", None, &["m"]).await;
        assert_eq!(subscriber.messages(1).await, [(at, "m".into())]);
    }
    let (mut subscribed, mut ended, mut is_in) = (0, 0, false);
    while ended < 2_000 {
        storm
            .answer(|answer| match answer {
                Answer::Subscribed(_) => {
                    subscribed += 1;
                    assert!(!std::mem::replace(&mut is_in, true));
                }
                Answer::Ended { .. } => {
                    ended += 1;
                    assert!(std::mem::replace(&mut is_in, false));
                }
                // Only between the two.
                Answer::Deliver(_) => assert!(is_in),
                answer => panic!("{answer:?}"),
            })
            .await;
    }
    assert_eq!(subscribed, 2_000);
    assert_eq!(place.broker.stats().topics["t"].subscribers, 1);
}

#[tokio::test(start_paused = true)]
async fn conns_are_bounded_and_who_comes_too_late_is_told() {
    let mut config = topics(&["t"]);
    config.limits.max_conns = 2;
    let place = Place::new(config).await;
    let (mut first, second) = (place.peer().await, place.peer().await);
    let mut third = place.dial().await;
    assert_eq!(third.refused().await, RefusedWhy::TooManyConns);
    third.ends().await;
    first.ping().await;
    drop(second);
    until("its place is free", || place.broker.stats().conns == 1).await;
    place.peer().await.ping().await;
    assert_eq!(place.broker.stats().refused, 1);
}

#[tokio::test(start_paused = true)]
async fn who_falls_silent_is_cut_off_and_who_pings_is_not() {
    let place = Place::new(topics(&["t"])).await;
    let (mut silent, mut alive) = (place.peer().await, place.peer().await);
    let since = Instant::now();
    for _ in 0..8 {
        tokio::time::advance(Duration::from_secs(10)).await;
        alive.ping().await;
    }
    silent.ends().await;
    assert_eq!((place.broker.stats().cut[&CutReason::Idle], place.broker.conns().len()), (1, 1));
    let age = place.broker.conns()[0].age;
    assert!(since.elapsed() <= age && place.broker.conns()[0].silent < Duration::from_secs(1));
}

/// A subscriber that never reads again, and what was published meanwhile.
async fn stall(place: &Place) -> Peer {
    let mut stalled = place.peer().await;
    stalled.subscribe("t").await;
    let (mut publisher, long) = (place.peer().await, "x".repeat(60_000));
    for _ in 0..40 {
        publisher.publish("t", None, &[&long]).await;
    }
    publisher.say(Request::Ping { token: 1 }).await;
    while !publisher.answer(|answer| matches!(answer, Answer::Pong { .. })).await {}
    stalled
}

#[tokio::test(start_paused = true)]
async fn who_never_reads_is_cut_off_even_if_it_pings() {
    let place = Place::new(topics(&["t"])).await;
    let mut stalled = stall(&place).await;
    let since = Instant::now();
    while place.broker.stats().topics["t"].subscribers == 1 {
        assert!(since.elapsed() < Duration::from_secs(60));
        tokio::time::advance(Duration::from_secs(5)).await;
        // It may be gone.
        let mut ping = Batch::from_iter([Request::Ping { token: 1 }.encode()]);
        drop(soon(stalled.writer.send(&mut ping)).await);
    }
    assert_eq!(place.broker.stats().cut[&CutReason::Stuck], 1);
}

#[tokio::test(start_paused = true)]
async fn answers_that_nobody_reads_hold_up_whoever_asks_and_no_other() {
    let mut config = topics(&["t"]);
    config.limits.channel_capacity = 16;
    let place = Place::new(config).await;
    let (Peer { mut reader, mut writer, .. }, mut other) = (place.peer().await, place.peer().await);
    // More than the carrier holds.
    let asking = tokio::spawn(async move {
        for token in 0..100_000 {
            let mut ping = Batch::from_iter([Request::Ping { token }.encode()]);
            writer.send(&mut ping).await.expect("the broker takes it");
        }
        writer
    });
    for _ in 0..100 {
        other.ping().await;
    }
    let waiting = place.broker.conns()[0].waiting;
    assert!((16 * 9..100 * 9).contains(&waiting), "{waiting}");
    assert!(!asking.is_finished(), "it is not read");
    // As soon as it takes its answers, all of it goes on: nothing was lost.
    let mut pongs = Vec::new();
    while pongs.len() < 100_000 {
        soon(reader.recv(&mut pongs)).await.expect("answers");
    }
    let wanted = (0..).map(|token| Answer::Pong { token }.encode());
    assert!(pongs.into_iter().zip(wanted).all(|(pong, wanted)| pong == wanted));
    soon(asking).await.expect("no panic");
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_too_long_are_refused() {
    let topic = Topic { max_message_size: 10, ..Topic::default() };
    let place = Place::new(with([("t", topic)])).await;
    let mut peer = place.peer().await;
    peer.subscribe("t").await;
    peer.publish("t", Some(1), &["short", "eleven long"]).await;
    peer.answer(|answer| match answer {
        Answer::Refused { why, receipt, messages, .. } => {
            assert_eq!((why, receipt, messages), (RefusedWhy::TooLarge, Some(1), 2));
        }
        answer => panic!("{answer:?}"),
    })
    .await;
    peer.publish("t", Some(2), &["ten chars."]).await;
    assert_eq!(peer.receipt().await, 1);
}

#[tokio::test(start_paused = true)]
async fn frames_that_are_too_long_for_the_carrier_of_a_subscriber_are_not_promised() {
    let place = Place::new(topics(&["t"])).await;
    let at = "mem://short:0?max_message=1000".parse().expect("an address");
    let short = Place { addr: place.broker.listen(&at).await.expect("listening"), ..place };
    let mut peer = short.peer().await;
    peer.say(subscribe("t")).await;
    assert_eq!(peer.refused().await, RefusedWhy::TooLarge);
}

#[tokio::test(start_paused = true)]
async fn who_holds_up_a_topic_that_blocks_is_cut_off() {
    let topic = Topic { max_messages: 2, policy: Policy::Block, ..Topic::default() };
    let place = Place::new(with([("t", topic)])).await;
    let mut publisher = place.peer().await;
    let mut stalled = place.peer().await;
    // It takes one message at a time, and never says that it has seen it.
    stalled.say(Request::Subscribe(Subscribe { topic: "t", window: 1, resume: None })).await;
    stalled.frame().await.expect("subscribed");
    for receipt in 1..=4 {
        publisher.say(publish("t", Some(receipt), &["m"])).await;
    }
    for first in 1..=3 {
        assert_eq!(publisher.receipt().await, first);
    }
    let since = Instant::now();
    assert_eq!(publisher.receipt().await, 4);
    assert!(Duration::from_secs(4) < since.elapsed() && since.elapsed() < Duration::from_secs(6));
    stalled.answer(|answer| assert!(matches!(answer, Answer::Deliver(_)), "{answer:?}")).await;
    stalled
        .answer(|answer| {
            let reason = EndReason::Blocking;
            assert_eq!(answer, Answer::Ended { topic: "t", reason });
        })
        .await;
    stalled.ends().await;
    drop(stalled);
    until("it is gone", || place.broker.stats().conns == 1).await;
    assert_eq!(place.broker.stats().cut[&CutReason::Lagging], 1);
}

#[tokio::test(start_paused = true)]
async fn frames_that_are_too_long_are_refused_and_granted_anew() {
    let mut config = topics(&["t"]);
    config.limits.publish_window = 1_000;
    config.topics.get_mut("t").expect("it is there").max_message_size = 1_000;
    let place = Place::new(config).await;
    let mut peer = place.peer().await;
    peer.subscribe("t").await;
    let messages = vec!["x"; 1_000];
    peer.publish("t", Some(1), &messages).await;
    peer.answer(|answer| assert!(matches!(answer, Answer::Credit { .. }), "{answer:?}")).await;
    assert_eq!(peer.refused().await, RefusedWhy::TooLarge);
    peer.publish("t", None, &[&"x".repeat(1_000)]).await;
    while !peer.answer(|answer| matches!(answer, Answer::Deliver(_))).await {}
}

#[tokio::test(start_paused = true)]
async fn blocks_that_are_too_long_for_the_carrier_of_a_subscriber_come_in_parts() {
    let topic = Topic { max_message_size: 500, ..Topic::default() };
    let place = Place::new(with([("t", topic)])).await;
    let mut publisher = place.peer().await;
    let at = "mem://short:0?max_message=1000".parse().expect("an address");
    let short = Place { addr: place.broker.listen(&at).await.expect("listening"), ..place };
    let mut subscriber = short.peer().await;
    subscriber.subscribe("t").await;
    let texts: Vec<_> = (0..100).map(|at| "x".repeat(at * 5)).collect();
    let messages: Vec<_> = texts.iter().map(String::as_str).collect();
    publisher.publish("t", None, &messages).await;
    let seen = subscriber.messages(100).await;
    assert!(seen.iter().map(|(seq, _)| *seq).eq(1..=100));
    assert!(seen.iter().map(|(_, text)| text).eq(&texts));
}

#[tokio::test(start_paused = true)]
async fn a_write_waits_for_its_batch_as_long_as_it_is_told() {
    let mut config = topics(&["t"]);
    (config.limits.flush_interval, config.limits.batch_size) = (Duration::from_millis(500), 4);
    let place = Place::new(config).await;
    let (mut publisher, mut subscriber) = (place.peer().await, place.peer().await);
    subscriber.subscribe("t").await;
    let since = Instant::now();
    publisher.publish("t", None, &["m"]).await;
    subscriber.messages(1).await;
    let took = since.elapsed();
    assert!(Duration::from_millis(500) <= took && took < Duration::from_millis(600), "{took:?}");
    // One that is full does not wait.
    let since = Instant::now();
    for _ in 0..4 {
        publisher.publish("t", None, &["m"]).await;
    }
    assert_eq!(subscriber.messages(4).await.len(), 4);
    assert!(since.elapsed() < Duration::from_millis(100), "{:?}", since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn one_that_never_reads_holds_up_no_other_subscriber() {
    let topic = Topic { max_messages: 10, ..Topic::default() };
    let place = Place::new(with([("t", topic)])).await;
    let (mut publisher, mut alive) = (place.peer().await, place.peer().await);
    let _stalled = stall(&place).await;
    let next = alive.subscribe("t").await;
    for at in next..next + 100 {
        publisher.publish("t", None, &[&"x".repeat(60_000)]).await;
        assert_eq!(alive.messages(1).await[0].0, at);
    }
    assert!(0 < place.broker.stats().topics["t"].dropped.oldest);
}

/// A subscriber that takes one message and no more.
async fn laggard(place: &Place) -> Peer {
    let mut peer = place.peer().await;
    peer.say(Request::Subscribe(Subscribe { topic: "t", window: 1, resume: None })).await;
    peer.frame().await.expect("subscribed");
    peer
}

#[tokio::test(start_paused = true)]
async fn who_lags_is_cut_off_where_that_is_the_policy() {
    let topic = Topic { max_messages: 5, policy: Policy::Disconnect, ..Topic::default() };
    let place = Place::new(with([("t", topic)])).await;
    let (mut publisher, mut alive) = (place.peer().await, place.peer().await);
    let mut lagging = laggard(&place).await;
    alive.subscribe("t").await;
    for at in 1..=20 {
        publisher.publish("t", Some(at), &["m"]).await;
        assert_eq!(publisher.receipt().await, at);
        assert_eq!(alive.messages(1).await, [(at, "m".into())]);
    }
    lagging.answer(|answer| assert!(matches!(answer, Answer::Deliver(_)), "{answer:?}")).await;
    let ended = Answer::Ended { topic: "t", reason: EndReason::Lagging };
    lagging.answer(|answer| assert_eq!(answer, ended)).await;
    lagging.ends().await;
}

#[tokio::test(start_paused = true)]
async fn memory_for_messages_is_bounded_and_given_back() {
    let mut config = topics(&["t"]);
    config.limits.memory = 2 << 20;
    let place = Place::new(config).await;
    let (mut publisher, lagging) = (place.peer().await, laggard(&place).await);
    let (long, mut taken, mut refused) = ("x".repeat(100_000), 0, 0);
    for receipt in 0..40 {
        publisher.publish("t", Some(receipt), &[&long]).await;
        let mut is_answered = false;
        while !is_answered {
            publisher
                .answer(|answer| match answer {
                    Answer::Receipt { .. } => (is_answered, taken) = (true, taken + 1),
                    Answer::Refused { why: RefusedWhy::Memory, messages: 1, .. } => {
                        (is_answered, refused) = (true, refused + 1);
                    }
                    Answer::Credit { .. } => (),
                    answer => panic!("{answer:?}"),
                })
                .await;
        }
        assert!(place.broker.stats().memory_used <= 2 << 20);
    }
    assert_eq!((taken, refused), (20, 20));
    drop(lagging);
    until("it is given back", || place.broker.stats().memory_used == 0).await;
    publisher.publish("t", Some(40), &[&long]).await;
    publisher.receipt().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_room_outlives_a_publisher_that_has_closed() {
    let topic = Topic { max_messages: 2, policy: Policy::Block, ..Topic::default() };
    let place = Place::new(with([("t", topic)])).await;
    let (mut publisher, mut slow) = (place.peer().await, laggard(&place).await);
    // It has a subscription too, which would hold up what it published itself.
    publisher.subscribe("t").await;
    for _ in 0..20 {
        publisher.publish("t", None, &["m"]).await;
    }
    soon(publisher.writer.close()).await.expect("closed");
    assert!(slow.messages(20).await.iter().map(|(seq, _)| *seq).eq(1..=20));
    while publisher.frame().await.is_some() {}
    drop(publisher);
    until("it is gone", || place.broker.stats().conns == 1).await;
    assert_eq!(place.broker.stats().closed, 1);
}
