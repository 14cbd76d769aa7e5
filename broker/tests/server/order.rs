//! Everybody sees the messages of a topic in the same order.

use rumormill_broker::{Policy, Topic};

use super::raw::{Place, soon, with};

const PUBLISHERS: usize = 4;
const EACH: usize = 300;

/// 4 publishers, 8 subscribers, and a reload in the middle.
async fn all_see_the_same(scheme: &str) {
    let topic = Topic { policy: Policy::Block, max_messages: 50, ..Topic::default() };
    let config = with([("t", topic)]);
    let place = Place::on(scheme, config.clone()).await;
    let mut readers = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let mut subscriber = place.peer().await;
        subscriber.subscribe("t").await;
        readers.spawn(async move { subscriber.messages(PUBLISHERS * EACH).await });
    }
    let mut writers = tokio::task::JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let mut peer = place.peer().await;
        writers.spawn(async move {
            for at in (0..EACH).step_by(3) {
                let texts = [at, at + 1, at + 2].map(|at| format!("{publisher}/{at}"));
                peer.publish("t", Some(at as u64), &texts.each_ref().map(String::as_str)).await;
                peer.receipt().await;
            }
        });
    }
    let mut changed = config;
    for (at, max_messages) in [20, 7, 100].into_iter().enumerate() {
        let published = (at * EACH) as u64;
        super::raw::until("they publish", || {
            published < place.broker.stats().topics["t"].published.messages
        })
        .await;
        changed.topics.get_mut("t").expect("it is there").max_messages = max_messages;
        // Another topic comes and goes beside it.
        match changed.topics.len() {
            1 => changed.topics.extend(with([("u", Topic::default())]).topics),
            _ => changed.topics.retain(|name, _| name.as_str() == "t"),
        }
        let changes = place.broker.reload(changed.clone()).expect("a good config");
        assert_eq!(changes.changed.len(), 1);
        assert_eq!(changes.added.len() + changes.removed.len(), 1);
    }
    let mut all = Vec::new();
    while let Some(seen) = soon(readers.join_next()).await {
        all.push(seen.expect("no panic"));
    }
    soon(writers.join_all()).await;
    let first = all.first().expect("eight");
    assert!(first.iter().map(|(seq, _)| *seq).eq(1..=(PUBLISHERS * EACH) as u64));
    assert!(all.iter().all(|seen| seen == first), "everybody sees the same order");
    for publisher in 0..PUBLISHERS {
        let prefix = format!("{publisher}/");
        let of_one = first.iter().filter_map(|(_, text)| text.strip_prefix(&prefix));
        assert!(of_one.eq((0..EACH).map(|at| at.to_string()).collect::<Vec<_>>().iter()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_see_the_same_order_over_memory() {
    all_see_the_same("mem").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_see_the_same_order_over_tcp() {
    all_see_the_same("tcp").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_see_the_same_order_over_unix_sockets() {
    all_see_the_same("unix").await;
}
