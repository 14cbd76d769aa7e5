//! Messages on their way to a writer.

use bytes::{Bytes, BytesMut};

/// Messages to send, first in, first out.
///
/// A message may consist of several slices, so that a header and a signature can be put around a
/// payload without copying it; it arrives as one. A batch keeps its allocation when a writer takes
/// what is in it, so one batch serves for ever.
///
/// A writer takes what is in a batch with [`append`](Self::append) into one of its own, walks that
/// with [`get`](Self::get) and an index that it keeps, and then calls [`clear`](Self::clear).
///
/// A batch holds whatever was pushed: the caller bounds it, in messages and in
/// [`bytes`](Self::bytes), before it sends.
///
/// ```
/// use rumormill_transport_api::Batch;
///
/// let mut batch = Batch::default();
/// batch.push("whole");
/// batch.push_parts(["head ".into(), "body".into()]);
/// assert_eq!((batch.len(), batch.bytes(), batch.largest()), (2, 14, 9));
/// let messages: Vec<_> = batch.iter().map(|message| message.to_bytes()).collect();
/// assert_eq!(messages, ["whole", "head body"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Batch {
    parts: Vec<Bytes>,
    messages: Vec<Extent>,
    bytes: usize,
    largest: usize,
}

/// One message: where its parts end, and its length.
#[derive(Clone, Copy, Debug)]
struct Extent {
    end: usize,
    len: usize,
}

impl Batch {
    /// An empty batch with room for `messages` messages of one part each.
    pub fn with_capacity(messages: usize) -> Self {
        Self {
            parts: Vec::with_capacity(messages),
            messages: Vec::with_capacity(messages),
            ..Self::default()
        }
    }

    /// Appends a message.
    pub fn push(&mut self, message: impl Into<Bytes>) {
        let message = message.into();
        let len = message.len();
        self.parts.push(message);
        self.end_message(len);
    }

    /// Appends one message that consists of `parts`, in this order. No parts make an empty message.
    pub fn push_parts(&mut self, parts: impl IntoIterator<Item = Bytes>) {
        let from = self.parts.len();
        self.parts.extend(parts);
        let len = self.parts.iter().skip(from).map(Bytes::len).sum();
        self.end_message(len);
    }

    fn end_message(&mut self, len: usize) {
        self.messages.push(Extent { end: self.parts.len(), len });
        self.bytes += len;
        self.largest = self.largest.max(len);
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The length of all messages together, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The length of the longest message, in bytes: what a writer compares with its limit.
    pub fn largest(&self) -> usize {
        self.largest
    }

    /// The message at `index`, counted from the oldest.
    pub fn get(&self, index: usize) -> Option<Message<'_>> {
        let Extent { end, len } = *self.messages.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| self.messages[before].end);
        Some(Message { parts: &self.parts[start..end], len })
    }

    /// All messages, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = Message<'_>> {
        (0..self.len()).map_while(|index| self.get(index))
    }

    /// Forgets all messages and keeps the allocation.
    pub fn clear(&mut self) {
        self.parts.clear();
        self.messages.clear();
        (self.bytes, self.largest) = (0, 0);
    }

    /// Moves all messages of `other` behind those of this batch; `other` is empty afterwards.
    ///
    /// Into an empty batch this is an exchange of allocations, so nothing is copied.
    pub fn append(&mut self, other: &mut Self) {
        if self.is_empty() {
            self.clear();
            return std::mem::swap(self, other);
        }
        let offset = self.parts.len();
        self.parts.append(&mut other.parts);
        let moved =
            other.messages.drain(..).map(|Extent { end, len }| Extent { end: offset + end, len });
        self.messages.extend(moved);
        self.bytes += other.bytes;
        self.largest = self.largest.max(other.largest);
        other.clear();
    }
}

impl<M: Into<Bytes>> FromIterator<M> for Batch {
    fn from_iter<I: IntoIterator<Item = M>>(messages: I) -> Self {
        let mut batch = Self::default();
        batch.extend(messages);
        batch
    }
}

impl<M: Into<Bytes>> Extend<M> for Batch {
    fn extend<I: IntoIterator<Item = M>>(&mut self, messages: I) {
        let messages = messages.into_iter();
        let least = messages.size_hint().0;
        self.parts.reserve(least);
        self.messages.reserve(least);
        messages.for_each(|message| self.push(message));
    }
}

/// One message of a [`Batch`].
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    parts: &'a [Bytes],
    len: usize,
}

impl<'a> Message<'a> {
    /// The length of all parts together, in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the message has no bytes, which is legal.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Its parts, in order; some may be empty.
    pub fn parts(&self) -> &'a [Bytes] {
        self.parts
    }

    /// The message in one piece: shared if it has one part, else copied.
    pub fn to_bytes(&self) -> Bytes {
        match self.parts {
            [whole] => whole.clone(),
            parts => {
                let mut joined = BytesMut::with_capacity(self.len);
                parts.iter().for_each(|part| joined.extend_from_slice(part));
                joined.freeze()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(batch: &Batch) -> Vec<Bytes> {
        batch.iter().map(|message| message.to_bytes()).collect()
    }

    #[test]
    fn append_keeps_order_parts_and_totals() {
        let mut all: Batch = ["a", "bb"].into_iter().collect();
        let mut more = Batch::default();
        more.push_parts([Bytes::from("c"), Bytes::new(), Bytes::from("cc")]);
        more.push_parts([]);
        all.append(&mut more);
        assert_eq!(texts(&all), ["a", "bb", "ccc", ""]);
        assert_eq!((all.bytes(), all.largest()), (6, 3));
        assert!(more.is_empty() && more.bytes() == 0 && more.get(0).is_none());
    }

    #[test]
    fn append_to_an_empty_batch_exchanges_allocations() {
        let (mut mine, mut theirs) = (Batch::with_capacity(64), Batch::with_capacity(8));
        theirs.push("x");
        mine.append(&mut theirs);
        assert_eq!(texts(&mine), ["x"]);
        assert!(64 <= theirs.parts.capacity());
    }
}
