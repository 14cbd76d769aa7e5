//! Accusing others, and how much of others' accusing is heard.

use std::time::Duration;

use rumormill_transport_api::NodeId;

use crate::{
    accusation::{Accusation, Verdict},
    probe::Probe,
    signer::Signer,
    swim::Swim,
    time::Time,
};

/// Accusations of one node that are verified in a minute: this many, and twice the members. An honest
/// one that was parted from all has to accuse each of them twice.
const HEARD: usize = 64;
const MINUTE: Duration = Duration::from_secs(60);

impl<S: Signer> Swim<S> {
    /// What follows from a probe, once its period has ended.
    pub(super) fn judge(&mut self, probe: &Probe, now: Time) {
        let (asked, silent) = probe.help();
        match (probe.is_answered, self.config.lifeguard.probe) {
            (true, true) => self.health.answered(),
            (false, true) => self.health.unanswered(asked, silent),
            (_, false) => (),
        }
        if !probe.is_answered {
            self.accuse(probe.target, now);
        }
    }

    /// Suspects a member in this node's own name, if that adds anything.
    pub(super) fn accuse(&mut self, node: NodeId, now: Time) {
        let accusation = self.accusation(Verdict::Suspect, node);
        if let Some(accusation) = accusation.filter(|accusation| self.table.wants(accusation)) {
            self.suspect(&accusation, now);
        }
    }

    /// Holds a member for failed whose suspicion has ended.
    pub(super) fn condemn(&mut self, node: NodeId, now: Time) {
        if let Some(accusation) = self.accusation(Verdict::Failed, node) {
            self.fail(accusation, now);
        }
    }

    pub(super) fn accusation(&self, verdict: Verdict, about: NodeId) -> Option<Accusation> {
        let version = self.table.get(about)?.record.version;
        Some(Accusation::sign(verdict, about, version, &self.notary))
    }

    /// Whether an accuser has been heard often enough for now. Asked before anything is verified.
    pub(super) fn is_excessive(&mut self, by: NodeId, now: Time) -> bool {
        let most = HEARD + 2 * self.size();
        let (since, count) = self.heard.entry(by).or_insert((now, 0));
        if MINUTE <= now.since(*since) {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        most < *count
    }
}
