//! Splits a byte stream into lines, and lines into messages.

use std::io;

use rumormill_transport_api::{
    Error, MAX_RECV, Reader, Result,
    bytes::{Buf, Bytes, BytesMut},
};
use tokio::{io::AsyncReadExt, net::tcp::OwnedReadHalf};

/// The half that receives.
#[derive(Debug)]
pub struct LineReader {
    stream: OwnedReadHalf,
    max_message: usize,
    /// What has arrived and was not yet returned. It survives every dropped future.
    buffer: BytesMut,
    /// How much of `buffer` is known to hold no end of a line.
    searched: usize,
    finished: bool,
}

impl LineReader {
    pub(crate) fn new(stream: OwnedReadHalf, max_message: usize) -> Self {
        Self { stream, max_message, buffer: BytesMut::new(), searched: 0, finished: false }
    }

    /// The next whole message, if it has arrived.
    fn next(&mut self) -> Result<Option<Bytes>> {
        let end = self.buffer.iter().skip(self.searched).position(|byte| *byte == b'\n');
        let digits = end.map_or(self.buffer.len(), |end| self.searched + end);
        if 2 * self.max_message < digits {
            return Err(Error::TooLarge { len: digits.div_ceil(2), max: self.max_message });
        }
        self.searched = digits;
        if end.is_none() {
            return Ok(None);
        }
        let line = self.buffer.split_to(digits);
        self.buffer.advance(1);
        self.searched = 0;
        decode(&line).map(Some)
    }

    async fn recv_or_end(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        loop {
            let before = into.len();
            while into.len() < before + MAX_RECV {
                let Some(message) = self.next()? else { break };
                into.push(message);
            }
            if before < into.len() {
                return Ok(());
            }
            // Memory grows with what arrives. Cancel-safe: bytes land in `buffer` or nowhere.
            self.buffer.reserve(READ);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(match self.buffer.is_empty() {
                    true => Error::Closed,
                    false => Error::Cut { source: Some(io::ErrorKind::UnexpectedEof.into()) },
                });
            }
        }
    }
}

impl Reader for LineReader {
    async fn recv(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        if self.finished {
            return Err(Error::Closed);
        }
        let received = self.recv_or_end(into).await;
        self.finished = received.is_err();
        received
    }
}

fn decode(line: &[u8]) -> Result<Bytes> {
    let pairs = line.chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    let message: Option<Bytes> = pairs.collect::<Option<Vec<u8>>>().map(Bytes::from);
    message.ok_or_else(|| Error::protocol("a line consists of pairs of the digits 0-9 and a-f"))
}

fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

const READ: usize = 16 << 10;
