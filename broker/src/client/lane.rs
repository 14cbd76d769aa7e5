//! What is published to one topic, until the broker has told what became of it.

use std::{collections::VecDeque, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

pub(super) use super::outbox::pending::Allowed;
use super::{
    config::cost,
    fate::{Outcomes, Receipt, Share, Submitted},
    outbox::pending::Pending,
    tally::Tally,
};
use crate::{
    PublishError, TopicName,
    wire::{Block, Blocks, Publish, RefusedWhy},
};

/// The messages of one topic, in order: those that wait, gathered into blocks, and those that were
/// sent and of which something may still be told.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) topic: TopicName,
    /// Whether it stands in the outbox's list of lanes that have something to send.
    pub(super) is_listed: bool,
    /// The upper half of its receipts' numbers.
    number: u64,
    closed: VecDeque<Pending>,
    open: Blocks,
    open_fate: Option<Share>,
    /// Bytes of a block of more than one message, as the conn, or the last one, takes it.
    most: usize,
    /// The length of the last block, which the next one is likely to have.
    usual: usize,
    sent: VecDeque<Sent>,
    receipts: u64,
    /// Bytes of blocks that were sent over this conn, and that may be.
    through: u64,
    credit: u64,
    window: u64,
    /// Length of the longest message that the topic is known to take. A longer one travels alone: the
    /// broker refuses blocks as a whole, and the neighbours of one that is too long did no wrong.
    proven: u32,
    /// The longest whose receipt will tell.
    probing: u32,
    refused: Option<(RefusedWhy, Instant)>,
}

/// A block that was sent.
#[derive(Debug)]
struct Sent {
    /// Bytes of blocks that were sent up to its end.
    end: u64,
    messages: u32,
    largest: u32,
    receipt: Option<u64>,
    fate: Option<Share>,
    at: Instant,
}

impl Lane {
    pub(super) fn new(topic: TopicName, number: usize, allowed: Option<Allowed>) -> Self {
        Self {
            most: allowed.map_or(LONGEST, |allowed| allowed.block(&topic).min(LONGEST)),
            topic,
            is_listed: false,
            number: (number as u64) << COUNTER,
            closed: VecDeque::new(),
            open: Blocks::default(),
            open_fate: None,
            usual: 0,
            sent: VecDeque::new(),
            receipts: 0,
            through: 0,
            credit: allowed.map_or(0, |allowed| allowed.window),
            window: allowed.map_or(0, |allowed| allowed.window),
            proven: 0,
            probing: 0,
            refused: None,
        }
    }

    /// The lane that a receipt's number belongs to.
    pub(super) fn of(receipt: u64) -> usize {
        (receipt >> COUNTER) as usize
    }

    /// Why the topic takes nothing, if the broker said so a moment ago.
    pub(super) fn refusal(&mut self) -> Option<RefusedWhy> {
        let (why, since) = self.refused?;
        if since.elapsed() < REMEMBERED {
            return Some(why);
        }
        self.refused = None;
        None
    }

    /// Appends a message.
    pub(super) fn push(&mut self, message: &[u8], wants: Wants) -> Option<Submitted> {
        let len = message.len() as u32;
        if self.proven < len {
            let asks = self.probing < len;
            self.probing = self.probing.max(len);
            return self.push_alone(Block::of(message), wants, asks);
        }
        if !self.open.is_empty() && self.most < self.open.len() + cost(message.len()) {
            self.close_block();
        }
        if self.open.is_empty() {
            self.open = Blocks::with_capacity(self.usual.max(cost(message.len())));
        }
        let index = self.open.count();
        self.open.push(message);
        (wants == Wants::Receipt).then(|| submitted(&mut self.open_fate, index))
    }

    /// Appends a message that has a block of its own.
    pub(super) fn push_long(&mut self, block: Block, wants: Wants) -> Option<Submitted> {
        let asks = self.proven.max(self.probing) < block.largest();
        self.probing = self.probing.max(block.largest());
        self.push_alone(block, wants, asks)
    }

    fn push_alone(&mut self, block: Block, wants: Wants, asks: bool) -> Option<Submitted> {
        self.close_block();
        let mut fate = None;
        let submitted = (wants == Wants::Receipt).then(|| submitted(&mut fate, 0));
        self.closed.push_back(Pending { block, fate, asks });
        submitted
    }

