//! Joins messages into a byte stream, many to a system call.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{Framing, HEADER};
use crate::{Batch, Error, Result, Writer, batch::Message};

/// The [`Writer`] of a framed byte stream.
///
/// Small messages are gathered into one buffer, since copying them costs less than describing them
/// to the kernel one by one; the payload of a large one is written from where it is. `send` flushes
/// the stream. Dropping it drops the stream: where that should look like a cut, the stream sees to
/// it, unless its shutdown was completed.
#[derive(Debug)]
pub struct FrameWriter<W> {
    stream: W,
    framing: Framing,
    backlog: Batch,
    /// The first message of `backlog` that is neither in `gathered` nor in `large`.
    next: usize,
    gathered: Vec<u8>,
    /// How much of `gathered` the stream has accepted.
    accepted: usize,
    /// What is left of one large message, to follow `gathered`.
    large: VecDeque<Bytes>,
    is_flushed: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closing,
    Finished,
}

impl<W> FrameWriter<W> {
    /// Writes messages to `stream`.
    pub fn new(stream: W, framing: Framing) -> Self {
        Self {
            stream,
            framing,
            backlog: Batch::default(),
            next: 0,
            gathered: Vec::new(),
            accepted: 0,
            large: VecDeque::new(),
            is_flushed: true,
            state: State::Open,
        }
    }

    fn take(&mut self, batch: &mut Batch) -> Result<()> {
        let (len, max) = (batch.largest(), self.framing.limit());
        match len <= max {
            true => self.backlog.append(batch),
            false => return Err(Error::TooLarge { len, max }),
        }
        Ok(())
    }

    /// Prepares the next write, when the one before is done; tells whether there is one.
    fn gather(&mut self) -> bool {
        if self.accepted < self.gathered.len() || !self.large.is_empty() {
            return true;
        }
        self.gathered.clear();
        self.accepted = 0;
        while self.gathered.len() < self.framing.buffer.get() && self.large.is_empty() {
            let Some(message) = self.backlog.get(self.next) else { break };
            put(message, &mut self.gathered, &mut self.large);
            self.next += 1;
        }
        if self.next == self.backlog.len() {
            self.backlog.clear();
            self.next = 0;
        }
        !self.gathered.is_empty()
    }

    fn advance(&mut self, written: usize) {
        let here = written.min(self.gathered.len() - self.accepted);
        self.accepted += here;
        let mut rest = written - here;
        while let Some(front) = self.large.front_mut() {
            if rest < front.len() {
                front.advance(rest);
                return;
            }
            rest -= front.len();
            self.large.pop_front();
        }
    }
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    async fn flush(&mut self) -> Result<()> {
        while self.gather() {
            self.is_flushed = false;
            // Cancel-safe: the call writes nothing, or what it wrote is accounted for below.
            match poll_fn(|cx| self.poll_write(cx)).await? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                written => self.advance(written),
            }
        }
        if !self.is_flushed {
            self.stream.flush().await?;
            self.is_flushed = true;
        }
        Ok(())
    }

    /// The slices live here and not across an await, which would make every future 2 KB larger.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let gathered = &self.gathered[self.accepted..];
        if self.large.is_empty() {
            return Pin::new(&mut self.stream).poll_write(cx, gathered);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        slices[0] = IoSlice::new(gathered);
        for (slot, part) in slices[1..].iter_mut().zip(&self.large) {
            *slot = IoSlice::new(part);
        }
        let used = SLICES.min(1 + self.large.len());
        Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..used])
    }

    fn finish_on_error(&mut self, result: Result<()>) -> Result<()> {
        if result.is_err() {
            self.finish();
        }
        result
    }

    fn finish(&mut self) {
        self.state = State::Finished;
        self.backlog = Batch::default();
        self.gathered = Vec::new();
        self.large = VecDeque::new();
    }
}

impl<W: AsyncWrite + Unpin + Send + 'static> Writer for FrameWriter<W> {
    async fn send(&mut self, batch: &mut Batch) -> Result<()> {
        if self.state != State::Open {
            return Err(Error::Closed);
        }
        self.take(batch)?;
        let result = self.flush().await;
        self.finish_on_error(result)
    }

    async fn close(&mut self) -> Result<()> {
        if self.state == State::Finished {
            return Err(Error::Closed);
        }
        self.state = State::Closing;
        let flushed = self.flush().await;
        self.finish_on_error(flushed)?;
        let result = self.stream.shutdown().await;
        self.finish();
        Ok(result?)
    }
}

/// Appends the header and, if it is small, the payload of `message`; a large payload goes to `large`.
fn put(message: Message<'_>, gathered: &mut Vec<u8>, large: &mut VecDeque<Bytes>) {
    let len =
        u32::try_from(message.len()).expect("invariant: the batch was checked against the limit");
    gathered.extend_from_slice(&len.to_be_bytes());
    match message.len() <= GATHERED {
        true => message.parts().iter().for_each(|part| gathered.extend_from_slice(part)),
        false => large.extend(message.parts().iter().filter(|part| !part.is_empty()).cloned()),
    }
}

/// The longest message that is copied next to its neighbours instead of being written from where
/// it is.
const GATHERED: usize = 16 << 10;
/// Slices of one vectored write.
const SLICES: usize = 16;
const _: () = assert!(HEADER == size_of::<u32>());
