//! Who is known, and by which rules what is said of them changes that.
//!
//! Only a higher version of its own record changes a member for the better; a leaving record is final for
//! its epoch; accusations count for one version. Everything that can be refused without looking at a
//! signature is refused before.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rumormill_transport_api::NodeId;

use crate::{
    accusation::{Accusation, Brief, Verdict, brief},
    config::Config,
    member::{Member, Standing},
    names::Names,
    record::{Record, State},
    signer::Grant,
    suspicion::{Suspicion, Timing},
    time::Time,
    tombstones::Tombstones,
};

/// All members that are known, this node itself excepted.
#[derive(Debug)]
pub(crate) struct Table {
    members: BTreeMap<NodeId, Member>,
    tombstones: Tombstones,
    names: Names,
    /// When suspicions end.
    due: BTreeSet<(Time, NodeId)>,
    failed: BTreeSet<NodeId>,
    here: usize,
    /// The sum of the fingerprints of those that are here.
    digest: u64,
    members_max: usize,
    record_age_max: Duration,
}

/// Why a record changes nothing. No signature has been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    /// It is not newer than what is known, or than what is buried.
    Stale,
    /// Nobody knows its subject, and it is too old, or from the future.
    Undated,
    /// There are too many members.
    Full,
}

/// What a record has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    /// Nobody had heard of it.
    Joined,
    /// It was suspected and says that it lives.
    Cleared,
    /// It had failed or left, and is there again.
    Returned,
    /// It says something new about itself.
    Updated,
    /// It has left.
    Left,
    /// Nothing that matters to a user.
    Noted,
}

