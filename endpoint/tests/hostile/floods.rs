//! Too much of everything.

use std::{net::TcpStream, time::Duration};

use bytes::Bytes;
use rumormill_endpoint::{
    Class, Config, Endpoint, Rejected,
    frame::Frame,
    hello::{Greeting, Stale},
};
use rumormill_registry::Registry;
use rumormill_transport_api::{AnyConn, Batch, Listener, Reader, Target, Transport, Writer};
use rumormill_transport_mem::{Link, Network};
use tokio::time::Instant;

use crate::{
    DATAGRAM, STREAM, Victim, addr, config, key, registry,
    stranger::{Stranger, Wire, bent},
    until,
};

#[tokio::test(start_paused = true)]
async fn who_cannot_be_reached_gets_no_more_than_it_sent() {
    let mut victim = Victim::at(&[DATAGRAM]).await;
    let mut wire = Wire::dial(&victim.registry, DATAGRAM, 3, 1).await;
    let them = rumormill_endpoint::seal::Party { node: key(2).node(), session: 5 };
    let hello = |wire: &Wire, padded| Greeting::Hello(wire.hello([1; 16], None)).encode(padded);
    let frame = wire.seal_by_hand(them, 1, "");
    let cookie = Greeting::Hello(wire.hello([1; 16], Some([9; 16]))).encode(640);
    let (mut sent, mut got, mut replies) = (0, 0, 0);
    for _ in 0..1000 {
        for saying in [hello(&wire, 0), hello(&wire, 640), frame.clone(), cookie.clone()] {
            sent += saying.len();
            wire.say(saying).await;
            let reply = wire.hear().await.expect("each is answered once");
            got += reply.len();
            replies += 1;
        }
    }
    assert!(got < sent && replies == 4000, "{got} bytes for {sent}");
    assert!(victim.endpoint.peers().is_empty());
    victim.is_well(DATAGRAM).await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_senders_cost_no_memory() {
    let config = Config { max_accepted: 64, ..config() };
    let mut victim = Victim::with(&registry(&Network::new(7)), config, &[DATAGRAM]).await;
    for number in 0..10_000_u64 {
        let mut wire = Wire::dial(&victim.registry, DATAGRAM, 3, number).await;
        let hello = wire.hello([1; 16], None);
        wire.say_hello(&hello).await;
        assert!(wire.hear().await.is_some(), "the {number}th is answered too");
    }
    until(
        || {
            let links = victim.endpoint.snapshot().links;
            links.accepted == links.ended
        },
        || victim.endpoint.snapshot(),
    )
    .await;
    assert!(victim.endpoint.peers().is_empty());
    victim.is_well(DATAGRAM).await;
}

#[tokio::test(start_paused = true)]
async fn forged_frames_are_verified_only_so_often() {
    let mut victim = Victim::at(&[DATAGRAM]).await;
    let mut peer = Stranger::meet(&victim.registry, DATAGRAM, 3, 1).await;
    let forged = bent(&peer.seal("rumor"), 8 * 60);
    for number in 0..1000 {
        peer.say(forged.clone()).await;
        until(|| number < victim.refused(), || victim.endpoint.snapshot()).await;
    }
    let verified = victim.rejected(Rejected::Forged);
    assert!((64..=200).contains(&verified), "{:?}", victim.endpoint.snapshot());
    assert_eq!(victim.rejected(Rejected::Crowded) + verified, 1000);
    victim.is_well(DATAGRAM).await;
}

/// Under a flood of forged frames, over three conns of datagrams and without a pause, a question of
/// an honest peer is answered soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn honest_peers_are_served_under_a_flood_of_forged_frames() {
    let network = Network::new(7);
    let victim = Victim::with(&registry(&network), config(), &[]).await;
    let at = victim.endpoint.listen(&addr("udp://127.0.0.1:0")).await.expect("listening");
    let tcp = victim.endpoint.listen(&addr("tcp://127.0.0.1:0")).await.expect("listening");
    let mut floods = tokio::task::JoinSet::new();
    let mut peers = Vec::new();
    for seed in 3..6 {
        peers.push(Stranger::meet(&registry(&network), &at.to_string(), seed, 1).await);
    }
    for mut peer in peers {
        floods.spawn(async move {
            let forged: Bytes = bent(&peer.seal("rumor"), 8 * 60);
            while peer.say(forged.clone()).await {
                tokio::task::yield_now().await;
            }
        });
    }
    let Victim { endpoint, mut inboxes, registry } = victim;
    until(|| 0 < endpoint.snapshot().rejected(Rejected::Crowded), || endpoint.snapshot()).await;
    let (honest, _inboxes) = Endpoint::start(registry, key(1), config()).expect("a good config");
    honest.learn(endpoint.node(), vec![tcp]).expect("room");
    let mut round_trips = Vec::new();
    for _ in 0..50 {
        let asked = Instant::now();
        let asking = honest.request(endpoint.node(), "?", Duration::from_secs(5));
        let answering = async {
            let question = inboxes.bulk.recv().await.expect("open");
            endpoint.reply(&question, "!").expect("room");
        };
        let (answer, ()) = tokio::join!(asking, answering);
        assert_eq!(answer, Ok("!".into()));
        round_trips.push(asked.elapsed());
    }
    round_trips.sort();
    let snapshot = endpoint.snapshot();
    eprintln!(
        "round trips under the flood: {:?} .. {:?} .. {:?}, {:?}",
        round_trips[0], round_trips[25], round_trips[49], snapshot.rejected
    );
    assert!(round_trips[25] < Duration::from_millis(500), "{round_trips:?}");
    floods.shutdown().await;
}

