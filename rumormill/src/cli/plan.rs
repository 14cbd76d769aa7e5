//! What a measurement sends, and how much of it may be under way.

use std::time::Duration;

use rumormill::transport::{Caps, Delivery, Histogram, Timeouts};

/// What a measurement sends. Memory at both ends grows with `window`, never with the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Bytes of a message.
    pub(crate) size: usize,
    /// Messages of a batch, at least 1.
    pub(crate) batch: usize,
    /// Batches that may be under way, at least 2, so that both directions are busy.
    pub(crate) window: u64,
    pub(crate) delivery: Delivery,
}

impl Plan {
    /// Batches of `batch` messages, or of fewer where two of them exceed what may be under way.
    pub(crate) fn new(size: usize, batch: usize, caps: Caps) -> Self {
        let budget = match caps.delivery {
            Delivery::Datagram => DATAGRAMS,
            Delivery::Stream => STREAM,
        };
        let messages = (budget / size.saturating_add(COST)).max(2);
        let batch = batch.clamp(1, messages / 2);
        Self { size, batch, window: (messages / batch) as u64, delivery: caps.delivery }
    }

    /// How long nothing may come back while something is due.
    ///
    /// A stream brings everything, so a silence is as bad there as anywhere. Datagrams get lost, and
    /// are given up after a few of the round trips measured so far.
    pub(crate) fn silence(&self, timeouts: Timeouts, round_trips: &Histogram) -> Duration {
        match self.delivery {
            Delivery::Datagram if 0 < round_trips.count() => {
                (4 * round_trips.max()).clamp(SHORTEST_SILENCE, timeouts.read.max(SHORTEST_SILENCE))
            }
            Delivery::Datagram | Delivery::Stream => timeouts.read,
        }
    }
}

/// Bytes under way on a stream: more than the buffers of a fast network hold.
const STREAM: usize = 4 << 20;
/// Bytes of datagrams under way: what fits into the kernel's usual buffer of a socket, so that the
/// measurement is not one of its own losses.
const DATAGRAMS: usize = 256 << 10;
/// Bytes that a message costs beyond its length, as the kernel counts a datagram.
const COST: usize = 1 << 10;
/// Shorter ones happen when a machine is busy.
const SHORTEST_SILENCE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(size: usize, batch: usize, caps: Caps) -> (usize, u64) {
        let Plan { batch, window, .. } = Plan::new(size, batch, caps);
        (batch, window)
    }

    #[test]
    fn what_is_under_way_is_bounded() {
        assert_eq!(plan(1 << 10, 64, Caps::STREAM), (64, 32));
        assert_eq!(plan(1 << 10, 64, Caps::DATAGRAM), (64, 2));
        assert_eq!(plan(10 << 20, 64, Caps::STREAM), (1, 2));
        assert_eq!(plan(usize::MAX, usize::MAX, Caps::STREAM), (1, 2));
        assert_eq!(plan(8, 0, Caps::DATAGRAM), (1, 254));
    }

    #[test]
    fn lost_datagrams_are_given_up_after_some_round_trips() {
        let (mut times, timeouts) = (Histogram::default(), Timeouts::lan());
        let silence = |caps, times: &_| Plan::new(64, 64, caps).silence(timeouts, times);
        assert_eq!(silence(Caps::DATAGRAM, &times), timeouts.read);
        times.record(Duration::from_micros(50));
        assert_eq!(silence(Caps::DATAGRAM, &times), SHORTEST_SILENCE);
        times.record(Duration::from_millis(300));
        assert_eq!(silence(Caps::DATAGRAM, &times), Duration::from_millis(1200));
        assert_eq!(silence(Caps::STREAM, &times), timeouts.read);
    }
}
