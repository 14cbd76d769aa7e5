//! A node of a course: its endpoint, and what it does with what arrives.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use rumormill_endpoint::{Admission, Class, Clock, Config, Endpoint, Inbox, Inboxes};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, AnyTransport, Context, Factory, NodeId};
use rumormill_transport_conformance::{Faults, Faulty};
use rumormill_transport_mem::{Mem, Network, Settings};
use tokio::{task::JoinSet, time::Instant};

use crate::facts::{Facts, Label, Life};

/// A node, from one start to the next.
pub(crate) struct Node {
    pub(crate) life: Life,
    pub(crate) endpoint: Arc<Endpoint>,
    faulty: Faulty<Mem>,
    /// What it has sent so far, to whom and in which class.
    sent: [[u8; 3]; 5],
    receiving: JoinSet<()>,
    asking: JoinSet<()>,
    facts: Facts,
}

/// The transport in memory, with the faults that its context brings.
const FACTORY: Factory = Factory {
    provider: "a scenario",
    build: |context| {
        let faulty = context.extensions.get::<Faulty<Mem>>().expect("there are faults");
        Ok(AnyTransport::new(faulty.clone()))
    },
    ..rumormill_transport_mem::FACTORY
};

pub(crate) fn host(node: u8) -> String {
    format!("n{node}")
}

fn key(node: u8) -> SecretKey {
    SecretKey::from_bytes(&[node + 1; 32])
}

pub(crate) fn id(node: u8) -> NodeId {
    key(node).node()
}

impl Node {
    pub(crate) async fn start(
        life: Life,
        at: &Addr,
        network: &Network,
        faults: Faults,
        facts: &Facts,
    ) -> Self {
        let settings = Settings { host: host(life.node), ..Settings::default() };
        let faulty = Faulty::new(Mem::new(network.clone(), settings), faults);
        let registry = Registry::of([FACTORY]).expect("one scheme");
        let mut context = Context::default();
        context.extensions.insert(faulty.clone());
        registry.configure("mem", context).expect("nothing is built");
        let config = Config {
            clock: Clock::at(0),
            seed: Some(faults.seed),
            ..Config::new("scenario", Admission::Open)
        };
        let (endpoint, inboxes) =
            Endpoint::start(Arc::new(registry), key(life.node), config).expect("a good config");
        listen(&endpoint, at).await;
        let endpoint = Arc::new(endpoint);
        let receiving = receive(life, at, &endpoint, inboxes, facts);
        let asking = JoinSet::new();
        Self { life, endpoint, faulty, sent: [[0; 3]; 5], receiving, asking, facts: facts.clone() }
    }

    fn label(&mut self, to: u8, class: Class) -> Label {
        let number = &mut self.sent[usize::from(to)][class as usize];
        *number += 1;
        let label = Label { from: self.life, to, class, number: *number };
        self.facts.will_send(label);
        label
    }

    pub(crate) fn send(&mut self, to: u8, class: Class) {
        let label = self.label(to, class);
        let outcome = self.endpoint.send(id(to), class, label.bytes());
        self.facts.note(format!("{label:?} sent: {outcome:?}"));
        self.facts.was_sent(self.life, class, outcome);
    }

    /// Asks in a task of its own, which a stop may cancel.
    pub(crate) fn ask(&mut self, to: u8, deadline: Duration) {
        let (label, endpoint) = (self.label(to, Class::Bulk), self.endpoint.clone());
        let facts = self.facts.clone();
        // What `request` takes is only seen by what it returns; and it may be cancelled.
        let is_known = endpoint.peers().iter().any(|peer| peer.node == id(to));
        if !is_known {
            return;
        }
        self.asking.spawn(async move {
            let since = Instant::now();
            facts.was_sent(label.from, Class::Bulk, Ok(()));
            let outcome = endpoint.request(id(to), label.bytes(), deadline).await;
            facts.was_asked(label, since, deadline, outcome.as_deref().map_err(|why| *why));
        });
    }

    /// Asks until there is an answer.
    pub(crate) async fn reach(&mut self, to: u8) {
        for _ in 0..20 {
            let answered = self.facts.answered();
            self.ask(to, Duration::from_secs(10));
            while self.asking.join_next().await.is_some() {}
            if answered < self.facts.answered() {
                return;
            }
        }
        panic!("{:?} does not reach {to} any more", self.life);
    }

    /// Closes the endpoint, which has to keep its deadline.
    pub(crate) async fn stop(mut self, deadline: Duration) {
        self.asking.shutdown().await;
        let endpoint = Arc::try_unwrap(self.endpoint);
        let Ok(endpoint) = endpoint else { panic!("nobody else holds the endpoint") };
        let since = Instant::now();
        let report = endpoint.close(deadline).await;
        assert!(since.elapsed() <= deadline + Duration::from_millis(2), "{:?}", since.elapsed());
        while self.receiving.join_next().await.is_some_and(|joined| joined.is_ok()) {}
        self.facts.ended(self.life, &report);
        self.facts.suffered(self.faulty.tally());
    }

    /// Drops the endpoint, as a crash would.
    pub(crate) async fn vanish(mut self) {
        self.asking.shutdown().await;
        drop(self.endpoint);
        while self.receiving.join_next().await.is_some_and(|joined| joined.is_ok()) {}
        self.facts.suffered(self.faulty.tally());
    }
}

/// Listens as soon as whoever did so before is gone.
async fn listen(endpoint: &Endpoint, at: &Addr) {
    for _ in 0..100 {
        if endpoint.listen(at).await.is_ok() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{at} is in use");
}

fn receive(
    life: Life,
    at: &Addr,
    endpoint: &Arc<Endpoint>,
    inboxes: Inboxes,
    facts: &Facts,
) -> JoinSet<()> {
    let Inboxes { control, gossip, bulk } = inboxes;
    let mut tasks = JoinSet::new();
    for (class, inbox) in [(Class::Control, control), (Class::Gossip, gossip), (Class::Bulk, bulk)]
    {
        let who = (life, at.clone());
        tasks.spawn(take(who, class, inbox, Arc::downgrade(endpoint), facts.clone()));
    }
    tasks
}

async fn take(
    (life, at): (Life, Addr),
    class: Class,
    mut inbox: Inbox,
    by: Weak<Endpoint>,
    facts: Facts,
) {
    while let Some(message) = inbox.recv().await {
        let from = Label::read(&message.bytes).from.node;
        assert_eq!(message.from, id(from), "the sender is who the message says");
        // A conn that was accepted is of the listener's kind, and its other end has a number.
        let is_accepted = message.via.rest().contains(':');
        let decides = if is_accepted { &at } else { &*message.via };
        let is_stream = !decides.to_string().contains("delivery=datagram");
        facts.arrived(life, class, &message, is_stream);
        if message.question.is_some()
            && let Some(endpoint) = by.upgrade()
        {
            let outcome = endpoint.reply(&message, message.bytes.clone());
            facts.was_sent(life, Class::Bulk, outcome);
        }
    }
}
