//! What has arrived for one subscription, and what its user has finished with.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use tokio::sync::Notify;

use super::{error::Ended, runs::Runs, subscription::Gap};
use crate::{
    Routing, TopicName,
    wire::{Block, GapReason, Request, Resume, Subscribe, Subscribed, Verdict},
};

/// What has arrived for one subscription, in order. It is bounded by the window, of which the broker is
/// told what is left; a broker that sends much more is cut off.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) topic: TopicName,
    window: u32,
    state: Mutex<State>,
    /// Something has arrived, or changed, that its user may wait for.
    pub(super) news: Notify,
}

/// Something that has arrived.
#[derive(Debug)]
pub(super) enum Entry {
    /// With the routing over the conn that it came over: a broker that was restarted may have another.
    Block(Arrived, Routing),
    Gap(Gap),
}

/// Messages that have arrived.
#[derive(Debug)]
pub(super) struct Arrived {
    /// The number of the first.
    pub(super) first: u64,
    pub(super) redelivered: u8,
    pub(super) block: Block,
    /// The conn that they came over: only there does it mean something that they are dealt with.
    pub(super) conn: u64,
}

/// The broker sent more than it may.
#[derive(Debug)]
pub(super) struct Overrun;

#[derive(Debug, Default)]
struct State {
    entries: VecDeque<Entry>,
    phase: Phase,
    conn: u64,
    epoch: Option<u64>,
    routing: Routing,
    /// The number of the next message, of a fanout topic.
    expected: u64,
    /// Bytes of fanout blocks that are not finished with, over whichever conn they came.
    held: usize,
    /// Bytes of a queue's blocks among the entries. What its user has and does not settle is not
    /// counted: the broker waits for it only so long.
    waiting: usize,
    /// The window that the broker was told over this conn.
    asked: u32,
    /// Bytes that were finished with and not told of yet.
    finished: usize,
    seen: Option<u64>,
    done: Runs,
    given_back: Runs,
    /// Whether it stands in the outbox's list.
    is_noted: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Phase {
    /// The broker has not answered.
    #[default]
    Asked,
    Open,
    Over(Ended),
}

/// What a user finds who looks for more.
#[derive(Debug)]
pub(super) enum Found {
    Some,
    Nothing,
    Over(Ended),
}

/// Whether the writer is to be told of what was finished with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Noted {
    /// It knows, or there is nothing to tell.
    Already,
    /// This inbox is to be put on its list.
    New,
    /// It is on the list, and it is urgent now.
    Urgent,
    /// Both.
    NewAndUrgent,
}

impl Inbox {
    pub(super) fn new(topic: TopicName, window: u32) -> Self {
        Self { topic, window: window.max(1), state: Mutex::default(), news: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The frame that subscribes over this conn, after a conn before where it was subscribed; `None`
    /// if it is over.
    pub(super) fn ask(&self, conn: u64) -> Option<Bytes> {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Over(_)) {
            return None;
        }
        state.begin(conn);
        let after = state.expected.wrapping_sub(1);
        // A queue has kept what nobody has settled.
        let epoch = state.epoch.filter(|_| state.routing == Routing::Fanout);
        let resume = epoch.map(|epoch| Resume { epoch, after });
        // The broker does not know of what came over the conns before.
        let held = u32::try_from(state.held).unwrap_or(u32::MAX);
        // It holds for the whole conn, also when the user has caught up: not too small, then.
        let window = self.window.saturating_sub(held).max(self.window / LEAST_SHARE).max(1);
        state.asked = window;
        let topic = self.topic.as_str();
        Some(Request::Subscribe(Subscribe { topic, window, resume }).encode())
    }

    /// Whether the broker has never answered.
    pub(super) fn is_new(&self) -> bool {
        self.lock().epoch.is_none()
    }

    /// Whether it was asked for over this conn, and is not over.
    pub(super) fn is_asked(&self, conn: u64) -> bool {
        let state = self.lock();
        state.conn == conn && !matches!(state.phase, Phase::Over(_))
    }

    /// The conn is gone.
    pub(super) fn lost(&self) {
        self.lock().begin(0);
    }

    /// The broker has subscribed it.
    pub(super) fn subscribed(&self, subscribed: &Subscribed<'_>) {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Asked) {
            return;
        }
        let is_again = state.epoch == Some(subscribed.epoch);
        if state.epoch.is_some() && !is_again && subscribed.routing == Routing::Fanout {
            let to = subscribed.next.saturating_sub(1);
            state.gap(Gap { from: to.min(1), to, reason: GapReason::Restarted });
        }
        if !is_again {
            state.expected = subscribed.next;
        }
        (state.phase, state.epoch) = (Phase::Open, Some(subscribed.epoch));
        state.routing = subscribed.routing;
        drop(state);
        self.news.notify_one();
    }

