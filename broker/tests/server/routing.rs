//! Who gets what, over any carrier.

use std::time::Duration;

use rumormill_broker::{
    ListenError, Routing, Topic, TopicName,
    wire::{Answer, Request, Verdict},
};

use super::raw::{Peer, Place, soon, topics, until, with};

async fn everybody_gets_everything(scheme: &str) {
    let place = Place::on(scheme, topics(&["t", "u"])).await;
    let (mut publisher, mut one, mut other) =
        (place.peer().await, place.peer().await, place.peer().await);
    one.subscribe("t").await;
    one.subscribe("u").await;
    other.subscribe("t").await;
    for at in 0..50 {
        publisher.publish("t", Some(at), &["a", "b"]).await;
        assert_eq!(publisher.receipt().await, 2 * at + 1);
        let wanted = [(2 * at + 1, "a".into()), (2 * at + 2, "b".into())];
        assert_eq!(one.messages(2).await, wanted);
        assert_eq!(other.messages(2).await, wanted);
    }
    publisher.publish("u", None, &["c"]).await;
    assert_eq!(one.messages(1).await, [(1, "c".into())]);
    drop(other);
    until("it is gone", || place.broker.stats().topics["t"].subscribers == 1).await;
    let stats = place.broker.stats();
    assert_eq!((stats.topics["t"].published.messages, stats.conns), (100, 2));
    assert!(0 < stats.routing.count());
    drop((publisher, one));
    until("nothing is held", || place.broker.stats().memory_used == 0).await;
}

#[tokio::test]
async fn everybody_gets_everything_over_memory() {
    everybody_gets_everything("mem").await;
}

#[tokio::test]
async fn everybody_gets_everything_over_tcp() {
    everybody_gets_everything("tcp").await;
}

#[tokio::test]
async fn everybody_gets_everything_over_unix_sockets() {
    everybody_gets_everything("unix").await;
}

#[tokio::test(start_paused = true)]
async fn a_broker_listens_to_streams_only_and_at_several_places() {
    let place = Place::new(topics(&["t"])).await;
    let more = place.broker.listen(&"mem://more:0".parse().expect("an address")).await;
    let more = more.expect("listening");
    assert_eq!(place.broker.addresses(), [place.addr.clone(), more.clone()]);
    let there = Place { addr: more, ..place };
    there.peer().await.ping().await;
    let unknown = there.broker.listen(&"quik://x:1".parse().expect("an address")).await;
    assert!(matches!(unknown, Err(ListenError::Registry(_))), "{unknown:?}");
}

/// Takes one message of a queue: its number, and how often it was delivered before.
async fn take(peer: &mut Peer) -> (u64, u8) {
    peer.answer(|answer| match answer {
        Answer::Deliver(deliver) => (deliver.first, deliver.redelivered),
        answer => panic!("{answer:?} instead of a message"),
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn what_a_queue_gives_up_goes_to_the_topic_for_it() {
    let dead_letter: TopicName = "dead".parse().expect("a name");
    let queue = Topic {
        routing: Routing::Queue,
        max_deliveries: 2,
        ack_timeout: Duration::from_secs(1),
        dead_letter: Some(dead_letter),
        ..Topic::default()
    };
    let place = Place::new(with([("queue", queue), ("dead", Topic::default())])).await;
    let (mut taker, mut watcher) = (place.peer().await, place.peer().await);
    taker.subscribe("queue").await;
    watcher.subscribe("dead").await;
    watcher.publish("queue", None, &["bad"]).await;
    assert_eq!(take(&mut taker).await, (1, 0));
    let runs = vec![(1, 1)];
    taker.say(Request::Settle { topic: "queue", verdict: Verdict::GiveBack, runs }).await;
    assert_eq!(take(&mut taker).await, (1, 1));
    // Nobody settles it, and time passes by itself.
    assert_eq!(soon(watcher.messages(1)).await, [(1, "bad".into())]);
    assert_eq!(place.broker.stats().topics["queue"].dead_lettered, 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_conn_had_taken_goes_to_another_when_it_is_gone() {
    let queue = Topic { routing: Routing::Queue, ..Topic::default() };
    let place = Place::new(with([("queue", queue)])).await;
    let (mut gone, mut stays) = (place.peer().await, place.peer().await);
    gone.subscribe("queue").await;
    stays.publish("queue", None, &["m"]).await;
    assert_eq!(take(&mut gone).await, (1, 0));
    stays.subscribe("queue").await;
    drop(gone);
    assert_eq!(take(&mut stays).await, (1, 1));
}
