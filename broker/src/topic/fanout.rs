//! Each message to every subscriber.

use std::collections::VecDeque;

use bytes::Bytes;
use rumormill_transport_api::Batch;
use tokio::time::Instant;

use super::{
    ConnId, Limits, Output, Portion, Shared,
    log::{Log, Point},
    slab::Slab,
    subscriber::Subscriber,
    taking::Taking,
};
use crate::{
    Policy,
    config::Topic as Settings,
    stats::{Left, LeftState, TopicStats, Traffic},
    wire::{EndReason, GapReason, RefusedWhy, Resume},
};

/// The subscribers, and what is queued for any of them.
#[derive(Debug)]
pub(super) struct Fanout {
    log: Log,
    subscribers: Slab<Subscriber>,
    /// Those that have everything, and wait to be called.
    idle: Vec<u32>,
    /// How many have no room for the first message that waits for it.
    full: usize,
    /// Bytes of that message.
    wanted: u64,
    /// When those became full, oldest first; some are not any more.
    since: VecDeque<(Instant, ConnId)>,
}

impl Fanout {
    pub(super) fn starting_at(seq: u64) -> Self {
        Self {
            log: Log::starting_at(seq),
            subscribers: Slab::default(),
            idle: Vec::new(),
            full: 0,
            wanted: 0,
            since: VecDeque::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.subscribers.len()
    }

    /// Numbers and queues a block of `count` messages, in a frame that has `head` bytes before it. What
    /// has no room is dealt with by the policy.
    pub(super) fn push(
        &mut self,
        shared: &mut Shared,
        (frame, head): (Bytes, usize),
        count: u32,
        out: &mut Vec<Output>,
    ) {
        shared.next += u64::from(count);
        self.log.push(frame, head, count, self.subscribers.len());
        if !self.has_room_for(shared.limits(), 0, 0) {
            self.enforce(shared, out);
        }
        self.call(out);
    }

    /// Numbers messages while nobody subscribes.
    pub(super) fn skip(&mut self, shared: &mut Shared, count: u32, payload: usize) {
        shared.next += u64::from(count);
        self.log.skip(count, payload);
    }

    /// Calls those that had everything.
    fn call(&mut self, out: &mut Vec<Output>) {
        for place in self.idle.drain(..) {
            if let Some(subscriber) = self.subscribers.get_mut(place) {
                subscriber.idle = None;
                // Whose window is too full for this block is called in vain, which is cheaper than a
                // look into the log for each.
                if !subscriber.is_called && subscriber.window.admits(1) {
                    subscriber.is_called = true;
                    out.push(Output::Ready(subscriber.conn));
                }
            }
        }
    }

    /// Whether there certainly is room for so much more: what nobody's queue can be longer than is the
    /// whole log, which costs no look at them.
    pub(super) fn has_room_for(&self, limits: Limits, messages: u64, bytes: u64) -> bool {
        let (start, end) = (self.log.start(), self.log.end());
        end.seq - start.seq + messages <= limits.messages
            && end.bytes - start.bytes + bytes <= limits.bytes
    }

    /// How much more every subscriber has room for.
    pub(super) fn room(&self, limits: Limits) -> Limits {
        let end = self.log.end();
        let all = Limits { messages: u64::MAX, bytes: u64::MAX };
        self.subscribers.iter().fold(all, |least, subscriber| {
            let queued = subscriber.queued(end);
            let left = limits.less(queued.seq, queued.bytes);
            Limits {
                messages: least.messages.min(left.messages),
                bytes: least.bytes.min(left.bytes),
            }
        })
    }

    /// Brings every queue within the limits, by the policy.
    fn enforce(&mut self, shared: &mut Shared, out: &mut Vec<Output>) {
        let (limits, end) = (shared.limits(), self.log.end());
        let over = self.subscribers.iter_mut().filter(|one| one.is_over(end, limits));
        match shared.settings.policy {
            // What waits for room is not queued; a smaller limit does not take back what is.
            Policy::Block => (),
            Policy::Disconnect => {
                let over: Vec<_> = over.map(|subscriber| subscriber.conn).collect();
                over.into_iter().for_each(|conn| self.cut(shared, conn, EndReason::Lagging, out));
            }
            Policy::DropOldest => {
                let dropped: u64 = over.map(|one| one.drop_oldest(&mut self.log, limits)).sum();
                shared.stats.dropped.oldest += dropped;
            }
            Policy::DropNewest => {
                let dropped: u64 = over.map(|one| one.drop_newest(&mut self.log, limits)).sum();
                shared.stats.dropped.newest += dropped;
            }
        }
        self.log.prune();
    }

    /// Applies other limits, or another policy, to what is queued.
    pub(super) fn reconfigure(&mut self, shared: &mut Shared, out: &mut Vec<Output>) {
        self.enforce(shared, out);
    }

    /// Ends a subscription that holds things up.
    fn cut(&mut self, shared: &mut Shared, conn: ConnId, why: EndReason, out: &mut Vec<Output>) {
        if self.remove(shared, conn) {
            out.push(Output::Tell(conn, shared.ended(why)));
            out.push(Output::Cut(conn));
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
        if self.subscribers.find(conn).is_some() {
            return Err(RefusedWhy::AlreadySubscribed);
        }
        let subscriber = Subscriber::new(conn, window, self.log.end());
        let place = self.subscribers.insert(conn, subscriber);
        self.rest(place);
        out.push(Output::Tell(conn, shared.subscribed()));
        if let Some((from, reason)) = missed(resume, shared) {
            shared.stats.gaps += 1;
            out.push(Output::Tell(conn, shared.gap(from, shared.next - 1, reason)));
        }
        Ok(())
    }

    /// Lets a subscriber that has everything wait to be called.
    fn rest(&mut self, place: u32) {
        if let Some(subscriber) = self.subscribers.get_mut(place)
            && subscriber.idle.is_none()
        {
            subscriber.idle = Some(self.idle.len() as u32);
            self.idle.push(place);
        }
    }

    /// Removes a subscriber and what is queued for it; whether there was one.
    pub(super) fn remove(&mut self, shared: &mut Shared, conn: ConnId) -> bool {
        let Some(mut subscriber) = self.subscribers.remove(conn) else { return false };
        if let Some(at) = subscriber.idle {
            self.idle.swap_remove(at as usize);
            let moved = self.idle.get(at as usize).copied();
            if let Some(moved) = moved.and_then(|place| self.subscribers.get_mut(place)) {
                moved.idle = Some(at);
            }
        }
        if subscriber.full.is_some() {
            self.full -= 1;
        }
        shared.stats.dropped.ended += subscriber.leave(&mut self.log);
        self.log.prune();
        true
    }

    pub(super) fn seen(
        &mut self,
        shared: &mut Shared,
        conn: ConnId,
        through: u64,
        out: &mut Vec<Output>,
    ) -> Result<(), RefusedWhy> {
        let place = self.subscribers.find(conn).ok_or(RefusedWhy::NotSubscribed)?;
        let Some(subscriber) = self.subscribers.get_mut(place) else { return Ok(()) };
        match subscriber.window.confirm(through) {
            Some(confirmed) => shared.stats.confirmed += confirmed,
            None => shared.stats.ignored += 1,
        }
        if !subscriber.is_called && subscriber.is_ready(&self.log) {
            subscriber.is_called = true;
            out.push(Output::Ready(conn));
        }
        Ok(())
    }

    /// Counts a word that makes no sense to a fanout topic.
    pub(super) fn ignore(&self, shared: &mut Shared, conn: ConnId) -> Result<(), RefusedWhy> {
        self.subscribers.find(conn).ok_or(RefusedWhy::NotSubscribed)?;
        shared.stats.ignored += 1;
        Ok(())
    }

    /// Moves what a subscriber may get into a batch.
    pub(super) fn take(
        &mut self,
        shared: &mut Shared,
        conn: ConnId,
        most: Portion,
        into: &mut Batch,
    ) {
        let Some(place) = self.subscribers.find(conn) else { return };
        let Some(subscriber) = self.subscribers.get_mut(place) else { return };
        // It hears of what comes meanwhile from what `take` returns.
        subscriber.is_called = true;
        Taking::new(&mut self.log, shared, most, into).run(subscriber);
        self.log.prune();
        self.relieve(shared, place);
    }

    /// Whether a subscriber that has taken may take more at once; else it waits to be called.
    pub(super) fn is_ready(&mut self, conn: ConnId) -> bool {
        let Some(place) = self.subscribers.find(conn) else { return false };
        let Some(subscriber) = self.subscribers.get_mut(place) else { return false };
        subscriber.is_called = subscriber.is_ready(&self.log);
        let (is_ready, is_current) = (subscriber.is_called, subscriber.is_current(self.log.end()));
        if is_current {
            self.rest(place);
        }
        is_ready
    }

    pub(super) fn is_full(&self) -> bool {
        0 < self.full
    }

    /// Notes who has no room for the first message that waits, which has so many bytes; nobody, if
    /// none does.
    pub(super) fn weigh(&mut self, shared: &Shared, now: Instant, wanted: Option<u64>) {
        let (limits, end) = (shared.limits(), self.log.end());
        self.wanted = wanted.unwrap_or(0);
        for subscriber in self.subscribers.iter_mut() {
            let queued = subscriber.queued(end);
            let is_full = wanted.is_some_and(|wanted| lacks_room(queued, limits, wanted));
            match (subscriber.full, is_full) {
                (None, true) => {
                    subscriber.full = Some(now);
                    self.full += 1;
                    self.since.push_back((now, subscriber.conn));
                }
                (Some(_), false) => {
                    subscriber.full = None;
                    self.full -= 1;
                }
                _ => (),
            }
        }
        self.forget_relieved();
    }

    /// Notes that a subscriber may have room again.
    fn relieve(&mut self, shared: &Shared, place: u32) {
        let (limits, end) = (shared.limits(), self.log.end());
        if let Some(subscriber) = self.subscribers.get_mut(place)
            && subscriber.full.is_some()
            && !lacks_room(subscriber.queued(end), limits, self.wanted)
        {
            subscriber.full = None;
            self.full -= 1;
            self.forget_relieved();
        }
    }

    fn forget_relieved(&mut self) {
        while let Some((since, conn)) = self.since.front() {
            let place = self.subscribers.find(*conn);
            let subscriber = place.and_then(|place| self.subscribers.get(place));
            if subscriber.is_some_and(|one| one.full == Some(*since)) {
                break;
            }
            self.since.pop_front();
        }
    }

    pub(super) fn deadline(&self, settings: &Settings) -> Option<Instant> {
        self.since.front().map(|(since, _)| *since + settings.block_timeout)
    }

    /// Cuts those that have held the topic up for too long.
    pub(super) fn wake(&mut self, shared: &mut Shared, now: Instant, out: &mut Vec<Output>) {
        self.forget_relieved();
        while let Some((since, conn)) = self.since.front().copied()
            && since + shared.settings.block_timeout <= now
        {
            self.cut(shared, conn, EndReason::Blocking, out);
            self.forget_relieved();
        }
    }

    /// Ends all subscriptions.
    pub(super) fn end(&mut self, shared: &mut Shared, reason: EndReason, out: &mut Vec<Output>) {
        let last = self.log.end().seq;
        let gaps = |one: &Subscriber| (one.conn, one.missed(last).collect::<Vec<_>>());
        let conns: Vec<_> = self.subscribers.iter().map(gaps).collect();
        for (conn, missed) in conns {
            self.remove(shared, conn);
            for (from, to) in missed {
                out.push(Output::Tell(conn, shared.gap(from, to, GapReason::Dropped)));
            }
            out.push(Output::Tell(conn, shared.ended(reason)));
        }
    }

    /// Whether everybody has confirmed everything.
    pub(super) fn is_drained(&self) -> bool {
        let end = self.log.end();
        let is_done = |one: &Subscriber| one.is_current(end) && one.window.is_empty();
        self.log.is_empty() && self.subscribers.iter().all(is_done)
    }

    pub(super) fn left(&self, shared: &Shared, into: &mut Vec<Left>) {
        for subscriber in self.subscribers.iter() {
            let conn = Some(subscriber.conn);
            for sent in subscriber.window.sent() {
                let range = (sent.from, sent.to);
                shared.report(conn, range, sent.messages, LeftState::Unconfirmed, into);
            }
            let end = self.log.end();
            let missed = subscriber.missed(end.seq).map(|range| (range, LeftState::Dropped));
            let queued = subscriber.ranges(end).map(|range| (range, LeftState::Queued));
            let mut ranges: Vec<_> = missed.chain(queued).collect();
            ranges.sort_unstable();
            for ((from, to), state) in ranges {
                shared.report(conn, (from, to), to + 1 - from, state, into);
            }
        }
    }

    pub(super) fn count(&self, stats: &mut TopicStats) {
        stats.subscribers = self.subscribers.len();
        if self.log.is_empty() {
            return;
        }
        let end = self.log.end();
        for subscriber in self.subscribers.iter() {
            let Point { seq: messages, bytes } = subscriber.queued(end);
            stats.queued.messages += messages;
            stats.queued.bytes += bytes;
            if stats.deepest.messages < messages {
                stats.deepest = Traffic { messages, bytes };
            }
        }
    }
}

fn lacks_room(queued: Point, limits: Limits, wanted: u64) -> bool {
    limits.messages <= queued.seq || limits.bytes < queued.bytes + wanted
}

/// The first message that a subscriber missed that was there before, and why.
fn missed(resume: Option<Resume>, shared: &Shared) -> Option<(u64, GapReason)> {
    match resume? {
        Resume { epoch, .. } if epoch != shared.epoch => {
            (Shared::FIRST < shared.next).then_some((Shared::FIRST, GapReason::Restarted))
        }
        Resume { after, .. } => {
            let from = after.checked_add(1)?;
            (from < shared.next).then_some((from, GapReason::Away))
        }
    }
}
