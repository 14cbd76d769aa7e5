//! Length-prefixed messages over any byte stream: four bytes of big-endian length, the payload.
//!
//! Every transport whose carrier is a stream of bytes uses these halves, so that the wire, the
//! limits and the behaviour under cancellation are the same for all. The format is what Erlang
//! calls `{packet, 4}` and Netty `LengthFieldPrepender(4)`. A message of length zero is legal.
//! docs/wire.md has test vectors.

mod reader;
mod spare;
mod writer;

use std::num::NonZeroUsize;

pub use reader::FrameReader;
pub use writer::FrameWriter;

use crate::{Buffers, Caps, OptionSpec, Options, Result};

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
    /// The option of [`buffer`](Self::buffer), for a transport's list.
    pub const BUFFER: OptionSpec =
        OptionSpec::new("buffer", "128KiB", "bytes read or gathered at a time, at least 1KiB");
    /// The option of [`max_message`](Self::max_message), for a transport's list.
    pub const MAX_MESSAGE: OptionSpec =
        OptionSpec::new("max_message", "10MiB", "the longest message, both ways");

    /// These limits, overridden by what `options` set.
    ///
    /// # Errors
    /// [`Error::Option`](crate::Error::Option) for a value that is malformed or out of range.
    pub fn with(self, options: &Options) -> Result<Self> {
        let max_message = options.size(Self::MAX_MESSAGE.name, 1..=u32::MAX as usize)?;
        let buffer = options.size(Self::BUFFER.name, 1 << 10..=1 << 30)?;
        Ok(Self {
            max_message: max_message.unwrap_or(self.max_message),
            buffer: buffer.and_then(NonZeroUsize::new).unwrap_or(self.buffer),
        })
    }

    /// The length of the largest message that may be sent or received.
    fn limit(&self) -> usize {
        self.max_message.min(u32::MAX as usize)
    }
}

impl Default for Framing {
    fn default() -> Self {
        let buffer = const { NonZeroUsize::new(Buffers::SMALL * 4).unwrap() };
        Self { max_message: Caps::MAX_MESSAGE, buffer }
    }
}

/// The length of the length.
const HEADER: usize = 4;
