//! Either way of routing.

use bytes::BytesMut;
use rumormill_transport_api::Batch;
use tokio::time::Instant;

use super::{ConnId, Limits, Output, Portion, Shared, fanout::Fanout, queue::Queue};
use crate::{
    Policy, Routing,
    config::Topic as Settings,
    stats::{Left, TopicStats},
    wire::{Block, Deliver, EndReason, RefusedWhy, Resume, Verdict},
};

/// Who gets a message.
#[derive(Debug)]
pub(super) enum Route {
    Fanout(Box<Fanout>),
    Queue(Box<Queue>),
}

impl Route {
    pub(super) fn new(routing: Routing) -> Self {
        match routing {
            Routing::Fanout => Self::Fanout(Box::new(Fanout::starting_at(Shared::FIRST))),
            Routing::Queue => Self::Queue(Box::default()),
        }
    }

    pub(super) fn subscribers(&self) -> usize {
        match self {
            Self::Fanout(fanout) => fanout.len(),
            Self::Queue(queue) => queue.len(),
        }
    }

    /// Whether there is room for a whole block; a cheap no may be wrong.
    pub(super) fn has_room(&self, shared: &Shared, block: &Block) -> bool {
        let (messages, bytes) = (block.count().into(), block.payload() as u64);
        match self {
            Self::Fanout(fanout) => fanout.has_room_for(shared.limits(), messages, bytes),
            Self::Queue(queue) => {
                let room = queue.room(shared.limits());
                messages <= room.messages && bytes <= room.bytes
            }
        }
    }

    /// How much may be queued now.
    pub(super) fn room(&self, shared: &Shared) -> Limits {
        match self {
            Self::Fanout(fanout) => fanout.room(shared.limits()),
            Self::Queue(queue) => queue.room(shared.limits()),
        }
    }

    /// Whether there certainly is no room for what waits.
    pub(super) fn is_full(&self) -> bool {
        match self {
            Self::Fanout(fanout) => fanout.is_full(),
            Self::Queue(_) => false,
        }
    }

    /// Notes who has no room for the first message that waits, of so many bytes, if one does.
    pub(super) fn weigh(&mut self, shared: &Shared, now: Instant, wanted: Option<u64>) {
        if let Self::Fanout(fanout) = self {
            fanout.weigh(shared, now, wanted);
        }
    }

    /// Numbers and queues a block, if the policy lets it in.
    ///
    /// # Errors
    /// Nothing is queued.
    pub(super) fn publish(
        &mut self,
        shared: &mut Shared,
        block: &Block,
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        let (count, payload) = (block.count(), block.payload());
        match self {
            Self::Fanout(fanout) if fanout.len() == 0 => fanout.skip(shared, count, payload),
            Self::Fanout(fanout) => {
                let head = Deliver::head_len(shared.name.as_str());
                let len = head + block.bytes().len();
                let charge = shared.memory.charge_for(len).ok_or(RefusedWhy::Memory)?;
                let mut frame = BytesMut::with_capacity(len);
                Deliver::head(shared.name.as_str(), shared.next, 0, &mut frame);
                frame.extend_from_slice(block.bytes());
                fanout.push(shared, (charge.keep(frame), head), count, out);
            }
            Self::Queue(queue) => {
                queue.admits(shared, block)?;
                queue.push(shared, shared.keep(block)?, out);
            }
        }
        shared.stats.published.add(count, payload);
        Ok(())
    }

    /// Takes from a block what there is no room for, where the policy is to refuse it and some of it fits.
    pub(super) fn part(&self, shared: &Shared, block: &mut Block) -> Option<Block> {
        let refuses = matches!(shared.settings.policy, Policy::Disconnect | Policy::DropNewest);
        let Self::Queue(queue) = self else { return None };
        let room = queue.room(shared.limits());
        let count = block.fitting(room.messages, room.bytes);
        if !refuses || count == 0 || block.count() <= count {
            return None;
        }
        let front = block.split_front(count);
        Some(std::mem::replace(block, front))
    }

    /// Notes what a subscriber does not get that goes. What a taker has goes to others.
    pub(super) fn note_departure(&self, shared: &Shared, conn: ConnId, into: &mut Vec<Left>) {
        if let Self::Fanout(fanout) = self {
            let mut left = Vec::new();
            fanout.left(shared, &mut left);
            into.extend(left.into_iter().filter(|left| left.conn == Some(conn)));
        }
    }

