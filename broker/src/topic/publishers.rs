//! What conns publish to a topic: their credit, and what of it waits for room.

use std::collections::{HashMap, VecDeque};

use super::{ConnId, Output, Shared};
use crate::{
    stats::{Left, LeftState, Traffic},
    wire::{Block, RefusedWhy},
};

/// Conns that have published, and their blocks that wait for room, in the order of the topic.
#[derive(Debug)]
pub(super) struct Publishers {
    /// Bytes of blocks that one may have published, and the topic has not accepted.
    window: u64,
    credits: HashMap<ConnId, Credit>,
    parked: VecDeque<Parked>,
    waiting: Traffic,
}

/// What a conn may publish. Blocks that were refused count as accepted, since the conn counted them.
#[derive(Clone, Copy, Debug)]
struct Credit {
    accepted: u64,
    granted: u64,
    /// Bytes of its blocks that wait for room.
    parked: u64,
}

/// A block that waits, or the rest of one.
#[derive(Debug)]
struct Parked {
    from: ConnId,
    receipt: Option<u64>,
    /// The number of the first message, once it has one, and how many there were.
    first: Option<u64>,
    count: u32,
    rest: Block,
}

/// Messages of one publisher that have got room.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) block: Block,
    pub(super) from: ConnId,
    /// If these are the last of a block that wants one: its number, and first and count of the block.
    pub(super) receipt: Option<(u64, u64, u32)>,
}

impl Publishers {
    pub(super) fn new(window: usize) -> Self {
        Self {
            window: window as u64,
            credits: HashMap::new(),
            parked: VecDeque::new(),
            waiting: Traffic::default(),
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.parked.is_empty()
    }

    pub(super) fn waiting(&self) -> Traffic {
        self.waiting
    }

    fn credit(&mut self, conn: ConnId) -> &mut Credit {
        let fresh = Credit { accepted: 0, granted: self.window, parked: 0 };
        self.credits.entry(conn).or_insert(fresh)
    }

    /// Bytes of blocks that a conn has published, but for those that wait.
    pub(super) fn accepted(&self, conn: ConnId) -> u64 {
        self.credits.get(&conn).map_or(0, |credit| credit.accepted)
    }

    pub(super) fn is_parking(&self, conn: ConnId) -> bool {
        self.credits.get(&conn).is_some_and(|credit| credit.parked != 0)
    }

    /// Counts bytes of blocks as accepted, and grants more once half of what was granted is used.
    pub(super) fn accept(
        &mut self,
        shared: &Shared,
        conn: ConnId,
        bytes: usize,
        out: &mut Vec<Output>,
    ) {
        if conn == ConnId::BROKER {
            return;
        }
        let window = self.window;
        let credit = self.credit(conn);
        credit.accepted += bytes as u64;
        if credit.granted.saturating_sub(credit.accepted) <= window / 2 {
            credit.granted = credit.accepted + window;
            out.push(Output::Tell(conn, shared.credit(credit.granted)));
        }
    }

    /// Whether a block may wait: as long as any of the window is left, so that one may be longer.
    pub(super) fn may_park(&mut self, conn: ConnId) -> Result<(), RefusedWhy> {
        let window = self.window;
        match conn == ConnId::BROKER || self.credit(conn).parked < window {
            true => Ok(()),
            false => Err(RefusedWhy::Overrun),
        }
    }

    /// Puts a block behind those that wait.
    pub(super) fn park(&mut self, from: ConnId, receipt: Option<u64>, rest: Block) {
        self.waiting.add(rest.count(), rest.payload());
        self.credit(from).parked += rest.bytes().len() as u64;
        self.parked.push_back(Parked { from, receipt, first: None, count: rest.count(), rest });
    }

    /// The block that is to get room first.
    pub(super) fn first(&self) -> Option<&Block> {
        self.parked.front().map(|parked| &parked.rest)
    }

    /// Lets the first `count` messages of the first block in, as those from `next` on.
    pub(super) fn admit(&mut self, count: u32, next: u64) -> Option<Admitted> {
        let parked = self.parked.front_mut()?;
        let block = parked.rest.split_front(count);
        let first = *parked.first.get_or_insert(next);
        let from = parked.from;
        let is_whole = parked.rest.count() == 0;
        let receipt = parked.receipt.filter(|_| is_whole);
        let receipt = receipt.map(|receipt| (receipt, first, parked.count));
        if is_whole {
            self.parked.pop_front();
        }
        self.unpark(from, &block);
        Some(Admitted { block, from, receipt })
    }

    fn unpark(&mut self, from: ConnId, block: &Block) {
        self.waiting.sub(block.count(), block.payload());
        self.credit(from).parked -= block.bytes().len() as u64;
    }

    /// Refuses what is left of each block that `is_refused`.
    pub(super) fn refuse(
        &mut self,
        shared: &mut Shared,
        why: RefusedWhy,
        is_refused: impl Fn(&Block) -> bool,
        out: &mut Vec<Output>,
    ) {
        let all = std::mem::take(&mut self.parked);
        let (refused, stays): (Vec<_>, _) =
            all.into_iter().partition(|parked| is_refused(&parked.rest));
        self.parked = stays.into();
        refused.into_iter().for_each(|parked| self.refuse_one(shared, why, parked, out));
    }

    /// Refuses what is left of the first block.
    pub(super) fn refuse_first(
        &mut self,
        shared: &mut Shared,
        why: RefusedWhy,
        out: &mut Vec<Output>,
    ) {
        if let Some(parked) = self.parked.pop_front() {
            self.refuse_one(shared, why, parked, out);
        }
    }

    fn refuse_one(
        &mut self,
        shared: &mut Shared,
        why: RefusedWhy,
        Parked { from, receipt, rest, .. }: Parked,
        out: &mut Vec<Output>,
    ) {
        self.unpark(from, &rest);
        self.accept(shared, from, rest.bytes().len(), out);
        shared.refuse(why, rest.count());
        out.push(Output::Tell(from, shared.refused(why, receipt, rest.count())));
    }

    /// The conn is gone, and what it has waiting with it.
    pub(super) fn forget(&mut self, shared: &mut Shared, conn: ConnId) {
        let credit = self.credits.remove(&conn);
        if credit.is_none_or(|credit| credit.parked == 0) {
            return;
        }
        let all = std::mem::take(&mut self.parked);
        let (gone, stay): (Vec<_>, _) = all.into_iter().partition(|parked| parked.from == conn);
        self.parked = stay.into();
        for Parked { rest, .. } in gone {
            self.waiting.sub(rest.count(), rest.payload());
            shared.stats.dropped.abandoned += u64::from(rest.count());
        }
    }

    pub(super) fn left(&self, shared: &Shared, into: &mut Vec<Left>) {
        for parked in &self.parked {
            let messages = parked.rest.count().into();
            shared.report(Some(parked.from), (0, 0), messages, LeftState::Parked, into);
        }
    }
}
