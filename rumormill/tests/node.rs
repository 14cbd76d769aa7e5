//! Whole nodes, over real sockets.
#![cfg(all(feature = "node", feature = "tcp", feature = "udp"))]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{collections::BTreeSet, fs, sync::Arc, time::Duration};

use rumormill::{
    Addr, Node,
    config::{Admission, Config, Loaded, Preset},
    endpoint::Inbox,
    gossip::{Event, Heard, Standing},
    identity::SecretKey,
    node::{ReloadError, StartError},
    transport::NodeId,
};
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(30);

fn config(name: &str, listen: &[&str], join: &[Addr]) -> Config {
    let mut config = Config::preset("test", Admission::Open, Preset::Local);
    config.node.name = name.into();
    config.listen = listen.iter().map(|addr| addr.parse().unwrap()).collect();
    config.join = join.to_vec();
    config
}

async fn start(name: &str, listen: &[&str], join: &[Addr]) -> (Node, Inbox) {
    Node::start(config(name, listen, join)).await.unwrap()
}

fn loaded(config: &Config) -> Loaded {
    Loaded::of(config.clone(), &rumormill::registry().unwrap()).unwrap()
}

/// The same place by a name.
fn by_name(addr: &Addr) -> Addr {
    addr.to_string().replace("127.0.0.1", "localhost").parse().unwrap()
}

async fn sees(node: &Node, count: usize) {
    let here = |members: &Vec<_>| here(members) == count;
    timeout(LONG, node.wait_for(here)).await.expect("not all are seen");
}

fn here(members: &[rumormill::gossip::MemberInfo]) -> usize {
    members.iter().filter(|member| member.standing.is_here()).count()
}

async fn standing(node: &Node, of: NodeId, wanted: Standing) {
    let is_so = |members: &Vec<rumormill::gossip::MemberInfo>| {
        members.iter().any(|member| member.node == of && member.standing == wanted)
    };
    timeout(LONG, node.wait_for(is_so)).await.expect("it is not held for that");
}

#[tokio::test]
async fn three_nodes_find_each_other_and_talk() {
    let (alice, _a) = start("alice", &["tcp://127.0.0.1:0", "udp://127.0.0.1:0"], &[]).await;
    assert!(timeout(LONG, alice.ready()).await.is_ok() && alice.is_ready());
    let by_tcp = by_name(&alice.addresses()[0]);
    let (bob, mut for_bob) = start("bob", &["udp://127.0.0.1:0"], &[by_tcp]).await;
    timeout(LONG, bob.ready()).await.unwrap();
    let (carol, _c) = start("carol", &["tcp://127.0.0.1:0"], &bob.addresses()).await;
    for node in [&alice, &bob, &carol] {
        sees(node, 2).await;
    }

    let mut heard = [alice.rumors(), bob.rumors()];
    let id = carol.broadcast("to all").await.unwrap();
    for rumors in &mut heard {
        match timeout(LONG, rumors.recv()).await.unwrap() {
            Some(Heard::Rumor(rumor)) => {
                assert_eq!((rumor.id(), &*rumor.bytes), (id, &b"to all"[..]))
            }
            other => panic!("{other:?}"),
        }
    }

    let answering = async {
        let question = for_bob.recv().await.unwrap();
        assert_eq!((question.from, &*question.bytes), (alice.id(), &b"who?"[..]));
        bob.reply(&question, bob.name().to_string()).unwrap();
    };
    let (answer, ()) = tokio::join!(alice.request(bob.id(), "who?", LONG), answering);
    assert_eq!(answer.unwrap(), "bob");
    assert!(1 < alice.metrics().endpoint.links.verified);
    assert_eq!(alice.metrics().members[0], (Standing::Alive, 2));

    let mut events = bob.events();
    let farewell = timeout(LONG, carol.leave()).await.unwrap();
    assert!(farewell.leave.is_some_and(|leave| leave.is_success()), "{farewell:?}");
    assert_eq!(timeout(LONG, carol.leave()).await.unwrap(), farewell);
    timeout(LONG, carol.left()).await.unwrap();
    assert!(!carol.is_ready() && carol.send(bob.id(), "late").is_err());
    standing(&alice, carol.id(), Standing::Left).await;
    standing(&bob, carol.id(), Standing::Left).await;
    while let Ok(event) = events.try_recv() {
        assert!(!matches!(event, Event::Failed { .. }), "{event:?}");
    }
}