#[tokio::test]
async fn a_source_cannot_take_all_that_is_accepted() {
    let config = Config { max_accepted: 32, ..config() };
    let mut victim = Victim::with(&registry(&Network::new(7)), config, &[STREAM]).await;
    let at = victim.endpoint.listen(&addr("tcp://127.0.0.1:0")).await.expect("listening");
    let held: Vec<TcpStream> =
        (0..100).map(|_| TcpStream::connect(at.rest()).expect("accepted")).collect();
    until(|| 92 <= victim.rejected(Rejected::Crowded), || victim.endpoint.snapshot()).await;
    victim.is_well(STREAM).await;
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn a_peer_cannot_hold_conns_without_end() {
    let mut victim = Victim::at(&[STREAM]).await;
    let mut held = Vec::new();
    for _ in 0..40 {
        held.push(Stranger::meet(&victim.registry, STREAM, 3, 1).await);
    }
    until(
        || {
            let links = victim.endpoint.snapshot().links;
            links.accepted - links.ended <= 16
        },
        || victim.endpoint.snapshot(),
    )
    .await;
    victim.is_well(STREAM).await;
}

#[tokio::test(start_paused = true)]
async fn replays_keep_no_conn_alive() {
    let config = Config { idle: Duration::from_secs(2), ..config() };
    let victim = Victim::with(&registry(&Network::new(7)), config, &[DATAGRAM]).await;
    let mut peer = Stranger::meet(&victim.registry, DATAGRAM, 3, 1).await;
    let (frame, before) = (peer.seal("rumor"), victim.endpoint.snapshot().links.ended);
    for _ in 0..200 {
        peer.say(frame.clone()).await;
        tokio::time::sleep_until(Instant::now() + Duration::from_millis(100)).await;
        if before < victim.endpoint.snapshot().links.ended {
            return;
        }
    }
    panic!("{:?}", victim.endpoint.snapshot());
}

/// Somebody between two nodes who sees all frames, and says to each that it was not opened.
async fn say_all_is_stale(registry: &Registry, between: &str, behind: &str) -> usize {
    let transport = registry.transport("mem").expect("linked");
    let mut listener = transport.listen(&addr(between)).await.expect("listening");
    let mut met = 0;
    loop {
        let Ok(conn) = listener.accept().await else { return met };
        met += 1;
        let beyond = transport.dial(&Target::new(addr(behind))).await.expect("it listens");
        tokio::spawn(tell_stale(conn, beyond));
        if met == PLENTY {
            return met;
        }
    }
}

async fn tell_stale(mut near: AnyConn, mut far: AnyConn) {
    let (mut there, mut back, mut has_confirmed) = (Vec::new(), Vec::new(), false);
    loop {
        tokio::select! {
            heard = near.reader.recv(&mut there) => if heard.is_err() { return },
            heard = far.reader.recv(&mut back) => if heard.is_err() { return },
        }
        for whole in there.drain(..) {
            let stale = Frame::parse(whole.clone()).ok().and_then(|frame| Stale::to(&frame));
            let (saying, writer) = match stale.filter(|_| has_confirmed) {
                Some(stale) => (Greeting::Stale(stale).encode(0), &mut near.writer),
                None => (whole.clone(), &mut far.writer),
            };
            has_confirmed |= Frame::parse(whole).is_ok();
            writer.send(&mut Batch::from_iter([saying])).await.ok();
        }
        let mut replies: Batch = back.drain(..).collect();
        near.writer.send(&mut replies).await.ok();
    }
}

#[tokio::test(start_paused = true)]
async fn who_says_that_nothing_was_opened_is_not_greeted_without_a_pause() {
    let network = Network::new(7);
    let latency = Duration::from_millis(1);
    network.set_default_link(Link { latency, ..Link::default() });
    let registry = registry(&network);
    let victim = Victim::with(&registry, config(), &[DATAGRAM]).await;
    let (honest, _inboxes) =
        Endpoint::start(registry.clone(), key(1), config()).expect("a good config");
    let between = "mem://between?delivery=datagram";
    honest.learn(victim.endpoint.node(), vec![addr(between)]).expect("room");
    let since = Instant::now();
    let lying = say_all_is_stale(&registry, between, DATAGRAM);
    let sending = async {
        for _ in 0..100 {
            honest.send(victim.endpoint.node(), Class::Gossip, "rumor").expect("room");
            tokio::time::sleep_until(Instant::now() + Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        met = lying => panic!("{met} conns in {:?}", since.elapsed()),
        () = sending => (),
    }
    drop(honest);
}

/// More conns than there may be in the ten seconds of the test, with a pause before each.
const PLENTY: usize = 110;
