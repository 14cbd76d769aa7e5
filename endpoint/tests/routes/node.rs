//! A node of these tests: its endpoint, and what it does with what arrives.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, Weak},
    time::Duration,
};

use rumormill_endpoint::{Admission, Class, Clock, Config, Endpoint, Inbox, Snapshot};
use rumormill_identity::SecretKey;
use rumormill_transport_api::{Addr, NodeId};
use rumormill_transport_conformance::Road;
use rumormill_transport_mem::Network;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::carrier::{Carriers, host};

/// Longer than any test lasts.
pub(crate) const LONG: Duration = Duration::from_secs(30);

pub(crate) const CLASSES: [Class; 3] = [Class::Control, Class::Gossip, Class::Bulk];

/// A node, which answers every question with its own bytes.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) at: Vec<Addr>,
    carriers: Carriers,
    seen: Seen,
    taking: JoinSet<()>,
}

/// What has arrived, by what it says in front.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<(NodeId, String), Arrival>>>);

/// One message that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    pub(crate) scheme: String,
    pub(crate) class: Class,
    pub(crate) len: usize,
}

pub(crate) async fn pause(duration: Duration) {
    sleep_until(Instant::now() + duration).await;
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Waits until `condition` holds, but not for ever.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} never came");
        pause(millis(1)).await;
    }
}

impl Node {
    /// A node that has these carriers and listens by each of them.
    pub(crate) async fn start(
        network: &Network,
        name: &'static str,
        key: u8,
        schemes: &[&'static str],
    ) -> Self {
        Self::start_with((network, name, schemes), key, key.into()).await
    }

    /// The same, with all chance from `seed`.
    pub(crate) async fn start_with(
        (network, name, schemes): (&Network, &'static str, &[&'static str]),
        key: u8,
        seed: u64,
    ) -> Self {
        let config = Config {
            clock: Clock::at(0),
            seed: Some(seed),
            ..Config::new("routes", Admission::Open)
        };
        let carriers = Carriers::new(network, name, schemes);
        let (endpoint, inboxes) = carriers.start(SecretKey::from_bytes(&[key; 32]), config);
        let endpoint = Arc::new(endpoint);
        let mut at = Vec::new();
        for scheme in schemes {
            let addr = Addr::new(scheme, &host(name, scheme)).expect("an address");
            at.push(listen(&endpoint, &addr).await);
        }
        let (seen, mut taking) = (Seen::default(), JoinSet::new());
        let inboxes = [inboxes.control, inboxes.gossip, inboxes.bulk];
        for (class, inbox) in CLASSES.into_iter().zip(inboxes) {
            taking.spawn(take(class, inbox, Arc::downgrade(&endpoint), seen.clone()));
        }
        Self { name, endpoint, at, carriers, seen, taking }
    }

    pub(crate) fn id(&self) -> NodeId {
        self.endpoint.node()
    }

    pub(crate) fn learn(&self, other: &Self) {
        self.endpoint.learn(other.id(), other.at.clone()).expect("room");
    }

    pub(crate) fn send(&self, to: &Self, class: Class, label: &str) {
        self.send_long(to, class, label, label.len());
    }

    /// Sends a message of this length that begins with `label`.
    pub(crate) fn send_long(&self, to: &Self, class: Class, label: &str, len: usize) {
        self.endpoint.send(to.id(), class, long(label, len)).expect("it is taken");
    }

    /// Asks, and tells how long the answer took.
    pub(crate) async fn ask(&self, to: &Self, label: &str) -> Duration {
        let since = Instant::now();
        let answer = self.endpoint.request(to.id(), label.to_owned(), LONG).await;
        assert_eq!(answer.as_deref(), Ok(label.as_bytes()), "{} asked {}", self.name, to.name);
        since.elapsed()
    }

    /// What became of a message that `from` has sent.
    pub(crate) fn got(&self, from: &Self, label: &str) -> Option<Arrival> {
        self.seen.lock().get(&(from.id(), label.to_owned())).cloned()
    }

    /// The same, when it has come.
    pub(crate) async fn gets(&self, from: &Self, label: &str) -> Arrival {
        until(label, || self.got(from, label).is_some()).await;
        self.got(from, label).expect("it came")
    }

