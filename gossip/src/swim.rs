//! The state machine: what happens goes in, what to do comes out.

mod hear;
mod judge;
mod receive;
mod repair;
mod round;
mod tell;
mod update;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use rand::{Rng, RngExt};
use rumormill_transport_api::NodeId;

use crate::{
    config::Config,
    counters::Counters,
    health::Health,
    leave::Leave,
    member::Member,
    message::of_record,
    metadata::Metadata,
    output::{Event, Input, Output, Via},
    probe::Prober,
    record::{Issue, Profile, ProfileError, Record, State, Version},
    rumors::Mill,
    signer::{Notary, Signer},
    spread::{Key, Spread},
    table::Table,
    time::Time,
};

/// The membership of one node: no clock, no sockets, no randomness of its own.
///
/// After each [`handle`](Self::handle) and [`wake`](Self::wake), take everything that
/// [`poll`](Self::poll) has; call `wake` when [`deadline`](Self::deadline) has come. The same calls
/// with the same arguments always have the same outcome.
#[derive(Debug)]
pub struct Swim<S> {
    config: Config,
    notary: Notary<S>,
    /// What this node says of itself.
    profile: Profile,
    own: Record,
    metadata: Metadata,
    table: Table,
    prober: Prober,
    health: Health,
    spread: Spread<Key>,
    mill: Mill,
    /// Bytes that rumors have got more of packets than news of members, where there was not room for all.
    lead: i64,
    leave: Option<Leave>,
    timers: Timers,
    /// Since when acknowledgements show that others know other members.
    differs_since: Option<Time>,
    /// How much of an accuser was heard lately.
    heard: BTreeMap<NodeId, (Time, usize)>,
    /// How many pages of state were sent lately.
    served: (Time, usize),
    /// Whether the message at hand speaks of this node as of one that may be gone.
    is_misjudged: bool,
    /// When this node was last called.
    awake: Time,
    outputs: VecDeque<Output>,
    counters: Counters,
    is_over: bool,
}

/// What a node is at its start.
#[derive(Clone, Debug)]
pub struct Start {
    /// The name of its cluster. What is signed in one is worth nothing in another.
    pub cluster: Box<str>,
    /// Drawn at random at every start, the same as its frames are sealed with.
    pub session: u64,
    /// Higher than at every start before; milliseconds since 1970 do.
    pub epoch: u64,
    /// What it says of itself.
    pub profile: Profile,
}

/// When each of the regular things is due.
#[derive(Debug)]
struct Timers {
    probe: Time,
    gossip: Time,
    exchange: Option<Time>,
    heal: Option<Time>,
    /// When to look again at what others know, after this node has joined them.
    look: Option<Time>,
    /// From when on another exchange may be made because tables differ.
    hurry: Time,
    resign: Time,
    expire: Time,
    repair: Time,
}

/// Messages that wait to be polled, at most; of more, the newest are dropped, counted. Only a caller
/// that does not poll meets it.
const MAX_OUTPUTS: usize = 65_536;
/// How often what is old is looked for.
const EXPIRE_EVERY: Duration = Duration::from_secs(60);

impl<S: Signer> Swim<S> {
    /// A node that knows nobody yet; [`Input::Contact`] shows it the first member.
    ///
    /// # Errors
    /// [`ProfileError`] if no record can hold the profile.
    pub fn new(
        config: Config,
        signer: S,
        start: Start,
        now: Time,
        rng: &mut impl Rng,
    ) -> Result<Self, ProfileError> {
        start.profile.check()?;
        let notary = Notary::new(signer, &start.cluster);
        notary.check()?;
        let version = Version { epoch: start.epoch, n: 1 };
        let (session, issued) = (start.session, now.seconds());
        let issue = Issue { session, version, state: State::Alive, issued };
        let own = Record::sign(issue, start.profile.clone(), &notary);
        let mut swim = Self {
            table: Table::new(&config),
            spread: Spread::new(config.members_max.saturating_mul(2).max(64)),
            timers: Timers::new(&config, now, rng),
            prober: Prober::default(),
            health: Health::default(),
            mill: Mill::new(&config.rumors, (own.node, start.epoch), config.members_max, now),
            lead: 0,
            leave: None,
            differs_since: None,
            heard: BTreeMap::new(),
            served: (now, 0),
            is_misjudged: false,
            awake: now,
            outputs: VecDeque::new(),
            counters: Counters::default(),
            is_over: false,
            config,
            notary,
            profile: start.profile,
            own,
            metadata: Metadata::default(),
        };
        swim.spread_own();
        Ok(swim)
    }

