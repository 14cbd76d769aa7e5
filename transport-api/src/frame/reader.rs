//! Splits a byte stream into messages.

use std::{
    future::{Future, poll_fn},
    io,
    mem::{self, MaybeUninit},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::{Framing, HEADER, spare};
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
    /// Whether the last read brought many small messages, so that the next one is given a whole
    /// buffer at once.
    is_busy: bool,
    finished: bool,
}

impl<R> FrameReader<R> {
    /// Reads messages from `stream`.
    pub fn new(stream: R, framing: Framing) -> Self {
        Self { stream, framing, buffer: BytesMut::new(), is_busy: false, finished: false }
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

    /// Room for the next read, unless there is enough.
    ///
    /// It grows as bytes arrive, never on the word of a header: at most to twice what is here.
    fn make_room(&mut self, missing: usize) {
        let (len, usual) = (self.buffer.len(), self.framing.buffer.get());
        let room = self.buffer.capacity() - len;
        if room < LEAST || (room < missing && len < LEAST) {
            let whole = (len + missing + HEADER).clamp(usual, 2 * len.max(usual));
            self.buffer.reserve(whole - len);
        }
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
        if self.buffer.capacity() == 0 && !self.is_busy {
            return self.poll_first(cx);
        }
        if self.buffer.capacity() == 0 {
            self.buffer = spare::take_read();
        }
        let missing = self.missing().unwrap_or(0);
        self.make_room(missing);
        // A long message is read to its end and no further, but for the next header: what else
        // came along would have to be moved to where there is room for the rest of it.
        let is_long = LEAST < missing;
        let most = if is_long { missing + HEADER } else { usize::MAX };
        let mut room = (&mut self.buffer).limit(most);
        let filled = pin!(self.stream.read_buf(&mut room)).poll(cx);
        match &filled {
            Poll::Ready(Ok(read)) => self.is_busy = !is_long && SCRATCH <= *read,
            Poll::Ready(Err(_)) => (),
            Poll::Pending if self.buffer.is_empty() => {
                spare::keep_read(mem::take(&mut self.buffer), self.framing.buffer.get());
            }
            Poll::Pending => (),
        }
        filled
    }

    /// The first read after a silence, through the stack: a conn that waits holds no buffer.
    fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut scratch = [MaybeUninit::<u8>::uninit(); SCRATCH];
        let mut scratch = ReadBuf::uninit(&mut scratch);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut scratch))?;
        let arrived = scratch.filled();
        self.is_busy = arrived.len() == SCRATCH;
        if self.is_busy {
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
