//! What waits for the reader of one conn, and how much that may be.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use rumormill_transport_api::{Counters, Error, MAX_RECV, Result};

use crate::Settings;

/// The messages of one conn between its socket's driver, which never waits, and its reader.
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    /// Beside the queue, so that the writer can look without a lock.
    cut: AtomicBool,
    limits: Settings,
    budget: Arc<Budget>,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Bytes>,
    /// Of these messages, as the budget counts it.
    cost: usize,
    reader: Option<Waker>,
    /// Whether the reader is gone.
    deaf: bool,
}

/// What all inboxes of a socket may hold together, and where is counted what they do not.
pub(crate) struct Budget {
    limit: usize,
    used: AtomicUsize,
    pub(crate) counters: Arc<Counters>,
}

/// What became of a message.
pub(crate) enum Pushed {
    /// It waits in the inbox; whom to wake.
    Queued(Option<Waker>),
    /// It was dropped and counted.
    Dropped,
}

impl Inbox {
    pub(crate) fn new(limits: Settings, budget: Arc<Budget>) -> Self {
        Self { queue: Mutex::default(), cut: AtomicBool::new(false), limits, budget }
    }

    /// Copies `message` to the end of the queue if it may be there. One that does not fit is
    /// dropped rather than an older one: it costs the least, keeps the order, and is what the
    /// kernel does with its own queue.
    pub(crate) fn push(&self, message: &[u8]) -> Pushed {
        let mut queue = self.queue();
        if queue.deaf || self.limits.max_message < message.len() {
            self.budget.counters.messages_rejected.add(1);
            return Pushed::Dropped;
        }
        if !self.has_room(&queue, cost(message)) {
            self.budget.counters.messages_overflowed.add(1);
            return Pushed::Dropped;
        }
        self.budget.used.fetch_add(cost(message), Relaxed);
        queue.cost += cost(message);
        queue.messages.push_back(Bytes::copy_from_slice(message));
        Pushed::Queued(queue.reader.take())
    }

    /// Moves messages to `into`; when there are none, says that the conn was cut off, or waits.
    pub(crate) fn poll_take(&self, cx: &Context<'_>, into: &mut Vec<Bytes>) -> Poll<Result<()>> {
        let mut queue = self.queue();
        if !queue.messages.is_empty() {
            self.take(&mut queue, into);
            return Poll::Ready(Ok(()));
        }
        if self.is_cut() {
            return Poll::Ready(Err(Error::Cut { source: None }));
        }
        let before = queue.reader.replace(cx.waker().clone());
        // A waker is dropped, as it is woken, without the lock: it may run code that wants it.
        drop(queue);
        drop(before);
        Poll::Pending
    }

