//! Messages one behind the other.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{LENGTH, Malformed};

/// Messages one behind the other, each with its length before it; what they say of their lengths is
/// true. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    bytes: Bytes,
    count: u32,
    largest: u32,
}

impl Block {
    /// Reads a block, which may not be empty. The messages are not copied.
    ///
    /// # Errors
    /// [`Malformed::Short`] if a length says more than there is, or there is no message at all.
    pub fn parse(bytes: Bytes) -> Result<Self, Malformed> {
        let (mut rest, mut count, mut largest) = (&*bytes, 0, 0);
        while !rest.is_empty() {
            let len = rest.try_get_u32()?;
            rest = rest.get(len as usize..).ok_or(Malformed::Short)?;
            count += 1;
            largest = largest.max(len);
        }
        match count {
            0 => Err(Malformed::Short),
            _ => Ok(Self { bytes, count, largest }),
        }
    }

    /// A block of one message.
    pub fn of(message: &[u8]) -> Self {
        let mut blocks = Blocks::default();
        blocks.push(message);
        blocks.take()
    }

    /// How many messages there are; none only in the default.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the longest message.
    pub fn largest(&self) -> u32 {
        self.largest
    }

    /// The block as it stands on the wire.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Bytes of the messages without their lengths.
    pub fn payload(&self) -> usize {
        self.bytes.len() - LENGTH * self.count as usize
    }

    /// The first `count` messages, which this block loses. All of them, if there are not so many.
    #[must_use]
    pub fn split_front(&mut self, count: u32) -> Self {
        if self.count <= count {
            return std::mem::take(self);
        }
        let (mut at, mut largest) = (0, 0);
        for len in lengths(&self.bytes).take(count as usize) {
            at += LENGTH + len;
            largest = largest.max(len as u32);
        }
        let bytes = self.bytes.split_to(at);
        self.count -= count;
        // Of what is left only an upper bound is known, which is what a limit needs.
        Self { bytes, count, largest }
    }

    /// How many messages from the first on are at most `messages` and `payload` bytes.
    pub(crate) fn fitting(&self, messages: u64, payload: u64) -> u32 {
        if u64::from(self.count) <= messages && self.payload() as u64 <= payload {
            return self.count;
        }
        fitting(&self.bytes, messages, payload).0
    }

    /// Bytes of the first message.
    pub(crate) fn first_len(&self) -> usize {
        lengths(&self.bytes).next().unwrap_or(0)
    }

    /// This block, in a copy of its bytes.
    pub(crate) fn moved_to(&self, bytes: Bytes) -> Self {
        debug_assert_eq!(self.bytes, bytes);
        Self { bytes, ..*self }
    }

    /// The messages, each as a slice of the block.
    pub fn iter(&self) -> impl Iterator<Item = Bytes> + use<> {
        let mut rest = self.bytes.clone();
        std::iter::from_fn(move || next(&mut rest))
    }

    /// The first message, which this block loses.
    pub fn pop(&mut self) -> Option<Bytes> {
        let message = next(&mut self.bytes)?;
        self.count -= 1;
        Some(message)
    }
}

/// The lengths of the messages of a block.
pub(crate) fn lengths(mut block: &[u8]) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let len = block.try_get_u32().ok()? as usize;
        block = block.get(len..)?;
        Some(len)
    })
}

/// How many messages from the first on are at most `messages` and `payload` bytes; and their payload.
pub(crate) fn fitting(block: &[u8], messages: u64, payload: u64) -> (u32, usize) {
    let (mut count, mut bytes) = (0, 0);
    for len in lengths(block) {
        if messages <= u64::from(count) || payload < (bytes + len) as u64 {
            break;
        }
        count += 1;
        bytes += len;
    }
    (count, bytes)
}

fn next(rest: &mut Bytes) -> Option<Bytes> {
    let len = rest.try_get_u32().ok()? as usize;
    (len <= rest.len()).then(|| rest.split_to(len))
}

/// Puts messages into blocks.
#[derive(Debug, Default)]
pub struct Blocks {
    bytes: BytesMut,
    count: u32,
    largest: u32,
}

impl Blocks {
    /// None yet, with room for a block of so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { bytes: BytesMut::with_capacity(bytes), ..Self::default() }
    }

    /// Appends a message, of at most 4 GiB.
    pub fn push(&mut self, message: &[u8]) {
        let len = message.len() as u32;
        self.bytes.reserve(LENGTH + message.len());
        self.bytes.put_u32(len);
        self.bytes.put_slice(message);
        self.count += 1;
        self.largest = self.largest.max(len);
    }

    /// How many messages there are.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Bytes of the block so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are no messages.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The block, and begins a new one.
    pub fn take(&mut self) -> Block {
        let Self { bytes, count, largest } = std::mem::take(self);
        Block { bytes: bytes.freeze(), count, largest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(messages: &[&str]) -> Block {
        let mut blocks = Blocks::default();
        messages.iter().for_each(|message| blocks.push(message.as_bytes()));
        blocks.take()
    }

    fn texts(block: &Block) -> Vec<Bytes> {
        block.iter().collect()
    }

    #[test]
    fn a_block_is_read_as_it_was_written() {
        let whole = block(&["a", "", "ccc"]);
        assert_eq!(Block::parse(whole.bytes().clone()), Ok(whole.clone()));
        assert_eq!((whole.count(), whole.largest(), whole.payload()), (3, 3, 4));
        assert_eq!(texts(&whole), ["a", "", "ccc"]);
    }

    #[test]
    fn a_block_parts_between_messages() {
        let mut rest = block(&["a", "bb", "ccc"]);
        let front = rest.split_front(2);
        assert_eq!(
            (texts(&front), texts(&rest)),
            (vec!["a".into(), "bb".into()], vec!["ccc".into()])
        );
        assert_eq!((front.count(), rest.count(), front.largest()), (2, 1, 2));
        assert_eq!(rest.split_front(9).count(), 1);
        assert_eq!((rest.count(), rest.pop()), (0, None));
    }

    #[test]
    fn a_block_that_lies_is_refused() {
        let good = block(&["hello"]).bytes().clone();
        for cut in 0..good.len() {
            assert_eq!(Block::parse(good.slice(..cut)), Err(Malformed::Short), "{cut}");
        }
        assert_eq!(Block::parse(Bytes::from_static(b"\xff\xff\xff\xff")), Err(Malformed::Short));
    }
}
