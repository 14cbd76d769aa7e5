//! Messages that have arrived, each until its time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{Delivery, MAX_RECV};
use tokio::time::Instant;

use super::Shared;

/// A delay line.
#[derive(Debug)]
pub(super) struct Queue {
    shared: Arc<Shared>,
    delivery: Delivery,
    /// By due time, and by arrival where that is equal.
    waiting: BTreeMap<(Instant, u64), Bytes>,
    bytes: usize,
    arrivals: u64,
    latest: Option<Instant>,
}

impl Queue {
    pub(super) fn new(shared: Arc<Shared>, delivery: Delivery) -> Self {
        Self { shared, delivery, waiting: BTreeMap::new(), bytes: 0, arrivals: 0, latest: None }
    }

    /// Adds a message that left at `from`.
    pub(super) fn push(&mut self, from: Instant, lateness: Duration, message: Bytes) {
        if !lateness.is_zero() {
            self.shared.counts.delayed.add_one();
        }
        let own = from + lateness;
        let due = match self.delivery {
            Delivery::Datagram => own,
            Delivery::Stream => self.latest.map_or(own, |before| before.max(own)),
        };
        self.latest = Some(due);
        self.bytes += message.len();
        self.waiting.insert((due, self.arrivals), message);
        self.arrivals += 1;
    }

    /// Moves what is due at `now` to `into`, at most [`MAX_RECV`]; tells how many.
    pub(super) fn pop_due(&mut self, now: Instant, into: &mut Vec<Bytes>) -> usize {
        for count in 0..MAX_RECV {
            let Some(first) = self.waiting.first_entry().filter(|first| first.key().0 <= now)
            else {
                return count;
            };
            let message = first.remove();
            self.bytes -= message.len();
            into.push(message);
        }
        MAX_RECV
    }

    /// When the first message is due.
    pub(super) fn first_due(&self) -> Option<Instant> {
        self.waiting.first_key_value().map(|((due, _), _)| *due)
    }

    /// Whether more may be read from the carrier. One more read can exceed the limits by twice
    /// what a single `recv` yields.
    pub(super) fn has_room(&self) -> bool {
        self.waiting.len() < MESSAGES && self.bytes < BYTES
    }
}

/// Messages that may wait before nothing more is read; the docs of `Faults::delay` tell it.
const MESSAGES: usize = 8192;
/// Bytes that may wait before nothing more is read.
const BYTES: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out of a queue into which messages of these latenesses went, at once.
    fn order(delivery: Delivery, latenesses: &[u64]) -> Vec<usize> {
        let (mut queue, now) = (Queue::new(Arc::default(), delivery), Instant::now());
        for (index, lateness) in latenesses.iter().enumerate() {
            queue.push(now, Duration::from_secs(*lateness), vec![0; index].into());
        }
        let mut into = Vec::new();
        queue.pop_due(now + Duration::from_secs(1000), &mut into);
        assert_eq!(queue.bytes, 0);
        into.iter().map(Bytes::len).collect()
    }

    #[test]
    fn a_stream_keeps_its_order_whatever_the_lateness() {
        assert_eq!(order(Delivery::Stream, &[3, 1, 2, 2]), [0, 1, 2, 3]);
    }

    #[test]
    fn datagrams_overtake() {
        assert_eq!(order(Delivery::Datagram, &[3, 1, 2, 2]), [1, 2, 3, 0]);
    }

    #[test]
    fn it_is_full_of_messages_or_of_bytes() {
        let (mut queue, now) = (Queue::new(Arc::default(), Delivery::Stream), Instant::now());
        let mut fill = |count, message: &'static [u8]| {
            (0..count).for_each(|_| queue.push(now, Duration::ZERO, message.into()));
            let room = queue.has_room();
            while 0 < queue.pop_due(now, &mut Vec::new()) {}
            room
        };
        assert_eq!((fill(MESSAGES - 1, b""), fill(MESSAGES, b"")), (true, false));
        assert_eq!((fill(15, &[0; 1 << 20]), fill(16, &[0; 1 << 20])), (true, false));
    }
}
