//! Messages on their way to an echo and back.

use std::{cell::Cell, convert::Infallible, future::pending, time::Duration};

use bytes::Bytes;
use rumormill::{
    Addr, Batch, Reader, Writer,
    transport::{self as api, AnyReader, AnyWriter, Delivery, Histogram, Timeouts},
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::{Error, Result, peer, plan::Plan, probe};

/// What is on its way to an echo and back, counted where both halves of the conn can see it.
///
/// All messages of a batch carry its number, and numbers go on from one phase to the next. So
/// whatever comes back, however late, belongs somewhere.
#[derive(Debug)]
pub(crate) struct Flight<'a> {
    addr: &'a Addr,
    plan: Plan,
    timeouts: Timeouts,
    /// Batches sent, which is also the number of the next one.
    batches: Cell<u64>,
    /// All batches below this number came back, in part at least, or were given up.
    returned: Cell<u64>,
    sent: Cell<u64>,
    accepted: Cell<u64>,
    echoed: Cell<u64>,
    room: Notify,
}

impl<'a> Flight<'a> {
    pub(crate) fn new(addr: &'a Addr, plan: Plan, timeouts: Timeouts) -> Self {
        Self {
            addr,
            plan,
            timeouts,
            batches: Cell::new(0),
            returned: Cell::new(0),
            sent: Cell::new(0),
            accepted: Cell::new(0),
            echoed: Cell::new(0),
            room: Notify::new(),
        }
    }

    /// Messages that the carrier took.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.get()
    }

    /// Messages that came back.
    pub(crate) fn echoed(&self) -> u64 {
        self.echoed.get()
    }

    /// Messages that did not come back (yet).
    pub(crate) fn missing(&self) -> u64 {
        self.sent.get().saturating_sub(self.echoed.get())
    }

    /// Round trips, one after the other, until `until` and at least one.
    pub(crate) async fn round_trips(
        &self,
        reader: &mut AnyReader,
        writer: &mut AnyWriter,
        until: Instant,
    ) -> Result<Histogram> {
        let mut times = Histogram::default();
        loop {
            let silence = self.plan.silence(self.timeouts, &times);
            if let Some(time) = self.round_trip(reader, writer, silence).await? {
                times.record(time);
            }
            if until <= Instant::now() {
                return Ok(times);
            }
        }
    }

    /// Sends one message and waits until it is back; `None` if datagrams lose it.
    async fn round_trip(
        &self,
        reader: &mut AnyReader,
        writer: &mut AnyWriter,
        silence: Duration,
    ) -> Result<Option<Duration>> {
        let (mut batch, mut arrived) = (self.next_batch(1), Vec::new());
        let began = Instant::now();
        self.send_batch(writer, &mut batch).await?;
        while self.returned.get() < self.batches.get() {
            match timeout(silence, self.recv_some(reader, &mut arrived)).await {
                Ok(received) => received?,
                Err(_) => return self.give_up(silence).map(|()| None),
            }
        }
        Ok(Some(began.elapsed()))
    }

    /// Sends batches for ever, as long as not too much is under way.
    pub(crate) async fn send(
        &self,
        writer: &mut AnyWriter,
        silence: Duration,
    ) -> Result<Infallible> {
        loop {
            while self.plan.window <= self.batches.get() - self.returned.get() {
                if timeout(silence, self.room.notified()).await.is_err() {
                    self.give_up(silence)?;
                }
            }
            self.send_batch(writer, &mut self.next_batch(self.plan.batch)).await?;
        }
    }

    /// Receives for ever. Who sends is who misses answers, so this has no deadline.
    pub(crate) async fn recv(&self, reader: &mut AnyReader) -> Result<Infallible> {
        let mut arrived = Vec::new();
        loop {
            self.recv_some(reader, &mut arrived).await?;
        }
    }

    /// Receives what is missing; of datagrams, until nothing more comes.
    pub(crate) async fn drain(
        &self,
        reader: &mut AnyReader,
        writer: &mut AnyWriter,
        silence: Duration,
    ) -> Result<()> {
        let rest = async {
            // What a future that was dropped has left in the writer.
            self.send_batch(writer, &mut Batch::default()).await?;
            pending().await
        };
        tokio::select! {
            ended = rest => ended,
            drained = self.recv_missing(reader, silence) => drained,
        }
    }

    async fn recv_missing(&self, reader: &mut AnyReader, silence: Duration) -> Result<()> {
        let mut arrived = Vec::new();
        while 0 < self.missing() {
            match timeout(silence, self.recv_some(reader, &mut arrived)).await {
                Ok(received) => received?,
                Err(_) => return self.give_up(silence),
            }
        }
        Ok(())
    }

    async fn send_batch(&self, writer: &mut AnyWriter, batch: &mut Batch) -> Result<()> {
        let messages = batch.len() as u64;
        let doing = || format!("sending to {}", self.addr);
        peer::within(self.timeouts.write, doing, writer.send(batch)).await?;
        self.accepted.set(self.accepted.get() + messages);
        Ok(())
    }

    async fn recv_some(&self, reader: &mut AnyReader, arrived: &mut Vec<Bytes>) -> Result<()> {
        // Cancel-safe: what has arrived is counted in the poll that brings it.
        reader.recv(arrived).await?;
        arrived.drain(..).try_for_each(|message| self.land(&message))
    }

    /// The next batch; one message for all, since a number of their own would cost each a copy.
    fn next_batch(&self, messages: usize) -> Batch {
        let number = self.batches.get();
        let message = probe::message(number, self.plan.size);
        self.batches.set(number + 1);
        self.sent.set(self.sent.get() + messages as u64);
        std::iter::repeat_n(message, messages).collect()
    }

    fn land(&self, message: &[u8]) -> Result<()> {
        let number = probe::number(message, self.plan.size);
        let Some(number) = number.filter(|number| *number < self.batches.get()) else {
            return Err(Error::NoEcho { addr: self.addr.clone() });
        };
        self.echoed.set(self.echoed.get() + 1);
        if self.returned.get() <= number {
            self.returned.set(number + 1);
            self.room.notify_one();
        }
        Ok(())
    }

    /// Datagrams that do not come back are lost. On a stream they are late, which nothing excuses.
    fn give_up(&self, after: Duration) -> Result<()> {
        self.returned.set(self.batches.get());
        match self.plan.delivery {
            Delivery::Datagram => Ok(()),
            Delivery::Stream => {
                let doing = format!("waiting for an answer of {}", self.addr).into();
                Err(api::Error::Timeout { doing, after }.into())
            }
        }
    }
}
