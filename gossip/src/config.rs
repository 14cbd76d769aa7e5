//! What can be set, and presets for three kinds of network.

use std::time::Duration;

use crate::rumor::MAX_RUMOR;

/// How membership and rumors behave. All nodes of a cluster should have the same values.
///
/// The presets have the values of memberlist (`config.go`); `local` alone differs, in
/// [`retransmit_mult`](Self::retransmit_mult), where memberlist's 2 converges slowly.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The period in which a node probes one other (the period T' of SWIM: Das, Gupta, Motivala 2002).
    pub probe_interval: Duration,
    /// How long the answer may take before others are asked to probe; less than the interval.
    pub probe_timeout: Duration,
    /// How many others are asked (K of SWIM).
    pub indirect_probes: usize,
    /// Whether a probe without an answer is sent over a stream as well, in case only packets are lost.
    pub stream_probe: bool,
    /// α of Lifeguard (arXiv 1707.00788): the shortest suspicion lasts α · log10(n) probe intervals, and
    /// α − 2 confirmations are needed for it.
    pub suspicion_mult: f64,
    /// β of Lifeguard: the longest suspicion lasts β times the shortest.
    pub suspicion_max_mult: f64,
    /// λ of SWIM: an update is sent λ · ⌈log10(n + 1)⌉ times by each node, and in clusters of less than ten
    /// as often as in one of ten: half of that leaves out somebody too often.
    pub retransmit_mult: u32,
    /// How often updates are sent by themselves, beside those that go with probes; `None` for never.
    pub gossip_interval: Option<Duration>,
    /// To how many members each time.
    pub gossip_fanout: usize,
    /// How long members that have failed still get updates, so that they learn of it if they live.
    pub gossip_to_failed: Duration,
    /// How often state is exchanged with a random member, up to 32 members; more rarely with more.
    /// `None` for never, not even where digests differ.
    pub exchange_interval: Option<Duration>,
    /// How often state is exchanged with a random failed member, to heal a partition; `None` for never.
    pub heal_interval: Option<Duration>,
    /// Whether a member is held for failed only after this node itself has suspected it for the shortest
    /// time, whoever says that it has failed: so it can say that it lives before anybody believes one who
    /// lies, or errs. Otherwise one accuser is enough, as in SWIM.
    pub second_opinion: bool,
    /// The parts of Lifeguard.
    pub lifeguard: Lifeguard,
    /// Bytes of a packet once sealed, at most; fewer than 960 are taken for 960, which hold a record of any
    /// length.
    pub packet: usize,
    /// Members that are known at a time, those that failed or left included, at most; no more than the
    /// endpoint has places for, whatever is set. If there are more,
    /// those that failed or left are forgotten first; then newcomers are refused and counted.
    pub members_max: usize,
    /// How long members that failed or left are remembered, and failed ones sought.
    pub failed_kept: Duration,
    /// How long a forgotten member's version is remembered, so that no replay brings it back.
    pub tombstones_kept: Duration,
    /// Tombstones, at most; of more, the oldest go.
    pub tombstones_max: usize,
    /// A record of an unknown member that is older, or as much in the future, is refused.
    pub record_age_max: Duration,
    /// How often a member signs its record anew, well within that age.
    pub resign_interval: Duration,
    /// How many members a leaving one asks to confirm, at most.
    pub leave_asked: usize,
    /// How rumors are spread.
    pub rumors: Dissemination,
}

/// How rumors are spread, and how many. All nodes of a cluster should have the same values.
#[derive(Clone, Debug, PartialEq)]
pub struct Dissemination {
    /// Bytes of a rumor that is pushed with the news of members, at most, if a packet has room for it; of
    /// a longer one the id is pushed, and whoever lacks it pulls it.
    pub small: usize,
    /// Bytes of a rumor of this node, at most, up to [`MAX_RUMOR`](crate::MAX_RUMOR) and what the
    /// endpoint's longest message has room for, whatever is set. Less than that
    /// where nodes have but ways that carry less: over UDP alone it is about 65,000.
    pub longest: usize,
    /// Rumors that a node may broadcast in a second; others let through twice as many of one origin,
    /// and drop more, counted, until repair brings them.
    pub per_second: usize,
    /// Rumors that it may broadcast at once after a silence. No more than 1,024 of one origin are
    /// kept apart, so whoever is further behind has a gap.
    pub burst: usize,
    /// Bytes that it may broadcast in a second, and at once after a silence, but one rumor in any case.
    pub bytes_per_second: usize,
    /// How long a rumor is kept for those who have not heard it.
    pub kept: Duration,
    /// Bytes of rumors that are kept, with what keeping them takes, at most; of more, the oldest go,
    /// counted.
    pub kept_bytes: usize,
    /// How often a node tells a random other what it has heard, while it keeps anything, so that what
    /// was lost is found; `None` for never.
    pub repair_interval: Option<Duration>,
    /// How long a node that was asked for a rumor may take until another one is.
    pub pull_timeout: Duration,
}

impl Default for Dissemination {
    /// For nodes of one data centre.
    fn default() -> Self {
        Self {
            small: 512,
            longest: MAX_RUMOR,
            per_second: 100,
            burst: 200,
            bytes_per_second: 1 << 20,
            kept: Duration::from_secs(120),
            kept_bytes: 16 << 20,
            repair_interval: Some(Duration::from_secs(1)),
            pull_timeout: Duration::from_secs(2),
        }
    }
}

