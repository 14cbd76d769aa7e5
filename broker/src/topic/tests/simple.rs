//! A fanout topic as simple as can be: every message apart, and a list for each subscriber.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::rig::Got;
use crate::{Policy, config::Topic as Settings};

/// What should be in a topic.
#[derive(Debug)]
pub(super) struct Simple {
    pub(super) settings: Settings,
    pub(super) next: u64,
    pub(super) subscribers: BTreeMap<u64, Queued>,
    parked: VecDeque<Waiting>,
    /// Conns that were cut, in order.
    pub(super) cut: Vec<u64>,
    /// Receipts that were told: conn, number, first, count.
    pub(super) receipts: Vec<(u64, u64, u64, u32)>,
    /// Messages of each conn that were refused while they were parked.
    pub(super) refused: u64,
    pub(super) dropped: u64,
}

#[derive(Debug, Default)]
pub(super) struct Queued {
    items: VecDeque<Got>,
    full: Option<Instant>,
    pub(super) sent: VecDeque<u64>,
}

#[derive(Debug)]
struct Waiting {
    from: u64,
    receipt: Option<u64>,
    first: Option<u64>,
    count: u32,
    rest: VecDeque<Bytes>,
}

impl Queued {
    pub(super) fn messages(&self) -> impl Iterator<Item = (u64, &Bytes)> {
        self.items.iter().filter_map(|item| match item {
            Got::Message(seq, message) => Some((*seq, message)),
            _ => None,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn size(&self) -> (usize, usize) {
        self.messages().fold((0, 0), |(n, bytes), (_, message)| (n + 1, bytes + message.len()))
    }

    fn has_room(&self, settings: &Settings, message: &Bytes) -> bool {
        let (messages, bytes) = self.size();
        messages < settings.max_messages && bytes + message.len() <= settings.max_bytes
    }

    fn is_over(&self, settings: &Settings) -> bool {
        let (messages, bytes) = self.size();
        settings.max_messages < messages || settings.max_bytes < bytes
    }

    /// Puts a gap at the end, as one with that before it.
    fn miss(&mut self, seq: u64) {
        match self.items.back_mut() {
            Some(Got::Gap(_, to)) => *to = seq,
            _ => self.items.push_back(Got::Gap(seq, seq)),
        }
    }

    fn drop_oldest(&mut self) {
        let from = match self.items.pop_front() {
            Some(Got::Gap(from, _)) => {
                let Some(Got::Message(seq, _)) = self.items.pop_front() else { panic!("a gap") };
                (from, seq)
            }
            Some(Got::Message(seq, _)) => (seq, seq),
            other => panic!("{other:?}"),
        };
        let to = match self.items.front() {
            Some(Got::Gap(_, to)) => *to,
            _ => from.1,
        };
        if matches!(self.items.front(), Some(Got::Gap(..))) {
            self.items.pop_front();
        }
        self.items.push_front(Got::Gap(from.0, to));
    }

    fn drop_newest(&mut self) {
        let mut to = None;
        loop {
            match self.items.pop_back() {
                Some(Got::Gap(from, end)) => to = Some((from, end)),
                Some(Got::Message(seq, _)) => {
                    let end = to.map_or(seq, |(_, end)| end);
                    match self.items.back_mut() {
                        Some(Got::Gap(_, last)) => *last = end,
                        _ => self.items.push_back(Got::Gap(seq, end)),
                    }
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// What was taken must be what stands first; a gap may be told in parts.
    pub(super) fn take(&mut self, taken: &Got) {
        match (self.items.front_mut(), taken) {
            (Some(Got::Gap(from, to)), Got::Gap(first, last)) => {
                assert_eq!((*from, *to), (*first, *last));
            }
            (Some(front), taken) => assert_eq!(front, taken),
            (None, taken) => panic!("nothing is queued, but {taken:?} was taken"),
        }
        self.items.pop_front();
        if let Got::Message(seq, _) = taken {
            self.sent.push_back(*seq);
        }
    }
}

impl Simple {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            next: 1,
            subscribers: BTreeMap::new(),
            parked: VecDeque::new(),
            cut: Vec::new(),
            receipts: Vec::new(),
            refused: 0,
            dropped: 0,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.parked.is_empty()
    }

    pub(super) fn parked_bytes(&self, conn: u64) -> usize {
        let of_conn = self.parked.iter().filter(|waiting| waiting.from == conn);
        of_conn.flat_map(|waiting| &waiting.rest).map(|message| 4 + message.len()).sum()
    }

    pub(super) fn publish(
        &mut self,
        now: Instant,
        from: u64,
        receipt: Option<u64>,
        messages: Vec<Bytes>,
    ) {
        let (count, rest) = (messages.len() as u32, messages.into());
        let waiting = Waiting { from, receipt, first: None, count, rest };
        match self.settings.policy {
            Policy::Block => {
                self.parked.push_back(waiting);
                self.settle(now);
            }
            _ => self.number(waiting),
        }
    }

    /// Numbers a block, and lets the policy deal with what has no room.
    fn number(&mut self, waiting: Waiting) {
        let first = self.next;
        self.receipts.extend(
            waiting.receipt.map(|receipt| {
                (waiting.from, receipt, waiting.first.unwrap_or(first), waiting.count)
            }),
        );
        self.next += waiting.rest.len() as u64;
        let (mut laggards, settings) = (Vec::new(), &self.settings);
        for (conn, queued) in &mut self.subscribers {
            let mut has_room = true;
            for (seq, message) in (first..).zip(&waiting.rest) {
                has_room &= queued.has_room(settings, message);
                match settings.policy {
                    Policy::DropNewest if !has_room => {
                        queued.miss(seq);
                        self.dropped += 1;
                    }
                    _ => queued.items.push_back(Got::Message(seq, message.clone())),
                }
                while settings.policy == Policy::DropOldest && queued.is_over(settings) {
                    queued.drop_oldest();
                    self.dropped += 1;
                }
            }
            if settings.policy == Policy::Disconnect && queued.is_over(settings) {
                laggards.push(*conn);
            }
        }
        laggards.into_iter().for_each(|conn| self.cut(conn));
    }

    fn cut(&mut self, conn: u64) {
        self.subscribers.remove(&conn);
        self.cut.push(conn);
    }

    /// Lets in what waits, message by message, and notes who is full for the next.
    pub(super) fn settle(&mut self, now: Instant) {
        self.relieve();
        while let Some(waiting) = self.parked.front_mut() {
            let settings = &self.settings;
            let Some(message) = waiting.rest.front() else {
                let waiting = self.parked.pop_front().expect("one");
                let first = waiting.first.expect("numbered");
                let receipt = waiting.receipt;
                self.receipts
                    .extend(receipt.map(|receipt| (waiting.from, receipt, first, waiting.count)));
                continue;
            };
            if !self.subscribers.values().all(|queued| queued.has_room(settings, message)) {
                for queued in self.subscribers.values_mut() {
                    if !queued.has_room(settings, message) {
                        queued.full.get_or_insert(now);
                    }
                }
                return;
            }
            let message = waiting.rest.pop_front().expect("one");
            let seq = self.next;
            waiting.first.get_or_insert(seq);
            for queued in self.subscribers.values_mut() {
                queued.items.push_back(Got::Message(seq, message.clone()));
            }
            self.next += 1;
            self.relieve_for_next();
        }
        self.relieve();
    }

    /// Whoever has room for the first message that waits is not full.
    fn relieve(&mut self) {
        let first = self.parked.front().and_then(|waiting| waiting.rest.front());
        for queued in self.subscribers.values_mut() {
            if first.is_none_or(|message| queued.has_room(&self.settings, message)) {
                queued.full = None;
            }
        }
    }

    /// Everybody had room just now.
    fn relieve_for_next(&mut self) {
        self.subscribers.values_mut().for_each(|queued| queued.full = None);
    }

    pub(super) fn forget(&mut self, now: Instant, conn: u64) {
        self.subscribers.remove(&conn);
        self.parked.retain(|waiting| waiting.from != conn);
        self.settle(now);
    }

    fn late(&self, now: Instant, timeout: Duration) -> Vec<u64> {
        let is_late = |queued: &Queued| queued.full.is_some_and(|full| full + timeout <= now);
        let late = self.subscribers.iter().filter(|(_, queued)| is_late(queued));
        late.map(|(conn, _)| *conn).collect()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let full = self.subscribers.values().filter_map(|queued| queued.full);
        full.min().map(|full| full + self.settings.block_timeout)
    }

    pub(super) fn wake(&mut self, now: Instant) {
        let late = self.late(now, self.settings.block_timeout);
        late.into_iter().for_each(|conn| self.cut(conn));
        self.settle(now);
    }

    pub(super) fn reconfigure(&mut self, now: Instant, settings: Settings) {
        self.settings = settings;
        let settings = &self.settings;
        let mut laggards = Vec::new();
        for (conn, queued) in &mut self.subscribers {
            match settings.policy {
                Policy::Disconnect if queued.is_over(settings) => laggards.push(*conn),
                Policy::DropOldest => {
                    while queued.is_over(settings) {
                        queued.drop_oldest();
                        self.dropped += 1;
                    }
                }
                Policy::DropNewest => {
                    while queued.is_over(settings) {
                        queued.drop_newest();
                        self.dropped += 1;
                    }
                }
                _ => (),
            }
        }
        laggards.into_iter().for_each(|conn| self.cut(conn));
        let most = self.settings.max_bytes.min(self.settings.max_message_size);
        let (refused, stays): (Vec<_>, Vec<_>) = std::mem::take(&mut self.parked)
            .into_iter()
            .partition(|waiting| waiting.rest.iter().any(|message| most < message.len()));
        self.refused += refused.iter().map(|waiting| waiting.rest.len() as u64).sum::<u64>();
        self.parked = stays.into();
        if self.settings.policy != Policy::Block {
            std::mem::take(&mut self.parked).into_iter().for_each(|waiting| self.number(waiting));
        }
        self.settle(now);
    }
}
