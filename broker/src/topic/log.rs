//! What a fanout topic holds: each block once, for as long as any subscriber waits for it.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::wire::{LENGTH, fitting, lengths};

/// Blocks in the order of the topic. Those that nobody waits for are not there.
#[derive(Debug, Default)]
pub(super) struct Log {
    slots: VecDeque<Slot>,
    /// Slots that nobody waits for, but that others stand before.
    dead: usize,
    /// Where the topic ends.
    end: Point,
}

/// A place between two messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    /// The number of the message behind it.
    pub(super) seq: u64,
    /// Bytes of all messages before it, without their lengths.
    pub(super) bytes: u64,
}

/// One block.
#[derive(Debug)]
pub(super) struct Slot {
    /// Where it begins.
    pub(super) start: Point,
    pub(super) count: u32,
    /// How many subscribers have not passed their last message of it.
    pub(super) waiting: u32,
    /// Bytes of `frame` before the block: a whole Deliver frame, or 0.
    pub(super) head: u32,
    pub(super) frame: Bytes,
}

impl Log {
    pub(super) fn starting_at(seq: u64) -> Self {
        Self { end: Point { seq, bytes: 0 }, ..Self::default() }
    }

    pub(super) fn end(&self) -> Point {
        self.end
    }

    /// Where the oldest block begins that anybody waits for.
    pub(super) fn start(&self) -> Point {
        self.slots.front().map_or(self.end, |slot| slot.start)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Moves the end past messages that nobody gets.
    pub(super) fn skip(&mut self, count: u32, payload: usize) {
        self.end.seq += u64::from(count);
        self.end.bytes += payload as u64;
    }

    /// Appends a block for which `waiting` wait, at least one.
    pub(super) fn push(&mut self, frame: Bytes, head: usize, count: u32, waiting: usize) {
        let (start, waiting) = (self.end, waiting as u32);
        let slot = Slot { start, count, waiting, head: head as u32, frame };
        self.skip(count, slot.payload());
        self.slots.push_back(slot);
    }

    /// Which slot the message is in, that somebody waits for.
    pub(super) fn find(&self, seq: u64) -> usize {
        match (self.slots.front(), self.slots.back()) {
            (Some(first), _) if seq < first.end() => 0,
            (_, Some(last)) if last.start.seq <= seq => self.slots.len() - 1,
            _ => self.slots.partition_point(|slot| slot.end() <= seq),
        }
    }

    pub(super) fn slot(&self, index: usize) -> Option<&Slot> {
        self.slots.get(index)
    }

    /// One subscriber less waits for the slot. It stays until [`prune`](Self::prune).
    pub(super) fn pass(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.waiting -= 1;
            if slot.waiting == 0 {
                slot.frame = Bytes::new();
                self.dead += 1;
            }
        }
    }

    /// Removes what nobody waits for; a slot's index is another afterwards.
    pub(super) fn prune(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.waiting == 0) {
            self.slots.pop_front();
            self.dead -= 1;
        }
        while self.slots.back().is_some_and(|slot| slot.waiting == 0) {
            self.slots.pop_back();
            self.dead -= 1;
        }
        if self.slots.len() < 2 * self.dead {
            self.slots.retain(|slot| 0 < slot.waiting);
            self.dead = 0;
        }
        if self.slots.is_empty() && FEW < self.slots.capacity() {
            self.slots.shrink_to(FEW);
        }
    }
}

impl Slot {
    pub(super) fn end(&self) -> u64 {
        self.start.seq + u64::from(self.count)
    }

    pub(super) fn payload(&self) -> usize {
        self.frame.len().saturating_sub(self.head as usize + LENGTH * self.count as usize)
    }

    /// Where the block has what stands behind a point within it.
    pub(super) fn offset(&self, point: Point) -> usize {
        let lengths = LENGTH as u64 * (point.seq - self.start.seq);
        self.head as usize + (point.bytes - self.start.bytes + lengths) as usize
    }

    fn behind(&self, point: Point) -> &[u8] {
        self.frame.get(self.offset(point)..).unwrap_or_default()
    }

    /// The point behind as many messages as are at most `messages` and `payload` bytes.
    pub(super) fn after(&self, from: Point, messages: u64, payload: u64) -> Point {
        if from.seq + messages == self.end() && payload == u64::MAX {
            let bytes = self.start.bytes + self.payload() as u64;
            return Point { seq: self.end(), bytes };
        }
        let (count, bytes) = fitting(self.behind(from), messages, payload);
        Point { seq: from.seq + u64::from(count), bytes: from.bytes + bytes as u64 }
    }

    /// The point behind as few messages, of at most `most`, as are `messages` and `payload` bytes.
    pub(super) fn past(&self, from: Point, most: u64, messages: u64, payload: u64) -> Point {
        if most <= messages {
            return self.after(from, most, u64::MAX);
        }
        let mut at = from;
        for len in lengths(self.behind(from)).take(most as usize) {
            if messages <= at.seq - from.seq && payload <= at.bytes - from.bytes {
                break;
            }
            at.seq += 1;
            at.bytes += len as u64;
        }
        at
    }
}

/// Places that an empty log keeps.
const FEW: usize = 1_024;