/// Which parts of Lifeguard (arXiv 1707.00788) are on, and two of our own. All are, but in experiments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifeguard {
    /// A node that misses answers probes more slowly, and asked ones say that they heard nothing.
    pub probe: bool,
    /// Suspicions begin long and get shorter with each independent confirmation.
    pub suspicion: bool,
    /// A suspected member learns of it with the very probe.
    pub buddy: bool,
    /// A node that was not run for longer than a probe's time-out does not judge by what it missed. Not of
    /// the paper, whose nodes fire their timers first and read what had arrived after.
    pub pause: bool,
    /// A member that somebody suspects is probed next by some others, so that the confirmations that
    /// shorten a suspicion come at once, or its refutation does. Not of the paper, where they come when it is
    /// their turn: of a hundred crashes in a cluster of ten, that took more than ten seconds for one.
    pub haste: bool,
}

impl Lifeguard {
    /// All of it.
    pub const ON: Self =
        Self { probe: true, suspicion: true, buddy: true, pause: true, haste: true };
    /// None of it: plain SWIM.
    pub const OFF: Self =
        Self { probe: false, suspicion: false, buddy: false, pause: false, haste: false };
}

impl Config {
    /// For nodes of one data centre.
    #[must_use]
    pub fn lan() -> Self {
        Self {
            probe_interval: Duration::from_secs(1),
            probe_timeout: Duration::from_millis(500),
            indirect_probes: 3,
            stream_probe: true,
            suspicion_mult: 4.0,
            suspicion_max_mult: 6.0,
            retransmit_mult: 4,
            gossip_interval: Some(Duration::from_millis(200)),
            gossip_fanout: 3,
            gossip_to_failed: Duration::from_secs(30),
            exchange_interval: Some(Duration::from_secs(30)),
            heal_interval: Some(Duration::from_secs(5)),
            second_opinion: true,
            lifeguard: Lifeguard::ON,
            packet: 1200,
            members_max: 16_384,
            failed_kept: Duration::from_secs(24 * 3600),
            tombstones_kept: Duration::from_secs(48 * 3600),
            tombstones_max: 65_536,
            record_age_max: Duration::from_secs(24 * 3600),
            resign_interval: Duration::from_secs(6 * 3600),
            leave_asked: 16,
            rumors: Dissemination::default(),
        }
    }

    /// For nodes on several continents.
    #[must_use]
    pub fn wan() -> Self {
        Self {
            probe_interval: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(3),
            suspicion_mult: 6.0,
            gossip_interval: Some(Duration::from_millis(500)),
            gossip_fanout: 4,
            gossip_to_failed: Duration::from_secs(60),
            exchange_interval: Some(Duration::from_secs(60)),
            rumors: Dissemination {
                repair_interval: Some(Duration::from_secs(2)),
                pull_timeout: Duration::from_secs(5),
                ..Dissemination::default()
            },
            ..Self::lan()
        }
    }

    /// For nodes on one machine.
    #[must_use]
    pub fn local() -> Self {
        Self {
            probe_timeout: Duration::from_millis(200),
            indirect_probes: 1,
            suspicion_mult: 3.0,
            gossip_interval: Some(Duration::from_millis(100)),
            gossip_to_failed: Duration::from_secs(15),
            exchange_interval: Some(Duration::from_secs(15)),
            rumors: Dissemination {
                repair_interval: Some(Duration::from_millis(500)),
                pull_timeout: Duration::from_secs(1),
                ..Dissemination::default()
            },
            ..Self::lan()
        }
    }

    /// How many times a node sends an update when it knows of `members`.
    pub(crate) fn retransmits(&self, members: usize) -> u32 {
        let digits = ((members + 1) as f64).log10().ceil();
        self.retransmit_mult.saturating_mul(digits.max(2.0) as u32)
    }

    /// The time between exchanges: longer by itself with each doubling beyond 32 members, as in
    /// memberlist, so that their sum grows slowly.
    pub(crate) fn exchange_every(&self, members: usize) -> Option<Duration> {
        let doublings = (members.max(32) as f64 / 32.0).log2().ceil();
        self.exchange_interval.map(|interval| scaled(interval, 1.0 + doublings))
    }
}

/// A duration times a factor; the longest there is, if that is longer.
pub(crate) fn scaled(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor.max(0.0)).unwrap_or(Duration::MAX)
}

impl Default for Config {
    /// The values of [`lan`](Self::lan).
    fn default() -> Self {
        Self::lan()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_are_sent_as_often_as_memberlist_sends_them_but_in_small_clusters() {
        let check =
            |members, times| assert_eq!(Config::lan().retransmits(members), times, "{members}");
        check(1, 8);
        check(9, 8);
        check(10, 8);
        check(99, 8);
        check(100, 12);
        check(9999, 16);
    }

    #[test]
    fn exchanges_get_rarer_with_size() {
        let check = |members, seconds| {
            let every = Config::lan().exchange_every(members);
            assert_eq!(every, Some(Duration::from_secs(seconds)), "{members}");
        };
        check(1, 30);
        check(32, 30);
        check(33, 60);
        check(64, 60);
        check(1024, 180);
    }
}
