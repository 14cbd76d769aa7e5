//! A node of a scenario: its endpoint and its membership, and what watches them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_endpoint::{Admission, Class, Clock, Config, Endpoint, Inbox, Inboxes, Reach};
use rumormill_gossip::{Event, Gossip, Heard, LeaveReport, MemberInfo, Profile, Rumors, pack};
use rumormill_identity::SecretKey;
use rumormill_transport_api::{Addr, NodeId};
use rumormill_transport_mem::Network;
use tokio::{
    sync::broadcast,
    task::{JoinSet, yield_now},
    time::{Instant, sleep_until, timeout},
};

use crate::nodes::{
    carrier,
    journal::Journal,
    log::{Cluster, Gauge, Known, Label, Life, What},
    scenario::{Delivery, Preset, Slot},
};

/// What all nodes of a scenario have in common.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) network: Network,
    pub(crate) clock: Clock,
    pub(crate) seed: u64,
    pub(crate) delivery: Delivery,
    pub(crate) preset: Preset,
    pub(crate) journal: Journal,
    pub(crate) doors: Doors,
}

/// Where those who come can knock; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Doors(Arc<Mutex<BTreeMap<Slot, Door>>>);

/// Where a slot is to be found.
struct Door {
    /// The how manieth start of all its first was: whoever began after that finds it after each.
    serial: usize,
    addrs: Vec<Addr>,
}

/// Who starts, and where.
#[derive(Clone, Debug)]
pub(crate) struct Birth {
    pub(crate) life: Life,
    pub(crate) key: Slot,
    pub(crate) cluster: Cluster,
    pub(crate) host: String,
    pub(crate) serial: usize,
}

/// A node, from one start to the next.
pub(crate) struct Node {
    pub(crate) birth: Birth,
    pub(crate) id: NodeId,
    pub(crate) profile: Profile,
    endpoint: Arc<Endpoint>,
    gossip: Arc<Gossip>,
    /// What a crash ends first.
    tasks: JoinSet<()>,
    /// Hands out what arrives, to the end of the endpoint.
    receiving: JoinSet<()>,
    journal: Journal,
    /// How many rumors it has said.
    said: u64,
}

pub(crate) fn key(slot: Slot) -> SecretKey {
    let mut bytes = [1; 32];
    bytes[..2].copy_from_slice(&slot.to_be_bytes());
    SecretKey::from_bytes(&bytes)
}

/// What people call the node of a slot.
pub(crate) fn name(slot: Slot) -> String {
    format!("n{slot}")
}

impl Cluster {
    fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Other => "another",
        }
    }
}

impl Doors {
    fn open(&self, birth: &Birth, addrs: Vec<Addr>) {
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let serial = doors.get(&birth.life.slot).map_or(birth.serial, |door| door.serial);
        doors.insert(birth.life.slot, Door { serial, addrs });
    }

    /// Any that was there before.
    fn before(&self, serial: usize, rng: &mut StdRng) -> Option<Addr> {
        let doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let older = doors.values().filter(|door| door.serial < serial);
        let addrs: Vec<&Addr> = older.flat_map(|door| &door.addrs).collect();
        let at = rng.random_range(0..addrs.len().max(1));
        addrs.get(at).map(|addr| (*addr).clone())
    }
}

impl Node {
    pub(crate) async fn start(birth: Birth, ground: &Ground) -> Self {
        let registry = carrier::registry(&ground.network, &birth.host, ground.delivery);
        let seed = seed(ground.seed, birth.life);
        let config = Config {
            reach: Reach { local: true, ..Reach::default() },
            clock: ground.clock,
            seed: Some(seed),
            ..Config::new(birth.cluster.name(), Admission::Open)
        };
        let started = Endpoint::start(registry, key(birth.key), config);
        let (endpoint, Inboxes { control, gossip, bulk }) =
            started.expect("invariant: these settings are good");
        let mut addrs = Vec::new();
        for scheme in ground.delivery.schemes() {
            addrs.push(listen(&endpoint, scheme, &birth.host).await);
        }
        let (id, endpoint) = (endpoint.node(), Arc::new(endpoint));
        let profile = Profile {
            name: name(birth.key).into(),
            addresses: addrs.iter().filter_map(pack).collect(),
            ..Profile::default()
        };
        let (inboxes, config) = ([control, gossip], ground.preset.config());
        let gossip = Gossip::start(endpoint.clone(), inboxes, config, profile.clone(), Some(seed));
        let gossip = Arc::new(gossip.expect("invariant: the profile is short"));
        ground.doors.open(&birth, addrs);
        let (tasks, receiving) = (JoinSet::new(), JoinSet::new());
        let journal = ground.journal.clone();
        let mut node =
            Self { birth, id, profile, endpoint, gossip, tasks, receiving, journal, said: 0 };
        node.begin(bulk, ground.doors.clone(), seed);
        node
    }