#[tokio::test]
async fn a_name_that_stands_only_for_the_node_itself_is_enough_to_begin() {
    // The first of many that share one name: nobody else is there yet.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let own = format!("tcp://127.0.0.1:{port}");
    let (node, _inbox) = start("first", &[&own], &[own.parse().unwrap()]).await;
    timeout(LONG, node.ready()).await.expect("it waits for others");
    assert!(node.members().is_empty());
}

#[tokio::test]
async fn who_finds_nobody_goes_on_looking() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = format!("tcp://127.0.0.1:{port}");
    let (early, _e) = start("early", &["udp://127.0.0.1:0"], &[place.parse().unwrap()]).await;
    assert!(!early.is_ready());
    let (late, _l) = start("late", &[&place], &[]).await;
    sees(&early, 1).await;
    sees(&late, 1).await;
    timeout(LONG, early.ready()).await.unwrap();
}

#[tokio::test]
async fn who_is_left_alone_joins_again() {
    let directory = tempfile::tempdir().unwrap();
    let identity = directory.path().join("key");
    SecretKey::generate().save(&identity).unwrap();
    let first = |listen: &str| {
        let mut first = config("first", &[listen], &[]);
        first.node.identity = Some(identity.clone());
        first
    };
    let (node, inbox) = Node::start(first("tcp://127.0.0.1:0")).await.unwrap();
    let (id, place) = (node.id(), node.addresses()[0].clone());
    let (other, _o) = start("other", &["udp://127.0.0.1:0"], std::slice::from_ref(&place)).await;
    sees(&node, 1).await;
    sees(&other, 1).await;
    timeout(LONG, node.leave()).await.unwrap();
    drop((node, inbox));
    standing(&other, id, Standing::Left).await;
    // Nobody tells it that the first is back, and the first does not know it any more.
    let (node, _inbox) = Node::start(first(&place.to_string())).await.unwrap();
    sees(&node, 1).await;
    sees(&other, 1).await;
}

#[tokio::test]
async fn a_reload_is_all_or_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let identity = directory.path().join("key");
    SecretKey::generate().save(&identity).unwrap();
    let mut of_alice = config("alice", &["tcp://127.0.0.1:0"], &[]);
    of_alice.node.identity = Some(identity);
    let (alice, _a) = Node::start(of_alice).await.unwrap();
    let (bob, _b) = start("bob", &["tcp://127.0.0.1:0"], &alice.addresses()).await;
    sees(&alice, 1).await;
    alice.set_metadata("of the program").await.unwrap();

    let before = alice.config();
    let mut wanted = before.clone();
    wanted.node.name = "alicia".into();
    wanted.endpoint.max_conns += 1;
    match alice.reload(&loaded(&wanted)).await {
        Err(ReloadError::NeedsRestart(needs)) => assert_eq!(&*needs.keys[0], "endpoint.max_conns"),
        other => panic!("{other:?}"),
    }
    assert_eq!(alice.config(), before);

    wanted.endpoint.max_conns -= 1;
    let changed = alice.reload(&loaded(&wanted)).await.unwrap();
    assert_eq!(changed.iter().map(|it| &*it.key).collect::<Vec<_>>(), ["node.name"]);
    let is_told = |members: &Vec<rumormill::gossip::MemberInfo>| {
        members.iter().any(|member| {
            &*member.name == "alicia" && member.metadata.as_deref() == Some(&b"of the program"[..])
        })
    };
    timeout(LONG, bob.wait_for(is_told)).await.expect("the name has not arrived");
    assert_eq!(&*alice.name(), "alicia");

    // Who is not listed any more is forgotten.
    wanted.admission = Admission::Nodes(BTreeSet::from([alice.id()]));
    alice.reload(&loaded(&wanted)).await.unwrap();
    let is_forgotten = async {
        while alice.endpoint().peers().iter().any(|peer| peer.node == bob.id()) {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, is_forgotten).await.expect("it is still a peer");

    timeout(LONG, alice.leave()).await.unwrap();
    assert!(matches!(alice.reload(&loaded(&wanted)).await, Err(ReloadError::Over)));
}

#[tokio::test]
async fn another_key_is_another_node() {
    let directory = tempfile::tempdir().unwrap();
    let identity = directory.path().join("key");
    SecretKey::generate().save(&identity).unwrap();
    let mut config = config("", &["tcp://127.0.0.1:0"], &[]);
    config.node.identity = Some(identity.clone());
    let (node, _inbox) = Node::start(config.clone()).await.unwrap();
    assert!(node.reload(&loaded(&config)).await.unwrap().is_empty());
    fs::remove_file(&identity).unwrap();
    SecretKey::generate().save(&identity).unwrap();
    assert!(matches!(node.reload(&loaded(&config)).await, Err(ReloadError::AnotherKey(_))));
}

