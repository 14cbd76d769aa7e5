//! What became of the conns of a pool.

/// Why a conn of a pool is no longer there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ended {
    /// The pool was closed or dropped.
    Closed,
    /// Nobody knows what it still carries: a use was cancelled, ran out of time or panicked, or
    /// whoever used it did not give it back.
    Dirty,
    /// It was idle, and there were too many, or others needed its place.
    Displaced,
    /// Its target was forgotten, or its node is gone.
    Evicted,
    /// Nobody used it for too long.
    Expired,
    /// Its peer has left, the carrier broke, or something came that nobody had asked for; or another
    /// conn of its target had died in use.
    Unhealthy,
}

/// The numbers of a pool at one moment: `created = active + idle + closed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Conns that were dialled, successfully.
    pub created: u64,
    /// Checkouts that got a conn which was there.
    pub reused: u64,
    /// Conns that are leased.
    pub active: usize,
    /// Conns that nobody uses.
    pub idle: usize,
    /// Checkouts that wait for a place.
    pub waiting: usize,
    /// Targets that are leased, idle or waited for.
    pub targets: usize,
    /// Dials that failed.
    pub failed_dials: u64,
    /// Conns that are no longer there, by reason.
    pub ended: Vec<(Ended, u64)>,
}

/// What is counted, under the lock of what it counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    created: u64,
    reused: u64,
    active: usize,
    idle: usize,
    ended: [u64; REASONS.len()],
    pub(super) failed_dials: u64,
}

impl Snapshot {
    /// Conns that are no longer there.
    pub fn closed(&self) -> u64 {
        self.ended.iter().map(|(_, count)| count).sum()
    }

    /// Conns that are no longer there for this reason.
    pub fn ended(&self, why: Ended) -> u64 {
        self.ended.iter().filter(|(reason, _)| *reason == why).map(|(_, count)| count).sum()
    }

    /// The share of checkouts that needed no dial: 0 when there were none, 1 at best.
    pub fn reuse_rate(&self) -> f64 {
        match self.reused + self.created {
            0 => 0.0,
            all => self.reused as f64 / all as f64,
        }
    }
}

impl Tally {
    pub(super) fn created(&mut self) {
        self.created += 1;
        self.active += 1;
    }

    pub(super) fn reused(&mut self) {
        self.reused += 1;
    }

    /// An idle conn is in use.
    pub(super) fn taken(&mut self) {
        self.idle -= 1;
        self.active += 1;
    }

    /// A conn that was in use is idle.
    pub(super) fn kept(&mut self) {
        self.active -= 1;
        self.idle += 1;
    }

    /// A conn that was in use is no longer there.
    pub(super) fn active_ended(&mut self, why: Ended) {
        self.active -= 1;
        self.ended[why as usize] += 1;
    }

    /// An idle conn is no longer there.
    pub(super) fn idle_ended(&mut self, why: Ended) {
        self.idle -= 1;
        self.ended[why as usize] += 1;
    }

    pub(super) fn snapshot(&self, targets: usize, waiting: usize) -> Snapshot {
        Snapshot {
            created: self.created,
            reused: self.reused,
            active: self.active,
            idle: self.idle,
            waiting,
            targets,
            failed_dials: self.failed_dials,
            ended: REASONS.into_iter().zip(self.ended).collect(),
        }
    }
}

const REASONS: [Ended; 6] = [
    Ended::Closed,
    Ended::Dirty,
    Ended::Displaced,
    Ended::Evicted,
    Ended::Expired,
    Ended::Unhealthy,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_place() {
        assert!(REASONS.iter().enumerate().all(|(at, why)| *why as usize == at));
    }

    #[test]
    fn a_conn_is_always_somewhere() {
        let mut tally = Tally::default();
        tally.created();
        tally.kept();
        tally.taken();
        tally.reused();
        tally.active_ended(Ended::Dirty);
        tally.created();
        tally.kept();
        tally.idle_ended(Ended::Expired);
        tally.created();
        let snapshot = tally.snapshot(1, 0);
        assert_eq!((snapshot.created, snapshot.active, snapshot.idle), (3, 1, 0));
        assert_eq!((snapshot.closed(), snapshot.ended(Ended::Dirty)), (2, 1));
        assert_eq!(snapshot.reuse_rate(), 0.25);
    }
}
