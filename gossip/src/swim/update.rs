//! News of members: what is refused, what changes, and what follows from it.

use std::iter::once;

use rand::{Rng, RngExt};
use rumormill_transport_api::NodeId;

use crate::{
    accusation::{Accusation, Claim, Verdict, brief},
    message::{Update, of_accusation, of_record},
    names::{Rank, Right},
    output::{Event, Output},
    record::{Record, State},
    signer::{Grant, Signer},
    suspicion::Timing,
    swim::Swim,
    table::Change,
    time::Time,
};

/// Seconds for which a record is news, whoever tells of it: what was told in an exchange and is older is
/// known to all but the teller's own partition, which exchanges mend.
const FRESH: u64 = 60;
/// Rivals that are told of when the one claims a name whose it is, at most, this node before all others:
/// what one member says is not to make events without end.
const RIVALS: usize = 16;

/// By whom news reach this node, and how.
#[derive(Clone, Copy, Debug)]
struct Teller {
    node: NodeId,
    source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// With what is being spread now.
    Spread,
    /// As what another node has believed for some time.
    State,
}

impl<S: Signer> Swim<S> {
    /// What is behind a forged one is not looked at: nobody passes on what he has not verified.
    pub(super) fn take_updates(
        &mut self,
        from: NodeId,
        updates: Vec<Update>,
        now: Time,
        rng: &mut impl Rng,
    ) {
        let teller = Teller { node: from, source: Source::Spread };
        let forged = self.counters.forged;
        for update in updates {
            match update {
                Update::Record(record) => self.take_record(record, teller, now, rng),
                Update::Claim(claim) => self.take_claim(&claim, Source::Spread, now, rng),
                Update::Rumor(hearsay) => self.take_rumor(&hearsay, now),
                Update::Announced(announced) => self.take_announced(from, announced, now),
            }
            if self.is_over || self.counters.forged != forged {
                return;
            }
        }
    }

    /// A page of what another node knows: a claim right behind a record belongs to it.
    pub(super) fn take_state(
        &mut self,
        node: NodeId,
        updates: Vec<Update>,
        now: Time,
        rng: &mut impl Rng,
    ) {
        let (teller, forged) = (Teller { node, source: Source::State }, self.counters.forged);
        let mut updates = updates.into_iter().peekable();
        while let Some(update) = updates.next() {
            match (update, updates.peek()) {
                (Update::Record(record), Some(Update::Claim(claim)))
                    if claim.about == brief(record.node) && self.is_unknown(record.node) =>
                {
                    self.note_failed(record, &claim.clone(), now);
                    updates.next();
                }
                (Update::Record(record), _) => self.take_record(record, teller, now, rng),
                (Update::Claim(claim), _) => self.take_claim(&claim, Source::State, now, rng),
                // State is of members alone.
                (Update::Rumor(_) | Update::Announced(_), _) => self.counters.malformed += 1,
            }
            if self.is_over || self.counters.forged != forged {
                return;
            }
        }
    }

    fn is_unknown(&self, node: NodeId) -> bool {
        node != self.node() && self.table.get(node).is_none()
    }

    fn take_record(&mut self, record: Record, teller: Teller, now: Time, rng: &mut impl Rng) {
        if record.node == self.node() {
            return self.take_own(&record);
        }
        let Some(grant) = self.admission(&record, now) else { return };
        let was_here = self.is_here(record.node);
        let known = self.table.get(record.node);
        let is_renamed = known.is_some_and(|known| known.record.name != record.name);
        let (node, name, metadata) = (record.node, record.name.clone(), record.metadata);
        self.spread.forget(node);
        if teller.source == Source::Spread || now.seconds().abs_diff(record.issued) <= FRESH {
            self.spread.record(node, of_record(&record));
        }
        let (session, addresses) = (record.session, record.addresses.clone());
        let is_alive = record.state == State::Alive;
        let (change, forgotten) = self.table.admit(record, &grant, now);
        self.forget(forgotten);
        if is_alive {
            self.outputs.push_back(Output::Learn { node, session, addresses });
            self.metadata.heard_of(node, metadata, teller.node, now);
        }
        match (was_here, is_alive) {
            (false, true) => self.prober.add(node, rng),
            (true, false) => self.prober.remove(node),
            (true, true) | (false, false) => (),
        }
        if (change, is_alive) == (Change::Noted, false) {
            self.outputs.push_back(Output::Noted(node));
        }
        self.report(node, change);
        let may_clash = match change {
            Change::Joined | Change::Returned | Change::Updated => true,
            // Who refutes a suspicion may have taken a name meanwhile.
            Change::Cleared => is_renamed,
            Change::Left | Change::Noted => false,
        };
        if may_clash {
            self.check_name(&name, node);
        }
    }

