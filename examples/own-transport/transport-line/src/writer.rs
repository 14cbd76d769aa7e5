//! Writes messages as lines.

use std::io;

use rumormill_transport_api::{Batch, Error, Message, Result, Writer};
use tokio::{io::AsyncWriteExt, net::tcp::OwnedWriteHalf};

/// The half that sends.
#[derive(Debug)]
pub struct LineWriter {
    stream: OwnedWriteHalf,
    max_message: usize,
    /// What was taken from the caller, and the first message that is not yet in `lines`.
    taken: Batch,
    next: usize,
    /// What is being written, and how much of it the stream has accepted.
    lines: Vec<u8>,
    accepted: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closing,
    Finished,
}

impl LineWriter {
    pub(crate) fn new(stream: OwnedWriteHalf, max_message: usize) -> Self {
        let (taken, lines) = (Batch::default(), Vec::new());
        Self { stream, max_message, taken, next: 0, lines, accepted: 0, state: State::Open }
    }

    /// Prepares the next piece of what was taken; tells whether there is one.
    fn encode(&mut self) -> bool {
        self.lines.clear();
        self.accepted = 0;
        while self.lines.len() < PIECE {
            let Some(message) = self.taken.get(self.next) else { break };
            put(message, &mut self.lines);
            self.next += 1;
        }
        if self.next == self.taken.len() {
            self.taken.clear();
            self.next = 0;
        }
        !self.lines.is_empty()
    }

    /// Writes all that was taken. Everything that has to survive a dropped future is in `self`.
    async fn flush(&mut self) -> Result<()> {
        while self.accepted < self.lines.len() || self.encode() {
            // Cancel-safe: tokio's `write` has written nothing if it is dropped.
            match self.stream.write(&self.lines[self.accepted..]).await? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                written => self.accepted += written,
            }
        }
        Ok(())
    }
}

impl Writer for LineWriter {
    async fn send(&mut self, batch: &mut Batch) -> Result<()> {
        if self.state != State::Open {
            return Err(Error::Closed);
        }
        let (len, max) = (batch.largest(), self.max_message);
        if max < len {
            return Err(Error::TooLarge { len, max });
        }
        self.taken.append(batch);
        let sent = self.flush().await;
        if sent.is_err() {
            self.state = State::Finished;
        }
        sent
    }

    async fn close(&mut self) -> Result<()> {
        if self.state == State::Finished {
            return Err(Error::Closed);
        }
        self.state = State::Closing;
        let flushed = self.flush().await;
        self.state = State::Finished;
        flushed?;
        match self.stream.shutdown().await {
            // Everything was sent, and the peer has left: nobody misses the end.
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error.into()),
            _ => Ok(()),
        }
    }
}

fn put(message: Message<'_>, lines: &mut Vec<u8>) {
    for byte in message.parts().iter().flatten() {
        lines.extend([byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]));
    }
    lines.push(b'\n');
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// Bytes that are written at a time, but for a longer message.
const PIECE: usize = 64 << 10;
