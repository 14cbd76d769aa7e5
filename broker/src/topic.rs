//! One topic: who gets which messages, and when.
//!
//! There is no clock, no lock and no waiting here: whoever drives a topic says what happened and when,
//! and does what it is told by the [`Output`]s.

mod fanout;
mod limits;
mod log;
mod publishers;
mod queue;
mod route;
mod run;
mod shared;
mod slab;
mod subscriber;
mod taking;
mod window;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use rumormill_transport_api::Batch;
use tokio::time::Instant;

pub(crate) use self::limits::Most;
use self::{
    limits::{Limits, Portion},
    publishers::{Admitted, Publishers},
    route::Route,
    shared::Shared,
};
pub(crate) use crate::stats::ConnId;
use crate::{
    Policy, TopicName,
    config::Topic as Settings,
    memory::Memory,
    stats::{Left, TopicStats},
    wire::{Block, EndReason, RefusedWhy, Resume, Verdict, lengths},
};

/// A topic with its subscribers, and with the publishers that it owes something.
#[derive(Debug)]
pub(crate) struct Topic {
    shared: Shared,
    route: Route,
    publishers: Publishers,
    is_stopping: bool,
    /// What subscribers did not get that have gone while it drained: they cannot come back for it.
    departed: Vec<Left>,
}

/// What the driver of a topic has to do, in this order.
#[derive(Clone, Debug)]
pub(crate) enum Output {
    /// The conn's subscription has something to take. It is not said again before
    /// [`take`](Topic::take) has returned false.
    Ready(ConnId),
    /// A frame for the conn, in order with other such frames.
    Tell(ConnId, Bytes),
    /// The conn is to be closed, after what it was told.
    Cut(ConnId),
    /// Messages that were given up, for another topic; to be published after this one's lock is let
    /// go of.
    DeadLetter { topic: TopicName, block: Block },
}

impl Topic {
    /// An empty topic. `window`: bytes of blocks that a conn may publish before more is granted.
    pub(crate) fn new(
        name: TopicName,
        settings: Settings,
        epoch: u64,
        memory: Memory,
        window: usize,
    ) -> Self {
        let (route, next) = (Route::new(settings.routing), Shared::FIRST);
        let stats = TopicStats::default();
        Self {
            shared: Shared { name, settings, epoch, memory, next, stats },
            route,
            publishers: Publishers::new(window),
            is_stopping: false,
            departed: Vec::new(),
        }
    }

    /// Takes a block in, or lets it wait for room.
    ///
    /// # Errors
    /// Nothing was taken, and the publisher is to be told. Its credit is dealt with.
    pub(crate) fn publish(
        &mut self,
        now: Instant,
        from: ConnId,
        receipt: Option<u64>,
        block: Block,
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        let (count, bytes) = (block.count(), block.bytes().len());
        self.admit(now, from, receipt, block, out).inspect_err(|why| {
            self.shared.refuse(*why, count);
            self.publishers.accept(&self.shared, from, bytes, out);
        })
    }

    /// Counts a block that the driver has refused.
    pub(crate) fn refuse(
        &mut self,
        from: ConnId,
        why: RefusedWhy,
        block: &Block,
        out: &mut Vec<Output>,
    ) {
        self.shared.refuse(why, block.count());
        self.publishers.accept(&self.shared, from, block.bytes().len(), out);
    }

    /// Counts what a conn published before to whatever had this topic's name then, since a client counts
    /// by names.
    pub(crate) fn adopt(&mut self, from: ConnId, bytes: u64, out: &mut Vec<Output>) {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        self.publishers.accept(&self.shared, from, bytes, out);
    }

    /// Bytes of blocks that a conn has published, but for those that wait.
    pub(crate) fn accepted(&self, from: ConnId) -> u64 {
        self.publishers.accepted(from)
    }

    /// Whether something that a conn has published waits for room.
    pub(crate) fn is_parking(&self, from: ConnId) -> bool {
        self.publishers.is_parking(from)
    }

