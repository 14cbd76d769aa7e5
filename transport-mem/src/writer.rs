//! The half of a conn that sends.

use std::fmt;

use rumormill_transport_api::{Batch, Error, Result, Writer};

use crate::{datagram::DatagramWriter, stream::StreamWriter};

/// The [`Writer`] of a [`Mem`](crate::Mem) conn.
pub struct MemWriter {
    carrier: Carrier,
    max_message: usize,
    is_closing: bool,
    is_finished: bool,
}

pub(crate) enum Carrier {
    Datagram(DatagramWriter),
    Stream(StreamWriter),
}

impl MemWriter {
    pub(crate) fn new(carrier: Carrier, max_message: usize) -> Self {
        Self { carrier, max_message, is_closing: false, is_finished: false }
    }

    fn check(&self, batch: &Batch) -> Result<()> {
        match (self.is_closing || self.is_finished, batch.largest()) {
            (true, _) => Err(Error::Closed),
            (false, len) if self.max_message < len => {
                Err(Error::TooLarge { len, max: self.max_message })
            }
            (false, _) => Ok(()),
        }
    }
}

impl Writer for MemWriter {
    async fn send(&mut self, batch: &mut Batch) -> Result<()> {
        self.check(batch)?;
        let sent = match &mut self.carrier {
            Carrier::Datagram(writer) => {
                writer.send(batch).await;
                Ok(())
            }
            Carrier::Stream(writer) => writer.send(batch).await,
        };
        self.is_finished = sent.is_err();
        sent
    }

    async fn close(&mut self) -> Result<()> {
        if self.is_finished {
            return Err(Error::Closed);
        }
        self.is_closing = true;
        let closed = match &mut self.carrier {
            Carrier::Datagram(writer) => {
                writer.close();
                Ok(())
            }
            Carrier::Stream(writer) => writer.close().await,
        };
        self.is_finished = true;
        closed
    }
}

impl fmt::Debug for MemWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemWriter")
            .field("max_message", &self.max_message)
            .field("is_finished", &self.is_finished)
            .finish_non_exhaustive()
    }
}
