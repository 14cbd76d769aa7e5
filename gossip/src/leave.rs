//! Leaving, so that others know of it, and knowing that they do.

use std::{collections::BTreeSet, time::Duration};

use rumormill_transport_api::NodeId;

use crate::time::Time;

/// What is known of how far the news of this node's leaving has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaveReport {
    /// How many members were asked to confirm, but for those that have left meanwhile.
    pub asked: usize,
    /// How many of them did.
    pub confirmed: usize,
    /// How many members were there, but for those.
    pub live: usize,
}

impl LeaveReport {
    /// Whether enough have confirmed for the news to reach all: three, or everybody where there are
    /// fewer.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.live.min(3) <= self.confirmed
    }
}

/// The leaving of this node.
#[derive(Debug)]
pub(crate) struct Leave {
    waiting: BTreeSet<NodeId>,
    report: LeaveReport,
    /// When it has to be over, whoever has confirmed.
    deadline: Time,
    /// When those that have not confirmed are asked again.
    again: Time,
    /// When it is over because all have confirmed, and probes were answered long enough.
    over: Option<Time>,
}

impl Leave {
    /// One that `asked` are to confirm.
    pub(crate) fn new(asked: Vec<NodeId>, live: usize, now: Time, within: Duration) -> Self {
        let report = LeaveReport { asked: asked.len(), confirmed: 0, live };
        let waiting: BTreeSet<NodeId> = asked.into_iter().collect();
        let over = waiting.is_empty().then_some(now);
        Self { waiting, report, deadline: now + within, again: now, over }
    }

    /// One has confirmed. After the last one, probes are answered for some time yet.
    pub(crate) fn confirm(&mut self, by: NodeId, now: Time, linger: Duration) {
        if self.waiting.remove(&by) {
            self.report.confirmed += 1;
            self.over = self.waiting.is_empty().then(|| now + linger);
        }
    }

    /// Those that have left themselves have nothing to confirm, and will not.
    pub(crate) fn excuse(
        &mut self,
        has_left: impl Fn(NodeId) -> bool,
        now: Time,
        linger: Duration,
    ) {
        let before = self.waiting.len();
        self.waiting.retain(|node| !has_left(*node));
        let excused = before - self.waiting.len();
        self.report.asked -= excused;
        self.report.live = self.report.live.saturating_sub(excused);
        if 0 < excused && self.waiting.is_empty() {
            self.over = Some(now + linger);
        }
    }

    /// What this node has said is not spread yet: it is not over before `until`, but at the deadline.
    pub(crate) fn stay(&mut self, until: Time) {
        self.over = self.over.map(|over| over.max(until));
    }

    /// Whom to ask, again or for the first time.
    pub(crate) fn ask(&mut self, now: Time, every: Duration) -> Vec<NodeId> {
        if now < self.again {
            return Vec::new();
        }
        self.again = now + every;
        self.waiting.iter().copied().collect()
    }

    /// The report, once it is over.
    pub(crate) fn report(&self, now: Time) -> Option<LeaveReport> {
        (self.ends() <= now).then_some(self.report)
    }

    /// When something is to be done.
    pub(crate) fn next(&self) -> Time {
        if self.waiting.is_empty() { self.ends() } else { self.again.min(self.ends()) }
    }

    fn ends(&self) -> Time {
        self.over.map_or(self.deadline, |over| over.min(self.deadline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Time {
        Time(Duration::from_secs(seconds))
    }

    fn node(byte: u8) -> NodeId {
        NodeId([byte; 32])
    }

    #[test]
    fn who_has_not_confirmed_is_asked_again() {
        let mut leave = Leave::new(vec![node(1), node(2)], 9, at(0), 10 * SECOND);
        assert_eq!(leave.ask(at(0), SECOND), [node(1), node(2)]);
        assert_eq!((leave.ask(at(0), SECOND), leave.next()), (vec![], at(1)));
        leave.confirm(node(1), at(1), SECOND);
        leave.confirm(node(1), at(1), SECOND);
        leave.confirm(node(9), at(1), SECOND);
        assert_eq!(leave.ask(at(1), SECOND), [node(2)]);
        let report = LeaveReport { asked: 2, confirmed: 1, live: 9 };
        assert_eq!((leave.report(at(9)), leave.report(at(10))), (None, Some(report)));
        leave.confirm(node(2), at(2), SECOND);
        assert_eq!((leave.next(), leave.report(at(2))), (at(3), None), "it lingers");
        assert!(leave.report(at(3)).is_some_and(|report| report.confirmed == 2));
    }

    #[test]
    fn who_leaves_too_is_not_waited_for() {
        let mut leave = Leave::new(vec![node(1), node(2)], 2, at(0), 10 * SECOND);
        leave.excuse(|who| who == node(1), at(1), SECOND);
        assert_eq!(leave.ask(at(1), SECOND), [node(2)]);
        leave.excuse(|_| true, at(2), SECOND);
        leave.excuse(|_| true, at(3), SECOND);
        let report = LeaveReport { asked: 0, confirmed: 0, live: 0 };
        assert_eq!((leave.report(at(2)), leave.report(at(3))), (None, Some(report)));
        assert!(report.is_success());
    }

    #[test]
    fn three_are_enough_and_nobody_where_nobody_is() {
        let check = |live, confirmed, expected| {
            let report = LeaveReport { asked: live, confirmed, live };
            assert_eq!(report.is_success(), expected, "{report:?}");
        };
        check(0, 0, true);
        check(2, 1, false);
        check(2, 2, true);
        check(9, 2, false);
        check(9, 3, true);
        assert!(Leave::new(vec![], 0, at(0), SECOND).report(at(0)).is_some());
    }
}
