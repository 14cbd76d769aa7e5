//! Endpoints that talk to each other, over any carrier.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rumormill_endpoint::{
    Admission, Class, Clock, Config, Dropped, Endpoint, Error, Event, Inboxes, Rejected,
    RequestError, Revocations, SendError, Ticket, Tickets, Unopened, seal::Cluster,
};
use rumormill_identity::{PublicKey, SecretKey};
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, Context};
use rumormill_transport_mem::{Link, Network};
use tokio::time::{Instant, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

fn registry(network: &Network) -> Arc<Registry> {
    let registry = Registry::of([
        rumormill_transport_mem::FACTORY,
        rumormill_transport_tcp::FACTORY,
        rumormill_transport_udp::FACTORY,
    ])
    .expect("three schemes");
    let mut context = Context::default();
    context.extensions.insert(network.clone());
    registry.configure("mem", context).expect("mem is there");
    Arc::new(registry)
}

fn config() -> Config {
    Config::new("test", Admission::Open)
}

fn start(network: &Network, seed: u8, config: Config) -> (Endpoint, Inboxes) {
    Endpoint::start(registry(network), key(seed), config).expect("a good config")
}

fn addr(text: &str) -> Addr {
    text.parse().expect("an address")
}

/// Echoes questions until its endpoint is closed.
async fn echo(endpoint: Arc<Endpoint>, mut inboxes: Inboxes) {
    while let Some(message) = inboxes.bulk.recv().await {
        let bytes = message.bytes.clone();
        endpoint.reply(&message, bytes).ok();
    }
}

async fn round_trips(at: &str) {
    let network = Network::new(7);
    let (a, _inboxes) = start(&network, 1, config());
    let (b, inboxes) = start(&network, 2, config());
    let bound = b.listen(&addr(at)).await.expect("listening");
    let b = Arc::new(b);
    let echoing = tokio::spawn(echo(b.clone(), inboxes));
    a.learn(b.node(), vec![bound]).expect("room");
    for number in 0..100_u32 {
        let question = Bytes::copy_from_slice(&number.to_be_bytes());
        let answer = a.request(b.node(), question.clone(), 5 * SECOND).await;
        assert_eq!(answer, Ok(question));
    }
    let report = a.close(5 * SECOND).await;
    assert_eq!(report.unsent, 0);
    assert_eq!(report.snapshot.class(Class::Bulk).in_flight(), 0, "{report:?}");
    assert_eq!(report.snapshot.class(Class::Bulk).carried, 100, "{report:?}");
    echoing.abort();
}

#[tokio::test(start_paused = true)]
async fn questions_are_answered_in_memory() {
    round_trips("mem://b").await;
}

#[tokio::test(start_paused = true)]
async fn questions_are_answered_over_lossless_datagrams() {
    round_trips("mem://b?delivery=datagram").await;
}

#[tokio::test]
async fn questions_are_answered_over_tcp() {
    round_trips("tcp://127.0.0.1:0").await;
}

#[tokio::test]
async fn questions_are_answered_over_udp() {
    round_trips("udp://127.0.0.1:0").await;
}

#[tokio::test(start_paused = true)]
async fn nobody_there_is_unreachable_and_counted() {
    let network = Network::new(7);
    let (a, _inboxes) = start(&network, 1, config());
    a.learn(key(2).node(), vec![addr("mem://nobody")]).unwrap();
    let answer = a.request(key(2).node(), "x", 60 * SECOND).await;
    assert_eq!(answer, Err(RequestError::Unreachable));
    assert_eq!(a.snapshot().class(Class::Bulk).dropped(Dropped::Unreachable), 1);
    assert_eq!(a.snapshot().links.retries, 2);
    assert_eq!(a.send(key(3).node(), Class::Gossip, "x"), Err(SendError::UnknownPeer));
}

#[tokio::test(start_paused = true)]
async fn another_cluster_is_nobody() {
    let network = Network::new(7);
    let (a, _ia) = start(&network, 1, config());
    let (b, _ib) = start(&network, 2, Config::new("other", Admission::Open));
    b.listen(&addr("mem://b")).await.unwrap();
    let error = a.contact(&addr("mem://b")).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. } | Error::NoPeer { .. }), "{error:?}");
    assert_eq!(b.snapshot().rejected(Rejected::Cluster), 1);
}

