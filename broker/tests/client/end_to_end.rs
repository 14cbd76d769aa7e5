//! Clients of a real broker, over each carrier.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_broker::{
    Client, ClientConfig, Config, Ended, Incoming, Policy, PublishError, Publisher, Receipt,
    Settle, Submitted, SubscribeError, SubscribeOptions, Subscription, Topic,
    wire::{EndReason, GapReason, RefusedWhy},
};
use rumormill_endpoint::Limits;
use tokio::task::JoinSet;

use crate::{
    peer::{message, within},
    place::{CARRIERS, Place, name, topics},
};

#[tokio::test]
async fn what_is_published_arrives_over_each_carrier() {
    for scheme in CARRIERS {
        let place = Place::new(scheme).await;
        let mut subscriptions = Vec::new();
        for _ in 0..3 {
            subscriptions.push(place.subscribe("fan").await);
        }
        let client = place.client().await;
        let publisher = client.publisher(name("fan"));
        for number in 0..1000 {
            publisher.publish_when_room(format!("{number}")).await.unwrap();
        }
        let report = within(client.close(Duration::from_secs(30))).await;
        assert_eq!((report.unsent, report.uncertain), (0, 0), "{scheme}");
        for subscription in &mut subscriptions {
            for number in 0..1000 {
                let delivery = message(subscription).await;
                assert_eq!(delivery.seq, number + 1);
                assert_eq!(delivery.payload, format!("{number}"));
            }
        }
    }
}

#[tokio::test]
async fn acknowledged_messages_have_numbers() {
    for scheme in CARRIERS {
        let place = Place::new(scheme).await;
        let mut subscription = place.subscribe("fan").await;
        let client = place.client().await;
        let publisher = client.publisher(name("fan"));
        let receipt = within(publisher.publish_acknowledged("one")).await;
        assert_eq!(receipt, Ok(Receipt { seq: 1, subscribers: 1 }));
        let submitted: Vec<_> = (0..500).map(|_| publisher.submit("more").unwrap()).collect();
        for (index, submitted) in submitted.into_iter().enumerate() {
            assert_eq!(within(submitted).await.unwrap().seq, 2 + index as u64);
        }
        for seq in 1..=501 {
            assert_eq!(message(&mut subscription).await.seq, seq);
        }
    }
}

#[tokio::test]
async fn messages_of_all_lengths_arrive() {
    let place = Place::new("unix").await;
    let mut subscription = place.subscribe("block").await;
    let client = place.client().await;
    let publisher = client.publisher(name("block"));
    let lengths = [0, 1, 1000, 65_531, 65_532, 65_533, 300_000, 600_000, (1 << 20) - 4, 1 << 20, 7];
    let publishing = tokio::spawn(async move {
        for round in 0..20 {
            for len in lengths {
                publisher.publish_when_room(vec![round; len]).await.unwrap();
            }
        }
    });
    for round in 0..20 {
        for len in lengths {
            let delivery = message(&mut subscription).await;
            assert_eq!(
                (delivery.payload.len(), delivery.payload.first()),
                (
                    len,
                    match len {
                        0 => None,
                        _ => Some(&round),
                    }
                )
            );
        }
    }
    within(publishing).await.unwrap();
    let error = client.publisher(name("block")).publish(vec![0; (1 << 20) + 1]);
    assert!(matches!(error, Err(PublishError::TooLarge { .. })), "{error:?}");
}

#[tokio::test]
async fn refusals_are_typed_and_touch_nothing_else() {
    let mut config = Config { topics: topics(), ..Config::default() };
    config.topics.insert(name("short"), Topic { max_message_size: 10, ..Topic::default() });
    let place = Place::with("tcp", config).await;
    let (client, mut subscription) = (place.client().await, place.subscribe("short").await);
    let publisher = client.publisher(name("short"));
    let mut submitted = Vec::new();
    for number in 0..300 {
        let text = if number % 3 == 1 { "much too long for it" } else { "ok" };
        submitted.push((number % 3 == 1, publisher.submit(text).unwrap()));
    }
    for (is_long, submitted) in submitted {
        let outcome = within(submitted).await;
        match is_long {
            true => assert_eq!(outcome, Err(PublishError::Refused(RefusedWhy::TooLarge))),
            false => assert!(outcome.is_ok(), "{outcome:?}"),
        }
    }
    for seq in 1..=200 {
        assert_eq!(message(&mut subscription).await.seq, seq);
    }
    let unknown = within(client.publisher(name("unknown")).publish_acknowledged("m")).await;
    assert_eq!(unknown, Err(PublishError::Refused(RefusedWhy::UnknownTopic)));
    let unknown = within(client.subscribe(name("unknown"), SubscribeOptions::default())).await;
    let expected = SubscribeError::Refused(RefusedWhy::UnknownTopic);
    assert_eq!(unknown.expect_err("there is none"), expected);
    let stats = client.stats();
    assert_eq!((stats.published, stats.acknowledged), (301, 200));
    assert_eq!(stats.refused.values().sum::<u64>(), 101);
}

