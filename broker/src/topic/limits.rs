//! How much there may be of something.

/// Messages, and bytes of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

impl Limits {
    /// What is left of them; nothing at all, not even for empty messages, where they are exceeded.
    pub(super) fn less(self, messages: u64, bytes: u64) -> Self {
        let left = self.messages.checked_sub(messages).zip(self.bytes.checked_sub(bytes));
        left.map_or(Self { messages: 0, bytes: 0 }, |(messages, bytes)| Self { messages, bytes })
    }
}

/// How much a subscriber takes at most. A block that is longer is taken alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Most {
    pub(crate) bytes: usize,
    pub(crate) messages: usize,
}

/// What is left of a [`Most`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Portion {
    pub(super) messages: usize,
    bytes: usize,
    is_whole: bool,
}

impl From<Most> for Portion {
    fn from(Most { bytes, messages }: Most) -> Self {
        Self { messages, bytes, is_whole: true }
    }
}

impl Portion {
    pub(super) fn admits(&self, bytes: usize) -> bool {
        0 < self.messages && (self.is_whole || bytes <= self.bytes)
    }

    pub(super) fn took(&mut self, messages: usize, bytes: usize) {
        self.messages -= messages;
        self.bytes = self.bytes.saturating_sub(bytes);
        self.is_whole = false;
    }
}
