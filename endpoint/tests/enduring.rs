//! What endpoints bear without losing messages, their order, or count: slow users, restarts,
//! strangers that only stand there, and numbers that mean for ever.

use std::{sync::Arc, time::Duration};

use rumormill_endpoint::{
    Admission, Broken, Class, Config, Dropped, Endpoint, Inboxes, Limits, RequestError, Snapshot,
};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, Context, NodeId, Target, Transport};
use rumormill_transport_mem::{Link, Network};
use tokio::time::{Instant, sleep_until, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn registry(network: &Network) -> Arc<Registry> {
    let registry = Registry::of([rumormill_transport_mem::FACTORY]).expect("one scheme");
    let mut context = Context::default();
    context.extensions.insert(network.clone());
    registry.configure("mem", context).expect("mem is there");
    Arc::new(registry)
}

fn config(seed: u8) -> Config {
    Config { seed: Some(u64::from(seed)), ..Config::new("enduring", Admission::Open) }
}

fn start(network: &Network, seed: u8, config: Config) -> (Endpoint, Inboxes) {
    let key = SecretKey::from_bytes(&[seed; 32]);
    Endpoint::start(registry(network), key, config).expect("a good config")
}

fn addr(text: &str) -> Addr {
    text.parse().expect("an address")
}

async fn pass(time: Duration) {
    sleep_until(Instant::now() + time).await;
}

fn a_slow_network() -> Network {
    let network = Network::new(7);
    network.set_default_link(Link { latency: Duration::from_millis(50), ..Link::default() });
    network
}

fn broken(snapshot: &Snapshot) -> u64 {
    let carrier = snapshot.carrier("mem").expect("it is linked");
    [Broken::Cut, Broken::Misbehaved, Broken::Silent].map(|why| carrier.broken(why)).iter().sum()
}

/// Nobody reads bulk for minutes, and meanwhile the same conn has to carry what is sent the other
/// way, whose echoes wait behind what nobody reads.
#[tokio::test(start_paused = true)]
async fn a_slow_user_costs_no_conn_and_no_message() {
    let network = a_slow_network();
    let (a, mut arriving) = start(&network, 1, config(1));
    let few = Limits { messages: 1, bytes: 1 << 20 };
    let (b, mut slow) = start(&network, 2, Config { inbox: few, ..config(2) });
    let at = b.listen(&addr("mem://b")).await.expect("listening");
    a.learn(b.node(), vec![at]).expect("room");
    for number in 0..6_u8 {
        a.send(b.node(), Class::Bulk, vec![number]).expect("room");
    }
    pass(2 * SECOND).await;
    b.send(a.node(), Class::Bulk, "back").expect("room");
    pass(300 * SECOND).await;
    assert_eq!(broken(&a.snapshot()) + broken(&b.snapshot()), 0);
    assert_eq!(&*arriving.bulk.recv().await.expect("it is open").bytes, b"back");
    for number in 0..6_u8 {
        let message = timeout(SECOND, slow.bulk.recv()).await.expect("it is there");
        assert_eq!(&*message.expect("it is open").bytes, [number]);
    }
    assert_eq!(b.snapshot().class(Class::Bulk).overflowed, 0);
}

/// Three frames are on their way when the peer, which has begun anew, says that it could not open
/// the first of them.
#[tokio::test(start_paused = true)]
async fn what_a_restart_has_left_unopened_comes_in_order() {
    let (network, at) = (a_slow_network(), addr("mem://b?delivery=datagram"));
    let (a, _arriving) = start(&network, 1, config(1));
    let (b, mut first) = start(&network, 2, config(2));
    b.listen(&at).await.expect("listening");
    a.learn(b.node(), vec![at.clone()]).expect("room");
    a.send(b.node(), Class::Gossip, "zero").expect("room");
    first.gossip.recv().await.expect("it arrives");
    pass(3 * SECOND).await;
    drop((b, first));
    pass(SECOND / 10).await;
    let (b, mut second) = start(&network, 2, config(3));
    b.listen(&at).await.expect("listening");
    for text in ["one", "two", "three"] {
        a.send(b.node(), Class::Gossip, text).expect("room");
        pass(SECOND / 100).await;
    }
    for text in ["one", "two", "three"] {
        let message = timeout(10 * SECOND, second.gossip.recv()).await.expect("it arrives");
        assert_eq!(message.expect("it is open").bytes, text);
    }
    let gossip = a.close(SECOND).await.snapshot.class(Class::Gossip).clone();
    assert_eq!((gossip.carried, gossip.uncertain, gossip.in_flight()), (4, 0, 0));
}

/// The budget of repetitions is for ten, and thirty would use it: the others wait as long as they
/// were told to.
#[tokio::test(start_paused = true)]
async fn who_may_not_ask_again_waits_for_a_late_answer() {
    let network = a_slow_network();
    let (a, _arriving) = start(&network, 1, config(1));
    let (b, mut slow) = start(&network, 2, config(2));
    let at = b.listen(&addr("mem://b")).await.expect("listening");
    a.learn(b.node(), vec![at]).expect("room");
    let (a, node) = (Arc::new(a), b.node());
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let a = a.clone();
        asking.spawn(async move { a.request_idempotent(node, "?", 20 * SECOND).await });
    }
    pass(5 * SECOND).await;
    let mut questions = Vec::new();
    slow.bulk.recv_many(&mut questions).await.expect("it is open");
    assert!((31..=40).contains(&questions.len()), "{}", questions.len());
    for question in questions {
        b.reply(&question, "!").expect("room");
    }
    let answers = asking.join_all().await;
    assert!(answers.iter().all(|answer| *answer == Ok("!".into())), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_record_tells_takes_no_route_away() {
    let network = Network::new(7);
    let (a, _arriving) = start(&network, 1, config(1));
    let (b, mut arriving) = start(&network, 2, config(2));
    let at = b.listen(&addr("mem://b")).await.expect("listening");
    a.learn(b.node(), vec![at.clone()]).expect("room");
    let refused = a.hear_of(b.node(), vec![addr("mem://elsewhere")]).expect("room");
    assert_eq!(refused.len(), 1, "names within this process are not allowed");
    assert_eq!(a.peers()[0].routes, [at]);
    a.send(b.node(), Class::Gossip, "still there").expect("room");
    assert_eq!(arriving.gossip.recv().await.expect("it arrives").bytes, "still there");
}

#[tokio::test(start_paused = true)]
async fn for_ever_is_no_panic() {
    let network = Network::new(7);
    let eternal = |seed| Config { idle: Duration::MAX, ..config(seed) };
    let (a, _arriving) = start(&network, 1, eternal(1));
    let (b, mut inboxes) = start(&network, 2, eternal(2));
    let at = b.listen(&addr("mem://b")).await.expect("listening");
    a.learn(b.node(), vec![at]).expect("room");
    let answering = async {
        let question = inboxes.bulk.recv().await.expect("it is open");
        b.reply(&question, "yes").expect("room");
    };
    let (answer, ()) = tokio::join!(a.request(b.node(), "?", Duration::MAX), answering);
    assert_eq!(answer.expect("an answer"), "yes");
    let (a, b) = tokio::join!(a.close(Duration::MAX), b.close(Duration::MAX));
    assert_eq!((broken(&a.snapshot), broken(&b.snapshot)), (0, 0));
}

/// A better way that leads nowhere is looked for again and again, and somebody has opened a conn and
/// says nothing.
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_has_nothing_to_send_closes_at_once() {
    let network = a_slow_network();
    let (a, _arriving) = start(&network, 1, config(1));
    let (b, mut inboxes) = start(&network, 2, config(2));
    let at = b.listen(&addr("mem://b")).await.expect("listening");
    a.learn(b.node(), vec![addr("mem://nobody"), at.clone()]).expect("room");
    a.send(b.node(), Class::Bulk, "hello").expect("room");
    inboxes.bulk.recv().await.expect("it arrives");
    let stranger = registry(&network).transport("mem").expect("it is linked");
    let _mute = stranger.dial(&Target::new(at)).await.expect("it listens");
    pass(SECOND).await;
    let since = Instant::now();
    tokio::join!(a.close(10 * SECOND), b.close(10 * SECOND));
    assert!(since.elapsed() < SECOND, "{:?}", since.elapsed());
}

/// Peers without any address are tried for a while, since they may come by themselves; that must not
/// cost those who have one their retries.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_dialled_takes_no_retries_from_others() {
    let network = Network::new(7);
    let (a, _arriving) = start(&network, 1, config(1));
    for seed in 10..40 {
        let node: NodeId = SecretKey::from_bytes(&[seed; 32]).node();
        a.learn(node, Vec::new()).expect("room");
        a.send(node, Class::Gossip, "anybody?").expect("room");
    }
    pass(5 * SECOND).await;
    let mut late: Vec<_> = (2..8).map(|seed| start(&network, seed, config(seed))).collect();
    let at = |peer: &Endpoint| addr(&format!("mem://{}", peer.node()));
    for (peer, _) in &late {
        a.learn(peer.node(), vec![at(peer)]).expect("room");
        a.send(peer.node(), Class::Gossip, "late").expect("room");
    }
    pass(SECOND / 20).await;
    for (peer, _) in &late {
        peer.listen(&at(peer)).await.expect("listening");
    }
    for (_, inboxes) in &mut late {
        let message = timeout(SECOND, inboxes.gossip.recv()).await.expect("it arrives");
        assert_eq!(message.expect("it is open").bytes, "late");
    }
    let gossip = a.snapshot().class(Class::Gossip).clone();
    assert_eq!((gossip.dropped(Dropped::Unreachable), gossip.in_flight()), (30, 0));
}

/// A question that is asked again while there is no room was asked before.
#[tokio::test(start_paused = true)]
async fn a_question_that_cannot_be_repeated_was_still_asked() {
    let network = a_slow_network();
    let few = Limits { messages: 2, bytes: 1 << 20 };
    let (a, _arriving) = start(&network, 1, Config { outbox: few, ..config(1) });
    let (b, mut inboxes) = start(&network, 2, Config { inbox: few, ..config(2) });
    let at = b.listen(&addr("mem://b")).await.expect("listening");
    a.learn(b.node(), vec![at]).expect("room");
    let asking = a.request_idempotent(b.node(), "?", 20 * SECOND);
    let filling = async {
        inboxes.bulk.recv().await.expect("it arrives");
        // Nobody takes more, until everything between them is full.
        for _ in 0..100 {
            while a.send(b.node(), Class::Bulk, vec![0; 100_000]).is_ok() {}
            pass(SECOND / 100).await;
        }
    };
    let (answer, ()) = tokio::join!(asking, filling);
    assert!(!matches!(answer, Err(RequestError::NotSent(_))), "{answer:?}");
}

/// A stream takes far more frames than are kept, nobody reads them, and then its peer is gone.
#[tokio::test(start_paused = true)]
async fn what_a_stream_has_swallowed_is_never_taken_for_carried() {
    let network = Network::new(7);
    let few = Limits { messages: 1, bytes: 1 << 20 };
    let (a, _arriving) = start(&network, 1, config(1));
    let (b, inboxes) = start(&network, 2, Config { inbox: few, ..config(2) });
    let at = addr("mem://b?window=16MiB");
    b.listen(&at).await.expect("listening");
    a.learn(b.node(), vec![at]).expect("room");
    for _ in 0..3000 {
        a.send(b.node(), Class::Bulk, "rumor").expect("room");
        pass(SECOND / 1000).await;
    }
    pass(SECOND).await;
    drop((b, inboxes));
    pass(10 * SECOND).await;
    let bulk = a.close(SECOND).await.snapshot.class(Class::Bulk).clone();
    assert!(bulk.carried < 10 && bulk.in_flight() == 0, "{bulk:?}");
}
