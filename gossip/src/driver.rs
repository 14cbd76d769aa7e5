//! Membership in motion: what drives the core by an endpoint and a clock.

mod carry;
mod hearing;
mod rumors;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use rand::{SeedableRng, rngs::StdRng};
use rumormill_endpoint::{Clock, Endpoint, Error as EndpointError, Event as Hint, Inbox};
use rumormill_identity::{Purpose, SIGNATURE};
use rumormill_transport_api::{Addr, NodeId};
use tokio::{
    sync::{broadcast, mpsc, oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    Config, Counters, Dissemination, Event, Grant, Input, LeaveReport, MAX_METADATA, MAX_RUMOR,
    MAX_RUMORS, Profile, ProfileError, Signer, Standing, Start, Swim, Time, Version,
    driver::{
        hearing::{Hall, Teller},
        rumors::Saying,
    },
};

pub use hearing::{Heard, Rumors};

/// The membership of a node in its cluster, driven by an endpoint.
///
/// Dropping it ends it without a word to the others, as a crash would;
/// [`leave`](Self::leave) says goodbye.
pub struct Gossip {
    endpoint: Arc<Endpoint>,
    commands: mpsc::Sender<Command>,
    members: watch::Receiver<Vec<MemberInfo>>,
    events: broadcast::Sender<Event>,
    rumors: Arc<Hall>,
    counters: watch::Receiver<Counters>,
    unsent: Arc<AtomicU64>,
    driving: Mutex<Option<JoinHandle<()>>>,
}

/// A member, as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberInfo {
    /// Who.
    pub node: NodeId,
    /// What people call it; may be empty.
    pub name: Box<str>,
    /// Where it can be reached, as it says; what this version cannot read is left out.
    pub addresses: Vec<Addr>,
    /// What it is held for.
    pub standing: Standing,
    /// What it says of itself beyond that; `None` while it is not known here yet.
    pub metadata: Option<Bytes>,
    /// The version of what it says of itself.
    pub version: Version,
}

/// Why a node could not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Nobody could be met at the address.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Membership has ended: this node has left, or another process has its key.
    #[error("membership has ended; start anew")]
    Over,
    /// The node at the address says nothing of members: it runs no membership, or has left.
    #[error("{0} is there and tells of no members; join another one")]
    Silent(NodeId),
}

#[derive(Debug)]
enum Command {
    Broadcast(Saying),
    Contact(NodeId),
    Change(Profile),
    Describe(Bytes),
    Leave(Duration, oneshot::Sender<LeaveReport>),
}

/// Signs with the key of an endpoint.
struct Seal(Arc<Endpoint>);

impl Signer for Seal {
    fn node(&self) -> NodeId {
        self.0.node()
    }

    fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> [u8; SIGNATURE] {
        self.0.sign(purpose, digest)
    }

    fn admits(&self, node: NodeId, ticket: &[u8]) -> Grant {
        match self.0.admits(node, ticket) {
            Ok(Some(ticket)) => Grant::Named(ticket.name),
            Ok(None) => Grant::Member,
            Err(_) => Grant::None,
        }
    }

    fn ticket(&self) -> Bytes {
        self.0.ticket()
    }
}

impl Gossip {
    /// Membership of the endpoint's node, which takes what arrives in its inboxes for control and
    /// gossip. Must be called inside a tokio runtime.
    ///
    /// `seed` makes all chance repeatable, for simulations; `None` is the system's.
    ///
    /// # Errors
    /// [`ProfileError`] if no record can hold the profile.
    pub fn start(
        endpoint: Arc<Endpoint>,
        inboxes: [Inbox; 2],
        config: Config,
        profile: Profile,
        seed: Option<u64>,
    ) -> Result<Self, ProfileError> {
        let config = within(config, &endpoint);
        let mut rng = seed.map_or_else(rand::make_rng, StdRng::seed_from_u64);
        let clock = endpoint.clock();
        let start = Start {
            cluster: endpoint.cluster().into(),
            session: endpoint.session(),
            epoch: clock.millis(),
            profile,
        };
        let swim = Swim::new(config, Seal(endpoint.clone()), start, now(&clock), &mut rng)?;
        let (commands, commanded) = mpsc::channel(COMMANDS);
        let (shown, members) = watch::channel(Vec::new());
        let (events, unsent) = (broadcast::Sender::new(EVENTS), Arc::default());
        let (rumors, (counted, counters)) =
            (Arc::<Hall>::default(), watch::channel(swim.counters()));
        let hints = endpoint.events();
        let driver = Driver {
            endpoint: endpoint.clone(),
            clock,
            swim,
            shown,
            events: events.clone(),
            rumors: Teller(Arc::clone(&rumors)),
            counted,
            unsent: Arc::clone(&unsent),
            leaving: None,
        };
        let driving = tokio::spawn(driver.drive(inboxes, commanded, hints, rng));
        let driving = Mutex::new(Some(driving));
        Ok(Self { endpoint, commands, members, events, rumors, counters, unsent, driving })
    }

