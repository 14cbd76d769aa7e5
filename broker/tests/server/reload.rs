//! Another configuration, while messages go on.

use rumormill_broker::{
    Access, Config, ConfigFault, LeftState, Policy, Principal, Routing, Topic, TopicName,
    wire::{Answer, EndReason, RefusedWhy, Request},
};

use super::raw::{Place, subscribe, topics, with};

fn names(names: &[&str]) -> Vec<TopicName> {
    names.iter().map(|name| name.parse().expect("a name")).collect()
}

#[tokio::test(start_paused = true)]
async fn topics_come_change_and_go() {
    let place = Place::new(topics(&["stays", "goes"])).await;
    let (mut publisher, mut subscriber) = (place.peer().await, place.peer().await);
    subscriber.subscribe("stays").await;
    subscriber.subscribe("goes").await;
    publisher.publish("comes", Some(1), &["m"]).await;
    assert_eq!(publisher.refused().await, RefusedWhy::UnknownTopic);

    let mut config = topics(&["stays", "comes"]);
    config.topics.get_mut("stays").expect("it is there").max_messages = 9;
    config.limits.batch_size = 7;
    let changes = place.broker.reload(config.clone()).expect("a good config");
    assert_eq!(changes.added, names(&["comes"]));
    assert_eq!(changes.changed, names(&["stays"]));
    assert_eq!(changes.removed, names(&["goes"]));
    assert_eq!(changes.limits, ["batch_size"]);
    assert_eq!(place.broker.config(), config);
    assert!(place.broker.reload(config).expect("the same").is_empty());

    let ended = Answer::Ended { topic: "goes", reason: EndReason::Removed };
    subscriber.answer(|answer| assert_eq!(answer, ended)).await;
    publisher.publish("goes", Some(2), &["m"]).await;
    assert_eq!(publisher.refused().await, RefusedWhy::UnknownTopic);
    publisher.publish("comes", Some(3), &["m"]).await;
    assert_eq!(publisher.receipt().await, 1);
    publisher.publish("stays", None, &["m"]).await;
    assert_eq!(subscriber.messages(1).await, [(1, "m".into())]);
    assert_eq!(place.broker.conns()[1].subscriptions, 1);
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_comes_back_is_another_one() {
    let place = Place::new(topics(&["t"])).await;
    let mut peer = place.peer().await;
    peer.subscribe("t").await;
    peer.publish("t", None, &["m"]).await;
    peer.messages(1).await;
    place.broker.reload(Config::default()).expect("a good config");
    let mut config = topics(&["t"]);
    config.topics.get_mut("t").expect("it is there").routing = Routing::Queue;
    place.broker.reload(config).expect("a good config");
    peer.answer(|answer| assert!(matches!(answer, Answer::Ended { .. }), "{answer:?}")).await;
    assert_eq!(peer.subscribe("t").await, 1);
    peer.publish("t", Some(1), &["m"]).await;
    assert_eq!(peer.receipt().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_config_that_is_no_good_leaves_the_old_one() {
    let place = Place::new(topics(&["a", "b"])).await;
    let mut peer = place.peer().await;
    peer.subscribe("a").await;
    let old = place.broker.config();
    let mut bad = topics(&["a", "c"]);
    bad.topics.get_mut("c").expect("it is there").max_deliveries = 0;
    place.broker.reload(bad).expect_err("deliveries");
    let mut bad = topics(&["a", "c"]);
    bad.topics.get_mut("a").expect("it is there").routing = Routing::Queue;
    bad.limits.publish_window = 2 << 20;
    let error = place.broker.reload(bad).expect_err("routing");
    let [a] = &names(&["a"])[..] else { panic!("one name") };
    let restart = ConfigFault::NeedsRestart { limit: "publish_window" };
    assert_eq!(error.faults(), [restart, ConfigFault::RoutingChanged { topic: a.clone() }]);
    assert_eq!(place.broker.config(), old);
    peer.publish("b", Some(1), &["m"]).await;
    peer.receipt().await;
    peer.publish("a", None, &["m"]).await;
    assert_eq!(peer.messages(1).await, [(1, "m".into())]);
    peer.say(subscribe("c")).await;
    assert_eq!(peer.refused().await, RefusedWhy::UnknownTopic);
}

#[tokio::test(start_paused = true)]
async fn who_is_let_in_no_more_is_turned_out() {
    let place = Place::new(topics(&["t", "u"])).await;
    let (mut peer, mut config) = (place.peer().await, topics(&["t", "u"]));
    peer.subscribe("t").await;
    peer.subscribe("u").await;
    peer.publish("t", None, &["m"]).await;
    peer.messages(1).await;
    let only = Access::Only(vec![Principal::Uid(1)]);
    let topic = config.topics.get_mut("t").expect("it is there");
    (topic.publish, topic.subscribe) = (only.clone(), only);
    place.broker.reload(config.clone()).expect("a good config");
    let ended = Answer::Ended { topic: "t", reason: EndReason::NotAllowed };
    peer.answer(|answer| assert_eq!(answer, ended)).await;
    peer.publish("t", Some(1), &["m"]).await;
    assert_eq!(peer.refused().await, RefusedWhy::NotAllowed);
    peer.say(subscribe("t")).await;
    assert_eq!(peer.refused().await, RefusedWhy::NotAllowed);
    assert_eq!(place.broker.conns()[0].subscriptions, 1);
    place.broker.reload(topics(&["t", "u"])).expect("a good config");
    peer.subscribe("t").await;
    peer.publish("t", None, &["m"]).await;
    assert_eq!(peer.messages(1).await, [(2, "m".into())]);
}

/// What a conn has published, whether it was taken or not, is granted anew, or it would have to stop.
async fn grants(peer: &mut super::raw::Peer, wanted: Option<RefusedWhy>, count: u64) -> u64 {
    let (mut granted, long) = (0, "x".repeat(100_000));
    for receipt in 0..count {
        peer.publish("t", Some(receipt), &[&long]).await;
        let mut is_answered = false;
        while !is_answered {
            peer.answer(|answer| match answer {
                Answer::Credit { through, .. } => {
                    assert!(granted < through);
                    granted = through;
                }
                Answer::Refused { why, .. } => {
                    assert_eq!(Some(why), wanted);
                    is_answered = true;
                }
                Answer::Receipt { .. } => {
                    assert_eq!(wanted, None);
                    is_answered = true;
                }
                answer => panic!("{answer:?}"),
            })
            .await;
        }
    }
    peer.say(Request::Ping { token: 1 }).await;
    while peer
        .answer(|answer| match answer {
            Answer::Credit { through, .. } => {
                granted = through;
                true
            }
            _ => false,
        })
        .await
    {}
    granted
}

#[tokio::test(start_paused = true)]
async fn credit_outlives_refusals_and_topics() {
    let place = Place::new(Config::default()).await;
    let mut peer = place.peer().await;
    let sent = 100_004;
    // Unknown, then there, then not allowed, then gone, and there again.
    let granted = grants(&mut peer, Some(RefusedWhy::UnknownTopic), 20).await;
    assert!(20 * sent < granted, "{granted}");
    place.broker.reload(topics(&["t"])).expect("a good config");
    let granted = grants(&mut peer, None, 20).await;
    assert!(40 * sent < granted, "{granted}");
    let publish = Access::Only(vec![]);
    place
        .broker
        .reload(with([("t", Topic { publish, ..Topic::default() })]))
        .expect("a good config");
    let granted = grants(&mut peer, Some(RefusedWhy::NotAllowed), 20).await;
    assert!(60 * sent < granted, "{granted}");
    place.broker.reload(Config::default()).expect("a good config");
    let granted = grants(&mut peer, Some(RefusedWhy::UnknownTopic), 20).await;
    assert!(80 * sent < granted, "{granted}");
    place.broker.reload(topics(&["t"])).expect("a good config");
    let granted = grants(&mut peer, None, 20).await;
    assert!(100 * sent < granted && granted < 100 * sent + (2 << 20), "{granted}");
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_with_a_topic_is_reported() {
    let queue = Topic { routing: Routing::Queue, ..Topic::default() };
    let block = Topic { policy: Policy::Block, ..Topic::default() };
    let place = Place::new(with([("queue", queue), ("block", block)])).await;
    let mut peer = place.peer().await;
    peer.publish("queue", Some(1), &["a", "b"]).await;
    peer.receipt().await;
    let changes = place.broker.reload(Config::default()).expect("a good config");
    let left: Vec<_> = changes.left.iter().map(|it| (&it.left, &it.conn)).collect();
    let [(left, None)] = left[..] else { panic!("{left:?}") };
    assert_eq!((left.topic.as_str(), left.from, left.to), ("queue", 1, 2));
    assert_eq!((left.messages, left.state), (2, LeftState::Held));
}
