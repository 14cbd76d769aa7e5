//! Whole nodes that find each other: endpoints, conns and membership together.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use rumormill_endpoint::{
    Admission, Config as Settings, Endpoint, Inboxes, Reach, Ticket, Tickets, seal::Cluster,
};
use rumormill_gossip::{
    BroadcastError, Config, Event, Gossip, Heard, JoinError, MAX_RUMOR, MemberInfo, Profile,
    ProfileError, Rumors, Standing, pack,
};
use rumormill_identity::{PublicKey, SecretKey};
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, Context, NodeId};
use rumormill_transport_mem::{Link, Network};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);

struct Node {
    endpoint: Arc<Endpoint>,
    gossip: Gossip,
    addrs: Vec<Addr>,
    /// What arrives for applications.
    _bulk: rumormill_endpoint::Inbox,
}

impl Node {
    async fn start(network: &Network, delivery: &str, number: u8, places: &[String]) -> Self {
        let admission = Settings::new("cluster", Admission::Open);
        Self::admitting(network, delivery, number, places, admission).await
    }

    async fn admitting(
        network: &Network,
        delivery: &str,
        number: u8,
        places: &[String],
        settings: Settings,
    ) -> Self {
        let registry = Registry::of([
            rumormill_transport_mem::FACTORY,
            rumormill_transport_tcp::FACTORY,
            rumormill_transport_udp::FACTORY,
        ])
        .expect("three schemes");
        let mut context = Context::default();
        context.extensions.insert(network.clone());
        // Records carry no options, so this one is for all.
        context.options.insert("delivery", delivery);
        registry.configure("mem", context).expect("mem is there");
        let reach = Reach { loopback: true, local: true, ..Reach::default() };
        let settings = Settings { reach, ..settings };
        let key = key(number);
        let (endpoint, inboxes) =
            Endpoint::start(Arc::new(registry), key, settings).expect("good settings");
        let mut addrs = Vec::new();
        for place in places {
            let addr = place.parse().expect("an address");
            addrs.push(endpoint.listen(&addr).await.expect("listening"));
        }
        let (endpoint, Inboxes { control, gossip, bulk }) = (Arc::new(endpoint), inboxes);
        let profile = Profile {
            name: format!("node {number}").into(),
            addresses: addrs.iter().filter_map(pack).collect(),
            ..Profile::default()
        };
        let seed = Some(u64::from(number));
        let gossip =
            Gossip::start(endpoint.clone(), [control, gossip], Config::local(), profile, seed)
                .expect("a good profile");
        Self { endpoint, gossip, addrs, _bulk: bulk }
    }

    async fn sees_member(&self, what: &str, is_so: impl Fn(&MemberInfo) -> bool) {
        let is_so = |members: &Vec<MemberInfo>| members.iter().any(&is_so);
        let seen = timeout(SOON, self.gossip.wait_for(is_so)).await;
        assert!(seen.is_ok(), "{what} in {:?}", self.gossip.members());
    }

    /// Waits until this node holds so many others to be there.
    async fn sees(&self, count: usize) {
        let here = |members: &Vec<MemberInfo>| {
            members.iter().filter(|member| member.standing.is_here()).count() == count
        };
        let seen = timeout(SOON, self.gossip.wait_for(here)).await;
        assert!(seen.is_ok(), "{count} of {:?}", self.gossip.members());
    }

    async fn sees_that(&self, node: NodeId, standing: Standing) {
        let is_so = |member: &MemberInfo| member.node == node && member.standing == standing;
        self.sees_member(&format!("{standing:?}"), is_so).await;
    }
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_bytes(&[number; 32])
}

async fn cluster(
    network: &Network,
    delivery: &str,
    places: impl Fn(u8) -> Vec<String>,
    count: u8,
) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for number in 1..=count {
        let node = Node::start(network, delivery, number, &places(number)).await;
        if let Some(first) = nodes.first() {
            let met = node.gossip.join(&first.addrs[0]).await.expect("somebody is there");
            assert_eq!(met, first.endpoint.node());
        }
        nodes.push(node);
    }
    for node in &nodes {
        node.sees(usize::from(count) - 1).await;
    }
    nodes
}

async fn comes_and_goes(network: &Network, delivery: &str, places: impl Fn(u8) -> Vec<String>) {
    let mut nodes = cluster(network, delivery, places, 6).await;
    let names: Vec<_> =
        nodes[0].gossip.members().iter().map(|member| member.name.to_string()).collect();
    assert_eq!(names.len(), 5, "{names:?}");

    let leaver = nodes.pop().expect("six");
    let report = leaver.gossip.leave(Duration::from_secs(5)).await.expect("it was a member");
    assert!(report.is_success(), "{report:?}");
    for node in &nodes {
        node.sees_that(leaver.endpoint.node(), Standing::Left).await;
    }

    let killed = nodes.pop().expect("five").endpoint.node();
    for node in &nodes {
        node.sees_that(killed, Standing::Failed).await;
        node.sees(3).await;
    }
}

#[tokio::test(start_paused = true)]
async fn members_come_and_go_over_streams() {
    let places = |number| vec![format!("mem://n{number}")];
    comes_and_goes(&Network::new(7), "stream", places).await;
}

