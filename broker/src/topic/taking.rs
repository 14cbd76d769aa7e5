//! What a subscriber of a fanout topic takes, as frames.

use bytes::BytesMut;
use rumormill_transport_api::Batch;

use super::{
    Portion, Shared,
    log::Log,
    subscriber::{Next, Subscriber},
};
use crate::wire::{Deliver, GapReason};

/// One turn of a subscriber.
pub(super) struct Taking<'a> {
    log: &'a mut Log,
    shared: &'a mut Shared,
    heads: BytesMut,
    most: Portion,
    into: &'a mut Batch,
}

impl<'a> Taking<'a> {
    pub(super) fn new(
        log: &'a mut Log,
        shared: &'a mut Shared,
        most: Portion,
        into: &'a mut Batch,
    ) -> Self {
        Self { log, shared, heads: BytesMut::new(), most, into }
    }

    /// Takes as much as there is and may be taken.
    pub(super) fn run(mut self, subscriber: &mut Subscriber) {
        while self.step(subscriber) {}
    }

    /// Takes what stands next; whether to go on.
    fn step(&mut self, subscriber: &mut Subscriber) -> bool {
        if self.most.messages == 0 {
            return false;
        }
        match subscriber.next(self.log) {
            Next::Nothing => false,
            Next::Gap { from, to } => {
                let is_told = subscriber.window.admits(1);
                if is_told {
                    self.tell(from, to);
                    subscriber.cross();
                }
                is_told
            }
            Next::Messages { slot, until } => self.deliver(subscriber, slot, until),
        }
    }

    fn tell(&mut self, from: u64, to: u64) {
        self.shared.stats.gaps += 1;
        self.into.push(self.shared.gap(from, to, GapReason::Dropped));
    }

    fn deliver(&mut self, subscriber: &mut Subscriber, index: usize, until: u64) -> bool {
        let Some(slot) = self.log.slot(index) else { return false };
        let from = subscriber.at();
        let messages = (until - from.seq).min(self.most.messages as u64);
        let to = slot.after(from, messages, u64::MAX);
        let block = slot.offset(from)..slot.offset(to);
        let len = block.len();
        if !subscriber.window.admits(len) || !self.most.admits(len) {
            return false;
        }
        let is_whole = slot.head != 0 && messages == u64::from(slot.count);
        match is_whole {
            true => self.into.push(slot.frame.clone()),
            false => {
                self.heads.reserve(Deliver::head_len(self.shared.name.as_str()));
                Deliver::head(self.shared.name.as_str(), from.seq, 0, &mut self.heads);
                let head = self.heads.split().freeze();
                self.into.push_parts([head, slot.frame.slice(block)]);
            }
        }
        self.shared.stats.delivered.add(messages as u32, (to.bytes - from.bytes) as usize);
        subscriber.window.send(from.seq, to.seq - 1, len);
        subscriber.advance(self.log, index, to, until);
        self.most.took(messages as usize, len);
        true
    }
}