    /// Joins the cluster of whoever is at `addr`; returns once the members that it knows are known here,
    /// itself among them. [`events`](Self::events) tells of each, and of those that come later.
    ///
    /// # Errors
    /// [`JoinError`].
    ///
    /// # Cancel safety
    /// Dropping the future may leave a conn to the node that was met, which may go on telling.
    pub async fn join(&self, addr: &Addr) -> Result<NodeId, JoinError> {
        let node = self.endpoint.contact(addr).await?;
        let is_here = |member: &MemberInfo| member.node == node && member.standing.is_here();
        for _ in 0..ATTEMPTS {
            self.commands.send(Command::Contact(node)).await.map_err(|_| JoinError::Over)?;
            if node == self.endpoint.node() {
                return Ok(node);
            }
            // The question, or its answer, may have gone down with a conn.
            let seen =
                timeout(PATIENCE, self.wait_for(|members| members.iter().any(is_here))).await;
            if seen.is_ok_and(|members| members.iter().any(is_here)) {
                return Ok(node);
            }
        }
        Err(JoinError::Silent(node))
    }

    /// All other members that are known, those that failed or left included, by id.
    pub fn members(&self) -> Vec<MemberInfo> {
        self.members.borrow().clone()
    }

    /// Waits until what is known of the members satisfies `is_enough`; returns it then, and what is
    /// known when membership ends otherwise. Cancel-safe.
    pub async fn wait_for(
        &self,
        is_enough: impl FnMut(&Vec<MemberInfo>) -> bool,
    ) -> Vec<MemberInfo> {
        let mut members = self.members.clone();
        let seen = members.wait_for(is_enough).await.map(|members| members.clone());
        seen.unwrap_or_else(|_| self.members())
    }

    /// What happens to members from now on; whoever is slow misses the oldest, and is told how many.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// What was refused or dropped so far, and why.
    pub fn counters(&self) -> Counters {
        *self.counters.borrow()
    }

    /// Messages that the endpoint did not take: no matter, since they are repeated.
    pub fn unsent(&self) -> u64 {
        self.unsent.load(Relaxed)
    }

    /// Whether membership has ended: this node has left, or another process has its key.
    pub fn is_over(&self) -> bool {
        self.commands.is_closed()
    }

    /// Says something new of this node.
    ///
    /// # Errors
    /// [`ProfileError`] if no record can hold it; nothing has changed.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn change(&self, profile: Profile) -> Result<(), ProfileError> {
        profile.check()?;
        // Where membership has ended there is nothing left to change.
        drop(self.commands.send(Command::Change(profile)).await);
        Ok(())
    }

    /// Gives this node other metadata, which all members fetch.
    ///
    /// # Errors
    /// [`ProfileError::Metadata`] if they are longer than [`MAX_METADATA`]; nothing has changed.
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn set_metadata(&self, metadata: impl Into<Bytes>) -> Result<(), ProfileError> {
        let metadata = metadata.into();
        if MAX_METADATA < metadata.len() {
            return Err(ProfileError::Metadata(metadata.len()));
        }
        drop(self.commands.send(Command::Describe(metadata)).await);
        Ok(())
    }

    /// Says goodbye, and waits until enough members have confirmed it, but no longer than `within`.
    /// `None` if membership had ended before.
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the leaving.
    pub async fn leave(&self, within: Duration) -> Option<LeaveReport> {
        let (told, report) = oneshot::channel();
        self.commands.send(Command::Leave(within, told)).await.ok()?;
        report.await.ok()
    }
}

