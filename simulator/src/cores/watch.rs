//! What has to hold for everything that any host says, sends and knows, at every step.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rumormill_gossip::{Event, LeaveReport, Standing, State, Version, Via};
use rumormill_transport_api::NodeId;

use crate::cores::keys::{id, place};

/// What a network shows of itself.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A host has reported something of a member.
    Event {
        /// Which host.
        host: usize,
        /// What.
        event: Event,
        /// What it knows of the member by now.
        member: Option<Sight>,
        /// Whether everything is calm and the member is there.
        is_calm: bool,
    },
    /// A host knows this of a member.
    Member {
        /// Which host.
        host: usize,
        /// What.
        member: Sight,
    },
    /// What a host says of itself.
    Own {
        /// Which host.
        host: usize,
        /// Its version.
        version: Version,
        /// Whether it stays.
        state: State,
        /// Whether it was told to leave.
        is_leaving: bool,
    },
    /// A host sends something.
    Sent {
        /// Which host.
        host: usize,
        /// How.
        via: Via,
        /// Bytes, sealed.
        len: usize,
        /// Bytes of a packet, at most.
        most: usize,
    },
    /// A host's core was woken because it had asked for that.
    Woken {
        /// Which host.
        host: usize,
        /// How often in this second.
        times: u64,
        /// How often that may be.
        most: u64,
    },
    /// How much a host's core holds.
    Table {
        /// Which host.
        host: usize,
        /// Members.
        members: usize,
        /// Members, at most.
        most: usize,
        /// Messages that it had no room for.
        unsent: u64,
    },
    /// A host confirms that another one leaves.
    Confirmed {
        /// Which host.
        host: usize,
        /// Who leaves.
        leaver: NodeId,
        /// In which of its lives.
        epoch: u64,
        /// Whether the host knows that.
        knows: bool,
    },
    /// A host has left.
    Left {
        /// Which host.
        host: usize,
        /// In which of its lives.
        epoch: u64,
        /// How far it says that its goodbye has come.
        report: LeaveReport,
    },
    /// Whom a host takes for members long after all trouble.
    Calm {
        /// Which host.
        host: usize,
        /// Whom it takes for members.
        held: BTreeSet<usize>,
        /// Who is there, itself excepted.
        there: BTreeSet<usize>,
    },
}

/// What a host knows of a member.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Who.
    pub node: NodeId,
    /// What it is held for.
    pub standing: Standing,
    /// Which of its records is known.
    pub version: Version,
    /// That record.
    pub bytes: Bytes,
}

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Breach {
    /// A member that has been there all the time is suspected or failed where everything is calm.
    Alarm,
    /// Long after all trouble, a host does not know a member that is there.
    Apart,
    /// A core was woken more often than it can have something to do.
    Busy,
    /// A host has confirmed a leaving that it does not know of.
    Confirmed,
    /// A version has fallen.
    Fell,
    /// A core holds more than it may, or had no room for a message.
    Full,
    /// A host speaks of itself as of another, or takes itself for gone.
    Itself,
    /// A packet is longer than it may be.
    Long,
    /// A leaver says that more have confirmed than did, or than it has asked.
    Report,
    /// A member is there again in the version in which it had failed or left.
    Rose,
    /// An event that cannot follow the one before it.
    Step,
    /// A host knows somebody who never was.
    Stranger,
    /// There are two records of one version.
    Twins,
    /// Long after all trouble, a host takes one for a member that has crashed or left.
    Unreported,
    /// A member has failed in a version in which nobody has suspected it before.
    Unsuspected,
}

/// Something between a network and its watch, to see whether the watch notices: it changes what is shown,
/// or hides it.
pub type Tamper = Box<dyn FnMut(Seen) -> Option<Seen>>;

/// What was seen of a network so far.
#[derive(Debug, Default)]
pub struct Watch {
    views: Vec<View>,
    /// One for each version.
    records: BTreeMap<(NodeId, Version), Bytes>,
    suspected: BTreeSet<(NodeId, Version)>,
    /// Who has confirmed which leaving.
    confirmers: BTreeMap<(NodeId, u64), BTreeSet<usize>>,
}

/// What one host has shown, by member.
#[derive(Debug, Default)]
struct View {
    reported: Vec<Option<(Standing, Version)>>,
    held: Vec<Option<(Standing, Version)>>,
    own: Version,
}

impl Watch {
    /// Forgets what a host has shown: it starts again.
    pub fn restart(&mut self, host: usize) {
        *self.view(host) = View::default();
    }

