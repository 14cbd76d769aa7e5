//! Messages of a queue that go the same way.

use std::collections::{BTreeMap, VecDeque};

use tokio::time::Instant;

use super::{ConnId, Portion};
use crate::wire::{Block, LENGTH, lengths};

/// Consecutive messages of one block.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) first: u64,
    pub(super) block: Block,
    /// How often they were delivered.
    pub(super) deliveries: u8,
    /// Who had them last, and did not settle them.
    pub(super) not_to: Option<ConnId>,
}

/// Messages that were sent, and are not settled.
#[derive(Debug)]
struct Sent {
    run: Run,
    until: Instant,
}

/// A consumer of a queue.
#[derive(Debug)]
pub(super) struct Taker {
    pub(super) conn: ConnId,
    /// Where it is in the queue.
    pub(super) place: u32,
    window: u64,
    /// Bytes of blocks that it has: to be sent, and sent.
    load: u64,
    unsent_bytes: u64,
    unsent: VecDeque<Run>,
    sent: BTreeMap<u64, Sent>,
    pub(super) is_called: bool,
    /// When it was given something last, in turns of the queue.
    pub(super) turn: u64,
    pub(super) rank: Option<Rank>,
}

/// Who is given something first: whoever has nothing, then whoever has the most room, then whoever
/// was given something the longest ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    has_some: bool,
    lack: u64,
    turn: u64,
    pub(super) place: u32,
}

impl Run {
    pub(super) fn last(&self) -> u64 {
        self.first + u64::from(self.block.count()) - 1
    }

    /// The first `count` messages, which this run loses.
    pub(super) fn split_front(&mut self, count: u32) -> Self {
        let first = self.first;
        let block = self.block.split_front(count);
        self.first += u64::from(block.count());
        Self { first, block, ..*self }
    }
}

impl Taker {
    pub(super) fn new(conn: ConnId, window: u32, turn: u64) -> Self {
        Self {
            conn,
            place: 0,
            window: window.into(),
            load: 0,
            unsent_bytes: 0,
            unsent: VecDeque::new(),
            sent: BTreeMap::new(),
            is_called: false,
            turn,
            rank: None,
        }
    }

    /// Where it stands among those who may be given more; `None`: it may not. Whoever has much that
    /// is not even sent is not free, whatever its window.
    pub(super) fn standing(&self) -> Option<Rank> {
        let has_some = 0 < self.load;
        let is_free = !has_some || (self.load < self.window && self.unsent_bytes < UNSENT);
        let lack = u64::MAX - self.window.saturating_sub(self.load);
        is_free.then_some(Rank { has_some, lack, turn: self.turn, place: self.place })
    }

    /// How many messages of the block's first `most` it has room for; of the first one always, if it
    /// has nothing else.
    pub(super) fn fitting(&self, block: &Block, most: u32) -> u32 {
        let (room, len) = (self.window.saturating_sub(self.load), block.bytes().len() as u64);
        if block.count() <= most && len <= room {
            return block.count();
        }
        let fits = self.fitting_in(block, most, room);
        if self.load == 0 { fits.max(1) } else { fits }
    }

    fn fitting_in(&self, block: &Block, most: u32, room: u64) -> u32 {
        let mut left = room;
        let fits = |len: &usize| {
            let needed = (LENGTH + len) as u64;
            left.checked_sub(needed).inspect(|rest| left = *rest).is_some()
        };
        lengths(block.bytes()).take(most as usize).take_while(fits).count() as u32
    }

    /// Lets it have a run.
    pub(super) fn give(&mut self, run: Run) {
        let bytes = run.block.bytes().len() as u64;
        self.load += bytes;
        self.unsent_bytes += bytes;
        self.unsent.push_back(run);
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    pub(super) fn unsent(&self) -> impl Iterator<Item = &Run> {
        self.unsent.iter()
    }

    /// What to send now. It is to be [kept](Self::keep).
    pub(super) fn next(&mut self, most: Portion) -> Option<Run> {
        let messages = u32::try_from(most.messages).unwrap_or(u32::MAX);
        let front = self.unsent.front_mut()?;
        let len = front.block.bytes().len();
        if !most.admits(len) {
            return None;
        }
        let run = match front.block.count() <= messages {
            true => self.unsent.pop_front()?,
            false => front.split_front(messages),
        };
        self.unsent_bytes -= run.block.bytes().len() as u64;
        Some(run)
    }

    /// Takes away what it was sent of these messages, which are nowhere then.
    pub(super) fn recall(&mut self, from: u64, count: u32, dues: &mut Dues) -> Vec<Run> {
        let (to, mut runs) = (from.saturating_add(count.into()), Vec::new());
        let before = self.sent.range(..from).next_back();
        let mut at = before.filter(|(_, sent)| from <= sent.run.last()).map_or(from, |(at, _)| *at);
        while 0 < count
            && at < to
            && let Some(found) = self.sent.range(at..to).next().map(|(first, _)| *first)
            && let Some(Sent { mut run, until }) = self.sent.remove(&found)
        {
            dues.remove(&(until, found));
            at = run.last() + 1;
            let early = run.split_front(from.saturating_sub(found) as u32);
            let middle = run.split_front((to.min(at) - run.first) as u32);
            self.load -= middle.block.bytes().len() as u64;
            runs.push(middle);
            for run in [early, run] {
                self.keep(run, until, dues);
            }
        }
        runs
    }

    /// Puts what was sent among what is to be settled.
    pub(super) fn keep(&mut self, run: Run, until: Instant, dues: &mut Dues) {
        if 0 < run.block.count() {
            dues.insert((until, run.first), self.place);
            self.sent.insert(run.first, Sent { run, until });
        }
    }

    /// Gives up everything: what was sent and what was not.
    pub(super) fn leave(self, dues: &mut Dues) -> (Vec<Run>, VecDeque<Run>) {
        let sent = self.sent.into_values().map(|sent| {
            dues.remove(&(sent.until, sent.run.first));
            sent.run
        });
        (sent.collect(), self.unsent)
    }

    /// How many messages there are in what was sent together from this one on.
    pub(super) fn sent_at(&self, first: u64) -> u32 {
        self.sent.get(&first).map_or(0, |sent| sent.run.block.count())
    }

    pub(super) fn sent(&self) -> impl Iterator<Item = &Run> {
        self.sent.values().map(|sent| &sent.run)
    }
}

/// When which messages are due to be settled, and where their taker is.
pub(super) type Dues = BTreeMap<(Instant, u64), u32>;

/// Bytes that may wait for a taker's writer before others are preferred.
const UNSENT: u64 = 64 << 10;
