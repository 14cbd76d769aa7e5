//! What became of messages, in numbers.

use super::report::ClientStats;
use crate::wire::{Block, RefusedWhy};

/// The numbers of a client, and what waits in it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) stats: ClientStats,
}

impl Tally {
    pub(super) fn waits(&mut self, bytes: usize) {
        let stats = &mut self.stats;
        stats.published += 1;
        stats.published_bytes += bytes as u64;
        stats.waiting += 1;
        stats.waiting_bytes += bytes as u64;
    }

    pub(super) fn waiting_less(&mut self, block: &Block) {
        self.stats.waiting -= u64::from(block.count());
        self.stats.waiting_bytes -= block.bytes().len() as u64;
    }

    pub(super) fn leaves(&mut self, block: &Block) {
        self.waiting_less(block);
        self.stats.in_flight += u64::from(block.count());
    }

    pub(super) fn unsent(&mut self, block: &Block) {
        self.waiting_less(block);
        self.stats.unsent += u64::from(block.count());
    }

    pub(super) fn in_flight_less(&mut self, messages: u64) {
        self.stats.in_flight = self.stats.in_flight.saturating_sub(messages);
    }

    /// They were sent, and nobody asked about them.
    pub(super) fn told(&mut self, messages: u64) {
        self.in_flight_less(messages);
        self.stats.sent += messages;
    }

    /// Among those that counted as sent, some are refused.
    pub(super) fn told_wrongly(&mut self, messages: u64) {
        self.stats.sent = self.stats.sent.saturating_sub(messages);
    }

    pub(super) fn acknowledged(&mut self, messages: u64) {
        self.in_flight_less(messages);
        self.stats.acknowledged += messages;
    }

    pub(super) fn uncertain(&mut self, messages: u64) {
        self.in_flight_less(messages);
        self.stats.uncertain += messages;
    }

    pub(super) fn refused(&mut self, why: RefusedWhy, messages: u64) {
        *self.stats.refused.entry(why).or_default() += messages;
    }
}
