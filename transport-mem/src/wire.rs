//! When what is sent over a link arrives: the state of one direction, without clocks and locks.

use std::{num::NonZeroU64, time::Duration};

use tokio::time::Instant;

use crate::{Link, dice::Dice};

/// One direction between two hosts: what it is told to do, and what that depends on.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) link: Link,
    pub(crate) is_parted: bool,
    dice: Dice,
    /// When the last byte that was sent has left, where the bandwidth is limited.
    free_at: Option<Instant>,
}

/// When something arrives. What is held arrives after everything that is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Arrival {
    At(Instant),
    /// Not before the link lets something pass again.
    Held,
}

/// What becomes of a message of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Crossing {
    pub(crate) arrival: Arrival,
    /// How much of the time goes to retransmissions.
    pub(crate) delay: Duration,
}

/// What becomes of a datagram that is not lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flight {
    pub(crate) arrival: Instant,
    /// How much of the time lets later ones overtake it.
    pub(crate) delay: Duration,
    /// When its copy arrives, if it is duplicated.
    pub(crate) copy: Option<Instant>,
}

impl Wire {
    pub(crate) fn new(link: Link, dice: Dice) -> Self {
        Self { link, is_parted: false, dice, free_at: None }
    }

    /// Whether nothing passes at all.
    pub(crate) fn is_blocked(&self) -> bool {
        self.is_parted || 1.0 <= self.link.loss
    }

    /// Sends `len` bytes of a stream.
    pub(crate) fn cross(&mut self, now: Instant, len: usize) -> Crossing {
        if self.is_blocked() {
            return Crossing { arrival: Arrival::Held, delay: Duration::ZERO };
        }
        let delay = self.retransmissions();
        let left = self.leave(now, len);
        let arrival = later(self.travel(left), delay);
        Crossing { arrival: Arrival::At(arrival), delay }
    }

    /// Sends a datagram of `len` bytes; `None`: it is lost.
    pub(crate) fn throw(&mut self, now: Instant, len: usize) -> Option<Flight> {
        if self.is_parted || LONGEST_QUEUE < self.queue(now) {
            return None;
        }
        let left = self.leave(now, len);
        if self.dice.chance(self.link.loss) {
            return None;
        }
        let is_late = self.dice.chance(self.link.reorder);
        let delay = if is_late { self.link.latency.max(OVERTAKEN) } else { Duration::ZERO };
        let arrival = later(self.travel(left), delay);
        let is_doubled = self.dice.chance(self.link.duplicate);
        Some(Flight { arrival, delay, copy: is_doubled.then(|| self.travel(left)) })
    }

    fn retransmissions(&mut self) -> Duration {
        let timeout = self.link.latency.saturating_mul(2).max(SHORTEST_TIMEOUT);
        let lost = (0..MOST_RETRANSMISSIONS).take_while(|_| self.dice.chance(self.link.loss));
        timeout.saturating_mul(lost.count() as u32)
    }

    /// When the last of `len` bytes has left, after all that were sent before.
    fn leave(&mut self, now: Instant, len: usize) -> Instant {
        let Some(bandwidth) = self.link.bandwidth else { return now };
        let left = later(now + self.queue(now), transmission(len, bandwidth));
        self.free_at = Some(left);
        left
    }

    /// How long what is sent now waits for what was sent before.
    fn queue(&self, now: Instant) -> Duration {
        match (self.link.bandwidth, self.free_at) {
            (Some(_), Some(free_at)) => free_at.saturating_duration_since(now),
            _ => Duration::ZERO,
        }
    }

    fn travel(&mut self, left: Instant) -> Instant {
        later(later(left, self.link.latency), self.dice.up_to(self.link.jitter))
    }
}

impl Flight {
    /// When it arrives, and when its copy does.
    pub(crate) fn arrivals(self) -> impl Iterator<Item = Instant> {
        [Some(self.arrival), self.copy].into_iter().flatten()
    }
}

