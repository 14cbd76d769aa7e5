//! Rumors: saying something to all, and hearing what others say.

use bytes::Bytes;
use rumormill_transport_api::NodeId;

use crate::{
    accusation::{Brief, brief},
    output::Output,
    record::State,
    rumor::{Announced, BroadcastError, FRAME, Gap, Hearsay, Rumor, RumorId},
    rumors::Verdict,
    signer::Signer,
    swim::{MAX_OUTPUTS, Swim, round::following},
    time::Time,
};

/// Why a rumor changes nothing, the reason that says least first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Refused {
    Unknown,
    Stale,
    Unpolled,
    Excessive,
    Forged,
}

impl<S: Signer> Swim<S> {
    /// Says something to all members: whoever is connected with one that has heard it hears it once,
    /// or learns of a [`Gap`]. This node does not hear it itself. It may be empty.
    ///
    /// # Errors
    /// [`BroadcastError`]; nothing has changed.
    pub fn broadcast(&mut self, now: Time, bytes: Bytes) -> Result<RumorId, BroadcastError> {
        if self.is_over || self.own.state == State::Leaving {
            return Err(BroadcastError::Over);
        }
        self.make_up_for_sleep(now);
        let (epoch, number) = self.mill.speak(bytes.len(), now)?;
        let rumor = Rumor::sign(epoch, number, &bytes, &self.notary);
        let id = rumor.id();
        self.keep_rumor(rumor, now);
        Ok(id)
    }

    /// Rumors that say more do not fit into a packet, whatever the settings are.
    fn keep_rumor(&mut self, rumor: Rumor, now: Time) {
        if !self.mill.is_active() {
            // The row of moments goes on where it would be, so that nodes do not come into step.
            let interval = self.config.rumors.repair_interval.unwrap_or_default();
            self.timers.repair = following(self.timers.repair, interval, now);
        }
        let small = self.room().saturating_sub(2 + FRAME);
        self.mill.keep(rumor, small, now);
    }

    pub(super) fn take_rumor(&mut self, hearsay: &Hearsay, now: Time) {
        let mut refused = self.refused_as_own(hearsay.by);
        // More than one only where ids look alike; then the signature tells whose it is.
        for (origin, started) in self.origins(hearsay.by) {
            match self.hear(hearsay, origin, started, now) {
                Ok(()) => return,
                Err(reason) => refused = refused.max(reason),
            }
        }
        match refused {
            Refused::Unknown => self.counters.rumors_unknown += 1,
            Refused::Stale => self.counters.rumors_stale += 1,
            Refused::Unpolled => self.counters.unsent += 1,
            Refused::Excessive => self.counters.rumors_excessive += 1,
            Refused::Forged => self.counters.forged += 1,
        }
    }

    /// What this node has said itself comes back to it.
    fn refused_as_own(&self, by: Brief) -> Refused {
        if by == brief(self.node()) { Refused::Stale } else { Refused::Unknown }
    }

    /// Others whom a brief id may mean, and in which start they are.
    pub(super) fn origins(&self, by: Brief) -> Vec<(NodeId, u64)> {
        let started = |node| Some((node, self.table.get(node)?.record.version.epoch));
        self.table.called(by).filter_map(started).collect()
    }

    /// The cheapest reasons to refuse come first.
    fn hear(
        &mut self,
        hearsay: &Hearsay,
        origin: NodeId,
        started: u64,
        now: Time,
    ) -> Result<(), Refused> {
        match self.mill.judge(hearsay.id(origin), hearsay.len(), started, now) {
            Verdict::Stale => return Err(Refused::Stale),
            Verdict::Excessive => return Err(Refused::Excessive),
            Verdict::Wanted if MAX_OUTPUTS <= self.outputs.len() => return Err(Refused::Unpolled),
            Verdict::Wanted => (),
        }
        let rumor = hearsay.of(origin);
        if !rumor.is_genuine(&self.notary) {
            return Err(Refused::Forged);
        }
        let gaps = self.mill.hear(&rumor, now);
        self.tell_gaps(gaps);
        self.outputs.push_back(Output::Rumor(rumor.clone()));
        self.keep_rumor(rumor, now);
        Ok(())
    }

    pub(super) fn tell_gaps(&mut self, gaps: Vec<Gap>) {
        self.outputs.extend(gaps.into_iter().map(Output::Gap));
    }

    /// A member that is forgotten says nothing more.
    pub(super) fn miss_rumors_of(&mut self, node: NodeId) {
        let gaps = self.mill.forget(node);
        self.tell_gaps(gaps);
    }

    /// Somebody says that it has a rumor that is too long for packets.
    pub(super) fn take_announced(&mut self, from: NodeId, announced: Announced, now: Time) {
        let origins = self.origins(announced.by);
        if self.table.get(from).is_none()
            || self.refused_as_own(announced.by) == Refused::Unknown && origins.is_empty()
        {
            self.counters.rumors_unknown += 1;
            return;
        }
        for (origin, started) in origins {
            let id = announced.id(origin);
            match self.mill.judge(id, 0, started, now) {
                Verdict::Wanted => self.mill.pulls.offer(id, from, now),
                Verdict::Stale => self.counters.rumors_stale += 1,
                Verdict::Excessive => self.counters.rumors_excessive += 1,
            }
        }
    }
}
