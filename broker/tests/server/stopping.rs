//! The end of a broker.

use std::{collections::BTreeSet, time::Duration};

use rumormill_broker::{
    LeftState, ListenError, Routing, ServeError, StopReport, Topic,
    wire::{Answer, EndReason, RefusedWhy, Request, Subscribe},
};
use rumormill_transport_api::{Batch, Writer};
use tokio::{runtime::Handle, task::JoinSet, time::Instant};

use super::raw::{Peer, Place, publish, soon, subscribe, topics, until, with};

const DEADLINE: Duration = Duration::from_secs(8);

#[tokio::test(start_paused = true)]
async fn a_stop_tells_everybody_and_leaves_nothing() {
    let place = Place::new(topics(&["t"])).await;
    let (mut peer, mut publisher) = (place.peer().await, place.peer().await);
    peer.subscribe("t").await;
    let (broker, since) = (place.broker.clone(), Instant::now());
    let stopped = tokio::spawn(async move { broker.stop(DEADLINE).await });
    let ended = Answer::Ended { topic: "t", reason: EndReason::Stopping };
    peer.answer(|answer| assert_eq!(answer, ended)).await;
    peer.ends().await;
    publisher.ends().await;
    drop((peer, publisher));
    assert_eq!(soon(stopped).await.expect("no panic"), StopReport::default());
    assert!(since.elapsed() < Duration::from_secs(1));
    let anywhere = "mem://x:0".parse().expect("an address");
    assert!(matches!(place.broker.listen(&anywhere).await, Err(ListenError::Stopped)));
    let (_peer, conn) = Peer::pair(&place).await;
    assert_eq!(place.broker.serve(conn), Err(ServeError::Stopped));
    assert!(place.broker.reload(topics(&["t"])).is_err());
    assert!(place.broker.addresses().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stop_delivers_what_is_queued_and_takes_no_more() {
    let place = Place::new(topics(&["t"])).await;
    let (mut publisher, mut subscriber) = (place.peer().await, place.peer().await);
    subscriber.say(Request::Subscribe(Subscribe { topic: "t", window: 1, resume: None })).await;
    subscriber.frame().await.expect("subscribed");
    for receipt in 0..10 {
        publisher.publish("t", Some(receipt), &["m"]).await;
        publisher.receipt().await;
    }
    let broker = place.broker.clone();
    let stopped = tokio::spawn(async move { broker.stop(DEADLINE).await });
    assert_eq!(subscriber.messages(5).await.len(), 5);
    publisher.publish("t", Some(11), &["late"]).await;
    assert_eq!(publisher.refused().await, RefusedWhy::Stopping);
    assert_eq!(subscriber.messages(5).await.len(), 5);
    let ended = Answer::Ended { topic: "t", reason: EndReason::Stopping };
    subscriber.answer(|answer| assert_eq!(answer, ended)).await;
    drop((subscriber, publisher));
    assert_eq!(soon(stopped).await.expect("no panic"), StopReport::default());
}

#[tokio::test(start_paused = true)]
async fn a_stop_reports_what_it_could_not_deliver() {
    let queue = Topic { routing: Routing::Queue, ..Topic::default() };
    let place = Place::new(with([("t", Topic::default()), ("queue", queue)])).await;
    let (mut publisher, mut stalled) = (place.peer().await, place.peer().await);
    stalled.subscribe("t").await;
    publisher.publish("t", Some(1), &["a", "b"]).await;
    publisher.receipt().await;
    publisher.publish("queue", Some(2), &["c"]).await;
    publisher.receipt().await;
    let label = place.broker.conns()[1].label.clone();
    let since = Instant::now();
    let report = place.broker.stop(DEADLINE).await;
    assert!(since.elapsed() <= DEADLINE);
    let left: Vec<_> = report.left.iter().map(|it| (&it.left, it.conn.as_ref())).collect();
    let [(held, None), (sent, Some(conn))] = left[..] else { panic!("{left:?}") };
    assert_eq!((held.topic.as_str(), held.from, held.to), ("queue", 1, 1));
    assert_eq!((sent.from, sent.to, sent.messages), (1, 2, 2));
    assert_eq!((held.state, sent.state, conn), (LeftState::Held, LeftState::Unconfirmed, &label));
    assert_eq!(report.aborted, 2);
}

#[tokio::test(start_paused = true)]
async fn who_greets_while_the_broker_stops_is_told() {
    let place = Place::new(topics(&["t"])).await;
    let (mut late, mut stalled) = (place.dial().await, place.peer().await);
    stalled.subscribe("t").await;
    stalled.publish("t", None, &["m"]).await;
    until("it is queued", || place.broker.stats().topics["t"].published.messages == 1).await;
    let broker = place.broker.clone();
    let stopped = tokio::spawn(async move { broker.stop(DEADLINE).await });
    assert_eq!(late.refused().await, RefusedWhy::Stopping);
    late.ends().await;
    drop((late, stalled));
    soon(stopped).await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_dropped_leaves_no_task() {
    let before = Handle::current().metrics().num_alive_tasks();
    for scheme in ["mem", "tcp", "unix"] {
        let place = Place::on(scheme, topics(&["t"])).await;
        let (mut one, mut other, silent) =
            (place.peer().await, place.peer().await, place.dial().await);
        one.subscribe("t").await;
        other.say(subscribe("t")).await;
        other.publish("t", None, &["m"]).await;
        let clone = place.broker.clone();
        drop(clone);
        one.messages(1).await;
        drop(place);
        while one.frame().await.is_some() {}
        while other.frame().await.is_some() {}
        drop(silent);
    }
    until("all are gone", || Handle::current().metrics().num_alive_tasks() <= before).await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_is_given_up_can_be_taken_up_again() {
    let place = Place::new(topics(&["t"])).await;
    let mut peer = place.peer().await;
    peer.subscribe("t").await;
    peer.publish("t", None, &["m"]).await;
    until("it is queued", || place.broker.stats().topics["t"].published.messages == 1).await;
    let brief = tokio::time::timeout(Duration::from_millis(1), place.broker.stop(DEADLINE));
    assert!(brief.await.is_err());
    assert_eq!(peer.messages(1).await, [(1, "m".into())]);
    let broker = place.broker.clone();
    let stopped = tokio::spawn(async move { broker.stop(DEADLINE).await });
    peer.answer(|answer| assert!(matches!(answer, Answer::Ended { .. }), "{answer:?}")).await;
    drop(peer);
    assert_eq!(soon(stopped).await.expect("no panic"), StopReport::default());
}

/// Reads what comes until the end: the numbers of messages, of which the client says that it has seen
/// them, or not.
async fn read_to_end(mut peer: Peer, confirms: bool) -> BTreeSet<u64> {
    let mut seen = BTreeSet::new();
    while let Some(frame) = peer.frame().await {
        if let Answer::Deliver(deliver) = Answer::decode(&frame).expect("an answer") {
            let after = deliver.first + u64::from(deliver.block.count());
            seen.extend(deliver.first..after);
            if confirms {
                let mut seen =
                    Batch::from_iter([Request::Seen { topic: "t", through: after - 1 }.encode()]);
                // The broker may have closed meanwhile.
                drop(soon(peer.writer.send(&mut seen)).await);
            }
        }
    }
    seen
}

/// Publishes until the broker takes no more; returns the numbers of what was acknowledged.
async fn publish_to_end(mut peer: Peer) -> BTreeSet<u64> {
    let mut acknowledged = BTreeSet::new();
    for receipt in 0.. {
        let mut publish = Batch::from_iter([publish("t", Some(receipt), &["a", "b"]).encode()]);
        if soon(peer.writer.send(&mut publish)).await.is_err() {
            break;
        }
        let Some(frame) = peer.frame().await else { break };
        match Answer::decode(&frame).expect("an answer") {
            Answer::Receipt { first, count, .. } => {
                acknowledged.extend(first..first + u64::from(count));
            }
            Answer::Refused { why: RefusedWhy::Stopping, .. } => break,
            Answer::Credit { .. } => (),
            answer => panic!("{answer:?}"),
        }
    }
    acknowledged
}

async fn what_was_acknowledged_arrives_or_is_reported(scheme: &str) {
    let place = Place::on(scheme, topics(&["t"])).await;
    let (mut good, mut bad) = (place.peer().await, place.peer().await);
    good.subscribe("t").await;
    bad.say(Request::Subscribe(Subscribe { topic: "t", window: 1_000, resume: None })).await;
    bad.frame().await.expect("subscribed");
    let label = place.broker.conns()[1].label.clone();
    let good = tokio::spawn(read_to_end(good, true));
    let bad = tokio::spawn(read_to_end(bad, false));
    let mut publishers = JoinSet::new();
    for _ in 0..3 {
        publishers.spawn(publish_to_end(place.peer().await));
    }
    let published = || place.broker.stats().topics["t"].published.messages;
    until("they publish", || 1_000 < published()).await;
    let report = place.broker.stop(Duration::from_secs(1)).await;
    let acknowledged: BTreeSet<_> =
        soon(publishers.join_all()).await.into_iter().flatten().collect();
    let (good, mut bad) = (soon(good).await.expect("no panic"), soon(bad).await.expect("no panic"));
    assert!(1_000 < acknowledged.len() && good.is_superset(&acknowledged));
    assert!(!bad.is_superset(&acknowledged));
    for it in report.left {
        assert_eq!(it.conn.as_ref(), Some(&label));
        bad.extend(it.left.from..=it.left.to);
    }
    assert!(bad.is_superset(&acknowledged));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_arrives_or_is_reported_over_memory() {
    what_was_acknowledged_arrives_or_is_reported("mem").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_arrives_or_is_reported_over_tcp() {
    what_was_acknowledged_arrives_or_is_reported("tcp").await;
}