#[tokio::test]
async fn a_topic_that_blocks_loses_nothing_and_the_buffer_fills() {
    let mut config = Config { topics: topics(), ..Config::default() };
    let block = Topic { max_messages: 10, policy: Policy::Block, ..Topic::default() };
    config.topics.insert(name("block"), block);
    config.limits.publish_window = 1 << 20;
    let place = Place::with("mem", config).await;
    let buffer = Limits { messages: 50, bytes: 1 << 20 };
    let client = place.client_with(ClientConfig { buffer, ..ClientConfig::default() }).await;
    let options = SubscribeOptions { window: Some(1), ..SubscribeOptions::default() };
    let reader = place.client().await;
    let mut subscription = within(reader.subscribe(name("block"), options)).await.unwrap();
    let publisher = client.publisher(name("block"));
    let publishing = tokio::spawn(async move {
        for number in 0..2000_u32 {
            publisher.publish_when_room(format!("{number:05000}")).await.unwrap();
        }
    });
    for number in 0..2000 {
        assert_eq!(message(&mut subscription).await.payload, format!("{number:05000}"));
    }
    within(publishing).await.unwrap();
}

#[tokio::test]
async fn a_broker_that_comes_back_is_found_again() {
    for scheme in CARRIERS {
        let mut place = Place::new(scheme).await;
        let client = place.client().await;
        let mut subscription =
            within(client.subscribe(name("fan"), SubscribeOptions::default())).await.unwrap();
        let publisher = client.publisher(name("fan"));
        within(publisher.publish_acknowledged("before")).await.unwrap();
        assert_eq!(message(&mut subscription).await.payload, "before");
        place.restart().await;
        let gap = within(subscription.next()).await;
        let Some(Incoming::Gap(gap)) = gap else { panic!("{scheme}: {gap:?}") };
        assert_eq!((gap.reason, gap.missing()), (GapReason::Restarted, None));
        within(publisher.publish_acknowledged("after")).await.unwrap();
        assert_eq!(message(&mut subscription).await.payload, "after");
        assert_eq!(client.stats().reconnects, 1);
    }
}

#[tokio::test]
async fn a_removed_topic_ends_its_subscriptions() {
    let place = Place::new("tcp").await;
    let client = place.client().await;
    let mut subscription =
        within(client.subscribe(name("fan"), SubscribeOptions::default())).await.unwrap();
    let mut config = place.broker.config();
    config.topics.remove("fan");
    let _ = place.broker.reload(config).unwrap();
    assert_eq!(within(subscription.next()).await, None);
    assert_eq!(subscription.ended(), Some(Ended::Broker(EndReason::Removed)));
    assert!(client.stats().is_connected);
}

async fn take_all(mut subscription: Subscription, into: Arc<std::sync::Mutex<BTreeSet<String>>>) {
    while let Some(incoming) = subscription.next().await {
        if let Incoming::Message(delivery) = incoming {
            let text = String::from_utf8(delivery.payload.to_vec()).expect("a number");
            into.lock().expect("nobody panicked").insert(text);
        }
    }
}