#[tokio::test(start_paused = true)]
async fn both_may_dial_at_once() {
    let network = Network::new(7);
    let (a, mut ia) = start(&network, 1, config());
    let (b, mut ib) = start(&network, 2, config());
    a.listen(&addr("mem://a")).await.unwrap();
    b.listen(&addr("mem://b")).await.unwrap();
    a.learn(b.node(), vec![addr("mem://b")]).unwrap();
    b.learn(a.node(), vec![addr("mem://a")]).unwrap();
    for number in 0..10_u8 {
        a.send(b.node(), Class::Gossip, vec![number]).unwrap();
        b.send(a.node(), Class::Gossip, vec![number]).unwrap();
    }
    for number in 0..10_u8 {
        assert_eq!(ib.gossip.recv().await.unwrap().bytes, [number][..]);
        assert_eq!(ia.gossip.recv().await.unwrap().bytes, [number][..]);
    }
    let (ra, rb) = (a.close(SECOND).await, b.close(SECOND).await);
    for report in [ra, rb] {
        assert_eq!(report.snapshot.class(Class::Gossip).carried, 10, "{report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_starts_again_is_met_again() {
    for at in ["mem://b", "mem://b?delivery=datagram"] {
        let network = Network::new(7);
        let (a, _inboxes) = start(&network, 1, config());
        a.learn(key(2).node(), vec![addr(at)]).unwrap();
        for _ in 0..5 {
            let (b, inboxes) = start(&network, 2, config());
            b.listen(&addr(at)).await.expect("listening");
            let b = Arc::new(b);
            let echoing = tokio::spawn(echo(b.clone(), inboxes));
            let mut answer = Err(RequestError::Uncertain);
            for _ in 0..3 {
                answer = a.request(key(2).node(), "x", SECOND).await;
                if answer.is_ok() {
                    break;
                }
            }
            assert_eq!(answer, Ok("x".into()), "{at}");
            echoing.abort();
            drop(echoing.await);
            let Ok(b) = Arc::try_unwrap(b) else { panic!("it is held elsewhere") };
            b.close(Duration::ZERO).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_urgent_has_a_stream_of_its_own_whoever_comes_first() {
    for is_bulk_first in [true, false] {
        let network = Network::new(7);
        let (a, _ia) = start(&network, 1, config());
        let (b, mut ib) = start(&network, 2, config());
        let at = b.listen(&addr("mem://b")).await.unwrap();
        a.learn(b.node(), vec![at]).unwrap();
        let mut vias = Vec::new();
        for is_bulk in [is_bulk_first, !is_bulk_first, is_bulk_first] {
            let class = if is_bulk { Class::Bulk } else { Class::Control };
            a.send(b.node(), class, "x").unwrap();
            let inbox = if is_bulk { &mut ib.bulk } else { &mut ib.control };
            vias.push(inbox.recv().await.unwrap().via.to_string());
        }
        assert!(vias[0] != vias[1] && vias[0] == vias[2], "{vias:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_takes_messages_learns_that_the_endpoint_is_closed() {
    for patience in [5 * SECOND, Duration::ZERO] {
        let network = Network::new(7);
        let (a, _ia) = start(&network, 1, config());
        let (b, mut ib) = start(&network, 2, config());
        a.learn(b.node(), vec![b.listen(&addr("mem://b")).await.unwrap()]).unwrap();
        a.send(b.node(), Class::Gossip, "first").unwrap();
        assert!(ib.gossip.recv().await.is_some());
        // With no patience, the future of `close` is dropped.
        drop(timeout(patience, b.close(5 * SECOND)).await);
        let end = timeout(SECOND, ib.gossip.recv()).await;
        assert!(matches!(end, Ok(None)), "{patience:?}: {end:?}");
        drop(b);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_leaves_before_the_endpoint_does() {
    for at in ["mem://b", "mem://b?delivery=datagram"] {
        let network = Network::new(7);
        let (a, _ia) = start(&network, 1, config());
        let (b, mut ib) = start(&network, 2, config());
        a.learn(b.node(), vec![b.listen(&addr(at)).await.unwrap()]).unwrap();
        let asking = a.request(key(2).node(), "last words?", 5 * SECOND);
        let answering = async {
            let question = ib.bulk.recv().await.unwrap();
            b.reply(&question, "goodbye").unwrap();
            b.close(SECOND).await
        };
        let (answer, report) = tokio::join!(asking, answering);
        assert_eq!(answer, Ok("goodbye".into()), "{report:?}");
    }
}

#[tokio::test]
async fn a_short_message_may_ask_for_a_stream() {
    let network = Network::new(7);
    let (a, _ia) = start(&network, 1, config());
    let (b, mut ib) = start(&network, 2, config());
    let mut routes = Vec::new();
    for at in ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"] {
        routes.push(b.listen(&addr(at)).await.unwrap());
    }
    a.learn(b.node(), routes).unwrap();
    a.send(b.node(), Class::Control, "by packet").unwrap();
    assert_eq!(ib.control.recv().await.unwrap().via.scheme(), "udp");
    a.send_over_stream(b.node(), Class::Control, "by stream").unwrap();
    assert_eq!(ib.control.recv().await.unwrap().via.scheme(), "tcp");
    let refused = a.send_over_stream(b.node(), Class::Control, vec![0; 11 << 20]);
    assert!(matches!(refused, Err(SendError::TooLarge { .. })));
}

#[tokio::test(start_paused = true)]
async fn few_conns_serve_many_peers_in_turn() {
    let network = Network::new(7);
    let (a, _ia) = start(&network, 1, Config { max_conns: 4, ..config() });
    let mut echoing = tokio::task::JoinSet::new();
    let mut peers = Vec::new();
    for seed in 2..12 {
        let (peer, inboxes) = start(&network, seed, config());
        let at = peer.listen(&addr(&format!("mem://{seed}"))).await.unwrap();
        a.learn(peer.node(), vec![at]).unwrap();
        peers.push(peer.node());
        echoing.spawn(echo(Arc::new(peer), inboxes));
    }
    for round in 0..3 {
        for peer in &peers {
            let answer = a.request(*peer, vec![round], 5 * SECOND).await;
            assert_eq!(answer, Ok(vec![round].into()));
            let active = a.snapshot().carrier("mem").unwrap().active;
            assert!(active <= 4, "{active}");
        }
    }
    let links = a.snapshot().links;
    assert_eq!((links.dialled, links.failed_dials), (30, 0), "who was unused longest gave way");
    echoing.shutdown().await;
}

/// The cluster's key, which the ticket of node 2 is signed with.
fn ticket(network: &Network, not_after: u64) -> (Endpoint, Inboxes) {
    let cluster = Cluster::named("test");
    let ticket = Ticket { node: key(2).node(), name: "two".into(), not_after, serial: 5 };
    let ticket = ticket.sign(&cluster, &key(9));
    start(network, 2, Config { ticket, clock: Clock::at(0), ..config() })
}

fn by_ticket(revoked: &[u64]) -> Admission {
    let mut tickets = Tickets::by([PublicKey::of(key(9).node()).expect("a key")]);
    let serials = revoked.iter().copied().collect();
    let list = Revocations { issuer: key(9).node(), version: 1, serials };
    let cluster = Cluster::named("test");
    tickets.revoke(&cluster, &list.sign(&cluster, &key(9))).expect("it is signed");
    Admission::Tickets(Arc::new(tickets))
}

#[tokio::test(start_paused = true)]
async fn a_ticket_that_is_over_ends_what_it_opened() {
    let network = Network::new(7);
    let config = || Config { clock: Clock::at(0), admission: by_ticket(&[]), ..config() };
    for is_revoked in [true, false] {
        let (a, _ia) = start(&network, 1, config());
        let at = a.listen(&addr("mem://a")).await.unwrap();
        let (b, mut ib) = ticket(&network, 60);
        b.learn(a.node(), vec![at]).unwrap();
        b.send(a.node(), Class::Gossip, "still a member").unwrap();
        let mut events = a.events();
        let begun = Instant::now();
        while events.recv().await.unwrap() != Event::Connected(b.node()) {}
        a.send(b.node(), Class::Gossip, "welcome").unwrap();
        assert!(ib.gossip.recv().await.is_some());
        if is_revoked {
            assert_eq!(a.set_admission(by_ticket(&[4])), [], "another's");
            assert_eq!(a.set_admission(by_ticket(&[5])), [b.node()]);
            assert!(a.peers().is_empty());
        }
        while events.recv().await.unwrap() != Event::Disconnected(b.node()) {}
        let kept = begun.elapsed().as_secs();
        assert_eq!(kept, if is_revoked { 0 } else { 61 });
        b.send(a.node(), Class::Gossip, "let me in").unwrap();
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        while a.snapshot().rejected(Rejected::Denied) == 0 {
            tick.tick().await;
        }
        a.close(SECOND).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_each_transport_carried_is_counted() {
    let network = Network::new(7);
    let late = Duration::from_millis(10);
    network.set_default_link(Link { latency: late, ..Link::default() });
    let (a, _inboxes) = start(&network, 1, config());
    let (b, inboxes) = start(&network, 2, config());
    let b = Arc::new(b);
    b.listen(&addr("mem://b")).await.unwrap();
    let echoing = tokio::spawn(echo(b.clone(), inboxes));
    a.learn(b.node(), vec![addr("mem://nobody"), addr("mem://b")]).unwrap();
    a.request(b.node(), "x", SECOND).await.unwrap();
    let snapshot = a.snapshot();
    let mem = snapshot.carrier("mem").unwrap();
    assert_eq!((mem.dialled, mem.accepted, mem.active), (1, 0, 1), "{mem:?}");
    assert_eq!((mem.frames_in, mem.frames_out), (1, 1), "{mem:?}");
    assert!(0 < mem.bytes_in && 0 < mem.bytes_out, "{mem:?}");
    assert_eq!(mem.unopened(Unopened::Unreachable), 1, "{mem:?}");
    assert_eq!((mem.dial.count(), mem.greeting.count(), mem.round_trip.count()), (1, 1, 1));
    assert!(2 * late <= mem.greeting.min() && 2 * late <= mem.round_trip.min(), "{mem:?}");
    let theirs = b.snapshot();
    assert_eq!(theirs.carrier("mem").unwrap().accepted, 1, "{theirs:?}");
    let report = a.close(SECOND).await;
    assert_eq!(report.snapshot.carrier("mem").unwrap().active, 0, "{report:?}");
    echoing.abort();
}
