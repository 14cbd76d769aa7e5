//! What waits for the reader of one conn, and how much that may be.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use rumormill_transport_api::{Counters, Error, MAX_RECV, Result};

use crate::{Settings, arrivals::Equals};

/// The messages of one conn between its socket's driver, which never waits, and its reader.
pub(crate) struct Inbox {
    queue: Mutex<Queue>,
    /// Beside the queue, so that the writer can look without a lock.
    end: AtomicU8,
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

/// What became of messages.
pub(crate) enum Pushed {
    /// At least one waits in the inbox; whom to wake.
    Queued(Option<Waker>),
    /// They were dropped and counted.
    Dropped,
}

/// Why a conn has ended.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum End {
    /// Its place went to another, or its socket failed.
    Lost = 1,
    /// The network says that nobody has the peer's port.
    Refused,
}

impl Inbox {
    pub(crate) fn new(limits: Settings, budget: Arc<Budget>) -> Self {
        Self { queue: Mutex::default(), end: AtomicU8::new(OPEN), limits, budget }
    }

    /// Copies `messages` to the end of the queue, as far as they may be there, into memory that they
    /// share. Those that do not fit are dropped rather than older ones: it costs the least, keeps
    /// the order, and is what the kernel does with its own queue.
    pub(crate) fn push(&self, messages: Equals<'_>) -> Pushed {
        let counters = &self.budget.counters;
        let (count, len) = (messages.count(), messages.len);
        let mut queue = self.queue();
        if queue.deaf || self.limits.max_message < len {
            counters.messages_rejected.add(count as u64);
            return Pushed::Dropped;
        }
        let fitting = self.room(&queue, cost(len)).min(count);
        counters.messages_overflowed.add((count - fitting) as u64);
        if fitting == 0 {
            return Pushed::Dropped;
        }
        self.budget.used.fetch_add(fitting * cost(len), Relaxed);
        queue.cost += fitting * cost(len);
        // Only what fits is copied, so that what is kept is what is counted.
        let mut copied = Bytes::copy_from_slice(messages.first(fitting));
        queue.messages.extend((1..fitting).map(|_| copied.split_to(len)));
        queue.messages.push_back(copied);
        Pushed::Queued(queue.reader.take())
    }

    /// Moves messages to `into`; when there are none, says that the conn was cut off, or waits.
    pub(crate) fn poll_take(&self, cx: &Context<'_>, into: &mut Vec<Bytes>) -> Poll<Result<()>> {
        let mut queue = self.queue();
        if !queue.messages.is_empty() {
            self.take(&mut queue, into);
            return Poll::Ready(Ok(()));
        }
        if let Some(ended) = self.ended() {
            return Poll::Ready(Err(ended));
        }
        let before = queue.reader.replace(cx.waker().clone());
        // A waker is dropped, as it is woken, without the lock: it may run code that wants it.
        drop(queue);
        drop(before);
        Poll::Pending
    }

    /// Ends the conn: the reader learns of it behind the last message. Returns whom to wake.
    pub(crate) fn cut(&self, why: End) -> Option<Waker> {
        let mut queue = self.queue();
        self.end.store(why as u8, Relaxed);
        queue.reader.take()
    }

    /// What both halves are told once the conn has ended.
    pub(crate) fn ended(&self) -> Option<Error> {
        let source = match self.end.load(Relaxed) {
            OPEN => return None,
            end if end == End::Refused as u8 => Some(io::ErrorKind::ConnectionRefused.into()),
            _ => None,
        };
        Some(Error::Cut { source })
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

    /// For how many messages that cost `each` there is room.
    fn room(&self, queue: &Queue, each: usize) -> usize {
        let messages = self.limits.conn_messages.saturating_sub(queue.messages.len());
        let bytes = self.limits.conn_bytes.saturating_sub(queue.cost);
        let shared = self.budget.room().max(RESERVE.saturating_sub(queue.cost));
        messages.min(bytes / each).min(shared / each)
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
        let cost = messages.map(|message| cost(message.len())).sum();
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
    fn room(&self) -> usize {
        self.limit.saturating_sub(self.used.load(Relaxed))
    }
}

/// The length and what a message takes beyond it, so that empty ones are not free.
fn cost(len: usize) -> usize {
    len + OVERHEAD
}

/// What stands in place of an [`End`] before there is one.
const OPEN: u8 = 0;

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

    fn push(inbox: &Inbox, message: &[u8]) -> Pushed {
        inbox.push(Equals::one(message))
    }

    /// How many messages of `len` bytes fit.
    fn fill(inbox: &Inbox, len: usize) -> usize {
        let message = vec![7; len];
        (0..10_000).take_while(|_| matches!(push(inbox, &message), Pushed::Queued(_))).count()
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
    fn of_messages_that_come_together_those_wait_that_fit() {
        let (budget, bytes) = (budget(1 << 20), Vec::from_iter(0..60));
        let inbox = inbox(&budget, 5, 1 << 19);
        assert!(matches!(inbox.push(Equals::cut(&bytes, 20)), Pushed::Queued(_)));
        assert!(matches!(inbox.push(Equals::cut(&bytes, 15)), Pushed::Queued(_)));
        assert!(matches!(inbox.push(Equals::cut(&bytes, 15)), Pushed::Dropped));
        assert_eq!(budget.counters.messages_overflowed.get(), 2 + 4);
        assert_eq!(budget.used.load(Relaxed), 3 * (20 + OVERHEAD) + 2 * (15 + OVERHEAD));
        let Poll::Ready(Ok(messages)) = take(&inbox) else { panic!("nothing waits") };
        let expected = [&bytes[..20], &bytes[20..40], &bytes[40..], &bytes[..15], &bytes[15..30]];
        assert_eq!(messages, expected);
        assert_eq!(budget.used.load(Relaxed), 0);
    }

    #[test]
    fn a_cut_is_read_behind_the_last_message() {
        let inbox = inbox(&budget(1 << 20), 10, 1 << 19);
        fill(&inbox, 1);
        inbox.cut(End::Lost);
        assert_eq!(taken(&inbox), Some(10));
        assert!(matches!(take(&inbox), Poll::Ready(Err(Error::Cut { source: None }))));
    }

    #[test]
    fn nothing_waits_for_a_reader_that_is_gone() {
        let budget = budget(1 << 20);
        let inbox = inbox(&budget, 10, 1 << 19);
        fill(&inbox, 1);
        inbox.deafen();
        assert!(matches!(push(&inbox, b"late"), Pushed::Dropped));
        assert_eq!(budget.used.load(Relaxed), 0);
        assert_eq!(budget.counters.messages_rejected.get(), 11);
    }
}