fn transmission(len: usize, bandwidth: NonZeroU64) -> Duration {
    let nanos = (len as u128 * 1_000_000_000).div_ceil(u128::from(bandwidth.get()));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// Spans that no clock can hold end after a year.
fn later(at: Instant, by: Duration) -> Instant {
    at.checked_add(by.min(YEAR)).unwrap_or(at)
}

const LONGEST_QUEUE: Duration = Duration::from_secs(1);
/// After so many, TCP gives up; here the message arrives, since a loss below 1 lets some pass.
const MOST_RETRANSMISSIONS: u32 = 64;
const OVERTAKEN: Duration = Duration::from_millis(10);
/// Linux waits at least this long before it sends again.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(200);
const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn wire(link: Link) -> Wire {
        Wire::new(link, Dice::new(1, "a", "b"))
    }

    fn arrival(crossing: Crossing) -> Instant {
        match crossing.arrival {
            Arrival::At(at) => at,
            Arrival::Held => panic!("{crossing:?}"),
        }
    }

    #[test]
    fn bytes_leave_one_after_the_other() {
        let mut wire = wire(Link { bandwidth: NonZeroU64::new(1000), ..Link::default() });
        let now = Instant::now();
        assert_eq!(arrival(wire.cross(now, 500)), now + 500 * MS);
        assert_eq!(arrival(wire.cross(now, 250)), now + 750 * MS);
        assert_eq!(arrival(wire.cross(now + 900 * MS, 100)), now + 1000 * MS);
    }

    #[test]
    fn datagrams_that_queue_for_longer_than_a_second_are_lost() {
        let mut wire = wire(Link { bandwidth: NonZeroU64::new(1000), ..Link::default() });
        let now = Instant::now();
        let arrivals = |flight: Option<Flight>| flight.map(|flight| flight.arrival);
        assert_eq!(arrivals(wire.throw(now, 1001)), Some(now + 1001 * MS));
        assert_eq!(arrivals(wire.throw(now, 1)), None);
        assert_eq!(arrivals(wire.throw(now + MS, 1)), Some(now + 1002 * MS));
    }

    #[test]
    fn a_loss_on_a_stream_costs_a_timeout() {
        let now = Instant::now();
        for (latency, timeout) in [(10 * MS, 200 * MS), (300 * MS, 600 * MS)] {
            let mut wire = wire(Link { latency, loss: 0.5, ..Link::default() });
            let crossings: Vec<_> = (0..1000).map(|_| wire.cross(now, 1)).collect();
            for crossing in &crossings {
                assert_eq!(crossing.delay.as_millis() % timeout.as_millis(), 0);
                assert_eq!(arrival(*crossing), now + latency + crossing.delay);
            }
            let lost: u128 =
                crossings.iter().map(|c| c.delay.as_millis() / timeout.as_millis()).sum();
            // The mean of a geometric distribution of 1/2 is 1, its variance 2.
            assert!((850..1150).contains(&lost), "{lost}");
        }
    }

    #[test]
    fn a_loss_close_to_one_ends() {
        let mut wire = wire(Link { loss: 1.0 - f64::EPSILON, ..Link::default() });
        let crossing = wire.cross(Instant::now(), 1);
        assert_eq!(crossing.delay, 64 * SHORTEST_TIMEOUT);
    }

    #[test]
    fn nothing_overflows() {
        let now = Instant::now();
        let mut wire = wire(Link {
            latency: Duration::MAX,
            jitter: Duration::MAX,
            loss: 0.5,
            reorder: 1.0,
            duplicate: 1.0,
            bandwidth: NonZeroU64::new(1),
        });
        for _ in 0..100 {
            assert!(now < arrival(wire.cross(now, usize::MAX)));
        }
        wire.free_at = None;
        wire.link.loss = 0.0;
        assert!(wire.throw(now, usize::MAX).is_some());
    }
}
