//! Each message to one subscriber, until one has settled it.

use std::collections::{BTreeSet, VecDeque};

use bytes::BytesMut;
use rumormill_transport_api::Batch;
use tokio::time::Instant;

use super::{
    ConnId, Limits, Output, Portion, Shared,
    run::{Dues, Rank, Run, Taker},
    slab::Slab,
};
use crate::{
    Policy,
    stats::{Left, LeftState, TopicStats, Traffic},
    wire::{Block, Deliver, EndReason, RefusedWhy, Verdict},
};

/// The messages that are not settled, and those who may get them.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Of nobody yet. There are some only while nobody is free.
    held: VecDeque<Run>,
    in_held: Traffic,
    /// Held, given and sent.
    all: Traffic,
    takers: Slab<Taker>,
    free: BTreeSet<Rank>,
    dues: Dues,
    turn: u64,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.takers.len()
    }

    pub(super) fn room(&self, limits: Limits) -> Limits {
        limits.less(self.all.messages, self.all.bytes)
    }

    /// Whether the policy, which is not to block, lets a block in.
    pub(super) fn admits(&self, shared: &Shared, block: &Block) -> Result<(), RefusedWhy> {
        let limits = shared.limits();
        let (messages, bytes) = match shared.settings.policy {
            Policy::Block => return Ok(()),
            Policy::Disconnect | Policy::DropNewest => (block.count(), block.payload() as u64),
            // What is held makes room, but what somebody has does not.
            Policy::DropOldest => (1, block.largest().into()),
        };
        let stays = match shared.settings.policy {
            Policy::DropOldest => self.given(),
            _ => self.all,
        };
        let fits = stays.messages + u64::from(messages) <= limits.messages
            && stays.bytes + bytes <= limits.bytes;
        if fits { Ok(()) } else { Err(RefusedWhy::Full) }
    }

    /// What takers have.
    fn given(&self) -> Traffic {
        Traffic {
            messages: self.all.messages - self.in_held.messages,
            bytes: self.all.bytes - self.in_held.bytes,
        }
    }

    /// Numbers and queues a block that the policy let in.
    pub(super) fn push(&mut self, shared: &mut Shared, block: Block, out: &mut Vec<Output>) {
        let first = shared.next;
        shared.next += u64::from(block.count());
        self.all.add(block.count(), block.payload());
        self.in_held.add(block.count(), block.payload());
        self.held.push_back(Run { first, block, deliveries: 0, not_to: None });
        self.trim(shared);
        self.assign(out);
    }

    /// Drops the oldest that nobody has, if that is the policy and there is too much.
    fn trim(&mut self, shared: &mut Shared) {
        if shared.settings.policy != Policy::DropOldest {
            return;
        }
        let limits = shared.limits();
        while (limits.messages < self.all.messages || limits.bytes < self.all.bytes)
            && let Some(run) = self.held.front_mut()
        {
            let excess = self.all.messages.saturating_sub(limits.messages).max(1);
            let count = if limits.bytes < self.all.bytes { 1 } else { excess };
            let dropped = run.split_front(u32::try_from(count).unwrap_or(u32::MAX)).block;
            if run.block.count() == 0 {
                self.held.pop_front();
            }
            self.in_held.sub(dropped.count(), dropped.payload());
            self.all.sub(dropped.count(), dropped.payload());
            shared.stats.dropped.oldest += u64::from(dropped.count());
        }
    }

    /// Gives what is held to those who are free, in equal parts.
    fn assign(&mut self, out: &mut Vec<Output>) {
        while let Some(mut run) = self.held.pop_front() {
            let part = (run.block.count() / self.free.len().max(1) as u32).max(1);
            while 0 < run.block.count() {
                let Some((place, count)) = self.best(&run, part) else {
                    self.held.push_front(run);
                    return;
                };
                let piece = run.split_front(count);
                self.in_held.sub(piece.block.count(), piece.block.payload());
                self.give(place, piece, out);
            }
        }
    }

    /// Who gets the beginning of this run, and how many messages of it.
    fn best(&self, run: &Run, part: u32) -> Option<(u32, u32)> {
        let first = self.free.first()?;
        let is_other = |rank: &&Rank| {
            self.takers.get(rank.place).is_some_and(|taker| Some(taker.conn) != run.not_to)
        };
        // Somebody else, if there is one.
        let other = if run.not_to.is_some() { self.free.iter().find(is_other) } else { None };
        [other, Some(first)].into_iter().flatten().find_map(|rank| {
            let count = self.takers.get(rank.place)?.fitting(&run.block, part);
            (0 < count).then_some((rank.place, count))
        })
    }

    fn give(&mut self, place: u32, run: Run, out: &mut Vec<Output>) {
        self.turn += 1;
        let Some(taker) = self.takers.get_mut(place) else { return };
        taker.turn = self.turn;
        taker.give(run);
        if !taker.is_called {
            taker.is_called = true;
            out.push(Output::Ready(taker.conn));
        }
        self.rank(place);
    }

    /// Puts a taker to where it stands now among the free.
    fn rank(&mut self, place: u32) {
        let Some(taker) = self.takers.get_mut(place) else { return };
        let rank = taker.standing();
        if rank != taker.rank {
            if let Some(rank) = taker.rank {
                self.free.remove(&rank);
            }
            self.free.extend(rank);
            taker.rank = rank;
        }
    }

    pub(super) fn subscribe(
        &mut self,
        shared: &Shared,
        conn: ConnId,
        window: u32,
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        if self.takers.find(conn).is_some() {
            return Err(RefusedWhy::AlreadySubscribed);
        }
        let place = self.takers.insert(conn, Taker::new(conn, window, self.turn));
        if let Some(taker) = self.takers.get_mut(place) {
            taker.place = place;
        }
        out.push(Output::Tell(conn, shared.subscribed()));
        self.rank(place);
        self.assign(out);
        Ok(())
    }

    /// Removes a taker, whose messages go to others; whether there was one.
    pub(super) fn remove(
        &mut self,
        shared: &mut Shared,
        conn: ConnId,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(taker) = self.takers.remove(conn) else { return false };
        if let Some(rank) = taker.rank {
            self.free.remove(&rank);
        }
        let (sent, unsent) = taker.leave(&mut self.dues);
        self.hold(unsent);
        self.give_back(shared, conn, sent, out);
        self.assign(out);
        true
    }

    /// Puts runs back to the front, in their order.
    fn hold(&mut self, runs: impl IntoIterator<Item = Run, IntoIter: DoubleEndedIterator>) {
        for run in runs.into_iter().rev() {
            self.in_held.add(run.block.count(), run.block.payload());
            self.held.push_front(run);
        }
    }

    /// Takes back what was sent and is not dealt with; what was sent too often is given up.
    fn give_back(
        &mut self,
        shared: &mut Shared,
        from: ConnId,
        mut runs: Vec<Run>,
        out: &mut Vec<Output>,
    ) {
        runs.retain_mut(|run| {
            run.deliveries = run.deliveries.saturating_add(1);
            run.not_to = Some(from);
            let stays = run.deliveries < shared.settings.max_deliveries;
            if !stays {
                let (count, payload) = (run.block.count(), run.block.payload());
                self.all.sub(count, payload);
                give_up(shared, run, out);
            }
            stays
        });
        self.hold(runs);
    }

    pub(super) fn settle(
        &mut self,
        shared: &mut Shared,
        conn: ConnId,
        verdict: Verdict,
        runs: &[(u64, u32)],
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        let place = self.takers.find(conn).ok_or(RefusedWhy::NotSubscribed)?;
        let Some(taker) = self.takers.get_mut(place) else { return Ok(()) };
        let mut settled = Vec::new();
        for (first, count) in runs {
            let found = taker.recall(*first, *count, &mut self.dues);
            let known: u32 = found.iter().map(|run| run.block.count()).sum();
            shared.stats.ignored += u64::from(known < *count);
            settled.extend(found);
        }
        match verdict {
            Verdict::Done => {
                for Run { block, .. } in settled {
                    self.all.sub(block.count(), block.payload());
                    shared.stats.confirmed += u64::from(block.count());
                }
            }
            Verdict::GiveBack => {
                settled.sort_by_key(|run| run.first);
                self.give_back(shared, conn, settled, out);
            }
        }
        self.rank(place);
        self.assign(out);
        Ok(())
    }

    /// Counts a word that makes no sense to a queue.
    pub(super) fn ignore(&self, shared: &mut Shared, conn: ConnId) -> Result<(), RefusedWhy> {
        self.takers.find(conn).ok_or(RefusedWhy::NotSubscribed)?;
        shared.stats.ignored += 1;
        Ok(())
    }

    /// Moves what a taker was given into a batch.
    pub(super) fn take(
        &mut self,
        shared: &mut Shared,
        (now, conn): (Instant, ConnId),
        mut most: Portion,
        into: &mut Batch,
        out: &mut Vec<Output>,
    ) {
        let Some(place) = self.takers.find(conn) else { return };
        let Some(taker) = self.takers.get_mut(place) else { return };
        let (until, name) = (now + shared.settings.ack_timeout, shared.name.as_str());
        let mut heads = BytesMut::new();
        while let Some(run) = taker.next(most) {
            let (count, block) = (run.block.count(), run.block.bytes().clone());
            most.took(count as usize, block.len());
            shared.stats.delivered.add(count, run.block.payload());
            if 0 < run.deliveries {
                shared.stats.redelivered += u64::from(count);
            }
            heads.reserve(Deliver::head_len(name));
            Deliver::head(name, run.first, run.deliveries, &mut heads);
            into.push_parts([heads.split().freeze(), block]);
            taker.keep(run, until, &mut self.dues);
        }
        // It hears of what it is given meanwhile from what `take` returns.
        taker.is_called = true;
        self.rank(place);
        self.assign(out);
    }

    /// Whether a taker that has taken may take more at once; else it waits to be called.
    pub(super) fn is_ready(&mut self, conn: ConnId) -> bool {
        let place = self.takers.find(conn);
        place.and_then(|place| self.takers.get_mut(place)).is_some_and(|taker| {
            taker.is_called = taker.has_unsent();
            taker.is_called
        })
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.dues.first_key_value().map(|((until, _), _)| *until)
    }

    /// Takes back what was not settled in time.
    pub(super) fn wake(&mut self, shared: &mut Shared, now: Instant, out: &mut Vec<Output>) {
        let mut late = Vec::new();
        while let Some(((until, first), place)) = self.dues.first_key_value()
            && *until <= now
        {
            let (first, place) = (*first, *place);
            let Some(taker) = self.takers.get_mut(place) else { break };
            let count = taker.sent_at(first);
            let runs = taker.recall(first, count, &mut self.dues);
            late.push((taker.conn, place, runs));
        }
        late.sort_by_key(|(_, _, runs)| runs.first().map(|run| run.first));
        for (conn, place, runs) in late.into_iter().rev() {
            self.give_back(shared, conn, runs, out);
            self.rank(place);
        }
        self.assign(out);
    }

    pub(super) fn reconfigure(&mut self, shared: &mut Shared) {
        self.trim(shared);
    }

    /// Ends all subscriptions, and drops all messages.
    pub(super) fn end(&mut self, shared: &mut Shared, reason: EndReason, out: &mut Vec<Output>) {
        for taker in self.takers.iter() {
            out.push(Output::Tell(taker.conn, shared.ended(reason)));
        }
        shared.stats.dropped.ended += self.all.messages;
        *self = Self::default();
    }

    pub(super) fn is_drained(&self) -> bool {
        self.all.messages == 0
    }

    pub(super) fn left(&self, shared: &Shared, into: &mut Vec<Left>) {
        let mut put = |conn, run: &Run, state| {
            let messages = run.block.count().into();
            shared.report(conn, (run.first, run.last()), messages, state, into);
        };
        for taker in self.takers.iter() {
            let conn = Some(taker.conn);
            taker.sent().for_each(|run| put(conn, run, LeftState::Unconfirmed));
            taker.unsent().for_each(|run| put(conn, run, LeftState::Queued));
        }
        self.held.iter().for_each(|run| put(None, run, LeftState::Held));
    }

    pub(super) fn count(&self, stats: &mut TopicStats) {
        stats.subscribers = self.takers.len();
        (stats.queued, stats.deepest) = (self.all, self.all);
    }
}

/// Sends a run where given up messages go.
fn give_up(shared: &mut Shared, run: &Run, out: &mut Vec<Output>) {
    let count = u64::from(run.block.count());
    match &shared.settings.dead_letter {
        None => shared.stats.given_up += count,
        Some(topic) => {
            shared.stats.dead_lettered += count;
            out.push(Output::DeadLetter { topic: topic.clone(), block: run.block.clone() });
        }
    }
}
