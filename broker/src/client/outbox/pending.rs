//! A block that waits, and how long it may be.

use crate::{
    TopicName,
    client::{config::cost, fate::Share, lane::HEAD},
    wire::{Block, Blocks},
};

/// A block that waits.
#[derive(Debug)]
pub(in crate::client) struct Pending {
    pub(in crate::client) block: Block,
    pub(in crate::client) fate: Option<Share>,
    pub(in crate::client) asks: bool,
}

/// What a conn allows.
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct Allowed {
    /// Bytes of the longest frame.
    pub(in crate::client) frame: usize,
    /// Bytes of blocks to each topic before the first Credit.
    pub(in crate::client) window: u64,
}

impl Allowed {
    /// Bytes of the longest block to a topic.
    pub(in crate::client) fn block(self, topic: &TopicName) -> usize {
        let frame = self.frame.saturating_sub(HEAD + topic.as_str().len());
        frame.min(usize::try_from(self.window).unwrap_or(usize::MAX))
    }
}

impl Pending {
    /// Parts a block into some of at most so many bytes, but for messages that are longer alone. They are
    /// copied, for that tells the longest of each.
    pub(in crate::client) fn part(self, most: usize) -> Vec<Self> {
        let Self { block, mut fate, asks } = self;
        let (mut blocks, mut open) = (Vec::new(), Blocks::default());
        for message in block.iter() {
            if !open.is_empty() && most < open.len() + cost(message.len()) {
                blocks.push(open.take());
            }
            open.push(&message);
        }
        blocks.push(open.take());
        let mut share = |block: &Block| fate.as_mut().map(|fate| fate.split_front(block.count()));
        blocks.into_iter().map(|block| Self { fate: share(&block), block, asks }).collect()
    }
}