impl Table {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            members: BTreeMap::new(),
            tombstones: Tombstones::new(config.tombstones_max),
            names: Names::default(),
            due: BTreeSet::new(),
            failed: BTreeSet::new(),
            here: 0,
            digest: 0,
            members_max: config.members_max,
            record_age_max: config.record_age_max,
        }
    }

    pub(crate) fn get(&self, node: NodeId) -> Option<&Member> {
        self.members.get(&node)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(crate) fn between(&self, first: NodeId, last: NodeId) -> impl Iterator<Item = &Member> {
        // A range that ends before it begins panics.
        let last = last.max(first);
        self.members.range(first..=last).map(|(_, member)| member)
    }

    /// How many are alive or suspected.
    pub(crate) fn here(&self) -> usize {
        self.here
    }

    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }

    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    pub(crate) fn failed(&self) -> &BTreeSet<NodeId> {
        &self.failed
    }

    /// Whom a brief id may mean: one, unless somebody has made an id that looks like another.
    pub(crate) fn called(&self, name: Brief) -> impl Iterator<Item = NodeId> {
        let mut first = [0; 32];
        first[..8].copy_from_slice(&name);
        let from = self.members.range(NodeId(first)..).map(|(node, _)| *node);
        from.take_while(move |node| brief(*node) == name).take(TWINS)
    }

    /// Whether a record could change anything, if its subject has signed it.
    pub(crate) fn screen(&self, record: &Record, now: Time) -> Result<(), Refusal> {
        let Some(known) = self.members.get(&record.node) else {
            return self.screen_new(record, now);
        };
        let known = &known.record;
        let has_left = known.state == State::Leaving && known.version.epoch == record.version.epoch;
        if record.version <= known.version || has_left { Err(Refusal::Stale) } else { Ok(()) }
    }

    fn screen_new(&self, record: &Record, now: Time) -> Result<(), Refusal> {
        let age = now.seconds().abs_diff(record.issued);
        let is_full = self.members_max <= self.members.len();
        match () {
            () if self.tombstones.holds(record.node, record.version) => Err(Refusal::Stale),
            () if self.record_age_max.as_secs() < age => Err(Refusal::Undated),
            () if is_full && self.members.len() == self.here => Err(Refusal::Full),
            () => Ok(()),
        }
    }

    /// Takes a record that was screened and verified; tells who had to make room, too.
    pub(crate) fn admit(
        &mut self,
        record: Record,
        grant: &Grant,
        now: Time,
    ) -> (Change, Option<NodeId>) {
        let forgotten = self.make_room(record.node, now);
        let before = self.take(record.node);
        self.tombstones.raise(record.node);
        let mut member = Member::new(record, grant, now);
        let was_announced = before.as_ref().is_some_and(|before| before.is_announced);
        let is_same =
            before.as_ref().is_some_and(|before| before.record.says_as_much_as(&member.record));
        let change = match (before.map(|before| before.standing), member.standing) {
            (None | Some(Standing::Left), Standing::Left) => Change::Noted,
            (Some(_), Standing::Left) if was_announced => Change::Left,
            (Some(_), Standing::Left) => Change::Noted,
            (Some(Standing::Alive), _) if is_same => Change::Noted,
            (Some(Standing::Alive), _) => Change::Updated,
            (Some(Standing::Suspected), _) => Change::Cleared,
            (Some(_), _) if was_announced => Change::Returned,
            _ => Change::Joined,
        };
        member.is_announced |= was_announced;
        self.put(member);
        (change, forgotten)
    }

    /// Takes a verified record of an unknown member together with the word that it has failed.
    pub(crate) fn admit_failed(
        &mut self,
        record: Record,
        grant: &Grant,
        failure: Accusation,
        now: Time,
    ) -> Option<NodeId> {
        let forgotten = self.make_room(record.node, now);
        let mut member = Member::new(record, grant, now);
        member.turn(Standing::Failed, now);
        (member.failure, member.is_announced) = (Some(failure), false);
        self.put(member);
        forgotten
    }

    /// Whether an accusation would change anything, if its accuser has signed it.
    pub(crate) fn wants(&self, accusation: &Accusation) -> bool {
        let Some(member) = self.members.get(&accusation.about) else { return false };
        let is_current = accusation.version == member.record.version;
        let counts = match &member.suspicion {
            Some(suspicion) => suspicion.wants(accusation.verdict, accusation.by),
            None => member.standing == Standing::Alive,
        };
        is_current && counts
    }

    /// Takes an accusation that is wanted and verified as a reason to suspect; tells whether it is the
    /// first.
    pub(crate) fn suspect(&mut self, accusation: &Accusation, now: Time, timing: Timing) -> bool {
        let Some(mut member) = self.take(accusation.about) else { return false };
        let is_first = member.suspicion.is_none();
        match &mut member.suspicion {
            Some(suspicion) => suspicion.confirm(accusation.by),
            none => {
                *none = Some(Suspicion::new(accusation.by, now, timing));
                member.turn(Standing::Suspected, now);
            }
        }
        if accusation.verdict == Verdict::Failed {
            member.suspicion.iter_mut().for_each(Suspicion::hasten);
        }
        self.put(member);
        is_first
    }

    /// Takes a failure that is wanted and verified.
    pub(crate) fn fail(&mut self, accusation: Accusation, now: Time) {
        let Some(mut member) = self.take(accusation.about) else { return };
        member.turn(Standing::Failed, now);
        (member.suspicion, member.failure) = (None, Some(accusation));
        self.put(member);
    }

    /// When the first suspicion ends.
    pub(crate) fn next_due(&self) -> Option<Time> {
        self.due.first().map(|(due, _)| *due)
    }

    /// A member whose suspicion has ended.
    pub(crate) fn overdue(&self, now: Time) -> Option<NodeId> {
        self.due.first().filter(|(due, _)| *due <= now).map(|(_, node)| *node)
    }

    /// Gives all suspected ones more time.
    pub(crate) fn postpone(&mut self, by: Duration) {
        let suspected: Vec<NodeId> = self.due.iter().map(|(_, node)| *node).collect();
        for node in suspected {
            let Some(mut member) = self.take(node) else { continue };
            member.suspicion.iter_mut().for_each(|suspicion| suspicion.postpone(by));
            self.put(member);
        }
    }

    /// Forgets, but for their versions, those that failed or left long ago; tells who they are.
    pub(crate) fn expire(
        &mut self,
        now: Time,
        kept: Duration,
        tombstones: Duration,
    ) -> Vec<NodeId> {
        self.tombstones.expire(now, tombstones);
        let is_old =
            |member: &&Member| !member.standing.is_here() && kept <= now.since(member.since);
        let old: Vec<NodeId> =
            self.iter().filter(is_old).map(|member| member.record.node).collect();
        old.iter().for_each(|node| self.bury(*node, now));
        old
    }

    fn bury(&mut self, node: NodeId, now: Time) {
        if let Some(member) = self.take(node) {
            self.tombstones.bury(node, member.record.version, now);
        }
    }

    /// Where there are too many, the one that has been gone longest makes room.
    fn make_room(&mut self, for_whom: NodeId, now: Time) -> Option<NodeId> {
        if self.members.len() < self.members_max || self.members.contains_key(&for_whom) {
            return None;
        }
        let gone = self.iter().filter(|member| !member.standing.is_here());
        let longest = gone.min_by_key(|member| member.since)?.record.node;
        self.bury(longest, now);
        Some(longest)
    }

    fn put(&mut self, member: Member) {
        let record = &member.record;
        if member.standing.is_here() {
            self.here += 1;
            self.digest = self.digest.wrapping_add(member.print);
            self.names.add(&record.name, member.rank());
        }
        if let Some(suspicion) = &member.suspicion {
            self.due.insert((suspicion.deadline(), record.node));
        }
        if member.standing == Standing::Failed {
            self.failed.insert(record.node);
        }
        self.members.insert(record.node, member);
    }

    /// Takes a member out, with everything that was derived from it.
    fn take(&mut self, node: NodeId) -> Option<Member> {
        let member = self.members.remove(&node)?;
        let record = &member.record;
        if member.standing.is_here() {
            self.here -= 1;
            self.digest = self.digest.wrapping_sub(member.print);
            self.names.remove(&record.name, member.rank());
        }
        if let Some(suspicion) = &member.suspicion {
            self.due.remove(&(suspicion.deadline(), node));
        }
        self.failed.remove(&node);
        Some(member)
    }
}

/// Ids that are tried where a brief one means several.
const TWINS: usize = 4;

#[cfg(test)]
mod tests;