    pub(crate) fn set_road(&self, scheme: &str, road: Road) {
        self.carriers.set_road(scheme, road);
    }

    /// Ends it; tells what became of everything.
    pub(crate) async fn close(self) -> Snapshot {
        self.close_within(LONG).await.0
    }

    /// The same, with what has arrived.
    pub(crate) async fn close_within(
        mut self,
        deadline: Duration,
    ) -> (Snapshot, Vec<(String, Arrival)>) {
        let Ok(endpoint) = Arc::try_unwrap(self.endpoint) else { panic!("nobody else has it") };
        let report = endpoint.close(deadline).await;
        while let Some(taken) = self.taking.join_next().await {
            taken.expect("no message came twice");
        }
        (report.snapshot, self.seen.all())
    }

    /// Ends it as a crash would; tells what has arrived.
    pub(crate) async fn vanish(mut self) -> Vec<(String, Arrival)> {
        drop(self.endpoint);
        while let Some(taken) = self.taking.join_next().await {
            taken.expect("no message came twice");
        }
        self.seen.all()
    }
}

impl Seen {
    fn all(&self) -> Vec<(String, Arrival)> {
        let all = self.lock().clone();
        all.into_iter().map(|((_, label), arrival)| (label, arrival)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(NodeId, String), Arrival>> {
        self.0.lock().expect("nobody panicked")
    }
}

/// Listens as soon as whoever did so before is gone.
async fn listen(endpoint: &Endpoint, at: &Addr) -> Addr {
    for _ in 0..100 {
        if let Ok(bound) = endpoint.listen(at).await {
            return bound;
        }
        tokio::task::yield_now().await;
    }
    panic!("{at} is in use");
}

/// What is sent under this label.
pub(crate) fn long(label: &str, len: usize) -> Vec<u8> {
    let mut bytes = label.as_bytes().to_vec();
    bytes.resize(len.max(label.len()), 0);
    bytes
}

async fn take(class: Class, mut inbox: Inbox, by: Weak<Endpoint>, seen: Seen) {
    while let Some(message) = inbox.recv().await {
        let label = message.bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        let label = String::from_utf8(label.to_vec()).expect("a label");
        assert_eq!(message.bytes, long(&label, message.bytes.len()), "it is whole");
        let (at, scheme) = (Instant::now(), message.via.scheme().to_owned());
        let arrival = Arrival { at, scheme, class, len: message.bytes.len() };
        let before = seen.lock().insert((message.from, label.clone()), arrival);
        assert_eq!(before, None, "{label} came twice");
        if let Some(endpoint) = by.upgrade() {
            endpoint.reply(&message, message.bytes.clone()).ok();
        }
    }
}

/// Ends both, when all is well, and compares what they say of each other: what was taken is
/// somewhere, and what is said to have left without a doubt has arrived.
pub(crate) async fn balance(one: Node, other: Node) {
    pause(Duration::from_secs(10)).await;
    for node in [&one, &other] {
        for class in CLASSES {
            let snapshot = node.endpoint.snapshot();
            assert_eq!(snapshot.class(class).in_flight(), 0, "{}: {snapshot:?}", node.name);
        }
    }
    let (one, other) = tokio::join!(one.close(), other.close());
    for (from, to) in [(&one, &other), (&other, &one)] {
        check_balance(from, to);
    }
}

fn check_balance(from: &Snapshot, to: &Snapshot) {
    for class in CLASSES {
        let (sent, got) = (from.class(class), to.class(class));
        let dropped: u64 = sent.dropped.iter().map(|(_, count)| count).sum();
        assert_eq!(sent.sent, sent.carried + sent.uncertain + dropped, "{class:?}: {sent:?}");
        // Replies end at whoever asked, and are not handed over.
        let arrived = got.delivered + got.overflowed;
        assert!(arrived <= sent.carried + sent.uncertain, "{class:?}: {sent:?} {got:?}");
        if class != Class::Bulk {
            assert!(sent.carried <= arrived, "{class:?}: {sent:?} {got:?}");
        }
    }
}
