//! One subscriber of a fanout topic: where it stands in the log, and what it misses of it.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::{
    ConnId, Limits,
    log::{Log, Point, Slot},
    window::Window,
};

/// Everything in the log from `at` on is queued for it, but for `holes`.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) conn: ConnId,
    at: Point,
    /// Dropped in front of `at`, and not told yet: from here.
    lost: Option<u64>,
    /// Dropped behind `at`, in order; none touches another. One ends where a slot does.
    holes: VecDeque<Hole>,
    /// What the holes hold.
    hollow: Point,
    pub(super) window: Window,
    /// Whether it was said that there is something to take, and it has not been taken yet.
    pub(super) is_called: bool,
    /// Where it stands among those to call when there is something.
    pub(super) idle: Option<u32>,
    /// Since when it has no room for the first block that waits.
    pub(super) full: Option<Instant>,
}

/// Messages that are not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hole {
    from: Point,
    to: Point,
}

/// What stands next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing.
    Nothing,
    /// Messages that it misses.
    Gap {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// Messages of one slot.
    Messages {
        /// Which.
        slot: usize,
        /// The number behind the last of them.
        until: u64,
    },
}

impl Subscriber {
    pub(super) fn new(conn: ConnId, window: u32, at: Point) -> Self {
        Self {
            conn,
            at,
            lost: None,
            holes: VecDeque::new(),
            hollow: Point::default(),
            window: Window::new(window, at.seq.saturating_sub(1)),
            is_called: false,
            idle: None,
            full: None,
        }
    }

    pub(super) fn at(&self) -> Point {
        self.at
    }

    /// Messages, and bytes of them, that are queued for it.
    pub(super) fn queued(&self, end: Point) -> Point {
        Point {
            seq: end.seq - self.at.seq - self.hollow.seq,
            bytes: end.bytes - self.at.bytes - self.hollow.bytes,
        }
    }

    pub(super) fn is_over(&self, end: Point, limits: Limits) -> bool {
        let queued = self.queued(end);
        limits.messages < queued.seq || limits.bytes < queued.bytes
    }

    /// Whether it has everything, and knows what it misses.
    pub(super) fn is_current(&self, end: Point) -> bool {
        self.at == end && self.lost.is_none()
    }

    /// What stands next, without a look at the window.
    pub(super) fn next(&self, log: &Log) -> Next {
        let hole = self.holes.front();
        let here = hole.filter(|hole| hole.from.seq == self.at.seq);
        match (self.lost, here) {
            (Some(from), None) => return Next::Gap { from, to: self.at.seq - 1 },
            (lost, Some(hole)) => {
                return Next::Gap { from: lost.unwrap_or(hole.from.seq), to: hole.to.seq - 1 };
            }
            (None, None) => (),
        }
        if self.at.seq == log.end().seq {
            return Next::Nothing;
        }
        let slot = log.find(self.at.seq);
        let end = log.slot(slot).map_or(self.at.seq, Slot::end);
        Next::Messages { slot, until: hole.map_or(end, |hole| end.min(hole.from.seq)) }
    }

    /// Whether it may be sent something now.
    pub(super) fn is_ready(&self, log: &Log) -> bool {
        match self.next(log) {
            Next::Nothing => false,
            Next::Gap { .. } => self.window.admits(1),
            Next::Messages { slot, until } => {
                let slot = log.slot(slot);
                slot.is_some_and(|slot| self.window.admits(self.block_len(slot, until)))
            }
        }
    }

    /// Bytes of block from here to a message of the slot.
    fn block_len(&self, slot: &Slot, until: u64) -> usize {
        let to = slot.after(self.at, until - self.at.seq, u64::MAX);
        slot.offset(to) - slot.offset(self.at)
    }

    /// The gap that stands next was told.
    pub(super) fn cross(&mut self) {
        self.jump();
        self.lost = None;
        self.window.told(self.at.seq - 1);
    }

    /// Moves behind the hole that stands next, if one does.
    fn jump(&mut self) {
        if let Some(hole) = self.holes.front().copied()
            && hole.from.seq == self.at.seq
        {
            self.holes.pop_front();
            self.fill(hole);
            self.at = hole.to;
        }
    }

    fn fill(&mut self, hole: Hole) {
        self.hollow.seq -= hole.to.seq - hole.from.seq;
        self.hollow.bytes -= hole.to.bytes - hole.from.bytes;
    }