    fn admit(
        &mut self,
        now: Instant,
        from: ConnId,
        receipt: Option<u64>,
        block: Block,
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        // What a queue gives up while it drains is dealt with in its dead-letter topic.
        if self.is_stopping && from != ConnId::BROKER {
            return Err(RefusedWhy::Stopping);
        }
        if self.shared.settings.max_message_size < block.largest() as usize {
            return Err(RefusedWhy::TooLarge);
        }
        let blocks = self.shared.settings.policy == Policy::Block;
        if self.publishers.is_waiting() || (blocks && !self.route.has_room(&self.shared, &block)) {
            return self.park(now, from, receipt, &block, out);
        }
        let (whole, first, mut block) = (block.bytes().len(), self.shared.next, block);
        // A receipt is for all of a block or for nothing.
        let rest = match receipt {
            None => self.route.part(&self.shared, &mut block),
            Some(_) => None,
        };
        self.route.publish(&mut self.shared, &block, out)?;
        self.publishers.accept(&self.shared, from, whole, out);
        if let Some(rest) = rest {
            self.shared.refuse(RefusedWhy::Full, rest.count());
            let refused = self.shared.refused(RefusedWhy::Full, None, rest.count());
            out.push(Output::Tell(from, refused));
        }
        if let Some(receipt) = receipt {
            let to = self.route.subscribers();
            let receipt = self.shared.receipt(receipt, first, block.count(), to);
            out.push(Output::Tell(from, receipt));
        }
        Ok(())
    }

    fn park(
        &mut self,
        now: Instant,
        from: ConnId,
        receipt: Option<u64>,
        block: &Block,
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        self.publishers.may_park(from)?;
        let (block, is_first) = (self.shared.keep(block)?, !self.publishers.is_waiting());
        self.publishers.park(from, receipt, block);
        if is_first {
            self.unpark(now, out);
        }
        Ok(())
    }

    /// Lets in what waits, as far as there is room.
    fn unpark(&mut self, now: Instant, out: &mut Vec<Output>) {
        while let Some(block) = self.publishers.first() {
            let room = self.route.room(&self.shared);
            let count = block.fitting(room.messages, room.bytes);
            if count == 0 {
                let wanted = block.first_len() as u64;
                self.route.weigh(&self.shared, now, Some(wanted));
                break;
            }
            self.let_in(count, out);
        }
    }

    /// Numbers and queues the first messages of the first block that waits.
    fn let_in(&mut self, count: u32, out: &mut Vec<Output>) {
        let Some(admitted) = self.publishers.admit(count, self.shared.next) else { return };
        let Admitted { block, from, receipt } = admitted;
        let bytes = block.bytes().len();
        self.route.push(&mut self.shared, block, out);
        self.publishers.accept(&self.shared, from, bytes, out);
        if let Some((receipt, first, count)) = receipt {
            let to = self.route.subscribers();
            out.push(Output::Tell(from, self.shared.receipt(receipt, first, count, to)));
        }
    }

    /// Lets in what waits, if there may be room.
    fn relieved(&mut self, now: Instant, out: &mut Vec<Output>) {
        if self.publishers.is_waiting() && !self.route.is_full() {
            self.unpark(now, out);
        }
    }

    /// Adds a subscriber. It is told Subscribed, and of the gap since its last subscription if it
    /// missed something, before it is ready for the first time.
    pub(crate) fn subscribe(
        &mut self,
        _now: Instant,
        conn: ConnId,
        window: u32,
        resume: Option<Resume>,
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        match self.is_stopping {
            true => Err(RefusedWhy::Stopping),
            false => self.route.subscribe(&mut self.shared, conn, window, resume, out),
        }
    }

    /// Removes a subscriber, which is told; what is queued for it is dropped, or goes to others.
    pub(crate) fn unsubscribe(
        &mut self,
        now: Instant,
        conn: ConnId,
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        if !self.route.remove(&mut self.shared, conn, out) {
            return Err(RefusedWhy::NotSubscribed);
        }
        out.push(Output::Tell(conn, self.shared.ended(EndReason::Unsubscribed)));
        self.relieved(now, out);
        Ok(())
    }

    /// The conn is gone. To be called for every conn that has published or subscribed.
    pub(crate) fn forget(&mut self, now: Instant, conn: ConnId, out: &mut Vec<Output>) {
        if self.is_stopping {
            self.route.note_departure(&self.shared, conn, &mut self.departed);
        }
        self.route.remove(&mut self.shared, conn, out);
        self.publishers.forget(&mut self.shared, conn);
        self.rewanted(now);
        self.relieved(now, out);
    }

    /// What waits first may be another block.
    fn rewanted(&mut self, now: Instant) {
        let wanted = self.publishers.first().map(|block| block.first_len() as u64);
        self.route.weigh(&self.shared, now, wanted);
    }