    /// Takes in what has happened.
    pub fn handle(&mut self, now: Time, input: Input, rng: &mut impl Rng) {
        if self.is_over {
            return;
        }
        self.make_up_for_sleep(now);
        match input {
            Input::Received { from, bytes } => self.receive(now, from, &bytes, rng),
            Input::Contact(node) if node != self.node() => {
                self.look_again(now);
                self.ask(node, Via::Stream);
                self.meet(node, now);
            }
            Input::Contact(_) => (),
            Input::Unreachable(node) => self.prober.hurry(node),
            Input::Changed(profile) => self.change(profile, now),
            Input::Described(metadata) => {
                let profile = Profile { metadata, ..self.profile.clone() };
                self.change(profile, now);
            }
            Input::Leave(within) => self.begin_leave(now, within, rng),
        }
    }

    /// When [`wake`](Self::wake) has to be called, if nothing happens before.
    pub fn deadline(&self) -> Option<Time> {
        if self.is_over {
            return None;
        }
        let probe = self.prober.current.as_ref().and_then(|probe| probe.escalates);
        let gossip = self.config.gossip_interval.filter(|_| self.has_news());
        let regular = [
            (!self.prober.order().is_empty()).then_some(self.timers.probe),
            probe,
            gossip.map(|_| self.timers.gossip),
            self.timers.exchange.filter(|_| 0 < self.table.here()),
            self.timers.heal.filter(|_| !self.table.failed().is_empty()),
            self.timers.look,
            Some(self.timers.resign),
            Some(self.timers.expire),
            self.prober.next_relay(),
            self.table.next_due(),
            self.metadata.next(),
            self.rumors_due(),
            self.leave.as_ref().map(Leave::next),
        ];
        regular.into_iter().flatten().min()
    }

    /// What is to be done next. `None` until something happens again.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// This node's id.
    pub fn node(&self) -> NodeId {
        self.own.node
    }

    /// What this node says of itself.
    pub fn own(&self) -> &Record {
        &self.own
    }

    /// All others that are known, those that failed or left included, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.table.iter()
    }

    /// One of them.
    pub fn member(&self, node: NodeId) -> Option<&Member> {
        self.table.get(node)
    }

    /// What a member says of itself beyond its record; `None` where that is not known yet.
    pub fn metadata(&self, node: NodeId) -> Option<Bytes> {
        let record = &self.table.get(node)?.record;
        self.metadata.of(node, &record.metadata)
    }

    /// How many others are held to be there.
    pub fn live(&self) -> usize {
        self.table.here()
    }

    /// Whose name it is, of all others that are there.
    pub fn named(&self, name: &str) -> Option<NodeId> {
        self.table.names().holder(name)
    }

    /// The local health score, from 0 to 8: how slow this node takes itself to be.
    pub fn health(&self) -> u32 {
        self.health.score()
    }

    /// What was refused or dropped, and why.
    pub fn counters(&self) -> Counters {
        let Self { spread, mill, .. } = self;
        mill.count(Counters { spread_dropped: spread.dropped, ..self.counters })
    }

    /// Whether this node has left, or another process has its key: nothing will come of it any more.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Members of the cluster, this node included.
    fn size(&self) -> usize {
        self.table.here() + 1
    }

    fn has_news(&self) -> bool {
        let has_news = !self.spread.is_empty() || !self.mill.spread.is_empty();
        has_news && !self.prober.order().is_empty()
    }

    fn event(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    fn change(&mut self, profile: Profile, now: Time) {
        if self.own.state == State::Alive && profile.check().is_ok() {
            let name = profile.name.clone();
            self.profile = profile;
            self.reissue(State::Alive, now);
            self.check_name(&name, self.node());
        }
    }

    /// Signs a new record, which beats all before it.
    fn reissue(&mut self, state: State, now: Time) {
        let Version { epoch, n } = self.own.version;
        let version = Version { epoch, n: n.saturating_add(1) };
        let (session, issued) = (self.own.session, now.seconds());
        let (issue, profile) = (Issue { session, version, state, issued }, self.profile.clone());
        self.own = Record::sign(issue, profile, &self.notary);
        self.spread_own();
    }

    fn spread_own(&mut self) {
        self.spread.record(self.own.node, of_record(&self.own));
    }
}

impl Timers {
    /// All at random moments of their intervals, so that nodes that start together do not stay so.
    fn new(config: &Config, now: Time, rng: &mut impl Rng) -> Self {
        let mut within = |interval: Duration| now + interval.mul_f64(rng.random());
        Self {
            probe: within(config.probe_interval),
            gossip: now,
            exchange: config.exchange_interval.map(&mut within),
            heal: config.heal_interval.map(&mut within),
            look: None,
            hurry: now,
            resign: now + config.resign_interval,
            expire: now + EXPIRE_EVERY,
            repair: within(config.rumors.repair_interval.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests;
