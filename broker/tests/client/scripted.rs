//! Publishing, and what becomes of it.

use std::time::Duration;

use bytes::Bytes;
use rumormill_broker::{
    Client, ClientConfig, ClientEvent, PublishError, Receipt,
    wire::{Answer, LENGTH, RefusedWhy, Request},
};
use rumormill_endpoint::Limits;
use tokio::time::{Instant, sleep_until, timeout};

use crate::{
    peer::{Peer, Place, topic, until, within},
    scripted_ways::with_window,
};

const NEVER: Duration = Duration::from_millis(500);

async fn says_nothing(peer: &mut Peer) {
    let heard = timeout(NEVER, peer.hear()).await;
    assert!(heard.is_err(), "{heard:?}");
}

/// Publishes a message that is acknowledged, so that others of its length travel together.
pub(crate) async fn prove(client: &Client, peer: &mut Peer, len: usize) {
    client.publisher(topic()).publish(vec![0; len]).expect("there is room");
    let (receipt, _) = peer.published().await;
    peer.receipt(receipt.expect("the first of its length asks"), 1).await;
    until(|| client.stats().acknowledged == 1).await;
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_block_is_refused() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    prove(&client, &mut peer, 1).await;
    let publisher = client.publisher(topic());
    let submitted: Vec<_> = (0..5).map(|_| publisher.submit("m").unwrap()).collect();
    let (receipt, messages) = peer.published().await;
    assert_eq!(messages.len(), 5);
    let why = RefusedWhy::Full;
    let refused =
        |receipt, messages| Answer::Refused { why, topic: "t", receipt, messages, text: "".into() };
    // The second tells of what was told of.
    peer.say_all(&[refused(receipt, 2).encode(), refused(receipt, 2).encode()]).await;
    for (index, submitted) in submitted.into_iter().enumerate() {
        let refused = PublishError::Refused(why);
        let expected = if index < 3 { PublishError::Uncertain } else { refused };
        assert_eq!(within(submitted).await, Err(expected), "{index}");
    }
    (0..5).for_each(|_| publisher.publish("m").unwrap());
    let (receipt, messages) = peer.published().await;
    assert_eq!((receipt, messages.len()), (None, 5));
    peer.say(&refused(None, 4)).await;
    until(|| client.stats().refused[&why] == 6).await;
    let stats = client.stats();
    assert_eq!((stats.uncertain, stats.in_flight, stats.sent, stats.published), (3, 1, 0, 11));
}

#[tokio::test(start_paused = true)]
async fn credit_without_end_is_not_believed() {
    let mut place = Place::new().await;
    let (client, mut peer) = with_window(&mut place, 1000).await;
    prove(&client, &mut peer, 96).await;
    peer.say(&Answer::Credit { topic: "t", through: u64::MAX }).await;
    let publisher = client.publisher(topic());
    (0..1000).for_each(|_| publisher.publish([0; 96]).unwrap());
    let mut sent = 0;
    while let Ok((_, messages)) = timeout(NEVER, peer.published()).await {
        sent += messages.len();
    }
    assert!((40..=50).contains(&sent), "{sent}");
    assert_eq!(client.stats().waiting, 1000 - sent as u64);
}

#[tokio::test(start_paused = true)]
async fn a_pong_tells_that_what_was_sent_before_is_read() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    prove(&client, &mut peer, 1).await;
    client.publisher(topic()).publish("m").unwrap();
    peer.published().await;
    assert_eq!((client.stats().in_flight, client.stats().sent), (1, 0));
    let frame = peer.hear_any().await;
    let Ok(Request::Ping { token }) = Request::decode(&frame) else { panic!("{frame:?}") };
    client.publisher(topic()).publish("n").unwrap();
    peer.published().await;
    peer.say(&Answer::Pong { token }).await;
    until(|| client.stats().sent == 1).await;
    assert_eq!(client.stats().in_flight, 1, "what was sent behind the Ping");
}

