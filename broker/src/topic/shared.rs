//! What all parts of a topic know of it.

use bytes::Bytes;

use super::{ConnId, Limits};
use crate::{
    TopicName,
    config::Topic as Settings,
    memory::Memory,
    stats::{Left, LeftState, TopicStats},
    wire::{Answer, Block, EndReason, GapReason, RefusedWhy, Subscribed},
};

/// The name, the settings, the numbers and the counts of a topic.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) name: TopicName,
    pub(super) settings: Settings,
    pub(super) epoch: u64,
    pub(super) memory: Memory,
    /// The number of the next message.
    pub(super) next: u64,
    pub(super) stats: TopicStats,
}

impl Shared {
    /// The number of the first message of a topic.
    pub(super) const FIRST: u64 = 1;

    pub(super) fn limits(&self) -> Limits {
        let Settings { max_messages, max_bytes, .. } = self.settings;
        Limits { messages: max_messages as u64, bytes: max_bytes as u64 }
    }

    /// A copy of the block that pins no other memory, and is charged for.
    pub(super) fn keep(&self, block: &Block) -> Result<Block, RefusedWhy> {
        let bytes = block.bytes();
        let charge = self.memory.charge_for(bytes.len()).ok_or(RefusedWhy::Memory)?;
        Ok(block.moved_to(charge.keep((&**bytes).into())))
    }

    pub(super) fn refuse(&mut self, why: RefusedWhy, messages: u32) {
        *self.stats.refused.entry(why).or_default() += u64::from(messages);
    }

    pub(super) fn subscribed(&self) -> Bytes {
        let subscribed = Subscribed {
            topic: self.name.as_str(),
            epoch: self.epoch,
            next: self.next,
            routing: self.settings.routing,
            max_message: u32::try_from(self.settings.max_message_size).unwrap_or(u32::MAX),
        };
        Answer::Subscribed(subscribed).encode()
    }

    pub(super) fn gap(&self, from: u64, to: u64, reason: GapReason) -> Bytes {
        Answer::Gap { topic: self.name.as_str(), from, to, reason }.encode()
    }

    pub(super) fn ended(&self, reason: EndReason) -> Bytes {
        Answer::Ended { topic: self.name.as_str(), reason }.encode()
    }

    pub(super) fn credit(&self, through: u64) -> Bytes {
        Answer::Credit { topic: self.name.as_str(), through }.encode()
    }

    pub(super) fn receipt(&self, receipt: u64, first: u64, count: u32, to: usize) -> Bytes {
        let subscribers = u32::try_from(to).unwrap_or(u32::MAX);
        Answer::Receipt { receipt, first, count, subscribers }.encode()
    }

    pub(super) fn refused(&self, why: RefusedWhy, receipt: Option<u64>, messages: u32) -> Bytes {
        let topic = self.name.as_str();
        Answer::Refused { why, topic, receipt, messages, text: why.to_string().into() }.encode()
    }

    /// Reports messages that are left, as one range with those before them if it can be.
    pub(super) fn report(
        &self,
        conn: Option<ConnId>,
        (from, to): (u64, u64),
        messages: u64,
        state: LeftState,
        into: &mut Vec<Left>,
    ) {
        match into.last_mut() {
            Some(last) if (last.conn, last.state, last.to + 1) == (conn, state, from) => {
                last.to = to;
                last.messages += messages;
            }
            _ => {
                let topic = self.name.clone();
                into.push(Left { topic, conn, from, to, messages, state });
            }
        }
    }
}
