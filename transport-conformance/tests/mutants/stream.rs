//! Byte streams that spoil what passes through them.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf},
    sync::watch,
};

use crate::{defect::Defect, pipe::Ends};

/// A raw stream that tells when something is written to it.
pub(crate) struct Watched {
    pub(crate) stream: Ends,
    pub(crate) spoken: watch::Sender<bool>,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.spoken.send_replace(true);
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What a reader reads from.
pub(crate) struct Spoilt {
    stream: DuplexStream,
    defect: Option<Defect>,
    passed: usize,
    hoard: Vec<u8>,
}

impl Spoilt {
    pub(crate) fn new(stream: DuplexStream, defect: Option<Defect>) -> Self {
        Self { stream, defect, passed: 0, hoard: Vec::new() }
    }

    fn spoil(&mut self, into: &mut ReadBuf<'_>, before: usize) {
        let arrived = &into.filled()[before..];
        if self.defect == Some(Defect::AllocatesOnHeader)
            && self.passed == 0
            && let Some(header) = arrived.first_chunk()
        {
            self.hoard = Vec::with_capacity(u32::from_be_bytes(*header) as usize);
        }
        let alone = arrived.len() == 2 && 100 < self.passed;
        self.passed += arrived.len();
        if self.defect == Some(Defect::SplitHeaderLost) && alone {
            into.set_filled(before + 1);
        }
    }
}

impl AsyncRead for Spoilt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, into))?;
        self.spoil(into, before);
        Poll::Ready(Ok(()))
    }
}
