//! The end of a broker.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{Hub, errands::Errands, session::Ending, slot::Slot};
use crate::{Remainder, StopReport, stats::Left, wire::EndReason};

impl Hub {
    /// Drains and ends everything within the deadline.
    pub(crate) async fn stop(self: &Arc<Self>, deadline: Duration) -> StopReport {
        let until = Instant::now() + deadline.min(LONGEST);
        self.stopping.send_replace(true);
        // Whoever reloads is done, and nobody does it from now on.
        drop(self.reloading.lock());
        let mut errands = Errands::of(self);
        for slot in self.slots() {
            errands.with(&slot, |state, _, _| state.topic.stop_accepting());
        }
        drop(errands);
        // What remains of the time is for the farewells.
        drop(timeout_at(until - (deadline / 4).min(FAREWELL), self.drained()).await);
        let mut report = StopReport { left: self.end_all(), aborted: 0 };
        let Some(mut tasks) = self.take_tasks() else { return report };
        let ended = async { while 0 < self.table.len() && tasks.join_next().await.is_some() {} };
        drop(timeout_at(until, ended).await);
        report.aborted = self.table.len();
        tasks.shutdown().await;
        report
    }

    /// Waits until nobody has anything to get. Cancel-safe.
    async fn drained(&self) {
        let is_drained = |slot: &Arc<Slot>| {
            let state = slot.lock();
            // What waits in a queue without takers waits in vain.
            state.topic.is_drained() || state.topic.stats().subscribers == 0
        };
        while !self.slots().iter().all(is_drained) {
            self.progress.notified().await;
        }
    }

    /// Ends all topics, and has all conns closed.
    fn end_all(self: &Arc<Self>) -> Vec<Remainder> {
        let (mut errands, mut left) = (Errands::of(self), Vec::new());
        let mut slots = self.slots();
        slots.sort_by(|a, b| a.name.cmp(&b.name));
        for slot in slots {
            left.extend(self.end(&slot, EndReason::Stopping, &mut errands));
        }
        self.table.all().iter().for_each(|conn| errands.close(conn, Ending::Closed));
        left
    }

    pub(crate) fn remainder(&self, left: Left) -> Remainder {
        let conn = left.conn.and_then(|id| self.table.get(id)).map(|conn| conn.label());
        Remainder { conn, left }
    }
}

/// What stands for all longer deadlines.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// What is kept of a long deadline to tell everybody that it is over.
const FAREWELL: Duration = Duration::from_secs(1);
