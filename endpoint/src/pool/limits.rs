//! How much a pool holds, and how long it waits.

use std::time::Duration;

use rumormill_transport_api::Timeouts;

/// How much a [`Pool`](super::Pool) holds, and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Conns that are open at once, in use and idle together. Where there are so many, an idle one
    /// is closed to make room, or else a checkout waits. The pool of an endpoint shares this bound
    /// with the endpoint's own conns.
    pub conns: usize,
    /// Conns in use for one target at once, so that one slow peer does not take all places; more
    /// checkouts wait. The default is that of `conns`.
    pub per_target: usize,
    /// Conns that are kept while nobody uses them; of more, those that were unused longest are
    /// closed, once they are not `warm` any more.
    pub idle: usize,
    /// How long a conn is warm that has come back: `idle` does not count it. Under steady load
    /// everything comes back and is lent again all the time, and to close a conn in between would
    /// mean to dial it again. With zero, `idle` is never exceeded; otherwise by what was in use
    /// within this time, and `conns` bounds them all. Conns that have become cold are closed within
    /// a second.
    pub warm: Duration,
    /// How long a conn is kept that nobody uses.
    pub idle_for: Duration,
    /// Checkouts that may wait at once; one more fails with
    /// [`Exhausted`](super::Error::Exhausted) without waiting.
    pub queue: usize,
    /// How long [`checkout`](super::Pool::checkout) may take in all, its dial included.
    pub wait: Duration,
    /// How long a dial may take.
    pub dial: Duration,
}

impl Default for Limits {
    /// 1,000 conns, 100 of them idle for 90 s, warm for 1 s; 10,000 checkouts wait for 5 s; a dial
    /// takes 3 s.
    fn default() -> Self {
        Self {
            conns: 1000,
            per_target: 1000,
            idle: 100,
            warm: Duration::from_secs(1),
            idle_for: Duration::from_secs(90),
            queue: 10_000,
            wait: Duration::from_secs(5),
            dial: Timeouts::lan().dial,
        }
    }
}
