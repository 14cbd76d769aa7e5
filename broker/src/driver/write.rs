//! The writing half of a conn.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use rumormill_transport_api::{AnyWriter, Batch, Info, Writer};
use tokio::{
    task::yield_now,
    time::{Instant, timeout, timeout_at},
};

use super::{
    Hub,
    conn::Conn,
    errands::Errands,
    outbox::Next,
    parts::in_parts,
    session::{Ending, ending_after},
    slot::Slot,
};
use crate::{CutReason, Limits, topic::Most};

/// The writing half of a conn: answers first, then the topics that have messages, in turn.
pub(crate) struct Writing {
    hub: Arc<Hub>,
    conn: Arc<Conn>,
    /// The longest frame that the carrier takes.
    longest: usize,
    idle: Duration,
    batch: Batch,
    /// Topics that have messages for the conn.
    turn: VecDeque<Arc<Slot>>,
    errands: Errands,
}

impl Writing {
    pub(crate) fn new(hub: &Arc<Hub>, conn: &Arc<Conn>, info: &Info, idle: Duration) -> Self {
        let (errands, longest) = (Errands::of(hub), info.caps.max_message);
        let (hub, conn) = (hub.clone(), conn.clone());
        let (batch, turn) = Default::default();
        Self { hub, conn, longest, idle, batch, turn, errands }
    }

    /// Writes what waits for the conn, until that ends.
    pub(crate) async fn run(mut self, mut writer: AnyWriter) -> Ending {
        loop {
            let limits = self.hub.limits();
            self.fill(&limits).await;
            if !self.batch.is_empty() {
                if let Err(ending) = self.send(&mut writer).await {
                    return ending;
                }
                continue;
            }
            if !self.turn.is_empty() {
                // A topic has more, and gave nothing.
                yield_now().await;
                continue;
            }
            match self.conn.outbox.next() {
                Next::Gather => (),
                Next::Close(ending) => return self.close(&mut writer, ending).await,
                Next::Wait => {
                    // A conn that waits holds no memory.
                    (self.batch, self.turn) = Default::default();
                    self.conn.outbox.woken().await;
                }
            }
        }
    }

    /// Gathers a batch, and waits until it is full if that is wished.
    async fn fill(&mut self, limits: &Limits) {
        self.gather(limits);
        if limits.flush_interval.is_zero() || self.batch.is_empty() {
            return;
        }
        let until = Instant::now() + limits.flush_interval;
        while self.has_room(limits) {
            match self.conn.outbox.next() {
                Next::Gather => (),
                Next::Close(_) => return,
                Next::Wait => match timeout_at(until, self.conn.outbox.woken()).await {
                    Ok(()) => (),
                    Err(_) => return,
                },
            }
            self.gather(limits);
        }
    }

    fn gather(&mut self, limits: &Limits) {
        let Self { conn, batch, turn, errands, .. } = self;
        conn.outbox.take(batch, turn);
        for _ in 0..turn.len() {
            let (bytes, frames) = (batch.bytes(), batch.len());
            if GATHERED <= bytes || limits.batch_size <= frames {
                break;
            }
            let Some(slot) = turn.pop_front() else { break };
            let most = Most { bytes: GATHERED - bytes, messages: limits.batch_size - frames };
            let has_more = errands.with(&slot, |state, now, out| {
                // What the topic has said before it has these messages goes before them.
                conn.outbox.take_answers(batch);
                state.topic.take(now, conn.id, most, batch, out)
            });
            if has_more == Some(true) {
                turn.push_back(slot);
            }
        }
        errands.run();
    }

    fn has_room(&self, limits: &Limits) -> bool {
        self.turn.is_empty()
            && self.batch.bytes() < GATHERED
            && self.batch.len() < limits.batch_size
    }

    async fn send(&mut self, writer: &mut AnyWriter) -> Result<(), Ending> {
        if self.longest < self.batch.largest() {
            let parted = in_parts(&self.batch, self.longest);
            self.batch = parted.ok_or(Ending::Cut(CutReason::Broken))?;
        }
        let patience = self.idle + more_for(self.batch.bytes());
        match timeout(patience, writer.send(&mut self.batch)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                tracing::debug!(conn = %self.conn.label(), %error, "a conn is not written to");
                Err(match ending_after(&error) {
                    Ending::Closed => Ending::Cut(CutReason::Broken),
                    ending => ending,
                })
            }
            Err(_) => Err(Ending::Cut(CutReason::Stuck)),
        }
    }

    async fn close(&mut self, writer: &mut AnyWriter, ending: Ending) -> Ending {
        match timeout(self.idle, writer.close()).await {
            Ok(Ok(())) => ending,
            Ok(Err(_)) => Ending::Cut(CutReason::Broken),
            Err(_) => Ending::Cut(CutReason::Stuck),
        }
    }
}

/// What a batch takes at the slowest that is put up with, beside what any takes.
fn more_for(bytes: usize) -> Duration {
    Duration::from_secs(1).mul_f64(bytes as f64 / SLOWEST)
}

/// Bytes that are gathered for one write; a single frame may be longer.
const GATHERED: usize = 256 << 10;
/// Bytes per second.
const SLOWEST: f64 = 64.0 * 1024.0;
