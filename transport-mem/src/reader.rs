//! The half of a conn that receives.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use rumormill_transport_api::{Error, Reader, Result};
use tokio::{task::coop, time::Instant};

use crate::{
    cable::Cable,
    datagram::Claim,
    pipe::Pipe,
    wait::{Due, wait},
};

/// The [`Reader`] of a [`Mem`](crate::Mem) conn.
///
/// Dropping it makes the peer's writer fail with [`Error::Cut`] on a stream, once the news has
/// crossed the link.
pub struct MemReader {
    pipe: Arc<Pipe>,
    parting: Parting,
    is_finished: bool,
}

/// Who is told when a reader is dropped.
pub(crate) enum Parting {
    /// Nobody; the claim frees the address once the writer is dropped too.
    Datagram(#[expect(dead_code, reason = "it works by being dropped")] Arc<Claim>),
    /// The writer, over this cable.
    Stream(Arc<Cable>),
}

impl MemReader {
    pub(crate) fn new(pipe: Arc<Pipe>, parting: Parting) -> Self {
        Self { pipe, parting, is_finished: false }
    }

    pub(crate) fn pipe(&self) -> &Pipe {
        &self.pipe
    }
}

impl Reader for MemReader {
    async fn recv(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        if self.is_finished {
            return Err(Error::Closed);
        }
        coop::consume_budget().await;
        loop {
            // Cancel-safe: messages go from the pipe to `into` between two awaits.
            match self.pipe.take(Instant::now(), into) {
                Ok(Due::Now(())) => return Ok(()),
                Ok(Due::Later(until)) => wait(&self.pipe.readable, until).await,
                Err(error) => {
                    self.is_finished = true;
                    return Err(error);
                }
            }
        }
    }
}

impl Drop for MemReader {
    fn drop(&mut self) {
        match &self.parting {
            Parting::Datagram(_) => self.pipe.discard(Instant::now()),
            Parting::Stream(back) => self.pipe.abandon(back, Instant::now()),
        }
    }
}

impl fmt::Debug for MemReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemReader").field("is_finished", &self.is_finished).finish_non_exhaustive()
    }
}