    fn begin(&mut self, bulk: Inbox, doors: Doors, seed: u64) {
        let (life, node, cluster) = (self.birth.life, self.id, self.birth.cluster);
        self.journal.write(What::Started { life, node, cluster });
        let (events, journal) = (self.gossip.events(), self.journal.clone());
        self.tasks.spawn(watch(life, self.gossip.clone(), events, journal));
        self.tasks.spawn(listen_to(life, self.gossip.rumors(), self.journal.clone()));
        let rng = StdRng::seed_from_u64(seed);
        self.tasks.spawn(enter(self.birth.serial, self.gossip.clone(), doors, rng));
        let weak = Arc::downgrade(&self.endpoint);
        self.receiving.spawn(receive(life, bulk, weak, self.journal.clone()));
    }

    pub(crate) fn life(&self) -> Life {
        self.birth.life
    }

    pub(crate) fn send(&self, label: Label) {
        if self.endpoint.send(label.to, Class::Bulk, label.bytes()).is_ok() {
            self.journal.write(What::Sent(label));
        }
    }

    /// Asks in a task of its own, which ends with the node.
    pub(crate) fn ask(&mut self, label: Label) {
        // Whether the endpoint took the question shows only later, if nobody knows whom it is for.
        if self.endpoint.peers().iter().any(|peer| peer.node == label.to) {
            self.journal.write(What::Sent(label));
            let (endpoint, journal) = (Arc::downgrade(&self.endpoint), self.journal.clone());
            self.tasks.spawn(async move {
                let Some(endpoint) = endpoint.upgrade() else { return };
                let answer = endpoint.request(label.to, label.bytes(), PATIENCE).await;
                let is_right = answer.ok().map(|answer| *answer == *label.bytes());
                journal.write(What::Answered { life: label.from, is_right });
            });
        }
    }

    pub(crate) async fn broadcast(&mut self, len: u16) {
        // What says too much is refused, and takes no number.
        if let Ok(id) = self.gossip.broadcast(words(self.said + 1, len.into())).await {
            self.said += 1;
            self.journal.write(What::Said { life: self.life(), id });
        }
    }

    pub(crate) async fn change(&mut self, profile: Profile) {
        self.profile = profile.clone();
        self.gossip.change(profile).await.expect("invariant: the profile is short");
    }

    pub(crate) async fn leave(&self) -> Option<LeaveReport> {
        self.gossip.leave(GOODBYE).await
    }

    /// Whether another process has its key.
    pub(crate) fn is_over(&self) -> bool {
        self.journal.truth(|truth| truth.is_replaced(self.life()))
    }

    pub(crate) fn measure(&self) {
        let snapshot = self.endpoint.snapshot();
        let links = snapshot.links;
        let gauge = Gauge {
            members: self.gossip.members().len() as u64,
            peers: self.endpoint.peers().len() as u64,
            conns: (links.dialled + links.accepted).saturating_sub(links.ended),
            waiting: snapshot.classes.iter().map(|class| class.in_flight()).sum(),
            sent: snapshot.classes.iter().map(|class| class.sent).sum(),
        };
        self.journal.write(What::Measured { life: self.life(), gauge });
    }