    /// What the subject of a record is, if the record changes anything; the cheapest reasons against it
    /// come first.
    fn admission(&mut self, record: &Record, now: Time) -> Option<Grant> {
        let grant = match self.table.screen(record, now) {
            Ok(()) => self.notary.admits(record.node, &record.ticket),
            Err(refusal) => {
                self.counters.refuse(refusal);
                return None;
            }
        };
        match grant {
            Grant::None => self.counters.denied += 1,
            _ if !record.is_genuine(&self.notary) => self.counters.forged += 1,
            grant => return Some(grant),
        }
        None
    }

    fn report(&mut self, node: NodeId, change: Change) {
        let event = match change {
            Change::Joined => Event::Joined(node),
            Change::Cleared => Event::Cleared(node),
            Change::Returned => Event::Returned(node),
            Change::Updated => Event::Updated(node),
            Change::Left => Event::Left(node),
            Change::Noted => return,
        };
        self.event(event);
    }

    /// Tells who else goes by the name that `node`, which may be this node itself, claims now: whose it is, or,
    /// if it is the claimant's own, all others.
    pub(super) fn check_name(&mut self, name: &str, node: NodeId) {
        let is_own = &*self.own.name == name && !name.is_empty();
        let own = is_own.then(|| self.rank());
        let claims = || own.into_iter().chain(self.table.names().claims(name));
        let Some(holder) = claims().min().map(|rank| rank.node) else { return };
        let rivals: Vec<NodeId> = match holder == node {
            true => {
                let others = claims().map(|rank| rank.node).filter(|other| *other != node);
                others.take(RIVALS).collect()
            }
            false => vec![node],
        };
        for rival in rivals {
            self.event(Event::NameConflict { name: name.into(), holder, rival });
        }
    }

    /// What this node's claim to its name is worth.
    fn rank(&self) -> Rank {
        let Record { name, node, version, ticket, .. } = &self.own;
        let right = Right::to(name, &self.notary.admits(*node, ticket));
        Rank { right, epoch: version.epoch, node: *node }
    }

    /// A record that this node is said to have signed. One of an earlier start is no news.
    fn take_own(&mut self, record: &Record) {
        let is_other = (record.version, record.session) != (self.own.version, self.own.session);
        if record.version < self.own.version || !is_other {
            self.counters.stale += 1;
        } else if !record.is_genuine(&self.notary) {
            self.counters.forged += 1;
        } else {
            let (version, session) = (record.version, record.session);
            self.event(Event::IdentityConflict { version, session });
            self.is_over = true;
        }
    }

    /// Takes a member that others hold for failed, and that nobody here has heard of.
    fn note_failed(&mut self, record: Record, claim: &Claim, now: Time) {
        let accusers = self.accusers(claim);
        let is_known = !accusers.is_empty();
        let is_it = claim.verdict == Verdict::Failed
            && claim.version == record.version
            && record.state == State::Alive;
        let Some(grant) = is_it.then(|| self.admission(&record, now)).flatten() else { return };
        let is_genuine = |by: &NodeId| claim.between(record.node, *by).is_genuine(&self.notary);
        match accusers.into_iter().find(is_genuine) {
            Some(by) => {
                let failure = claim.between(record.node, by);
                let Record { node, session, addresses, .. } = record.clone();
                let forgotten = self.table.admit_failed(record, &grant, failure, now);
                self.forget(forgotten);
                self.outputs.push_back(Output::Learn { node, session, addresses });
            }
            None if is_known => self.counters.forged += 1,
            None => self.counters.unknown += 1,
        }
    }

