//! A broker that is stopped while messages go through it loses none without a word.

use std::{collections::BTreeSet, ops::RangeInclusive, sync::Arc, time::Duration};

use rumormill::{
    Addr,
    broker::{Client, ClientConfig, Incoming, SubscribeOptions, Subscription, TopicName},
};
use rustix::process::Signal;
use tokio::time::timeout;

use super::Folder;
use crate::running::DEADLINE;

/// What a subscriber learned.
#[derive(Default)]
struct Learned {
    seen: BTreeSet<u64>,
    gaps: Vec<RangeInclusive<u64>>,
}

async fn connect(addr: &str) -> Client {
    let addr: Addr = addr.parse().expect("an address");
    let registry = Arc::new(rumormill::registry().expect("transports"));
    Client::connect(registry, [addr], ClientConfig::default()).await.expect("a broker")
}

async fn learn(mut subscription: Subscription) -> Learned {
    let mut learned = Learned::default();
    while let Some(incoming) = subscription.next().await {
        match incoming {
            Incoming::Message(delivery) => drop(learned.seen.insert(delivery.seq)),
            Incoming::Gap(gap) => learned.gaps.push(gap.from..=gap.to),
        }
    }
    learned
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_message_arrives_or_is_told_of() {
    let folder = Folder::new();
    let listen = format!("unix://{}", folder.path("broker.sock"));
    let (broker, addr) = folder.broker(&["--listen", &listen, "--topic", "events"]);
    let topic: TopicName = "events".parse().expect("a name");
    let (mut learning, mut subscribers) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let client = connect(&addr).await;
        let subscribed = client.subscribe(topic.clone(), SubscribeOptions::default()).await;
        learning.push(tokio::spawn(learn(subscribed.expect("a subscription"))));
        subscribers.push(client);
    }
    let client = connect(&addr).await;
    let publisher = client.publisher(topic);
    let mut submitted = Vec::new();
    for number in 0..MESSAGES {
        match publisher.submit_when_room(format!("{number:0100}")).await {
            Ok(on_its_way) => submitted.push(on_its_way),
            Err(_) => break,
        }
        if number == MESSAGES / 4 {
            broker.signal(Signal::TERM);
        }
    }
    let mut acknowledged = Vec::new();
    let closing = client.close(Duration::from_secs(2));
    let _ = timeout(DEADLINE, closing).await.expect("the client closes");
    for outcome in submitted {
        acknowledged.extend(outcome.await.ok().map(|receipt| receipt.seq));
    }
    assert!(!acknowledged.is_empty());
    let stopped = broker.finish();
    let left: Vec<RangeInclusive<u64>> = stopped
        .messages
        .lines()
        .filter(|line| line.starts_with("left in events: "))
        .filter_map(range)
        .collect();
    assert_eq!(stopped.code, Some(i32::from(!left.is_empty())), "{stopped:?}");
    // Otherwise they wait for it to come back.
    for client in subscribers {
        let _ = client.close(Duration::ZERO).await;
    }
    for learned in learning {
        let learned = timeout(DEADLINE, learned).await.expect("it ends").expect("no panic");
        let is_told =
            |ranges: &[RangeInclusive<u64>], seq| ranges.iter().any(|it| it.contains(seq));
        let lost = acknowledged.iter().find(|seq| {
            !learned.seen.contains(seq) && !is_told(&learned.gaps, seq) && !is_told(&left, seq)
        });
        assert_eq!(lost, None, "{left:?}");
    }
}

/// What a line of the report says, as in `left in events: 3 messages, numbers 7 to 9, …`.
fn range(line: &str) -> Option<RangeInclusive<u64>> {
    let (_, numbers) = line.split_once("numbers ")?;
    let (from, rest) = numbers.split_once(" to ")?;
    let (to, _) = rest.split_once(',')?;
    Some(from.parse().ok()?..=to.parse().ok()?)
}

const MESSAGES: u64 = 20_000;