#[tokio::test(start_paused = true)]
async fn members_come_and_go_over_bad_datagrams() {
    let network = Network::new(7);
    let latency = Duration::from_millis(5);
    network.set_default_link(Link { latency, loss: 0.05, ..Link::default() });
    comes_and_goes(&network, "datagram", |number| vec![format!("mem://n{number}")]).await;
}

#[tokio::test]
async fn members_come_and_go_over_tcp_and_udp() {
    comes_and_goes(&Network::new(7), "stream", |number| {
        let schemes: &[&str] = match number % 3 {
            0 => &["tcp"],
            1 => &["udp", "tcp"],
            _ => &["tcp", "udp"],
        };
        schemes.iter().map(|scheme| format!("{scheme}://127.0.0.1:0")).collect()
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_meets_nobody_is_no_member() {
    let network = Network::new(7);
    let node = Node::start(&network, "stream", 1, &["mem://n1".into()]).await;
    let other = Node::start(&network, "stream", 2, &["mem://n2".into()]).await;
    assert!(node.gossip.join(&"mem://nobody".parse().expect("an address")).await.is_err());
    assert!(node.gossip.members().is_empty() && other.gossip.members().is_empty());
}

#[tokio::test(start_paused = true)]
async fn metadata_reach_all_members_and_those_who_join_later() {
    let network = Network::new(7);
    network.set_default_link(Link { loss: 0.1, ..Link::default() });
    let place = |number: u8| vec![format!("mem://n{number}")];
    let mut nodes = cluster(&network, "datagram", place, 6).await;
    let one = nodes[3].endpoint.node();
    let says = |metadata: &'static str| {
        move |member: &MemberInfo| {
            member.node == one && member.metadata.as_deref() == Some(metadata.as_bytes())
        }
    };
    for metadata in ["role=writer", "role=reader", ""] {
        nodes[3].gossip.set_metadata(metadata).await.expect("short enough");
        for node in nodes.iter().filter(|node| node.endpoint.node() != one) {
            node.sees_member(metadata, says(metadata)).await;
        }
    }
    nodes[3].gossip.set_metadata("again").await.expect("short enough");
    let late = Node::start(&network, "datagram", 9, &place(9)).await;
    late.gossip.join(&nodes[0].addrs[0]).await.expect("somebody is there");
    nodes.push(late);
    nodes[6].sees_member("again", says("again")).await;
    let long = nodes[0].gossip.set_metadata(vec![0; 513]).await;
    assert_eq!(long, Err(ProfileError::Metadata(513)));
}

#[tokio::test(start_paused = true)]
async fn a_name_belongs_to_the_holder_of_its_ticket() {
    let (network, issuer) = (Network::new(7), key(99));
    let admission = |issuers: &[&SecretKey]| {
        let issuers = issuers.iter().map(|issuer| PublicKey::of(issuer.node()).expect("a key"));
        Admission::Tickets(Tickets::by(issuers).into())
    };
    let start = async |number: u8, name: &str, signer: &SecretKey| {
        let node = key(number).node();
        let ticket = Ticket { node, name: name.into(), not_after: u64::MAX, serial: 1 };
        let ticket = ticket.sign(&Cluster::named("cluster"), signer);
        // Whoever has a ticket by another issuer admits its like.
        let settings = Settings::new("cluster", admission(&[&issuer, signer]));
        let place = [format!("mem://n{number}")];
        Node::admitting(&network, "stream", number, &place, Settings { ticket, ..settings }).await
    };
    // The older one claims a name that its ticket does not give it.
    let nodes = [
        start(1, "boss", &issuer).await,
        start(2, "x", &issuer).await,
        start(3, "y", &issuer).await,
    ];
    let named = |name: &str| Profile { name: name.into(), ..Profile::default() };
    let mut events = nodes[2].gossip.events();
    nodes[1].gossip.join(&nodes[0].addrs[0]).await.expect("somebody is there");
    nodes[2].gossip.join(&nodes[0].addrs[0]).await.expect("somebody is there");
    for node in &nodes {
        node.sees(2).await;
    }
    nodes[1].gossip.change(named("boss")).await.expect("a good name");
    nodes[0].gossip.change(named("boss")).await.expect("a good name");
    let conflict = timeout(SOON, async {
        loop {
            if let Event::NameConflict { holder, rival, .. } = events.recv().await.expect("events")
            {
                return (holder, rival);
            }
        }
    });
    let (boss, thief) = (nodes[0].endpoint.node(), nodes[1].endpoint.node());
    assert_eq!(conflict.await.expect("a conflict"), (boss, thief));

    // One whom a stranger has issued a ticket meets a member that admits it, and gets no further.
    let forged = start(4, "forged", &key(98)).await;
    assert!(forged.gossip.join(&nodes[0].addrs[0]).await.is_err());
    assert!(nodes.iter().all(|node| node.gossip.members().len() == 2));
}

/// What the rumor with this number says.
fn saying(node: usize, number: u64) -> Vec<u8> {
    let len = [10, 100, 500, 600, 3000, 20 << 10][number as usize % 6];
    (0..len).map(|at| (at + node + number as usize) as u8).collect()
}

/// Takes rumors until `count` have come, each of them once.
async fn hear(rumors: &mut Rumors, nodes: &[Node], count: usize) {
    let mut heard = BTreeSet::new();
    while heard.len() < count {
        let next = timeout(4 * SOON, rumors.recv()).await;
        let Ok(Some(Heard::Rumor(rumor))) = next else {
            panic!("{next:?} after {} of {count}", heard.len())
        };
        let place = nodes.iter().position(|node| node.endpoint.node() == rumor.origin);
        let expected = saying(place.expect("one of these"), rumor.number);
        assert_eq!((rumor.bytes.len(), rumor.bytes == expected), (expected.len(), true));
        assert!(heard.insert((rumor.origin, rumor.number)), "{:?} came twice", rumor.id());
    }
}

async fn everybody_hears_everything(network: &Network, delivery: &str) {
    let nodes = cluster(network, delivery, |number| vec![format!("mem://n{number}")], 8).await;
    let mut listeners: Vec<Rumors> = nodes.iter().map(|node| node.gossip.rumors()).collect();
    for number in 1..=20 {
        for (at, node) in nodes.iter().enumerate() {
            let id = node.gossip.broadcast(saying(at, number)).await.expect("it has its share");
            assert_eq!((id.origin, id.number), (node.endpoint.node(), number));
        }
    }
    for rumors in &mut listeners {
        hear(rumors, &nodes, 7 * 20).await;
    }
    // What comes late would come now.
    for (rumors, seconds) in listeners.iter_mut().zip([20, 0, 0, 0, 0, 0, 0, 0]) {
        let late = timeout(Duration::from_secs(seconds), rumors.recv()).await;
        assert!(late.is_err(), "{late:?}");
    }
    assert!(nodes.iter().all(|node| node.gossip.counters().rumors_lost == 0));
}

#[tokio::test(start_paused = true)]
async fn everybody_hears_everything_over_streams() {
    let network = Network::new(7);
    let latency = Duration::from_millis(2);
    network.set_default_link(Link { latency, ..Link::default() });
    everybody_hears_everything(&network, "stream").await;
}

#[tokio::test(start_paused = true)]
async fn everybody_hears_everything_over_bad_datagrams() {
    let network = Network::new(7);
    let latency = Duration::from_millis(2);
    network.set_default_link(Link { latency, loss: 0.1, ..Link::default() });
    everybody_hears_everything(&network, "datagram").await;
}

#[tokio::test]
async fn the_longest_rumor_comes_over_tcp_and_udp() {
    let places = |number| match number % 2 {
        0 => vec!["tcp://127.0.0.1:0".into()],
        _ => vec!["udp://127.0.0.1:0".into(), "tcp://127.0.0.1:0".into()],
    };
    let nodes = cluster(&Network::new(7), "stream", places, 3).await;
    let mut listeners: Vec<Rumors> =
        nodes.iter().skip(1).map(|node| node.gossip.rumors()).collect();
    let long = nodes[0].gossip.broadcast(vec![7; MAX_RUMOR + 1]).await;
    assert_eq!(long, Err(BroadcastError::TooLong { len: MAX_RUMOR + 1, most: MAX_RUMOR }));
    let id = nodes[0].gossip.broadcast(vec![7; MAX_RUMOR]).await.expect("it has its share");
    for rumors in &mut listeners {
        let heard = timeout(SOON, rumors.recv()).await.expect("it comes");
        let Some(Heard::Rumor(rumor)) = heard else { panic!("{heard:?}") };
        assert_eq!((rumor.id(), rumor.bytes == vec![7; MAX_RUMOR]), (id, true));
    }
    let report = nodes[0].gossip.leave(Duration::from_secs(5)).await.expect("it was a member");
    assert!(report.is_success(), "{report:?}");
    let late = nodes[0].gossip.broadcast("late").await;
    assert_eq!(late, Err(BroadcastError::Over));
    let mut own = nodes[0].gossip.rumors();
    assert_eq!(timeout(SOON, own.recv()).await, Ok(None), "membership has ended");
}

#[tokio::test(start_paused = true)]
async fn who_has_joined_knows_the_others() {
    let network = Network::new(7);
    let places = |number| vec![format!("mem://n{number}")];
    let nodes = cluster(&network, "stream", places, 4).await;
    let joiner = Node::start(&network, "stream", 5, &places(5)).await;
    joiner.gossip.join(&nodes[3].addrs[0]).await.expect("somebody is there");
    assert_eq!(joiner.gossip.members().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn who_tells_of_no_members_is_not_joined() {
    let network = Network::new(7);
    let node = Node::start(&network, "stream", 1, &["mem://n1".into()]).await;
    let over = Node::start(&network, "stream", 2, &["mem://n2".into()]).await;
    over.gossip.leave(Duration::from_secs(1)).await.expect("it was a member");
    let joined = node.gossip.join(&over.addrs[0]).await;
    let silent = over.endpoint.node();
    assert!(matches!(joined, Err(JoinError::Silent(node)) if node == silent), "{joined:?}");
}