    /// Nobody looks at it any more.
    pub(crate) async fn unwatch(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Ends it as a crash would.
    pub(crate) async fn vanish(mut self) {
        self.tasks.shutdown().await;
        let Self { endpoint, gossip, mut receiving, .. } = self;
        drop((endpoint, gossip));
        while receiving.join_next().await.is_some() {}
    }

    /// Closes its endpoint, which gives account.
    pub(crate) async fn close(mut self) {
        self.tasks.shutdown().await;
        let (life, journal) = (self.life(), self.journal.clone());
        let Self { mut endpoint, gossip, mut receiving, .. } = self;
        drop(gossip);
        for _ in 0..YIELDS {
            match Arc::try_unwrap(endpoint) {
                Ok(endpoint) => {
                    let report = endpoint.close(CLOSING).await;
                    while receiving.join_next().await.is_some() {}
                    let ledger = Box::new(report.snapshot);
                    return journal.write(What::Closed { life, ledger });
                }
                Err(shared) => endpoint = shared,
            }
            yield_now().await;
        }
        panic!("something holds the endpoint of {life:?}");
    }
}

fn seed(of_all: u64, life: Life) -> u64 {
    let own = u64::from(life.slot) << 32 | u64::from(life.start) << 16 | 1;
    of_all.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ own
}

/// Listens as soon as whoever did so before is gone.
async fn listen(endpoint: &Endpoint, scheme: &str, host: &str) -> Addr {
    let addr: Addr = format!("{scheme}://{host}").parse().expect("invariant: it is an address");
    for _ in 0..YIELDS {
        if let Ok(bound) = endpoint.listen(&addr).await {
            return bound;
        }
        yield_now().await;
    }
    panic!("{addr} is in use");
}

/// Writes down what a node tells and shows: at once when it tells something, and once in a while.
async fn watch(
    life: Life,
    gossip: Arc<Gossip>,
    mut events: broadcast::Receiver<Event>,
    journal: Journal,
) {
    let mut seen = BTreeMap::new();
    loop {
        tokio::select! {
            biased;
            event = events.recv() => {
                let event = event.expect("invariant: it is taken at once, from one who lives");
                journal.write(What::Told { life, event });
            }
            () = sleep_until(Instant::now() + GLANCE) => (),
        }
        // What is shown now is as much as all of them told.
        while let Ok(event) = events.try_recv() {
            journal.write(What::Told { life, event });
        }
        look(life, &gossip.members(), &mut seen, &journal);
    }
}

fn look(life: Life, shown: &[MemberInfo], seen: &mut BTreeMap<NodeId, Known>, journal: &Journal) {
    let now: BTreeMap<NodeId, Known> =
        shown.iter().map(|info| (info.node, Known::of(info))).collect();
    for member in now.values().filter(|known| seen.get(&known.node) != Some(known)) {
        journal.write(What::Seen { life, member: *member });
    }
    for node in seen.keys().filter(|node| !now.contains_key(node)) {
        journal.write(What::Unseen { life, node: *node });
    }
    *seen = now;
}

/// Knocks at the doors of those who were there before, until one that opened is a member, and again
/// whenever nobody is left.
async fn enter(serial: usize, gossip: Arc<Gossip>, doors: Doors, mut rng: StdRng) {
    while let Some(addr) = doors.before(serial, &mut rng) {
        let met = timeout(KNOCK, gossip.join(&addr)).await;
        if let Ok(Ok(met)) = met {
            let is_there = |members: &Vec<MemberInfo>| {
                members.iter().any(|member| member.node == met && member.standing.is_here())
            };
            if timeout(KNOCK, gossip.wait_for(is_there)).await.is_ok_and(|it| is_there(&it)) {
                let is_alone = |members: &Vec<MemberInfo>| {
                    !members.iter().any(|member| member.standing.is_here())
                };
                gossip.wait_for(is_alone).await;
            }
        }
        sleep_until(Instant::now() + GLANCE).await;
    }
}

/// What a rumor with this number says.
fn words(number: u64, len: usize) -> Vec<u8> {
    number.to_be_bytes().into_iter().cycle().take(len).collect()
}

/// Writes down what is heard of rumors.
async fn listen_to(life: Life, mut rumors: Rumors, journal: Journal) {
    while let Some(heard) = rumors.recv().await {
        match heard {
            Heard::Rumor(rumor) => {
                let is_right = *rumor.bytes == *words(rumor.number, rumor.bytes.len());
                journal.write(What::Heard { life, id: rumor.id(), is_right });
            }
            Heard::Gap(gap) => journal.write(What::Missed { life, gap }),
            Heard::Missed(count) => unreachable!("{count} were not taken, though all are at once"),
        }
    }
}

/// Takes what arrives, and answers questions with themselves.
async fn receive(life: Life, mut bulk: Inbox, endpoint: Weak<Endpoint>, journal: Journal) {
    while let Some(message) = bulk.recv().await {
        let label = Label::read(&message.bytes).expect("invariant: only labels are sent");
        journal.write(What::Arrived { life, from: message.from, label });
        let Some(endpoint) = endpoint.upgrade().filter(|_| message.question.is_some()) else {
            continue;
        };
        if endpoint.reply(&message, message.bytes.clone()).is_ok() {
            journal.write(What::Replied(life));
        }
    }
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a goodbye may take.
const GOODBYE: Duration = Duration::from_secs(5);
/// How long an endpoint may take to close.
const CLOSING: Duration = Duration::from_secs(2);
/// How long a door may stay closed.
const KNOCK: Duration = Duration::from_secs(3);
/// How often is looked at what nobody tells of.
const GLANCE: Duration = Duration::from_secs(1);
/// Turns of the scheduler within which a task that was ended is gone.
const YIELDS: usize = 100;