    /// Ends the conn: the reader learns of it behind the last message. Returns whom to wake.
    pub(crate) fn cut(&self) -> Option<Waker> {
        let mut queue = self.queue();
        self.cut.store(true, Relaxed);
        queue.reader.take()
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Relaxed)
    }

    /// Drops and counts what waits, and from now on whatever comes: the reader is gone.
    pub(crate) fn deafen(&self) {
        let mut queue = self.queue();
        queue.deaf = true;
        let unread = std::mem::take(&mut queue.messages);
        let reader = queue.reader.take();
        self.release(&mut queue, unread.iter());
        drop(queue);
        drop(reader);
        self.budget.counters.messages_rejected.add(unread.len() as u64);
    }

    fn has_room(&self, queue: &Queue, cost: usize) -> bool {
        queue.messages.len() < self.limits.conn_messages
            && queue.cost + cost <= self.limits.conn_bytes
            && (queue.cost + cost <= RESERVE || self.budget.has_room(cost))
    }

    fn take(&self, queue: &mut Queue, into: &mut Vec<Bytes>) {
        let count = queue.messages.len().min(MAX_RECV);
        let from = into.len();
        into.extend(queue.messages.drain(..count));
        self.release(queue, into[from..].iter());
        if queue.messages.is_empty() {
            // An idle conn keeps next to nothing.
            queue.messages.shrink_to(KEPT);
        }
    }

    fn release<'a>(&self, queue: &mut Queue, messages: impl Iterator<Item = &'a Bytes>) {
        let cost = messages.map(|message| cost(message)).sum();
        queue.cost -= cost;
        self.budget.used.fetch_sub(cost, Relaxed);
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An inbox also goes unread when its conn is evicted before it is accepted.
impl Drop for Inbox {
    fn drop(&mut self) {
        self.deafen();
    }
}

impl Budget {
    pub(crate) fn new(limit: usize, counters: Arc<Counters>) -> Self {
        Self { limit, used: AtomicUsize::new(0), counters }
    }

    /// Only the driver adds to what is used, so what has room now has it still when it is added.
    fn has_room(&self, cost: usize) -> bool {
        self.used.load(Relaxed) + cost <= self.limit
    }
}

/// The length and what a message takes beyond it, so that empty ones are not free.
fn cost(message: &[u8]) -> usize {
    message.len() + OVERHEAD
}

/// A `Bytes` in a queue, and what an allocator adds to its buffer, in bytes.
const OVERHEAD: usize = 64;
/// Bytes that every conn may hold, however much the others do, so that those that nobody reads
/// starve none: room for a few packets.
const RESERVE: usize = 4 << 10;
/// Messages for which an empty queue keeps room.
const KEPT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn inbox(budget: &Arc<Budget>, conn_messages: usize, conn_bytes: usize) -> Inbox {
        let limits = Settings { conn_messages, conn_bytes, ..Settings::default() };
        Inbox::new(limits, budget.clone())
    }

    fn budget(limit: usize) -> Arc<Budget> {
        Arc::new(Budget::new(limit, Arc::default()))
    }

    /// How many messages of `len` bytes fit.
    fn fill(inbox: &Inbox, len: usize) -> usize {
        let message = vec![7; len];
        (0..10_000).take_while(|_| matches!(inbox.push(&message), Pushed::Queued(_))).count()
    }

    fn take(inbox: &Inbox) -> Poll<Result<Vec<Bytes>>> {
        let mut into = Vec::new();
        let taken = inbox.poll_take(&Context::from_waker(Waker::noop()), &mut into);
        taken.map_ok(|()| into)
    }

    fn taken(inbox: &Inbox) -> Option<usize> {
        match take(inbox) {
            Poll::Ready(Ok(messages)) => Some(messages.len()),
            Poll::Ready(Err(_)) | Poll::Pending => None,
        }
    }

    #[test]
    fn one_conn_is_bounded_in_messages_and_in_bytes() {
        let budget = budget(1 << 20);
        assert_eq!(fill(&inbox(&budget, 5, 1 << 19), 0), 5);
        assert_eq!(fill(&inbox(&budget, 5000, 10 * 164), 100), 10);
        assert_eq!(budget.counters.messages_overflowed.get(), 2);
        assert_eq!(budget.used.load(Relaxed), 0, "dropped inboxes give back what they held");
        assert_eq!(budget.counters.messages_rejected.get(), 15);
    }

    #[test]
    fn unread_conns_leave_room_for_others() {
        let budget = budget(1 << 20);
        let unread: Vec<Inbox> = (0..3).map(|_| inbox(&budget, 5000, 1 << 19)).collect();
        let held: Vec<usize> = unread.iter().map(|inbox| fill(inbox, 960)).collect();
        assert_eq!(held, [512, 512, 4]);
        assert_eq!(fill(&inbox(&budget, 5000, 1 << 19), 960), 4);
    }

    #[test]
    fn reading_makes_room_again() {
        let budget = budget(1 << 20);
        let inbox = inbox(&budget, 2000, 1 << 19);
        assert_eq!(fill(&inbox, 0), 2000);
        assert_eq!((taken(&inbox), taken(&inbox)), (Some(MAX_RECV), Some(2000 - MAX_RECV)));
        assert_eq!(budget.used.load(Relaxed), 0);
        assert_eq!(fill(&inbox, 0), 2000);
    }

    #[test]
    fn a_cut_is_read_behind_the_last_message() {
        let inbox = inbox(&budget(1 << 20), 10, 1 << 19);
        fill(&inbox, 1);
        inbox.cut();
        assert_eq!(taken(&inbox), Some(10));
        assert!(matches!(take(&inbox), Poll::Ready(Err(Error::Cut { source: None }))));
    }

    #[test]
    fn nothing_waits_for_a_reader_that_is_gone() {
        let budget = budget(1 << 20);
        let inbox = inbox(&budget, 10, 1 << 19);
        fill(&inbox, 1);
        inbox.deafen();
        assert!(matches!(inbox.push(b"late"), Pushed::Dropped));
        assert_eq!(budget.used.load(Relaxed), 0);
        assert_eq!(budget.counters.messages_rejected.get(), 11);
    }
}