#[tokio::test]
async fn what_cannot_start_says_why_and_leaves_nothing() {
    let mut wrong = config("", &["tcp://127.0.0.1:0"], &[]);
    wrong.gossip.probe_timeout = 2 * wrong.gossip.probe_interval;
    wrong.node.cluster = "".into();
    let error = Node::start(wrong).await.unwrap_err().to_string();
    assert!(error.contains("node.cluster is not set"), "{error}");
    assert!(error.contains("gossip.probe_timeout"), "{error}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("tcp://{}", taken.local_addr().unwrap());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let first = format!("tcp://{free}");
    match Node::start(config("", &[&first, &place], &[])).await {
        Err(StartError::Listen { addr, .. }) => assert_eq!(addr.to_string(), place),
        other => panic!("{other:?}"),
    }
    let is_free = async {
        while std::net::TcpListener::bind(free).is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, is_free).await.expect("the first address is still taken");
}

#[tokio::test]
async fn what_is_dropped_is_gone() {
    let (node, inbox) = start("", &["tcp://127.0.0.1:0"], &[]).await;
    let (weak, again) = (node.downgrade(), Arc::new(node.clone()));
    drop(node);
    assert!(weak.upgrade().is_some());
    let place = again.addresses()[0].rest().to_owned();
    drop((again, inbox));
    assert!(weak.upgrade().is_none());
    let is_free = async {
        while std::net::TcpListener::bind(&place).is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(LONG, is_free).await.expect("the address is still taken");
}

/// Whatever is in its way, and however late it finds it.
#[cfg(all(feature = "admin", feature = "unix"))]
#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_start_leaves_its_addresses_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("admin.sock");
    let _taken = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let listen = format!("unix://{}/node.sock", folder.path().display());
    let free = config("bob", &[&listen], &[]);
    let mut taken = free.clone();
    taken.admin.socket = Some(socket);
    for _ in 0..20 {
        let refused = Node::start(taken.clone()).await;
        assert!(matches!(refused, Err(StartError::Admin(_))), "{refused:?}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
    Node::start(free).await.unwrap();
}

#[cfg(feature = "broker")]
#[tokio::test]
async fn a_node_hosts_a_broker_until_it_leaves() {
    use rumormill::broker::{Client, ClientConfig, Topic};

    let mut told = config("host", &["tcp://127.0.0.1:0"], &[]);
    told.broker.listen = vec!["tcp://127.0.0.1:0".parse().unwrap()];
    let topics = &mut told.broker.config.topics;
    topics.insert("tasks".parse().unwrap(), Topic::default());
    let (node, _inbox) = Node::start(told.clone()).await.unwrap();
    let registry = Arc::new(rumormill::registry().unwrap());
    let expect = ClientConfig { expect_broker: Some(node.id()), ..ClientConfig::default() };
    let client = Client::connect(registry, node.broker_addresses(), expect).await.unwrap();
    let tasks = client.publisher("tasks".parse().unwrap());
    tasks.publish_acknowledged("one").await.unwrap();

    // A topic comes with a reload, and its routing stays.
    told.broker.config.topics.insert("more".parse().unwrap(), Topic::default());
    let changed = node.reload(&loaded(&told)).await.unwrap();
    assert_eq!(changed.iter().map(|it| &*it.key).collect::<Vec<_>>(), ["topics.more"]);
    client.publisher("more".parse().unwrap()).publish_acknowledged("two").await.unwrap();
    let stats = node.broker().unwrap().stats();
    assert_eq!(stats.topics.values().map(|topic| topic.published.messages).sum::<u64>(), 2);
    told.broker.listen.clear();
    told.broker.config.topics.clear();
    let refused = node.reload(&loaded(&told)).await.unwrap_err();
    assert!(matches!(refused, ReloadError::NeedsRestart(_)), "{refused}");

    let farewell = timeout(LONG, node.leave()).await.unwrap();
    assert_eq!(farewell.broker.map(|report| report.left.len()), Some(0));
    let report = client.close(Duration::ZERO).await;
    assert_eq!((report.unsent, report.uncertain), (0, 0));
}
