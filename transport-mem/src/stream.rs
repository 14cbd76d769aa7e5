//! Streams: reliable, in order, with an end for each direction.

use std::sync::Arc;

use rumormill_transport_api::{Batch, Conn, Info, Result};
use tokio::{task::coop, time::Instant};

use crate::{
    MemConn,
    pipe::{Ending, Pipe},
    reader::{MemReader, Parting},
    wait::{Due, wait},
    writer::{Carrier, MemWriter},
};

/// One end of a conn over two pipes.
pub(crate) fn end(info: Info, incoming: &Arc<Pipe>, outgoing: &Arc<Pipe>) -> MemConn {
    let parting = Parting::Stream(outgoing.cable().clone());
    let writer = Carrier::Stream(StreamWriter::new(outgoing.clone()));
    let writer = MemWriter::new(writer, info.caps.max_message);
    Conn { info, reader: MemReader::new(incoming.clone(), parting), writer }
}

/// What sends over a pipe; dropped without a close, it cuts the pipe off.
pub(crate) struct StreamWriter {
    pipe: Arc<Pipe>,
    backlog: Batch,
    /// The first message of `backlog` that is not on the wire.
    next: usize,
    is_ended: bool,
}

impl StreamWriter {
    fn new(pipe: Arc<Pipe>) -> Self {
        Self { pipe, backlog: Batch::default(), next: 0, is_ended: false }
    }

    pub(crate) async fn send(&mut self, batch: &mut Batch) -> Result<()> {
        self.backlog.append(batch);
        self.flush().await?;
        coop::consume_budget().await;
        Ok(())
    }

    pub(crate) async fn close(&mut self) -> Result<()> {
        self.flush().await?;
        self.end(Ending::Closed);
        Ok(())
    }

    async fn flush(&mut self) -> Result<()> {
        loop {
            // Cancel-safe: `next` tells what is on the wire, and nothing is awaited in between.
            match self.pipe.push(&self.backlog, &mut self.next, Instant::now()) {
                Ok(Due::Now(())) => break self.forget(),
                Ok(Due::Later(until)) => wait(&self.pipe.writable, until).await,
                Err(error) => {
                    self.forget();
                    self.is_ended = true;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.backlog.clear();
        self.next = 0;
    }

    fn end(&mut self, ending: Ending) {
        self.is_ended = true;
        self.pipe.end(ending, Instant::now());
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        if !self.is_ended {
            self.end(Ending::Cut);
        }
    }
}
