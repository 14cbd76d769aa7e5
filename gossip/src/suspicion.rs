//! How long a member is suspected before it is held for failed.
//!
//! Lifeguard (arXiv 1707.00788): the time begins at its longest and gets shorter with each independent
//! confirmation, `max(Min, Max − (Max − Min) · log(C + 1) / log(k + 1))`.

use std::time::Duration;

use rumormill_transport_api::NodeId;

use crate::{
    accusation::Verdict,
    config::{Config, scaled},
    time::Time,
};

/// The suspicion of one member in one version.
#[derive(Debug)]
pub(crate) struct Suspicion {
    since: Time,
    timing: Timing,
    /// Who has accused it, the first included; at most one more than the confirmations that count.
    accusers: Vec<NodeId>,
    /// What this node has slept through meanwhile, and what is not to be held against the member.
    grace: Duration,
    /// How often it has slept.
    naps: u8,
    is_hastened: bool,
}

/// How long suspicions last in a cluster of some size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Timing {
    min: Duration,
    max: Duration,
    /// The confirmations that make it shortest: k.
    confirmations: usize,
}

/// How often a suspicion is prolonged.
const MAX_NAPS: u8 = 3;

impl Timing {
    /// For a cluster of `members`, this node and the suspected one included.
    pub(crate) fn new(config: &Config, members: usize) -> Self {
        let scale = (members.max(1) as f64).log10().max(1.0);
        let min = scaled(config.probe_interval, config.suspicion_mult * scale);
        let wanted = (config.suspicion_mult - 2.0).max(0.0) as usize;
        // Of three nodes, one is suspected and one suspects: nobody is left who could confirm.
        let is_possible = wanted <= members.saturating_sub(2);
        match config.lifeguard.suspicion && is_possible && 0 < wanted {
            true => Self {
                min,
                max: scaled(min, config.suspicion_max_mult.max(1.0)),
                confirmations: wanted,
            },
            false => Self { min, max: min, confirmations: 0 },
        }
    }

    /// The time with this many confirmations.
    fn after(&self, confirmations: usize) -> Duration {
        if self.confirmations <= confirmations {
            return self.min;
        }
        let share = (confirmations as f64 + 1.0).ln() / (self.confirmations as f64 + 1.0).ln();
        let shorter = scaled(self.max.saturating_sub(self.min), share);
        self.max.saturating_sub(shorter).max(self.min)
    }
}

impl Suspicion {
    pub(crate) fn new(by: NodeId, now: Time, timing: Timing) -> Self {
        Self {
            since: now,
            timing,
            accusers: vec![by],
            grace: Duration::ZERO,
            naps: 0,
            is_hastened: false,
        }
    }

    /// Whether an accusation by this node would change anything.
    pub(crate) fn wants(&self, verdict: Verdict, by: NodeId) -> bool {
        match verdict {
            Verdict::Suspect => self.counts(by),
            Verdict::Failed => !self.is_hastened,
        }
    }

    pub(crate) fn confirm(&mut self, by: NodeId) {
        if self.counts(by) {
            self.accusers.push(by);
        }
    }

    fn counts(&self, by: NodeId) -> bool {
        self.accusers.len() <= self.timing.confirmations && !self.accusers.contains(&by)
    }

    /// Lets it last no longer than the shortest one: another node's suspicion has ended.
    pub(crate) fn hasten(&mut self) {
        (self.timing.max, self.is_hastened) = (self.timing.min, true);
    }

    pub(crate) fn deadline(&self) -> Time {
        self.since + self.timing.after(self.accusers.len() - 1).saturating_add(self.grace)
    }

    /// Lets it last longer, for a few times: who always sleeps has to judge in the end.
    pub(crate) fn postpone(&mut self, by: Duration) {
        if self.naps < MAX_NAPS {
            self.naps += 1;
            self.grace = self.grace.saturating_add(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(timing: Timing, confirmations: usize) -> f64 {
        timing.after(confirmations).as_secs_f64()
    }

    #[test]
    fn confirmations_shorten_a_suspicion_as_the_paper_says() {
        let config = Config { suspicion_mult: 5.0, ..Config::lan() };
        let timing = Timing::new(&config, 100);
        assert_eq!(seconds(timing, 0), 60.0);
        let by_hand = 60.0 - 50.0 * 2_f64.ln() / 4_f64.ln();
        assert!((seconds(timing, 1) - by_hand).abs() < 1e-6);
        assert_eq!((seconds(timing, 3), seconds(timing, 9)), (10.0, 10.0));
    }

    #[test]
    fn where_nobody_can_confirm_nobody_waits_for_it() {
        let config = Config::lan();
        assert_eq!(seconds(Timing::new(&config, 3), 0), 4.0);
        assert_eq!(seconds(Timing::new(&config, 4), 0), 24.0);
        assert_eq!(seconds(Timing::new(&Config { suspicion_mult: 2.0, ..config }, 9), 0), 2.0);
    }

    #[test]
    fn senseless_settings_make_no_panic() {
        for mult in [f64::NAN, f64::INFINITY, -1.0, 1e300] {
            let (suspicion_mult, suspicion_max_mult) = (mult, mult);
            let config = Config { suspicion_mult, suspicion_max_mult, ..Config::lan() };
            (0..9).for_each(|count| _ = Timing::new(&config, 100).after(count));
        }
    }

    #[test]
    fn an_accuser_counts_once() {
        let node = |byte| NodeId([byte; 32]);
        let mut suspicion =
            Suspicion::new(node(1), Time::default(), Timing::new(&Config::lan(), 9));
        assert_eq!(suspicion.deadline().seconds(), 24);
        suspicion.confirm(node(1));
        assert_eq!(suspicion.deadline().seconds(), 24);
        suspicion.confirm(node(2));
        suspicion.confirm(node(3));
        assert_eq!(suspicion.deadline().seconds(), 4);
        assert!(!suspicion.wants(Verdict::Suspect, node(4)), "two confirmations are enough");
        suspicion.postpone(Duration::from_secs(3));
        assert_eq!(suspicion.deadline().seconds(), 7);
        (0..9).for_each(|_| suspicion.postpone(Duration::from_secs(3)));
        assert_eq!(suspicion.deadline().seconds(), 13);
    }

    #[test]
    fn who_hears_that_anothers_suspicion_has_ended_waits_no_longer_than_least() {
        let mut suspicion =
            Suspicion::new(NodeId([1; 32]), Time::default(), Timing::new(&Config::lan(), 9));
        assert!(suspicion.wants(Verdict::Failed, NodeId([2; 32])));
        suspicion.hasten();
        assert_eq!(suspicion.deadline().seconds(), 4);
        assert!(!suspicion.wants(Verdict::Failed, NodeId([3; 32])));
    }
}
