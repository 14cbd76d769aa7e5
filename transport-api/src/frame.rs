//! Length-prefixed messages over any byte stream: four bytes of big-endian length, the payload.
//!
//! Every transport whose carrier is a stream of bytes uses these halves, so that the wire, the
//! limits and the behaviour under cancellation are the same for all. The format is what Erlang
//! calls `{packet, 4}` and Netty `LengthFieldPrepender(4)`. A message of length zero is legal.
//! docs/wire.md has test vectors.

mod reader;
mod writer;

use std::num::NonZeroUsize;

pub use reader::FrameReader;
pub use writer::FrameWriter;

use crate::{Buffers, Caps};

/// The limits of a framed stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framing {
    /// The longest message in bytes, both ways. Values above 4 GiB − 1 mean that.
    pub max_message: usize,
    /// How many bytes are read, or gathered for writing, at a time. A busy half holds about this
    /// much, and more only while a single message is longer.
    pub buffer: NonZeroUsize,
}

impl Framing {
    /// The length of the largest message that may be sent or received.
    fn limit(&self) -> usize {
        self.max_message.min(u32::MAX as usize)
    }
}

impl Default for Framing {
    fn default() -> Self {
        let buffer = const { NonZeroUsize::new(Buffers::SMALL * 2).unwrap() };
        Self { max_message: Caps::MAX_MESSAGE, buffer }
    }
}

/// The length of the length.
const HEADER: usize = 4;
