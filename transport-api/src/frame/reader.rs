//! Splits a byte stream into messages.

use std::{
    future::{Future, poll_fn},
    io,
    mem::MaybeUninit,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::{Framing, HEADER};
use crate::{Error, MAX_RECV, Reader, Result};

/// The [`Reader`] of a framed byte stream.
///
/// A clean end of the stream between two messages is [`Error::Closed`], one inside a message is
/// [`Error::Cut`].
#[derive(Debug)]
pub struct FrameReader<R> {
    stream: R,
    framing: Framing,
    buffer: BytesMut,
    finished: bool,
}

impl<R> FrameReader<R> {
    /// Reads messages from `stream`.
    pub fn new(stream: R, framing: Framing) -> Self {
        Self { stream, framing, buffer: BytesMut::new(), finished: false }
    }

    /// Moves the whole messages that have arrived to `into`; tells how many.
    fn split(&mut self, into: &mut Vec<Bytes>) -> Result<usize> {
        for count in 0..MAX_RECV {
            match self.missing()? {
                0 => {
                    let len = self.buffer.get_u32() as usize;
                    into.push(self.buffer.split_to(len).freeze());
                }
                _ => return Ok(count),
            }
        }
        Ok(MAX_RECV)
    }

    /// How many bytes the next message still lacks, as far as its header has arrived.
    fn missing(&self) -> Result<usize> {
        let Some(header) = self.buffer.first_chunk::<HEADER>() else {
            return Ok(HEADER - self.buffer.len());
        };
        let (len, max) = (u32::from_be_bytes(*header) as usize, self.framing.limit());
        match len <= max {
            true => Ok((HEADER + len).saturating_sub(self.buffer.len())),
            false => Err(Error::TooLarge { len, max }),
        }
    }

    /// What the end of the stream means at this point.
    fn end(&self) -> Error {
        match self.buffer.is_empty() {
            true => Error::Closed,
            false => Error::Cut { source: Some(io::ErrorKind::UnexpectedEof.into()) },
        }
    }

    /// Room for the next read. It grows as bytes arrive, never on the word of a header: at most to
    /// twice what is here.
    fn make_room(&mut self, missing: usize) {
        let most = self.buffer.len().max(self.framing.buffer.get());
        self.buffer.reserve(missing.clamp(self.framing.buffer.get(), most));
    }
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    async fn recv_or_end(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        while self.split(into)? == 0 {
            // Cancel-safe: bytes land in `self.buffer` or nowhere.
            if poll_fn(|cx| self.poll_fill(cx)).await? == 0 {
                return Err(self.end());
            }
        }
        Ok(())
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.buffer.capacity() == 0 {
            return self.poll_first(cx);
        }
        if self.buffer.capacity() - self.buffer.len() < LEAST {
            let missing = self.missing().unwrap_or(0);
            self.make_room(missing);
        }
        let filled = pin!(self.stream.read_buf(&mut self.buffer)).poll(cx);
        if filled.is_pending() && self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        filled
    }

    /// The first read after a silence, through the stack: a conn that waits holds no buffer.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut scratch = [MaybeUninit::<u8>::uninit(); SCRATCH];
        let mut scratch = ReadBuf::uninit(&mut scratch);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut scratch))?;
        let arrived = scratch.filled();
        if arrived.len() == SCRATCH {
            self.buffer.reserve(self.framing.buffer.get().max(SCRATCH));
        }
        self.buffer.extend_from_slice(arrived);
        Poll::Ready(Ok(arrived.len()))
    }
}

impl<R: AsyncRead + Unpin + Send + 'static> Reader for FrameReader<R> {
    async fn recv(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        if self.finished {
            return Err(Error::Closed);
        }
        let result = self.recv_or_end(into).await;
        if result.is_err() {
            self.finished = true;
            self.buffer = BytesMut::new();
        }
        result
    }
}

/// Below this, reading on into the same buffer costs more system calls than a new one costs.
const LEAST: usize = 4 << 10;
/// What a silent conn is ready to read at once.
const SCRATCH: usize = 4 << 10;
