//! Joins messages into a byte stream, many to a system call.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io::{self, IoSlice},
    mem,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{Framing, HEADER, spare};
use crate::{Batch, Error, Result, Writer, batch::Message};

/// The [`Writer`] of a framed byte stream.
///
/// Small messages are gathered into one buffer, since copying them costs less than describing them
/// to the kernel one by one; the payloads of large ones are written from where they are, several to
/// a system call. `send` flushes the stream. Dropping it drops the stream: where that should look
/// like a cut, the stream sees to it, unless its shutdown was completed.
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
    /// What is left of large messages, to be written between pieces of `gathered`.
    large: VecDeque<Large>,
    is_flushed: bool,
    state: State,
}

/// A part of a large message, never empty.
#[derive(Debug)]
struct Large {
    /// How much of `gathered` goes before it.
    at: usize,
    rest: Bytes,
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
        if self.gathered.capacity() == 0 {
            self.gathered = spare::take_gathered();
        }
        while self.gathered.len() < self.framing.buffer.get() && self.large.len() < SLICES / 2 {
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

    fn advance(&mut self, mut written: usize) {
        while let Some(Large { at, rest }) = self.large.front_mut() {
            let before = written.min(*at - self.accepted);
            self.accepted += before;
            written -= before;
            if written < rest.len() {
                rest.advance(written);
                return;
            }
            written -= rest.len();
            self.large.pop_front();
        }
        self.accepted += written;
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
        if self.large.is_empty() {
            return Pin::new(&mut self.stream).poll_write(cx, &self.gathered[self.accepted..]);
        }
        let (mut slices, mut used) = ([IoSlice::new(&[]); SLICES], 0);
        for (slot, piece) in
            slices.iter_mut().zip(pieces(&self.gathered, self.accepted, &self.large))
        {
            *slot = IoSlice::new(piece);
            used += 1;
        }
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
        let flushed = self.flush().await;
        self.finish_on_error(flushed)?;
        // A conn that has nothing to send holds nothing: the caller gets the allocation back.
        mem::swap(&mut self.backlog, batch);
        spare::keep_gathered(mem::take(&mut self.gathered));
        Ok(())
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
fn put(message: Message<'_>, gathered: &mut Vec<u8>, large: &mut VecDeque<Large>) {
    let len =
        u32::try_from(message.len()).expect("invariant: the batch was checked against the limit");
    gathered.extend_from_slice(&len.to_be_bytes());
    if message.len() <= GATHERED {
        return message.parts().iter().for_each(|part| gathered.extend_from_slice(part));
    }
    let parts = message.parts().iter().filter(|part| !part.is_empty());
    large.extend(parts.map(|part| Large { at: gathered.len(), rest: part.clone() }));
}

/// `gathered` from `accepted` on, with the large messages at their places; no piece is empty.
fn pieces<'a>(
    gathered: &'a [u8],
    accepted: usize,
    large: &'a VecDeque<Large>,
) -> impl Iterator<Item = &'a [u8]> {
    let ends = large.iter().map(|large| large.at).chain([gathered.len()]);
    let before = ends.scan(accepted, |from, end| Some(&gathered[mem::replace(from, end)..end]));
    let large = large.iter().map(|large| &*large.rest).chain([&[][..]]);
    let pieces = before.zip(large).flat_map(|(before, large)| [before, large]);
    pieces.filter(|piece| !piece.is_empty())
}

/// The longest message that is copied next to its neighbours instead of being written from where
/// it is.
const GATHERED: usize = 16 << 10;
/// Slices of one vectored write.
const SLICES: usize = 16;
const _: () = assert!(HEADER == size_of::<u32>());
