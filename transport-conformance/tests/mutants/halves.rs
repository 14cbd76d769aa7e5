//! The halves of a pipe, each with the defect it was given.

use std::{
    future::pending,
    mem::forget,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use rumormill_transport_api::{Batch, Error, FrameReader, FrameWriter, Reader, Result, Writer};
use tokio::{
    io::DuplexStream,
    sync::{Mutex, watch},
    task::yield_now,
};

use crate::{defect::Defect, pipe::MAX, stream::Spoilt};

/// What the two halves of one conn know of each other.
#[derive(Default)]
pub(crate) struct Shared {
    lock: Mutex<()>,
    closed: AtomicBool,
    /// Ends when the listener is dropped.
    listener: Option<watch::Receiver<()>>,
}

impl Shared {
    pub(crate) fn with(listener: Option<watch::Receiver<()>>) -> Self {
        Self { listener, ..Self::default() }
    }
}

pub(crate) struct PipeReader {
    inner: FrameReader<Spoilt>,
    defect: Option<Defect>,
    shared: Arc<Shared>,
    count: usize,
}

impl PipeReader {
    pub(crate) fn new(
        inner: FrameReader<Spoilt>,
        defect: Option<Defect>,
        shared: Arc<Shared>,
    ) -> Self {
        Self { inner, defect, shared, count: 0 }
    }

    async fn recv_all(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        self.inner.recv(into).await?;
        loop {
            tokio::select! {
                biased;
                more = self.inner.recv(into) => more?,
                () = std::future::ready(()) => return Ok(()),
            }
        }
    }

    async fn recv_and_wait(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        let mut taken = Vec::new();
        let result = self.inner.recv(&mut taken).await;
        if taken.iter().any(|message| message.len() == 9) {
            yield_now().await;
        }
        into.append(&mut taken);
        result
    }

    async fn recv_with_listener(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        let Some(mut listener) = self.shared.listener.clone() else {
            return self.inner.recv(into).await;
        };
        tokio::select! {
            biased;
            _ = listener.changed() => Err(Error::Cut { source: None }),
            received = self.inner.recv(into) => received,
        }
    }

    fn distort(&self, error: Error) -> Error {
        match (self.defect, error) {
            (Some(Defect::UntypedError), Error::TooLarge { .. }) => Error::Finished,
            (Some(Defect::CloseLooksLikeCut), Error::Closed) if 500 <= self.count => {
                Error::Cut { source: None }
            }
            (Some(Defect::TruncationLooksPolite), Error::Cut { .. }) => Error::Closed,
            (_, error) => error,
        }
    }
}

impl Reader for PipeReader {
    async fn recv(&mut self, into: &mut Vec<Bytes>) -> Result<()> {
        if self.defect == Some(Defect::CloseEndsReader) && self.shared.closed.load(Relaxed) {
            return Err(Error::Closed);
        }
        let before = into.len();
        let result = match self.defect {
            Some(Defect::RecvUnbounded) => self.recv_all(into).await,
            Some(Defect::RecvLosesMessages) => self.recv_and_wait(into).await,
            Some(Defect::ConnsEndWithListener) => self.recv_with_listener(into).await,
            Some(Defect::HalvesShareLock) => {
                let shared = self.shared.clone();
                let _lock = shared.lock.lock().await;
                self.inner.recv(into).await
            }
            _ => self.inner.recv(into).await,
        };
        self.count += into.len() - before;
        result.map_err(|error| self.distort(error))
    }
}

pub(crate) struct PipeWriter {
    inner: Option<FrameWriter<DuplexStream>>,
    defect: Option<Defect>,
    shared: Arc<Shared>,
    withheld: Batch,
    sending: bool,
    closing: bool,
}

impl PipeWriter {
    pub(crate) fn new(
        inner: FrameWriter<DuplexStream>,
        defect: Option<Defect>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            inner: Some(inner),
            defect,
            shared,
            withheld: Batch::default(),
            sending: false,
            closing: false,
        }
    }

    /// Takes `batch`, and returns what will be sent in its place.
    fn spoil(&mut self, batch: &mut Batch) -> Batch {
        let (mut messages, len): (Vec<Bytes>, _) =
            (batch.iter().map(|m| m.to_bytes()).collect(), batch.len());
        match self.defect {
            Some(Defect::BatchCutShort) if 24_500_000 < batch.bytes() => messages.truncate(len - 1),
            Some(Defect::LastByteLost) if batch.largest() == MAX => {
                messages.iter_mut().for_each(|m| m.truncate(MAX - 1));
            }
            Some(Defect::MergesMessages) if 10_000 <= len => {
                let last = messages.split_off(len - 2).concat();
                messages.push(last.into());
            }
            Some(Defect::PartsStayApart) => {
                messages = batch.iter().flat_map(|m| m.parts().to_vec()).collect()
            }
            Some(Defect::SwapsMessages) if 100 < len && len < 200 => messages.swap(0, 1),
            _ => (),
        }
        batch.clear();
        let mut spoilt: Batch = messages.into_iter().collect();
        if self.defect == Some(Defect::NotFlushed) {
            spoilt = self.withhold(spoilt);
        }
        spoilt
    }

    fn withhold(&mut self, mut batch: Batch) -> Batch {
        if batch.len() == 1 && batch.largest() == 777 {
            self.withheld.append(&mut batch);
            return batch;
        }
        let mut all = std::mem::take(&mut self.withheld);
        all.append(&mut batch);
        all
    }

    async fn send_spoilt(&mut self, batch: &mut Batch) -> Result<()> {
        let mut spoilt = self.spoil(batch);
        self.sending = true;
        let shared = self.shared.clone();
        let _lock = match self.defect {
            Some(Defect::HalvesShareLock) => Some(shared.lock.lock().await),
            _ => None,
        };
        let inner = self.inner.as_mut().ok_or(Error::Closed)?;
        if self.defect == Some(Defect::SendLosesRest) && spoilt.len() == 5 {
            for message in spoilt.iter() {
                inner.send(&mut [message.to_bytes()].into_iter().collect()).await?;
            }
            spoilt.clear();
        }
        inner.send(&mut spoilt).await?;
        self.sending = false;
        Ok(())
    }
}

impl Writer for PipeWriter {
    async fn send(&mut self, batch: &mut Batch) -> Result<()> {
        if self.defect == Some(Defect::ClosedWriterSends) && self.shared.closed.load(Relaxed) {
            batch.clear();
            return Ok(());
        }
        if self.closing {
            return Err(Error::Closed);
        }
        if MAX < batch.largest() {
            let error = Error::TooLarge { len: batch.largest(), max: MAX };
            if self.defect == Some(Defect::TooLargeEnds) {
                self.inner = None;
            }
            return Err(error);
        }
        self.send_spoilt(batch).await
    }

    async fn close(&mut self) -> Result<()> {
        self.closing = true;
        let result = match self.defect {
            Some(Defect::CloseLosesPending) => {
                let mut inner = self.inner.take().ok_or(Error::Closed)?;
                inner.close().await
            }
            _ => self.inner.as_mut().ok_or(Error::Closed)?.close().await,
        };
        self.shared.closed.store(true, Relaxed);
        result
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        match self.defect {
            Some(Defect::DropUnnoticed) => forget(self.inner.take()),
            Some(Defect::DropLeavesTask) if self.sending => drop(tokio::spawn(pending::<()>())),
            _ => (),
        }
    }
}