    /// A subscriber of a fanout topic has everything through this message.
    pub(crate) fn seen(
        &mut self,
        _now: Instant,
        conn: ConnId,
        through: u64,
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        self.route.seen(&mut self.shared, conn, through, out)
    }

    /// A taker of a queue has finished with messages. What it does not have is ignored.
    pub(crate) fn settle(
        &mut self,
        now: Instant,
        conn: ConnId,
        verdict: Verdict,
        runs: &[(u64, u32)],
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        self.route.settle(&mut self.shared, conn, verdict, runs, out)?;
        self.relieved(now, out);
        Ok(())
    }

    /// Moves what the subscriber may get now into a batch, for good: Deliver and Gap frames. Whether
    /// there is more at once; if not, an [`Output::Ready`] says when there is.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        conn: ConnId,
        most: Most,
        into: &mut Batch,
        out: &mut Vec<Output>,
    ) -> bool {
        self.route.take(&mut self.shared, (now, conn), most.into(), into, out);
        self.relieved(now, out);
        self.route.is_ready(conn)
    }

    /// When [`wake`](Self::wake) is to be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.route.deadline(&self.shared.settings)
    }

    /// Does what has become due: cuts those that block, and takes back what was not settled.
    pub(crate) fn wake(&mut self, now: Instant, out: &mut Vec<Output>) {
        self.route.wake(&mut self.shared, now, out);
        self.relieved(now, out);
    }

    /// Takes other settings, of the same routing. Smaller limits apply to what is queued.
    pub(crate) fn reconfigure(&mut self, now: Instant, settings: Settings, out: &mut Vec<Output>) {
        self.shared.settings = Settings { routing: self.shared.settings.routing, ..settings };
        self.route.reconfigure(&mut self.shared, out);
        self.review_parked(out);
        self.rewanted(now);
        self.relieved(now, out);
    }

    /// Refuses what waits for room that there will never be, and lets the rest in, if it need not wait
    /// any more.
    fn review_parked(&mut self, out: &mut Vec<Output>) {
        let Settings { max_message_size, max_bytes, policy, .. } = self.shared.settings;
        let most = max_message_size.min(max_bytes);
        let is_too_large = |rest: &Block| lengths(rest.bytes()).any(|len| most < len);
        let shared = &mut self.shared;
        self.publishers.refuse(shared, RefusedWhy::TooLarge, is_too_large, out);
        if policy == Policy::Block {
            return;
        }
        while let Some(block) = self.publishers.first() {
            let (count, admits) = (block.count(), self.route.admits(&self.shared, block));
            match admits {
                Ok(()) => self.let_in(count, out),
                Err(why) => self.publishers.refuse_first(&mut self.shared, why, out),
            }
        }
    }

    /// Refuses publishers and new subscribers from now on; what is there is still delivered.
    pub(crate) fn stop_accepting(&mut self) {
        self.is_stopping = true;
    }

    /// Ends everything: subscribers and publishers that wait are told, and what they miss is returned.
    pub(crate) fn end(&mut self, reason: EndReason, out: &mut Vec<Output>) -> Vec<Left> {
        let left = self.left();
        self.is_stopping = true;
        let why = match reason {
            EndReason::Removed => RefusedWhy::UnknownTopic,
            _ => RefusedWhy::Stopping,
        };
        self.publishers.refuse(&mut self.shared, why, |_| true, out);
        self.route.end(&mut self.shared, reason, out);
        left
    }

    /// Whether nothing is left: everything was delivered and confirmed, or belonged to conns that
    /// are gone.
    pub(crate) fn is_drained(&self) -> bool {
        !self.publishers.is_waiting() && self.route.is_drained()
    }

    /// What is not delivered or not confirmed.
    pub(crate) fn left(&self) -> Vec<Left> {
        let mut left = self.departed.clone();
        self.route.left(&self.shared, &mut left);
        self.publishers.left(&self.shared, &mut left);
        left
    }

    /// What has happened, and what is there.
    pub(crate) fn stats(&self) -> TopicStats {
        let Settings { routing, policy, .. } = self.shared.settings;
        let (parked, blocked) = (self.publishers.waiting(), self.publishers.is_waiting());
        let (next, known) = (self.shared.next, self.shared.stats.clone());
        let mut stats = TopicStats { routing, policy, next, parked, blocked, ..known };
        self.route.count(&mut stats);
        stats
    }
}