#[tokio::test]
async fn a_queue_shares_and_redelivers() {
    for scheme in CARRIERS {
        let place = Place::new(scheme).await;
        let client = place.client().await;
        let publisher = client.publisher(name("queue"));
        let options = SubscribeOptions { settle: Settle::Manual, window: None };
        // One that takes and never settles, and is gone then.
        let bad = place.client().await;
        let mut taken = within(bad.subscribe(name("queue"), options)).await.unwrap();
        for number in 0..100 {
            within(publisher.submit_when_room(format!("{number}"))).await.unwrap().await.unwrap();
        }
        for _ in 0..50 {
            message(&mut taken).await;
        }
        drop((taken, bad));
        let all = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
        let mut takers = JoinSet::new();
        for _ in 0..2 {
            takers.spawn(take_all(place.subscribe("queue").await, Arc::clone(&all)));
        }
        within(async {
            while all.lock().unwrap().len() < 100 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        takers.shutdown().await;
    }
}

#[tokio::test]
async fn what_is_given_back_comes_again() {
    let place = Place::new("mem").await;
    let client = place.client().await;
    let options = SubscribeOptions { settle: Settle::Manual, window: None };
    let mut subscription = within(client.subscribe(name("queue"), options)).await.unwrap();
    let publisher = client.publisher(name("queue"));
    within(publisher.publish_acknowledged("again")).await.unwrap();
    for redelivered in 0..3 {
        let delivery = message(&mut subscription).await;
        assert_eq!((delivery.redelivered, delivery.seq), (redelivered, 1));
        subscription.give_back(&delivery);
    }
    let delivery = message(&mut subscription).await;
    subscription.done(&delivery);
    within(subscription.unsubscribe()).await;
    let queued = || place.broker.stats().topics[&name("queue")].queued.messages;
    within(async {
        while queued() != 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Each subscriber that stays has every acknowledged message, or a gap where it would be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_messages_survive_subscribers_that_are_killed() {
    const MESSAGES: u64 = 100_000;
    let place = Arc::new(Place::new("unix").await);
    let mut staying = JoinSet::new();
    for _ in 0..3 {
        let subscription = place.subscribe("fan").await;
        staying.spawn(covered(subscription, MESSAGES));
    }
    let killing = tokio::spawn(kill_at_random(Arc::clone(&place)));
    let client = place.client().await;
    let seqs = publish_acknowledged(client.publisher(name("fan")), MESSAGES).await;
    assert!(seqs.iter().copied().eq(1..=MESSAGES), "in order, and each once");
    while let Some(covered) = within(staying.join_next()).await {
        covered.unwrap();
    }
    killing.abort();
    let stats = client.stats();
    assert_eq!((stats.acknowledged, stats.uncertain), (MESSAGES, 0));
}

async fn publish_acknowledged(publisher: Publisher, messages: u64) -> Vec<u64> {
    let (mut under_way, mut seqs) = (std::collections::VecDeque::<Submitted>::new(), Vec::new());
    for number in 0..messages {
        let submitted = publisher.submit_when_room(number.to_be_bytes()).await;
        under_way.push_back(submitted.expect("it is taken"));
        if 5000 < under_way.len() {
            let submitted = under_way.pop_front().expect("there are some");
            seqs.push(within(submitted).await.expect("it arrives").seq);
        }
    }
    for submitted in under_way {
        seqs.push(within(submitted).await.expect("it arrives").seq);
    }
    seqs
}

/// Takes until the last message is there, or in a gap.
async fn covered(mut subscription: Subscription, messages: u64) {
    let mut next = 1;
    while next <= messages {
        match within(subscription.next()).await {
            Some(Incoming::Message(delivery)) => {
                assert_eq!(delivery.seq, next);
                assert_eq!(*delivery.payload, (next - 1).to_be_bytes());
                next += 1;
            }
            Some(Incoming::Gap(gap)) => {
                assert_eq!(gap.from, next);
                next = gap.to + 1;
            }
            None => panic!("it ended: {:?}", subscription.ended()),
        }
    }
}

/// Subscribers that come, take some, and are gone without a word.
async fn kill_at_random(place: Arc<Place>) {
    let mut rng = StdRng::seed_from_u64(9);
    loop {
        let client: Client = place.client().await;
        let options = SubscribeOptions::default();
        let mut subscription = client.subscribe(name("fan"), options).await.expect("it is there");
        for _ in 0..rng.random_range(0..2000) {
            let next = subscription.next();
            if tokio::time::timeout(Duration::from_millis(20), next).await.is_err() {
                break;
            }
        }
    }
}
