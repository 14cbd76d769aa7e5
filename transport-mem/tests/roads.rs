//! A road that is blocked while conns live, with `Faulty` around this transport.

use std::time::Duration;

use bytes::Bytes;
use rumormill_transport_api::{
    Batch, Conn, Delivery, Error, Listener, Reader, Target, Transport, Writer,
};
use rumormill_transport_conformance::{Faults, Faulty, FaultyReader, FaultyWriter, Road};
use rumormill_transport_mem::{Mem, Network, Settings};
use tokio::time::timeout;

type End = Conn<FaultyReader<Mem>, FaultyWriter<Mem>>;

const SECOND: Duration = Duration::from_secs(1);

fn faulty(delivery: Delivery) -> Faulty<Mem> {
    let settings = Settings { delivery, ..Settings::default() };
    Faulty::new(Mem::new(Network::new(7), settings), Faults::default())
}

async fn say(end: &mut End, text: &'static str) {
    end.writer.send(&mut Batch::from_iter([text])).await.expect("it is taken");
}

async fn pair(faulty: &Faulty<Mem>) -> (End, End) {
    let addr = "mem://:0".parse().expect("an address");
    let mut listener = faulty.listen(&addr).await.expect("nobody else listens there");
    let target = Target::new(listener.addr().clone());
    let mut dialed = faulty.dial(&target).await.expect("somebody listens");
    say(&mut dialed, "hello").await;
    let mut accepted = listener.accept().await.expect("somebody dials");
    assert_eq!(hear(&mut accepted).await, ["hello"]);
    (dialed, accepted)
}

/// What comes within a second.
async fn hear(end: &mut End) -> Vec<Bytes> {
    let mut into = Vec::new();
    if let Ok(heard) = timeout(SECOND, end.reader.recv(&mut into)).await {
        heard.expect("it lives");
    }
    into
}

#[tokio::test(start_paused = true)]
async fn a_stream_in_a_black_hole_stands_still() {
    let faulty = faulty(Delivery::Stream);
    let (mut dialed, mut accepted) = pair(&faulty).await;
    faulty.set_road(Road::Blackholed);
    say(&mut dialed, "one").await;
    assert!(hear(&mut accepted).await.is_empty());
    let addr = accepted.info.local.clone();
    assert!(timeout(SECOND, faulty.dial(&Target::new(addr))).await.is_err(), "dials wait");
    dialed.writer.close().await.unwrap();
    assert!(hear(&mut accepted).await.is_empty(), "nor does the end come");
    faulty.set_road(Road::Open);
    assert_eq!(hear(&mut accepted).await, ["one"]);
    assert!(matches!(accepted.reader.recv(&mut Vec::new()).await, Err(Error::Closed)));
}

#[tokio::test(start_paused = true)]
async fn datagrams_in_a_black_hole_are_lost() {
    let faulty = faulty(Delivery::Datagram);
    let (mut dialed, mut accepted) = pair(&faulty).await;
    faulty.set_road(Road::Blackholed);
    say(&mut dialed, "one").await;
    assert!(hear(&mut accepted).await.is_empty());
    faulty.set_road(Road::Open);
    say(&mut dialed, "two").await;
    assert_eq!(hear(&mut accepted).await, ["two"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_known_at_once() {
    for delivery in [Delivery::Stream, Delivery::Datagram] {
        let faulty = faulty(delivery);
        let (mut dialed, mut accepted) = pair(&faulty).await;
        faulty.set_road(Road::Refused);
        let target = Target::new(accepted.info.local.clone());
        assert!(matches!(faulty.dial(&target).await, Err(Error::Unreachable { .. })));
        for end in [&mut dialed, &mut accepted] {
            let heard = timeout(SECOND, end.reader.recv(&mut Vec::new())).await;
            assert!(matches!(heard, Ok(Err(Error::Cut { .. }))), "{heard:?}");
        }
        assert_eq!(faulty.tally().cut, 2);
    }
}
