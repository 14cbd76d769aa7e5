//! Which faults, and how often.

use std::time::Duration;

use rumormill_transport_api::{Caps, Delivery};

/// What the conns of a [`Faulty`](crate::Faulty) transport suffer; by default nothing.
///
/// Shares are between 0 and 1; less means never, more means always. A message is cut at, dropped,
/// duplicated or reordered, at most one of these, and its dice are thrown in this order: of the
/// messages that are not dropped, the share `duplicate` arrives twice.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Faults {
    /// Where all chance comes from: see [`Faulty`](crate::Faulty).
    pub seed: u64,
    /// The share of messages that vanish.
    pub drop: f64,
    /// The share of messages that arrive twice, the copy right behind.
    pub duplicate: f64,
    /// The share of messages that change place with the next one.
    ///
    /// A message that overtakes is not held back itself, so even a share of 1 exchanges pairs. One
    /// that nothing overtakes keeps its place: a reader holds it for 5 ms, or until the peer's end,
    /// and a writer does not hold the last message of a batch.
    pub reorder: f64,
    /// How much later each message arrives, and the end of the conn too; at most a day.
    ///
    /// It counts from the moment at which the reader, while it is called, finds the message in the
    /// carrier. A reader keeps up to 8,192 messages or 16 MiB waiting and then reads no further, so
    /// the carrier's own backpressure or loss sets in, and a delay bounds the throughput.
    pub delay: Duration,
    /// The most that chance adds to the delay of a message; at most a day. On a stream no message
    /// arrives before one that was sent earlier; on datagrams it may.
    pub jitter: Duration,
    /// The chance, at each message of either half, that the conn is cut there: the messages before
    /// it pass, itself and all later ones are lost.
    pub cut: f64,
    /// How many messages each half lets pass, those that it drops included, before the conn is cut
    /// at the next one of that half.
    pub cut_after: Option<u64>,
}

impl Faults {
    /// What is left of a carrier's capabilities: a stream that may lose, repeat or reorder messages
    /// is none.
    pub(super) fn caps(&self, inner: Caps) -> Caps {
        let unreliable = [self.drop, self.duplicate, self.reorder].iter().any(|share| 0.0 < *share);
        let delivery = if unreliable { Delivery::Datagram } else { inner.delivery };
        Caps { delivery, ..inner }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(faults: Faults) -> Delivery {
        faults.caps(Caps::STREAM).delivery
    }

    #[test]
    fn a_stream_that_is_late_or_cut_is_a_stream() {
        let late = Duration::from_millis(1);
        let faults = Faults { delay: late, jitter: late, cut: 1.0, ..Faults::default() };
        assert_eq!(delivery(faults), Delivery::Stream);
    }

    #[test]
    fn a_stream_that_loses_repeats_or_reorders_is_none() {
        let calm = Faults::default();
        assert_eq!(delivery(Faults { drop: 0.1, ..calm }), Delivery::Datagram);
        assert_eq!(delivery(Faults { duplicate: 0.1, ..calm }), Delivery::Datagram);
        assert_eq!(delivery(Faults { reorder: 0.1, ..calm }), Delivery::Datagram);
    }
}
