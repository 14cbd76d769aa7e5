//! What a fanout subscriber was sent, and has not confirmed.

use std::collections::VecDeque;

/// Messages on their way to a subscriber, or with a user that has not finished with them.
#[derive(Debug)]
pub(super) struct Window {
    size: u32,
    sent: VecDeque<Sent>,
    bytes: u64,
    /// The number of the last message that was sent, or that the subscriber was told it misses.
    last: u64,
}

/// Frames one behind the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) messages: u64,
    bytes: u64,
}

impl Window {
    /// For a subscriber to whom everything through `last` is of no concern.
    pub(super) fn new(size: u32, last: u64) -> Self {
        Self { size, sent: VecDeque::new(), bytes: 0, last }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// Whether a block of `bytes` may be sent. One may always be on its way.
    pub(super) fn admits(&self, bytes: usize) -> bool {
        self.bytes == 0 || self.bytes + bytes as u64 <= self.size.into()
    }

    /// Notes that messages were sent, in `bytes` of block.
    pub(super) fn send(&mut self, from: u64, to: u64, bytes: usize) {
        let (messages, bytes) = (to + 1 - from, bytes as u64);
        self.bytes += bytes;
        self.last = to;
        // Coarse, so that a window of empty messages does not take more memory than they do.
        let grain = u64::from(self.size) / GRAINS;
        match self.sent.back_mut() {
            Some(back) if back.bytes + bytes <= grain => {
                back.to = to;
                back.messages += messages;
                back.bytes += bytes;
            }
            _ => self.sent.push_back(Sent { from, to, messages, bytes }),
        }
    }

    /// Notes that the subscriber knows it gets nothing through this message.
    pub(super) fn told(&mut self, through: u64) {
        self.last = through;
    }

    /// How many messages are confirmed by this; `None` if some of them were not sent yet.
    ///
    /// What is confirmed in the middle of frames that are kept as one counts by its share of numbers,
    /// which is not exact until all of them are.
    pub(super) fn confirm(&mut self, through: u64) -> Option<u64> {
        if self.last < through {
            return None;
        }
        let mut confirmed = 0;
        while let Some(front) = self.sent.front_mut()
            && front.from <= through
        {
            let share = front.share(through);
            confirmed += share.messages;
            self.bytes -= share.bytes;
            if front.from <= front.to {
                break;
            }
            self.sent.pop_front();
        }
        Some(confirmed)
    }

    /// What is not confirmed.
    pub(super) fn sent(&self) -> impl Iterator<Item = &Sent> {
        self.sent.iter()
    }
}

impl Sent {
    /// Cuts off everything through this message.
    fn share(&mut self, through: u64) -> Self {
        if self.to <= through {
            let all = *self;
            self.from = self.to + 1;
            return all;
        }
        let (part, whole) = (through + 1 - self.from, self.to + 1 - self.from);
        let of = |all: u64| (u128::from(all) * u128::from(part) / u128::from(whole)) as u64;
        let share =
            Self { to: through, messages: of(self.messages), bytes: of(self.bytes), ..*self };
        self.from = through + 1;
        self.messages -= share.messages;
        self.bytes -= share.bytes;
        share
    }
}

/// Into how many parts a window falls at most.
const GRAINS: u64 = 32;
