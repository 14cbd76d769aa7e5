//! The two directions of a stream, as byte streams for the framing.

use std::{
    fmt,
    future::Future,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use quinn::{RecvStream, SendStream, StoppedError, VarInt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    failure::{self, CUT},
    link::Link,
};

/// The bytes of one conn that arrive. Dropping it tells the peer to send no more.
pub struct ByteReader {
    stream: RecvStream,
    _link: Arc<Link>,
}

/// The bytes of one conn that leave. Dropped before its shutdown is done, it resets the stream, by
/// which the peer knows a cut from an end.
pub struct ByteWriter {
    stream: SendStream,
    acknowledged: Option<Acknowledged>,
    is_shut: bool,
    _link: Arc<Link>,
}

type Acknowledged =
    Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>> + Send + Sync>>;

impl ByteReader {
    pub(crate) fn new(stream: RecvStream, link: Arc<Link>) -> Self {
        Self { stream, _link: link }
    }
}

impl ByteWriter {
    pub(crate) fn new(stream: SendStream, link: Arc<Link>) -> Self {
        Self { stream, acknowledged: None, is_shut: false, _link: link }
    }
}

impl AsyncRead for ByteReader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream.poll_read_buf(cx, into).map_err(failure::of_read)
    }
}

impl AsyncWrite for ByteWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes).map_err(failure::of_write)
    }

    /// quinn takes one slice at a time; as long as it takes them whole, it is given the next.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut written = 0;
        for slice in slices.iter().filter(|slice| !slice.is_empty()) {
            match self.as_mut().poll_write(cx, slice) {
                Poll::Ready(Ok(taken)) => {
                    written += taken;
                    if taken < slice.len() {
                        break;
                    }
                }
                // An error will be met again by the next call.
                Poll::Ready(Err(_)) | Poll::Pending if 0 < written => break,
                unwritten => return unwritten,
            }
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Ends the stream and waits until the peer's carrier has all of it: what is under way would be
    /// lost if the last half of the connection were dropped.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let acknowledged = this.acknowledged.get_or_insert_with(|| {
            // It fails only where the end was told already.
            let _ = this.stream.finish();
            Box::pin(this.stream.stopped())
        });
        let outcome = ready!(acknowledged.as_mut().poll(cx));
        this.is_shut = true;
        Poll::Ready(match outcome {
            // With nothing left to send, a peer that reads no more is as good as one that has all.
            Ok(None | Some(_)) => Ok(()),
            Err(error) => failure::of_end(error),
        })
    }
}

impl Drop for ByteWriter {
    fn drop(&mut self) {
        if !self.is_shut {
            // It fails only where the peer has stopped the stream, and needs to be told nothing.
            let _ = self.stream.reset(CUT);
        }
    }
}

impl fmt::Debug for ByteReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteReader").field("stream", &self.stream.id()).finish_non_exhaustive()
    }
}

impl fmt::Debug for ByteWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByteWriter").field("stream", &self.stream.id()).finish_non_exhaustive()
    }
}