    fn take_claim(&mut self, claim: &Claim, source: Source, now: Time, rng: &mut impl Rng) {
        let mine = once(self.node()).filter(|node| brief(*node) == claim.about);
        let parties: Vec<(NodeId, NodeId)> = mine
            .chain(self.table.called(claim.about))
            .flat_map(|about| self.accusers(claim).into_iter().map(move |by| (about, by)))
            .filter(|(about, by)| about != by)
            .collect();
        if parties.is_empty() {
            self.counters.unknown += 1;
        }
        // More than one only where ids look alike; then the signature tells who is meant.
        for (about, by) in parties {
            if self.take_accusation(claim.between(about, by), source, now, rng) {
                return;
            }
        }
    }

    fn accusers(&self, claim: &Claim) -> Vec<NodeId> {
        let mine = once(self.node()).filter(|node| brief(*node) == claim.by);
        mine.chain(self.table.called(claim.by)).collect()
    }

    /// Tells whether the accusation was genuine.
    fn take_accusation(
        &mut self,
        accusation: Accusation,
        source: Source,
        now: Time,
        rng: &mut impl Rng,
    ) -> bool {
        let is_mine = accusation.about == self.node();
        self.is_misjudged |= is_mine && accusation.version <= self.own.version;
        if !self.wants(&accusation) {
            self.counters.stale += 1;
        } else if self.is_excessive(accusation.by, now) {
            self.counters.excessive += 1;
        } else if !accusation.is_genuine(&self.notary) {
            self.counters.forged += 1;
        } else {
            match is_mine {
                true => self.refute(now),
                false => self.believe(accusation, source, now, rng),
            }
            return true;
        }
        false
    }

    fn wants(&self, accusation: &Accusation) -> bool {
        match accusation.about == self.node() {
            true => accusation.version == self.own.version && self.own.state == State::Alive,
            false => self.table.wants(accusation),
        }
    }

    /// Says that this node lives.
    fn refute(&mut self, now: Time) {
        if self.config.lifeguard.probe {
            self.health.suspected();
        }
        self.reissue(State::Alive, now);
    }

    fn believe(&mut self, accusation: Accusation, source: Source, now: Time, rng: &mut impl Rng) {
        match (accusation.verdict, source) {
            (Verdict::Suspect, _) => {
                if self.suspect(&accusation, now) {
                    self.look_into(accusation.about, rng);
                }
            }
            (Verdict::Failed, Source::Spread) if self.config.second_opinion => {
                if self.suspect(&accusation, now) {
                    self.look_into(accusation.about, rng);
                }
            }
            (Verdict::Failed, Source::Spread) => self.fail(accusation, now),
            // What another node holds for failed may have been parted from it alone: whoever hears of it
            // suspects it, so that it hears of that, and can say that it lives.
            (Verdict::Failed, Source::State) => self.accuse(accusation.about, now),
        }
    }

    /// Has a member that somebody else suspects probed next by some: those whose word it takes, and as many
    /// again. It learns with that of the suspicion, if it lives.
    fn look_into(&mut self, node: NodeId, rng: &mut impl Rng) {
        let wanted = 2.0 * (self.config.suspicion_mult - 2.0).max(0.0);
        let chance = wanted / self.size().saturating_sub(2).max(1) as f64;
        if self.config.lifeguard.haste && rng.random::<f64>() < chance {
            self.prober.hurry(node);
        }
    }

    /// Tells whether it is the first who says so.
    pub(super) fn suspect(&mut self, accusation: &Accusation, now: Time) -> bool {
        let (node, by) = (accusation.about, accusation.by);
        let timing = Timing::new(&self.config, self.size());
        self.spread.accusation(node, by, of_accusation(accusation));
        let is_first = self.table.suspect(accusation, now, timing);
        if is_first {
            self.event(Event::Suspected { node, by });
        }
        is_first
    }

    pub(super) fn fail(&mut self, accusation: Accusation, now: Time) {
        let (node, by) = (accusation.about, accusation.by);
        self.spread.forget(node);
        self.spread.accusation(node, by, of_accusation(&accusation));
        self.table.fail(accusation, now);
        self.prober.remove(node);
        self.event(Event::Failed { node, by });
    }

    pub(super) fn forget(&mut self, nodes: impl IntoIterator<Item = NodeId>) {
        for node in nodes {
            self.spread.forget(node);
            self.heard.remove(&node);
            self.metadata.forget(node);
            self.miss_rumors_of(node);
            self.outputs.push_back(Output::Forget(node));
        }
    }

    pub(super) fn is_here(&self, node: NodeId) -> bool {
        self.table.get(node).is_some_and(|member| member.standing.is_here())
    }
}