    /// Looks at one thing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn see(&mut self, seen: Seen) -> Result<(), Breach> {
        match seen {
            Seen::Event { host, event, member, is_calm } => {
                self.event(host, &event, member, is_calm)
            }
            Seen::Member { host, member } => self.member(host, member),
            Seen::Own { host, version, state, is_leaving } => {
                let before = std::mem::replace(&mut self.view(host).own, version);
                let is_dead = state == State::Leaving && !is_leaving;
                ensure(!is_dead, Breach::Itself)?;
                ensure(before <= version, Breach::Fell)
            }
            Seen::Sent { via, len, most, .. } => {
                ensure(via != Via::Packet || len <= most, Breach::Long)
            }
            Seen::Woken { times, most, .. } => ensure(times <= most, Breach::Busy),
            Seen::Table { members, most, unsent, .. } => {
                ensure(members <= most && unsent == 0, Breach::Full)
            }
            Seen::Confirmed { host, leaver, epoch, knows } => {
                self.confirmers.entry((leaver, epoch)).or_default().insert(host);
                ensure(knows, Breach::Confirmed)
            }
            Seen::Left { host, epoch, report } => {
                let known = self.confirmers.get(&(id(host), epoch)).map_or(0, BTreeSet::len);
                let is_true = report.confirmed <= known.min(report.asked);
                ensure(is_true && report.asked <= report.live, Breach::Report)
            }
            Seen::Calm { held, there, .. } => {
                ensure(held.is_subset(&there), Breach::Unreported)?;
                ensure(there.is_subset(&held), Breach::Apart)
            }
        }
    }

    fn view(&mut self, host: usize) -> &mut View {
        if self.views.len() <= host {
            self.views.resize_with(host + 1, View::default);
        }
        &mut self.views[host]
    }

    fn event(
        &mut self,
        host: usize,
        event: &Event,
        member: Option<Sight>,
        is_calm: bool,
    ) -> Result<(), Breach> {
        let Some((node, before, after)) = step(event) else { return Ok(()) };
        ensure(node != id(host), Breach::Itself)?;
        let is_bad = matches!(after, Standing::Suspected | Standing::Failed);
        ensure(!is_calm || !is_bad, Breach::Alarm)?;
        let (at, member) = place(node).zip(member).ok_or(Breach::Stranger)?;
        let known = entry(&mut self.view(host).reported, at).replace((after, member.version));
        let standing = known.map(|(standing, _)| standing);
        ensure(before.contains(&standing), Breach::Step)?;
        if let Some((_, known)) = known {
            versions(event, standing, known, member.version)?;
        }
        match after {
            Standing::Suspected => _ = self.suspected.insert((node, member.version)),
            Standing::Failed => {
                let is_suspected = self.suspected.contains(&(node, member.version));
                ensure(is_suspected, Breach::Unsuspected)?;
            }
            Standing::Alive | Standing::Left => (),
        }
        Ok(())
    }

    /// That a member is as it was or newer, and is not there again, once it was gone, in the same version.
    fn member(&mut self, host: usize, member: Sight) -> Result<(), Breach> {
        let Sight { node, standing, version, bytes } = member;
        ensure(node != id(host), Breach::Itself)?;
        let at = place(node).ok_or(Breach::Stranger)?;
        if let Some((before, known)) =
            entry(&mut self.view(host).held, at).replace((standing, version))
        {
            ensure(known <= version, Breach::Fell)?;
            let rises = known == version && !before.is_here() && standing.is_here();
            ensure(!rises, Breach::Rose)?;
        }
        let known = self.records.entry((node, version)).or_insert_with(|| bytes.clone());
        ensure(*known == bytes, Breach::Twins)
    }
}

fn ensure(holds: bool, breach: Breach) -> Result<(), Breach> {
    if holds { Ok(()) } else { Err(breach) }
}

fn entry(
    all: &mut Vec<Option<(Standing, Version)>>,
    at: usize,
) -> &mut Option<(Standing, Version)> {
    if all.len() <= at {
        all.resize(at + 1, None);
    }
    &mut all[at]
}

/// Whom an event is about, what that member may have been held for before, and what it is held for after.
pub(super) fn step(event: &Event) -> Option<(NodeId, &'static [Option<Standing>], Standing)> {
    use Standing::{Alive, Failed, Left, Suspected};
    let (node, before, after): (_, &[Option<Standing>], _) = match event {
        Event::Joined(node) => (node, &[None], Alive),
        Event::Suspected { node, .. } => (node, &[Some(Alive)], Suspected),
        Event::Cleared(node) => (node, &[Some(Suspected)], Alive),
        Event::Failed { node, .. } => (node, &[Some(Suspected), Some(Alive)], Failed),
        Event::Returned(node) => (node, &[Some(Failed), Some(Left)], Alive),
        Event::Updated(node) => (node, &[Some(Alive)], Alive),
        Event::Left(node) => (node, &[Some(Alive), Some(Suspected), Some(Failed)], Left),
        Event::Described(_) | Event::NameConflict { .. } | Event::IdentityConflict { .. } => {
            return None;
        }
    };
    Some((*node, before, after))
}

/// That versions rise with what is reported. They rise silently while nothing else changes, but not under
/// suspicion.
fn versions(
    event: &Event,
    before: Option<Standing>,
    known: Version,
    now: Version,
) -> Result<(), Breach> {
    let holds = match (event, before) {
        (Event::Failed { .. }, Some(Standing::Suspected)) => now == known,
        (Event::Suspected { .. } | Event::Failed { .. }, _) => known <= now,
        (Event::Returned(_), _) => return ensure(known < now, Breach::Rose),
        _ => known < now,
    };
    ensure(holds, Breach::Fell)
}