    /// Messages have arrived. The user is to be woken when the whole batch is read.
    pub(super) fn deliver(&self, mut arrived: Arrived) -> Result<(), Overrun> {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Open) {
            return Ok(());
        }
        let Some(end) = arrived.first.checked_add(arrived.block.count().into()) else {
            return Err(Overrun);
        };
        arrived.conn = state.conn;
        let most = 2 * self.window as usize + SLACK;
        let routing = state.routing;
        match routing {
            // Before it is placed: what is not taken has to be missing later.
            Routing::Fanout if most < state.held => return Err(Overrun),
            Routing::Fanout if state.place(&mut arrived, end) == 0 => return Ok(()),
            Routing::Fanout => state.held += arrived.block.bytes().len(),
            Routing::Queue => {
                // What lies here longer than the broker waits is at others by now.
                state.drop_stale(most);
                state.waiting += arrived.block.bytes().len();
            }
        }
        state.entries.push_back(Entry::Block(arrived, routing));
        Ok(())
    }

    /// The broker tells of messages that will not come. Where they begin is known here.
    pub(super) fn gap(&self, gap: Gap) {
        let mut state = self.lock();
        // An end of a topic that began anew was shown when that was learnt.
        if !matches!(state.phase, Phase::Open) || gap.reason == GapReason::Restarted {
            return;
        }
        if state.routing == Routing::Fanout && state.expected <= gap.to {
            let from = std::mem::replace(&mut state.expected, gap.to.saturating_add(1));
            state.gap(Gap { from, ..gap });
        }
    }

    /// Nothing more comes after what is here; the first reason counts.
    pub(super) fn over(&self, ended: Ended) {
        let mut state = self.lock();
        if !matches!(state.phase, Phase::Over(_)) {
            state.phase = Phase::Over(ended);
        }
        drop(state);
        // Its user waits in one place, and one who unsubscribes in the same.
        self.news.notify_one();
    }

    /// Whether it is open, or over.
    pub(super) fn answer(&self) -> Option<Result<Routing, Ended>> {
        let state = self.lock();
        match state.phase {
            Phase::Asked => None,
            Phase::Open => Some(Ok(state.routing)),
            Phase::Over(ended) => Some(Err(ended)),
        }
    }

    /// Who gets the topic's messages, as the broker said last.
    pub(super) fn routing(&self) -> Routing {
        self.lock().routing
    }

    /// Exchanges what has arrived for `into`, which is empty.
    pub(super) fn take(&self, into: &mut VecDeque<Entry>) -> Found {
        let mut state = self.lock();
        std::mem::swap(&mut state.entries, into);
        state.waiting = 0;
        match state.phase {
            _ if !into.is_empty() => Found::Some,
            Phase::Over(ended) => Found::Over(ended),
            _ => Found::Nothing,
        }
    }

    /// Whether what came over that conn still counts: of a queue, the broker gives it to others.
    pub(super) fn is_current(&self, conn: u64, routing: Routing) -> bool {
        routing == Routing::Fanout || self.lock().conn == conn
    }

    /// The user has finished with everything of a fanout topic through that message.
    pub(super) fn see(&self, conn: u64, through: u64, bytes: usize) -> Noted {
        let mut state = self.lock();
        state.held = state.held.saturating_sub(bytes);
        if state.conn != conn {
            return Noted::Already;
        }
        state.seen = state.seen.max(Some(through));
        state.finish(bytes)
    }

    /// The user has finished with a message; it means nothing unless that came from a queue.
    pub(super) fn settle(&self, conn: u64, verdict: Verdict, seq: u64, bytes: usize) -> Noted {
        let mut state = self.lock();
        // The routing stays the same as long as the conn does.
        if state.conn != conn || state.routing != Routing::Queue {
            return Noted::Already;
        }
        let runs = match verdict {
            Verdict::Done => &mut state.done,
            Verdict::GiveBack => &mut state.given_back,
        };
        match runs.push(seq) {
            true => state.finish(bytes),
            false => Noted::Already,
        }
    }

    /// Whether something of a queue was settled that the broker does not know of.
    pub(super) fn has_settled(&self) -> bool {
        let state = self.lock();
        !state.done.is_empty() || !state.given_back.is_empty()
    }

    /// Says what the user has finished with.
    pub(super) fn tell(&self, mut into: impl FnMut(Bytes)) {
        let mut state = self.lock();
        (state.is_noted, state.finished) = (false, 0);
        let topic = self.topic.as_str();
        if let Some(through) = state.seen.take() {
            into(Request::Seen { topic, through }.encode());
        }
        for (verdict, runs) in [
            (Verdict::Done, std::mem::take(&mut state.done)),
            (Verdict::GiveBack, std::mem::take(&mut state.given_back)),
        ] {
            for runs in runs.chunks() {
                into(Request::Settle { topic, verdict, runs }.encode());
            }
        }
    }
}