#[tokio::test(start_paused = true)]
async fn a_receipt_may_be_the_last_number_there_is() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    prove(&client, &mut peer, 1).await;
    let publisher = client.publisher(topic());
    let (first, second) = (publisher.submit("m").unwrap(), publisher.submit("m").unwrap());
    let (receipt, messages) = peer.published().await;
    assert_eq!(messages.len(), 2);
    peer.receipt(receipt.unwrap(), u64::MAX).await;
    assert_eq!(within(first).await.unwrap().seq, u64::MAX);
    assert_eq!(within(second).await.unwrap().seq, u64::MAX);
}

#[tokio::test(start_paused = true)]
async fn what_is_published_together_travels_together() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let publisher = client.publisher(topic());
    publisher.publish("first").unwrap();
    let (receipt, messages) = peer.published().await;
    assert_eq!(messages, ["first"], "nobody knows yet whether the topic takes messages so long");
    peer.receipt(receipt.expect("the first of its length asks"), 1).await;
    until(|| client.stats().acknowledged == 1).await;
    for number in 0..100 {
        publisher.publish(format!("{number}")).unwrap();
    }
    let (receipt, messages) = peer.published().await;
    assert_eq!((receipt, messages.len()), (None, 100));
    let stats = client.stats();
    assert_eq!((stats.published, stats.acknowledged, stats.in_flight), (101, 1, 100));
}