impl Drop for Gossip {
    fn drop(&mut self) {
        let driving = self.driving.lock().unwrap_or_else(PoisonError::into_inner).take();
        driving.iter().for_each(JoinHandle::abort);
    }
}

/// What the one task of a membership owns.
struct Driver {
    endpoint: Arc<Endpoint>,
    clock: Clock,
    swim: Swim<Seal>,
    shown: watch::Sender<Vec<MemberInfo>>,
    events: broadcast::Sender<Event>,
    rumors: Teller,
    counted: watch::Sender<Counters>,
    unsent: Arc<AtomicU64>,
    leaving: Option<oneshot::Sender<LeaveReport>>,
}

impl Driver {
    async fn drive(
        mut self,
        [mut control, mut gossip]: [Inbox; 2],
        mut commands: mpsc::Receiver<Command>,
        mut hints: broadcast::Receiver<Hint>,
        mut rng: StdRng,
    ) {
        while !self.swim.is_over() {
            let due = self.due();
            let input = tokio::select! {
                biased;
                // First, so that a flood does not keep this node from probing.
                () = sleep_until(due) => None,
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
                message = control.recv() => match message {
                    Some(message) => {
                        Some(Input::Received { from: message.from, bytes: message.bytes })
                    }
                    None => return,
                },
                message = gossip.recv() => match message {
                    Some(message) => {
                        Some(Input::Received { from: message.from, bytes: message.bytes })
                    }
                    None => return,
                },
                hint = hints.recv() => match hint {
                    Ok(Hint::Unreachable(node)) => Some(Input::Unreachable(node)),
                    Err(broadcast::error::RecvError::Closed) => return,
                    // Hints may be missed.
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => continue,
                },
            };
            let now = now(&self.clock);
            match input {
                Some(input) => self.swim.handle(now, input, &mut rng),
                None => self.swim.wake(now, &mut rng),
            }
            self.carry_out();
        }
    }

    /// What a command is to the core, unless it was told already.
    fn obey(&mut self, command: Command) -> Option<Input> {
        match command {
            Command::Broadcast(saying) => {
                saying.say(&mut self.swim, now(&self.clock));
                None
            }
            Command::Contact(node) => Some(Input::Contact(node)),
            Command::Change(profile) => Some(Input::Changed(profile)),
            Command::Describe(metadata) => Some(Input::Described(metadata)),
            Command::Leave(within, told) => {
                self.leaving = Some(told);
                Some(Input::Leave(within))
            }
        }
    }

    /// When the core wants to be woken.
    fn due(&self) -> Instant {
        let wait = self.swim.deadline().map(|due| due.since(now(&self.clock)));
        Instant::now() + wait.unwrap_or(LONGEST).min(LONGEST)
    }
}

/// Settings within what the endpoint carries: a member without a place there could not be probed, and a
/// rumor that is longer than its messages would reach nobody.
fn within(config: Config, endpoint: &Endpoint) -> Config {
    let members_max = config.members_max.min(endpoint.max_peers());
    let most = endpoint.max_message().saturating_sub(MAX_RUMORS - MAX_RUMOR);
    let rumors = Dissemination { longest: config.rumors.longest.min(most), ..config.rumors };
    Config { members_max, rumors, ..config }
}

fn now(clock: &Clock) -> Time {
    Time(Duration::from_nanos(clock.nanos()))
}

/// How often a node is asked of its members, and how long it may take to answer.
const ATTEMPTS: u32 = 5;
const PATIENCE: Duration = Duration::from_secs(1);
/// Commands that wait for the task; whoever gives one more waits.
const COMMANDS: usize = 16;
/// Events that may wait for whoever is slow to take them; of more, the oldest go.
const EVENTS: usize = 4096;
/// The core is woken at least this often.
const LONGEST: Duration = Duration::from_secs(3600);