impl Entry {
    fn is_of_queue(&self) -> bool {
        matches!(self, Self::Block(_, Routing::Queue))
    }
}

impl State {
    /// What was between the conn before and the user has lost its meaning.
    fn begin(&mut self, conn: u64) {
        if !matches!(self.phase, Phase::Over(_)) {
            self.phase = Phase::Asked;
        }
        self.conn = conn;
        (self.waiting, self.finished, self.seen, self.is_noted) = (0, 0, None, false);
        (self.done, self.given_back) = (Runs::default(), Runs::default());
        if self.routing == Routing::Queue {
            self.entries.retain(|entry| !entry.is_of_queue());
        }
    }

    /// Cuts off what is here already, and shows what is missing; tells how many messages are left.
    fn place(&mut self, arrived: &mut Arrived, end: u64) -> u32 {
        if let Some(known) = self.expected.checked_sub(arrived.first) {
            let known = u32::try_from(known).unwrap_or(u32::MAX);
            drop((0 < known).then(|| arrived.block.split_front(known)));
            arrived.first = self.expected;
        } else {
            let (from, to) = (self.expected, arrived.first - 1);
            self.gap(Gap { from, to, reason: GapReason::Dropped });
        }
        self.expected = self.expected.max(end);
        arrived.block.count()
    }

    /// Shows what is missing. Gaps that meet are one, of the first's reason: they take no room of the
    /// window, so that many would have no bound.
    fn gap(&mut self, gap: Gap) {
        match self.entries.back_mut() {
            // What is missing of the old numbers nobody knows: no more of them needs to be told.
            Some(Entry::Gap(last)) if gap.reason == GapReason::Restarted => *last = gap,
            Some(Entry::Gap(last)) => {
                // A topic that began anew, and had no message yet, has 0 there.
                last.from = if last.from == 0 { gap.from } else { last.from };
                last.to = gap.to;
            }
            _ => self.entries.push_back(Entry::Gap(gap)),
        }
    }

    /// Drops the oldest of a queue. What is here of the time when it was none stays.
    fn drop_stale(&mut self, most: usize) {
        while most < self.waiting {
            let at = self.entries.iter().position(Entry::is_of_queue);
            let stale = at.and_then(|at| self.entries.remove(at));
            let Some(Entry::Block(stale, _)) = stale else { return };
            self.waiting = self.waiting.saturating_sub(stale.block.bytes().len());
        }
    }

    fn finish(&mut self, bytes: usize) -> Noted {
        let share = self.asked as usize / 4;
        let was_urgent = share < self.finished && self.is_noted;
        self.finished = self.finished.saturating_add(bytes);
        let is_urgent = share < self.finished && !was_urgent;
        match (std::mem::replace(&mut self.is_noted, true), is_urgent) {
            (true, false) => Noted::Already,
            (true, true) => Noted::Urgent,
            (false, false) => Noted::New,
            (false, true) => Noted::NewAndUrgent,
        }
    }
}

/// What may be held beyond twice the window: a block that is longer than it.
const SLACK: usize = 1 << 20;

/// A new conn's window is at least this part of the whole, whatever the user still has.
const LEAST_SHARE: u32 = 16;