#[tokio::test(start_paused = true)]
async fn what_comes_while_it_lingers_travels_together() {
    let mut place = Place::new().await;
    let linger = Duration::from_millis(2);
    let (client, mut peer) = place.client(ClientConfig { linger, ..Default::default() }).await;
    let publisher = client.publisher(topic());
    publisher.publish("first").unwrap();
    let (receipt, _) = peer.published().await;
    peer.receipt(receipt.expect("the first of its length asks"), 1).await;
    until(|| client.stats().acknowledged == 1).await;
    let began = Instant::now();
    publisher.publish("one").unwrap();
    sleep_until(began + linger / 2).await;
    publisher.publish("other").unwrap();
    assert_eq!(peer.published().await.1, ["one", "other"]);
    assert!(linger <= began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn credit_is_obeyed() {
    let mut place = Place::new().await;
    let (client, mut peer) = with_window(&mut place, 10 * (LENGTH as u32 + 6)).await;
    let publisher = client.publisher(topic());
    for number in 0..25 {
        publisher.publish(format!("{number:06}")).unwrap();
    }
    let mut arrived = Vec::new();
    while arrived.len() < 10 {
        arrived.extend(peer.published().await.1);
    }
    says_nothing(&mut peer).await;
    assert_eq!(client.stats().waiting, 15);
    peer.say(&Answer::Credit { topic: "t", through: 15 * 10 }).await;
    while arrived.len() < 15 {
        arrived.extend(peer.published().await.1);
    }
    says_nothing(&mut peer).await;
    // An older word takes nothing back, and one about something else gives nothing.
    peer.say(&Answer::Credit { topic: "t", through: 10 }).await;
    peer.say(&Answer::Credit { topic: "u", through: 1000 }).await;
    says_nothing(&mut peer).await;
    peer.say(&Answer::Credit { topic: "t", through: 1000 }).await;
    while arrived.len() < 25 {
        arrived.extend(peer.published().await.1);
    }
    let expected: Vec<Bytes> = (0..25).map(|number| format!("{number:06}").into()).collect();
    assert_eq!(arrived, expected);
    let error = publisher.publish([0; 97]).expect_err("longer than the window");
    assert_eq!(error, PublishError::TooLarge { len: 97, max: 96 });
    // More than half of the window, for which there is no whole credit, and never would be.
    peer.say(&Answer::Credit { topic: "t", through: 250 + 100 }).await;
    publisher.publish("123456").unwrap();
    peer.published().await;
    publisher.publish([0; 96]).unwrap();
    assert_eq!(peer.published().await.1, [vec![0; 96]]);
}

#[tokio::test(start_paused = true)]
async fn a_full_buffer_refuses_and_room_is_told() {
    let mut place = Place::new().await;
    let buffer = Limits { messages: 3, bytes: 100 };
    let (client, peer) = place.client(ClientConfig { buffer, ..ClientConfig::default() }).await;
    peer.cut();
    until(|| !client.stats().is_connected).await;
    let publisher = client.publisher(topic());
    let max = 100 - LENGTH;
    assert_eq!(
        publisher.publish([0; 97]),
        Err(PublishError::TooLarge { len: 97, max }),
        "it would never fit"
    );
    publisher.publish([0; 90]).unwrap();
    assert_eq!(publisher.publish([0; 3]), Err(PublishError::Full), "bytes");
    publisher.publish("").unwrap();
    publisher.publish("").unwrap_err();
    let waiting = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.publish_when_room("late").await }
    });
    let mut peer = place.welcomed().await;
    assert_eq!(peer.published().await.1, [vec![0; 90]]);
    within(waiting).await.unwrap().unwrap();
    assert_eq!(peer.published().await.1, [""]);
    assert_eq!(peer.published().await.1, ["late"]);
    assert_eq!(client.stats().reconnects, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_submitted_is_acknowledged_in_bulk() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let publisher = client.publisher(topic());
    let submitted: Vec<_> = (0..50).map(|_| publisher.submit("m").unwrap()).collect();
    let mut next = 1;
    while next <= 50 {
        let (receipt, messages) = peer.published().await;
        peer.receipt(receipt.expect("it asks"), next).await;
        next += messages.len() as u64;
    }
    for (index, submitted) in submitted.into_iter().enumerate() {
        let seq = 1 + index as u64;
        assert_eq!(within(submitted).await, Ok(Receipt { seq, subscribers: 1 }));
    }
    let acknowledged = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.publish_acknowledged("one").await }
    });
    let (receipt, _) = peer.published().await;
    peer.receipt(receipt.unwrap(), 51).await;
    assert_eq!(within(acknowledged).await.unwrap().unwrap().seq, 51);
    assert_eq!(client.stats().acknowledged, 51);
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_when_the_conn_was_cut_is_uncertain_and_the_rest_stays() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let publisher = client.publisher(topic());
    let sent = publisher.submit("sent").unwrap();
    peer.published().await;
    peer.cut();
    assert_eq!(within(sent).await, Err(PublishError::Uncertain));
    let waits = publisher.submit("waits").unwrap();
    let mut peer = place.welcomed().await;
    let (receipt, messages) = peer.published().await;
    assert_eq!(messages, ["waits"]);
    peer.receipt(receipt.unwrap(), 9).await;
    assert_eq!(within(waits).await.unwrap().seq, 9);
    let stats = client.stats();
    assert_eq!((stats.uncertain, stats.acknowledged, stats.published), (1, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_does_not_come_is_given_up() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let submitted = client.publisher(topic()).submit("m").unwrap();
    let answering = async {
        loop {
            peer.hear().await;
        }
    };
    tokio::select! {
        outcome = within(submitted) => assert_eq!(outcome, Err(PublishError::Uncertain)),
        () = answering => (),
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_reach_whoever_published() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let (mut events, publisher) = (client.events(), client.publisher(topic()));
    let submitted = publisher.submit("m").unwrap();
    let (receipt, _) = peer.published().await;
    let refused = Answer::Refused {
        why: RefusedWhy::UnknownTopic,
        topic: "t",
        receipt,
        messages: 1,
        text: "no such topic".into(),
    };
    peer.say(&refused).await;
    let expected = PublishError::Refused(RefusedWhy::UnknownTopic);
    assert_eq!(within(submitted).await, Err(expected));
    assert_eq!(publisher.publish("again"), Err(expected), "for a moment");
    let event = within(events.recv()).await.unwrap();
    assert!(matches!(event, ClientEvent::Refused { messages: 1, .. }), "{event:?}");
    tokio::time::advance(Duration::from_secs(2)).await;
    publisher.publish("it may be there by now").unwrap();
    assert_eq!(client.stats().refused[&RefusedWhy::UnknownTopic], 1);
}

#[tokio::test(start_paused = true)]
async fn the_neighbours_of_a_message_that_is_too_long_travel_without_it() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let publisher = client.publisher(topic());
    publisher.publish("ok").unwrap();
    let (receipt, _) = peer.published().await;
    peer.receipt(receipt.unwrap(), 1).await;
    until(|| client.stats().acknowledged == 1).await;
    for message in ["a", "b", "much too long", "c", "d"] {
        publisher.publish(message).unwrap();
    }
    assert_eq!(peer.published().await.1, ["a", "b"]);
    let (receipt, messages) = peer.published().await;
    assert_eq!(messages, ["much too long"]);
    assert_eq!(peer.published().await.1, ["c", "d"]);
    let (why, text) = (RefusedWhy::TooLarge, "".into());
    peer.say(&Answer::Refused { why, topic: "t", receipt, messages: 1, text }).await;
    until(|| !client.stats().refused.is_empty()).await;
    let stats = client.stats();
    assert_eq!((stats.in_flight, stats.sent, stats.acknowledged), (4, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn close_sends_what_waits_and_reports_what_it_knows() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let publisher = client.publisher(topic());
    let submitted = publisher.submit("acknowledged").unwrap();
    let (receipt, _) = peer.published().await;
    publisher.publish("forgotten").unwrap();
    let closing = client.close(Duration::from_secs(5));
    let answering = async move {
        let (last, messages) = peer.published().await;
        assert_eq!(messages, ["forgotten"]);
        assert_eq!(publisher.publish("late"), Err(PublishError::Closed));
        peer.receipt(receipt.unwrap(), 1).await;
        peer.receipt(last.expect("what is sent while closing asks"), 2).await;
        assert!(peer.hear_to_the_end().await.is_empty());
    };
    let (report, ()) = tokio::join!(within(closing), answering);
    assert_eq!((report.unsent, report.uncertain), (0, 0));
    assert!(submitted.await.is_ok());
    assert_eq!(client.stats().acknowledged, 2);
}

#[tokio::test(start_paused = true)]
async fn close_keeps_its_deadline() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let publisher = client.publisher(topic());
    let uncertain = publisher.submit("sent").unwrap();
    peer.published().await;
    let report = client.close(Duration::from_secs(1)).await;
    assert_eq!((report.unsent, report.uncertain), (0, 1));
    assert_eq!(uncertain.await, Err(PublishError::Uncertain));

    let (client, peer) = place.client(ClientConfig::default()).await;
    let publisher = client.publisher(topic());
    peer.cut();
    until(|| !client.stats().is_connected).await;
    let unsent = publisher.submit("unsent").unwrap();
    // Nobody accepts.
    drop(place);
    let report = client.close(Duration::from_secs(1)).await;
    assert_eq!((report.unsent, report.uncertain), (1, 0));
    assert_eq!(unsent.await, Err(PublishError::Unsent));
    let report = client.close(Duration::from_secs(1)).await;
    assert_eq!(report.unsent, 1, "again, it says the same");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_dropped_leaves_nobody_waiting() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    let publisher = client.publisher(topic());
    let submitted = publisher.submit("m").unwrap();
    peer.published().await;
    drop(client);
    assert!(timeout(NEVER, peer.hear_any()).await.is_err(), "a publisher keeps it");
    drop(publisher);
    assert_eq!(within(submitted).await, Err(PublishError::Uncertain));
    assert!(peer.hear_to_the_end().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn pings_tell_that_a_client_lives_and_that_a_broker_does_not() {
    let mut place = Place::new().await;
    let (client, mut peer) = place.client(ClientConfig::default()).await;
    for _ in 0..10 {
        let frame = peer.hear_any().await;
        let Ok(Request::Ping { token }) = Request::decode(&frame) else { panic!("{frame:?}") };
        peer.say(&Answer::Pong { token }).await;
    }
    assert!(client.stats().is_connected);
    let mut events = client.events();
    let event = within(events.recv()).await.unwrap();
    let ClientEvent::Disconnected { why } = event else { panic!("{event:?}") };
    assert_eq!(why.to_string(), "the broker said nothing for 30s");
}