    /// Moves on within the messages that stand next, of which `until` is the end.
    pub(super) fn advance(&mut self, log: &mut Log, slot: usize, to: Point, until: u64) {
        self.at = to;
        if to.seq == until {
            log.pass(slot);
        }
    }

    /// Drops the oldest until what is queued is within the limits; how many.
    pub(super) fn drop_oldest(&mut self, log: &mut Log, limits: Limits) -> u64 {
        let (from, mut dropped) = (self.at.seq, 0);
        while self.is_over(log.end(), limits) {
            self.jump();
            let Next::Messages { slot: index, until } = self.next_past_gap(log) else { break };
            let Some(slot) = log.slot(index) else { break };
            let queued = self.queued(log.end());
            let messages = queued.seq.saturating_sub(limits.messages);
            let bytes = queued.bytes.saturating_sub(limits.bytes);
            let to = slot.past(self.at, until - self.at.seq, messages, bytes);
            dropped += to.seq - self.at.seq;
            self.advance(log, index, to, until);
        }
        if from < self.at.seq {
            self.lost.get_or_insert(from);
        }
        dropped
    }

    fn next_past_gap(&mut self, log: &Log) -> Next {
        let lost = self.lost.take();
        let next = self.next(log);
        self.lost = lost;
        next
    }

    /// Drops the newest until what is queued is within the limits; how many.
    pub(super) fn drop_newest(&mut self, log: &mut Log, limits: Limits) -> u64 {
        let mut dropped = 0;
        while self.is_over(log.end(), limits) {
            let back = self.holes.back().filter(|hole| hole.to.seq == log.end().seq);
            let end = back.map_or_else(|| log.end(), |hole| hole.from);
            if end.seq <= self.at.seq {
                break;
            }
            let index = log.find(end.seq - 1);
            let Some(slot) = log.slot(index) else { break };
            let start = if slot.start.seq < self.at.seq { self.at } else { slot.start };
            let rest = self.queued(log.end());
            // What is queued before this slot.
            let messages = rest.seq - (end.seq - start.seq);
            let bytes = rest.bytes - (end.bytes - start.bytes);
            let room = limits.less(messages, bytes);
            let to = slot.after(start, room.messages.min(end.seq - start.seq), room.bytes);
            dropped += end.seq - to.seq;
            self.hollow_out(Hole { from: to, to: end }, log.end());
            if to == start {
                log.pass(index);
            }
        }
        dropped
    }

    /// Adds a hole in front of the last one, if that reaches to the end, or else at the end.
    fn hollow_out(&mut self, hole: Hole, end: Point) {
        self.hollow.seq += hole.to.seq - hole.from.seq;
        self.hollow.bytes += hole.to.bytes - hole.from.bytes;
        match self.holes.back_mut() {
            Some(back) if back.to == end && back.from == hole.to => back.from = hole.from,
            _ => self.holes.push_back(hole),
        }
        // Whatever ended where this begins is one with it.
        let before = self.holes.len().checked_sub(2);
        if let Some(last) = self.holes.back().copied()
            && let Some(before) = before.and_then(|index| self.holes.get_mut(index))
            && before.to.seq == last.from.seq
        {
            before.to = last.to;
            self.holes.pop_back();
        }
    }

    /// Gives up all that is queued; how much.
    pub(super) fn leave(&mut self, log: &mut Log) -> u64 {
        let nothing = Limits { messages: 0, bytes: 0 };
        let left = self.queued(log.end()).seq;
        self.drop_oldest(log, nothing);
        left
    }

    /// What was dropped, and is not told yet: first and last of each range. `last` is the number behind
    /// the last message.
    pub(super) fn missed(&self, last: u64) -> impl Iterator<Item = (u64, u64)> {
        let before = self.lost.map(|lost| (lost, self.at.seq));
        let holes = self.holes.iter().map(|hole| (hole.from.seq, hole.to.seq));
        let all = before.into_iter().chain(holes);
        all.filter(move |(from, to)| from < to && *to <= last).map(|(from, to)| (from, to - 1))
    }

    /// What is queued: first and last of each range.
    pub(super) fn ranges(&self, end: Point) -> impl Iterator<Item = (u64, u64)> {
        let starts = std::iter::once(self.at.seq).chain(self.holes.iter().map(|hole| hole.to.seq));
        let ends = self.holes.iter().map(|hole| hole.from.seq).chain([end.seq]);
        starts.zip(ends).filter(|(from, to)| from < to).map(|(from, to)| (from, to - 1))
    }
}
