//! Clients that break the rules, and what the others notice of it: nothing.

use rumormill_broker::{
    CutReason,
    wire::{Answer, Hello, Malformed, RefusedWhy, Request, Resume, Subscribe, Verdict},
};
use rumormill_registry::Registry;
use rumormill_transport_api::bytes::Bytes;

use super::{
    raw::{Place, publish, soon, subscribe, topics, until},
    trap::{FAILURES, FATAL, TRAP},
};

/// One of each frame that a client may say after its greeting.
fn frames() -> Vec<Bytes> {
    let resume = Some(Resume { epoch: 3, after: 4 });
    let requests = [
        publish("t", Some(1), &["one", "", "three"]),
        publish("t", None, &["one"]),
        Request::Subscribe(Subscribe { topic: "t", window: 9, resume }),
        Request::Unsubscribe { topic: "t" },
        Request::Seen { topic: "t", through: 5 },
        Request::Settle { topic: "t", verdict: Verdict::GiveBack, runs: vec![(1, 2), (3, 4)] },
        Request::Ping { token: 6 },
    ];
    requests.iter().map(Request::encode).collect()
}

/// Frames that are malformed in every way that there is.
fn malformed() -> Vec<Bytes> {
    let mut bad = vec![Bytes::new(), Bytes::from_static(b"\xff\xff\xff\xff")];
    for frame in frames() {
        let cuts = (0..frame.len()).map(|end| frame.slice(..end));
        let longer = Bytes::from([&frame[..], &[0]].concat());
        bad.extend(cuts.chain([longer]).filter(|frame| Request::decode(frame).is_err()));
    }
    let mut text = publish("t", None, &["one"]).encode().to_vec();
    text[3] = 0xff;
    bad.push(text.into());
    bad
}

#[tokio::test(start_paused = true)]
async fn malformed_frames_cost_their_conn_and_no_other() {
    let place = Place::new(topics(&["t"])).await;
    let (mut publisher, mut subscriber) = (place.peer().await, place.peer().await);
    subscriber.subscribe("t").await;
    let bad = malformed();
    assert!(100 < bad.len());
    for (at, frame) in (1..).zip(&bad) {
        let mut peer = place.peer().await;
        peer.subscribe("t").await;
        // What comes behind it is not looked at.
        peer.say_bytes([frame.clone(), publish("t", None, &["never"]).encode()]).await;
        assert_eq!(peer.refused().await, RefusedWhy::Malformed, "{frame:?}");
        peer.ends().await;
        publisher.publish("t", None, &["m"]).await;
        assert_eq!(subscriber.messages(1).await, [(at, "m".into())]);
    }
    publisher.ping().await;
    let stats = place.broker.stats();
    assert_eq!(stats.cut[&CutReason::Malformed], bad.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn malformed_greetings_are_refused() {
    let place = Place::new(topics(&["t"])).await;
    let hello = Request::Hello(Hello { nonce: [1; 32], node: None }).encode();
    for end in 0..hello.len() {
        let frame = hello.slice(..end);
        assert_eq!(Request::decode(&frame), Err(Malformed::Short));
        let mut peer = place.dial().await;
        peer.say_bytes([frame]).await;
        assert_eq!(peer.refused().await, RefusedWhy::Malformed, "{end}");
        peer.ends().await;
    }
    let mut peer = place.dial().await;
    peer.say_bytes(["GET / HTTP/1.1\r\n".into()]).await;
    assert_eq!(peer.refused().await, RefusedWhy::Malformed);
}

#[tokio::test]
async fn bytes_that_are_no_frames_at_all_harm_nobody() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let place = Place::on("tcp", topics(&["t"])).await;
    let mut subscriber = place.peer().await;
    subscriber.subscribe("t").await;
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\xff\xff\xff\xff", b"\0\0\0\x05ab", b""] {
        let mut stream = tokio::net::TcpStream::connect(place.addr.rest()).await.expect("a conn");
        stream.write_all(bytes).await.expect("sent");
        stream.shutdown().await.expect("ended");
        let mut answer = Vec::new();
        let _ = soon(stream.read_to_end(&mut answer)).await;
    }
    let mut publisher = place.peer().await;
    publisher.publish("t", None, &["m"]).await;
    assert_eq!(subscriber.messages(1).await, [(1, "m".into())]);
    until("they are gone", || place.broker.stats().conns == 2).await;
}

#[tokio::test(start_paused = true)]
async fn names_are_checked_and_unknown_ones_are_refused() {
    let place = Place::new(topics(&["t"])).await;
    let mut peer = place.peer().await;
    let long = "x".repeat(255);
    let cases = [
        ("nobody", RefusedWhy::UnknownTopic),
        ("", RefusedWhy::BadName),
        ("a b", RefusedWhy::BadName),
        ("ä", RefusedWhy::BadName),
        (&long, RefusedWhy::BadName),
    ];
    for (name, wanted) in cases {
        peer.publish(name, Some(8), &["a", "b"]).await;
        peer.answer(|answer| match answer {
            Answer::Refused { why, topic, receipt, messages, .. } => {
                assert_eq!((why, topic, receipt, messages), (wanted, name, Some(8), 2));
            }
            answer => panic!("{answer:?}"),
        })
        .await;
        peer.say(subscribe(name)).await;
        assert_eq!(peer.refused().await, wanted);
        peer.say(Request::Unsubscribe { topic: name }).await;
        assert_eq!(peer.refused().await, wanted);
    }
    peer.ping().await;
}

#[tokio::test(start_paused = true)]
async fn what_nobody_subscribed_to_is_refused() {
    let place = Place::new(topics(&["t"])).await;
    let mut peer = place.peer().await;
    peer.say(Request::Unsubscribe { topic: "t" }).await;
    assert_eq!(peer.refused().await, RefusedWhy::NotSubscribed);
    // The subscription may have ended while these were on their way.
    for topic in ["t", "gone"] {
        peer.say(Request::Seen { topic, through: 1 }).await;
        peer.say(Request::Settle { topic, verdict: Verdict::Done, runs: vec![(1, 1)] }).await;
    }
    peer.subscribe("t").await;
    assert_eq!(place.broker.stats().late_confirmations, 4);
    peer.say(subscribe("t")).await;
    assert_eq!(peer.refused().await, RefusedWhy::AlreadySubscribed);
    peer.ping().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_task_of_a_conn_costs_no_more_than_the_conn() {
    let place = Place::with(Registry::of([TRAP]).expect("one"), None, topics(&["t"])).await;
    let (mut other, mut peer) = (place.peer().await, place.peer().await);
    other.subscribe("t").await;
    peer.subscribe("t").await;
    peer.say_bytes([Bytes::from_static(FATAL)]).await;
    peer.ends().await;
    until("its place is free", || place.broker.stats().conns == 1).await;
    let stats = place.broker.stats();
    assert_eq!((stats.cut[&CutReason::Panicked], stats.topics["t"].subscribers), (1, 1));
    other.publish("t", None, &["m"]).await;
    assert_eq!(other.messages(1).await, [(1, "m".into())]);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_lacks_descriptors_goes_on() {
    let place = Place::with(Registry::of([TRAP]).expect("one"), None, topics(&["t"])).await;
    place.peer().await.ping().await;
    assert_eq!(place.broker.stats().failed_accepts, FAILURES);
}