    /// Numbers and queues a block that is kept already.
    pub(super) fn push(&mut self, shared: &mut Shared, block: Block, out: &mut Vec<Output>) {
        let (count, payload) = (block.count(), block.payload());
        match self {
            Self::Fanout(fanout) if fanout.len() == 0 => fanout.skip(shared, count, payload),
            Self::Fanout(fanout) => fanout.push(shared, (block.bytes().clone(), 0), count, out),
            Self::Queue(queue) => queue.push(shared, block, out),
        }
        shared.stats.published.add(count, payload);
    }

    /// Whether the policy, which is not to block, lets a block in that is kept already.
    pub(super) fn admits(&self, shared: &Shared, block: &Block) -> Result<(), RefusedWhy> {
        match self {
            Self::Queue(queue) if shared.settings.policy != Policy::Block => {
                queue.admits(shared, block)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn subscribe(
        &mut self,
        shared: &mut Shared,
        conn: ConnId,
        window: u32,
        resume: Option<Resume>,
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        match self {
            Self::Fanout(fanout) => fanout.subscribe(shared, conn, window, resume, out),
            // What was published while a taker was away is still there, or went to others.
            Self::Queue(queue) => queue.subscribe(shared, conn, window, out),
        }
    }

    /// Removes a subscription; whether there was one.
    pub(super) fn remove(
        &mut self,
        shared: &mut Shared,
        conn: ConnId,
        out: &mut Vec<Output>,
    ) -> bool {
        match self {
            Self::Fanout(fanout) => fanout.remove(shared, conn),
            Self::Queue(queue) => queue.remove(shared, conn, out),
        }
    }

    pub(super) fn seen(
        &mut self,
        shared: &mut Shared,
        conn: ConnId,
        through: u64,
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        match self {
            Self::Fanout(fanout) => fanout.seen(shared, conn, through, out),
            Self::Queue(queue) => queue.ignore(shared, conn),
        }
    }

    pub(super) fn settle(
        &mut self,
        shared: &mut Shared,
        conn: ConnId,
        verdict: Verdict,
        runs: &[(u64, u32)],
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        match self {
            Self::Fanout(fanout) => fanout.ignore(shared, conn),
            Self::Queue(queue) => queue.settle(shared, conn, verdict, runs, out),
        }
    }

    pub(super) fn take(
        &mut self,
        shared: &mut Shared,
        (now, conn): (Instant, ConnId),
        most: Portion,
        into: &mut Batch,
        out: &mut Vec<Output>,
    ) {
        match self {
            Self::Fanout(fanout) => fanout.take(shared, conn, most, into),
            Self::Queue(queue) => queue.take(shared, (now, conn), most, into, out),
        }
    }

    /// Whether a subscriber that has taken may take more at once; else it is called later.
    pub(super) fn is_ready(&mut self, conn: ConnId) -> bool {
        match self {
            Self::Fanout(fanout) => fanout.is_ready(conn),
            Self::Queue(queue) => queue.is_ready(conn),
        }
    }

    pub(super) fn deadline(&self, settings: &Settings) -> Option<Instant> {
        match self {
            Self::Fanout(fanout) => fanout.deadline(settings),
            Self::Queue(queue) => queue.deadline(),
        }
    }

    pub(super) fn wake(&mut self, shared: &mut Shared, now: Instant, out: &mut Vec<Output>) {
        match self {
            Self::Fanout(fanout) => fanout.wake(shared, now, out),
            Self::Queue(queue) => queue.wake(shared, now, out),
        }
    }

    pub(super) fn reconfigure(&mut self, shared: &mut Shared, out: &mut Vec<Output>) {
        match self {
            Self::Fanout(fanout) => fanout.reconfigure(shared, out),
            Self::Queue(queue) => queue.reconfigure(shared),
        }
    }

    pub(super) fn end(&mut self, shared: &mut Shared, reason: EndReason, out: &mut Vec<Output>) {
        match self {
            Self::Fanout(fanout) => fanout.end(shared, reason, out),
            Self::Queue(queue) => queue.end(shared, reason, out),
        }
    }

    pub(super) fn is_drained(&self) -> bool {
        match self {
            Self::Fanout(fanout) => fanout.is_drained(),
            Self::Queue(queue) => queue.is_drained(),
        }
    }

    pub(super) fn left(&self, shared: &Shared, into: &mut Vec<Left>) {
        match self {
            Self::Fanout(fanout) => fanout.left(shared, into),
            Self::Queue(queue) => queue.left(shared, into),
        }
    }

    pub(super) fn count(&self, stats: &mut TopicStats) {
        match self {
            Self::Fanout(fanout) => fanout.count(stats),
            Self::Queue(queue) => queue.count(stats),
        }
    }
}