    fn close_block(&mut self) {
        if !self.open.is_empty() {
            self.usual = self.open.len();
            let (block, fate) = (self.open.take(), self.open_fate.take());
            self.closed.push_back(Pending { block, fate, asks: false });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.closed.is_empty() && self.open.is_empty()
    }

    /// Whether nothing waits, and of what was sent nothing more is expected to be told.
    pub(super) fn is_settled(&self) -> bool {
        self.is_empty() && self.sent.iter().all(|sent| sent.receipt.is_none())
    }

    /// Bytes of the frame that would be taken next, if there is credit for it.
    pub(super) fn next_len(&self) -> Option<usize> {
        let len = match self.closed.front() {
            Some(pending) => pending.block.bytes().len(),
            None if self.open.is_empty() => return None,
            None => self.open.len(),
        };
        self.may_send(len as u64).then_some(HEAD + len)
    }

    /// Whether there is credit for a block. More is granted when half of the window is used, so a block
    /// that is longer than this half would wait for ever behind a short one: it may exceed the credit
    /// while more than half is left.
    fn may_send(&self, len: u64) -> bool {
        let left = self.credit.saturating_sub(self.through);
        len <= left || self.window / 2 < left
    }

    /// The next frame, in two parts. With `asks` it asks for a receipt in any case.
    pub(super) fn take(&mut self, asks: bool, now: Instant, tally: &mut Tally) -> [Bytes; 2] {
        if self.closed.is_empty() {
            self.close_block();
        }
        let Some(Pending { block, fate, asks: own }) = self.closed.pop_front() else {
            return [Bytes::new(), Bytes::new()];
        };
        let receipt = (asks || own || fate.is_some()).then_some(self.number | self.receipts);
        self.receipts += u64::from(receipt.is_some());
        let mut head = BytesMut::with_capacity(HEAD + self.topic.as_str().len());
        Publish::head(self.topic.as_str(), receipt, &mut head);
        self.through += block.bytes().len() as u64;
        let (end, messages, largest) = (self.through, block.count(), block.largest());
        tally.leaves(&block);
        self.sent.push_back(Sent { end, messages, largest, receipt, fate, at: now });
        [head.freeze(), block.bytes().clone()]
    }

    /// Gives up what waits in front and can never be sent over this conn. Blocks that were made for
    /// one that took more are parted.
    pub(super) fn drop_unsendable(
        &mut self,
        allowed: Allowed,
        tally: &mut Tally,
        out: &mut Outcomes,
    ) {
        let most = allowed.block(&self.topic);
        if most < self.open.len() {
            self.close_block();
        }
        let is_too_long = |next: &Pending| most < next.block.bytes().len();
        while let Some(pending) = pop_if(&mut self.closed, is_too_long) {
            if 1 < pending.block.count() {
                let parts = pending.part(most);
                parts.into_iter().rev().for_each(|part| self.closed.push_front(part));
                continue;
            }
            tally.waiting_less(&pending.block);
            tally.refused(RefusedWhy::TooLarge, 1);
            let refused = Err(PublishError::Refused(RefusedWhy::TooLarge));
            out.extend(pending.fate.map(|fate| (fate, refused)));
        }
    }

    /// The broker has granted more. One that grants what it cannot mean is believed in part, so that
    /// what was sent and not told of has an end.
    pub(super) fn credit(&mut self, through: u64, tally: &mut Tally) {
        let most = self.through.saturating_add(self.window.saturating_mul(WINDOWS));
        self.credit = self.credit.max(through.min(most));
        let accepted = through.saturating_sub(self.window);
        let is_accepted = |sent: &Sent| sent.receipt.is_none() && sent.end <= accepted;
        while let Some(sent) = pop_if(&mut self.sent, is_accepted) {
            tally.told(u64::from(sent.messages));
        }
    }

    /// The broker has queued a block, and with it everything before.
    pub(super) fn receipt(
        &mut self,
        receipt: u64,
        first: Receipt,
        tally: &mut Tally,
        out: &mut Outcomes,
    ) {
        let Some(at) = self.position(receipt) else { return };
        let mut before = 0;
        while let Some(sent) = pop_if(&mut self.sent, |sent| sent.receipt.is_none()) {
            before += 1;
            tally.told(u64::from(sent.messages));
        }
        let Some(sent) = self.sent.remove(at - before) else { return };
        self.proven = self.proven.max(sent.largest);
        tally.acknowledged(u64::from(sent.messages));
        out.extend(sent.fate.map(|fate| (fate, Ok(first))));
    }

    fn position(&self, receipt: u64) -> Option<usize> {
        self.sent.iter().position(|sent| sent.receipt == Some(receipt))
    }

    /// The broker has refused messages: the last of those with this receipt, or else some that wanted
    /// none.
    pub(super) fn refused(
        &mut self,
        why: RefusedWhy,
        receipt: Option<u64>,
        messages: u32,
        now: Instant,
        tally: &mut Tally,
        out: &mut Outcomes,
    ) {
        let block = match receipt {
            Some(receipt) => self.refused_block(why, receipt, messages, tally, out),
            None => self.refused_some(why, messages, tally),
        };
        match why {
            RefusedWhy::UnknownTopic | RefusedWhy::NotAllowed => self.refused = Some((why, now)),
            RefusedWhy::TooLarge if block == 1 => self.probing = self.proven,
            RefusedWhy::TooLarge => (self.proven, self.probing) = (0, 0),
            _ => (),
        }
    }

    /// Refuses the last `messages` of a block that asked for a receipt. The broker had let those before
    /// in, and tells no more of them. Returns how many the block had.
    fn refused_block(
        &mut self,
        why: RefusedWhy,
        receipt: u64,
        messages: u32,
        tally: &mut Tally,
        out: &mut Outcomes,
    ) -> u32 {
        let at = self.position(receipt);
        // Of those that are not there something else was told, and counted, before.
        let Some(mut sent) = at.and_then(|at| self.sent.remove(at)) else { return messages };
        let block = sent.messages;
        let refused = messages.min(block);
        sent.messages -= refused;
        let before = sent.fate.as_mut().map(|fate| fate.split_front(sent.messages));
        let rest = std::mem::replace(&mut sent.fate, before);
        if sent.messages != 0 {
            give_up(&sent, tally, out);
        }
        tally.in_flight_less(refused.into());
        tally.refused(why, refused.into());
        out.extend(rest.map(|fate| (fate, Err(PublishError::Refused(why)))));
        block
    }

    /// Refuses messages of a block that asked for no receipt: all, the rest of a longer one, or some
    /// that counted as sent. Returns how many the block had.
    fn refused_some(&mut self, why: RefusedWhy, messages: u32, tally: &mut Tally) -> u32 {
        let mut asked_for_none = self.sent.iter().enumerate().filter(|(_, s)| s.receipt.is_none());
        let at = asked_for_none.clone().find(|(_, sent)| sent.messages == messages);
        let at = at.or_else(|| asked_for_none.find(|(_, sent)| messages < sent.messages));
        let Some((at, block)) = at.map(|(at, sent)| (at, sent.messages)) else {
            let counted = tally.stats.sent.min(messages.into());
            tally.told_wrongly(counted);
            tally.refused(why, counted);
            return messages;
        };
        tally.in_flight_less(messages.into());
        tally.refused(why, messages.into());
        match self.sent.get_mut(at).filter(|sent| messages < sent.messages) {
            Some(sent) => sent.messages -= messages,
            None => drop(self.sent.remove(at)),
        }
        block
    }

    /// Gives up what the broker has told nothing of since before `since`.
    pub(super) fn expire(&mut self, since: Instant, tally: &mut Tally, out: &mut Outcomes) {
        self.sent.retain(|sent| {
            let is_late = sent.at < since;
            if is_late {
                give_up(sent, tally, out);
            }
            !is_late
        });
    }

    /// What was sent before has been read by the broker, as a Pong tells: of `None`, everything.
    pub(super) fn confirm(&mut self, before: Option<Instant>, tally: &mut Tally) {
        self.sent.retain(|sent| {
            let is_read = before.is_none_or(|before| sent.at < before);
            let is_told = sent.receipt.is_none() && is_read;
            if is_told {
                tally.told(sent.messages.into());
            }
            !is_told
        });
    }

    /// A conn is open.
    pub(super) fn opened(&mut self, allowed: Allowed) {
        (self.through, self.credit, self.window) = (0, allowed.window, allowed.window);
        self.most = allowed.block(&self.topic).min(LONGEST);
        self.probing = self.proven;
    }

    /// The conn is gone, and whatever was to be told with it.
    pub(super) fn lost(&mut self, tally: &mut Tally, out: &mut Outcomes) {
        self.sent.drain(..).for_each(|sent| give_up(&sent, tally, out));
        self.credit = 0;
    }

    /// The client is closed: what waits stays here.
    pub(super) fn abandon(&mut self, tally: &mut Tally, out: &mut Outcomes) {
        self.lost(tally, out);
        self.close_block();
        for pending in self.closed.drain(..) {
            tally.unsent(&pending.block);
            out.extend(pending.fate.map(|fate| (fate, Err(PublishError::Unsent))));
        }
    }
}

/// What a publisher wants to hear of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    Nothing,
    Receipt,
}

fn pop_if<T>(queue: &mut VecDeque<T>, is_it: impl FnOnce(&T) -> bool) -> Option<T> {
    queue.front().is_some_and(is_it).then(|| queue.pop_front()).flatten()
}

fn submitted(fate: &mut Option<Share>, index: u32) -> Submitted {
    fate.get_or_insert_default().submitted(index)
}

fn give_up(sent: &Sent, tally: &mut Tally, out: &mut Outcomes) {
    tally.uncertain(sent.messages.into());
    out.extend(sent.fate.clone().map(|fate| (fate, Err(PublishError::Uncertain))));
}

/// Bytes of a block of more than one message.
pub(super) const LONGEST: usize = 64 << 10;
/// Bytes of a Publish beside its name and its block.
pub(super) const HEAD: usize = 11;
/// Windows beyond what was sent that a broker may grant. It grants one.
const WINDOWS: u64 = 4;
/// How long a publisher is told of a refusal that holds for the whole topic.
const REMEMBERED: Duration = Duration::from_secs(1);
/// Bits of a receipt's number that count within its lane.
const COUNTER: u32 = 40;
