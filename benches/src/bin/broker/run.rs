//! One run of a load: what its publisher and its subscribers know of each other.

use std::{
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Relaxed, SeqCst},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::cell::{Cell, Shape};

/// A run. The publisher stays a window ahead of the slowest subscriber at most, so that no broker has
/// to drop anything, and each message is accounted for.
pub(crate) struct Run {
    pub(crate) cell: Cell,
    began: Instant,
    subscribers: Box<[Subscriber]>,
    /// What the subscribers must have reached for the publisher to go on; the largest number while it
    /// does not wait.
    wanted: AtomicU64,
    room: Notify,
    is_over: AtomicBool,
    closing: Notify,
}

/// What a subscriber has got.
#[derive(Default)]
#[repr(align(128))]
struct Subscriber {
    count: AtomicU64,
    /// Of the fingerprints of all sequence numbers.
    sum: AtomicU64,
    /// Messages that came out of order, or were not what was sent.
    wrong: AtomicU64,
}

impl Run {
    pub(crate) fn of(cell: Cell) -> Self {
        Self {
            cell,
            began: Instant::now(),
            subscribers: (0..cell.shape.subscribers()).map(|_| Subscriber::default()).collect(),
            wanted: AtomicU64::new(u64::MAX),
            room: Notify::new(),
            is_over: AtomicBool::new(false),
            closing: Notify::new(),
        }
    }

    /// Time since it began.
    pub(crate) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Has the publisher end.
    pub(crate) fn end(&self) {
        self.is_over.store(true, SeqCst);
    }

    /// Has the subscribers end.
    pub(crate) fn close(&self) {
        self.closing.notify_waiters();
    }

    /// Waits for that.
    pub(crate) async fn closed(&self) {
        self.closing.notified().await;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }

    /// Waits until a chunk may follow the `sent` messages so far; whether it may.
    pub(crate) async fn room(&self, sent: u64) -> bool {
        let wanted = (sent + self.cell.chunk()).saturating_sub(self.cell.window());
        while self.reached() < wanted {
            self.wanted.store(wanted, SeqCst);
            // Whoever gets there after the store wakes us; whoever was there before it is seen here.
            if self.reached() < wanted {
                self.room.notified().await;
            }
        }
        self.wanted.store(u64::MAX, Relaxed);
        !self.is_over()
    }

    /// What has arrived of the messages so far, at the slowest subscriber or at all together.
    pub(crate) fn reached(&self) -> u64 {
        let counts = self.subscribers.iter().map(|it| it.count.load(SeqCst));
        match self.cell.shape {
            Shape::Fanout(_) => counts.min().unwrap_or_default(),
            Shape::Queue(_) => counts.sum(),
        }
    }

    /// Messages that have arrived, at all subscribers together.
    pub(crate) fn deliveries(&self) -> u64 {
        self.subscribers.iter().map(|it| it.count.load(SeqCst)).sum()
    }

    /// What is wrong with what arrived of the first `sent` messages.
    pub(crate) fn check(&self, sent: u64) -> Result<(), String> {
        let fingerprints = (0..sent).map(fingerprint).fold(0, u64::wrapping_add);
        let sums = || self.subscribers.iter().map(|it| it.sum.load(Relaxed));
        let is_right = match self.cell.shape {
            Shape::Fanout(_) => sums().all(|sum| sum == fingerprints),
            Shape::Queue(_) => sums().fold(0, u64::wrapping_add) == fingerprints,
        };
        let wrong: u64 = self.subscribers.iter().map(|it| it.wrong.load(Relaxed)).sum();
        match is_right && wrong == 0 {
            true => Ok(()),
            false => {
                let reached = self.reached();
                Err(format!("{}: of {sent}, {reached} arrived, {wrong} wrongly", self.cell))
            }
        }
    }
}

/// The side of one subscriber.
pub(crate) struct Taker<'a> {
    run: &'a Run,
    subscriber: &'a Subscriber,
    count: u64,
    sum: u64,
    next: u64,
    is_timed: bool,
    /// What each message took, in nanoseconds, since it was due, if that is measured.
    pub(crate) delays: Vec<u64>,
}

impl<'a> Taker<'a> {
    pub(crate) fn of(run: &'a Run, number: usize, is_timed: bool) -> Self {
        Self {
            run,
            subscriber: &run.subscribers[number],
            count: 0,
            sum: 0,
            next: 0,
            is_timed,
            delays: Vec::new(),
        }
    }

    /// Counts a message.
    pub(crate) fn take(&mut self, payload: &[u8]) {
        let seq = match head(payload) {
            Some((seq, due)) if payload.len() == self.run.cell.size => {
                if self.is_timed {
                    self.delays.push((self.run.now().as_nanos() as u64).saturating_sub(due));
                }
                seq
            }
            _ => u64::MAX,
        };
        let is_expected = match self.run.cell.shape {
            Shape::Fanout(_) => seq == self.next,
            Shape::Queue(_) => self.next <= seq && seq != u64::MAX,
        };
        if !is_expected {
            self.wrong();
        }
        self.next = seq.wrapping_add(1);
        self.count += 1;
        self.sum = self.sum.wrapping_add(fingerprint(seq));
        self.subscriber.sum.store(self.sum, Relaxed);
        self.subscriber.count.store(self.count, SeqCst);
        self.wake();
    }

    /// Counts something that should not have happened.
    pub(crate) fn wrong(&self) {
        self.subscriber.wrong.fetch_add(1, Relaxed);
    }

    fn wake(&self) {
        let (run, wanted) = (self.run, self.run.wanted.load(SeqCst));
        let may_suffice = match run.cell.shape {
            // Each subscriber passes it once, and the last of them wakes.
            Shape::Fanout(_) => wanted == self.count,
            Shape::Queue(_) => wanted != u64::MAX,
        };
        if may_suffice && wanted <= run.reached() {
            run.room.notify_one();
        }
    }
}

/// Puts the head of a message before it is sent: its number, and when it was due.
pub(crate) fn put_head(message: &mut [u8], seq: u64, due: u64) {
    message[..8].copy_from_slice(&seq.to_le_bytes());
    message[8..HEAD].copy_from_slice(&due.to_le_bytes());
}

fn head(message: &[u8]) -> Option<(u64, u64)> {
    let (seq, rest) = message.split_first_chunk()?;
    let (due, _) = rest.split_first_chunk()?;
    Some((u64::from_le_bytes(*seq), u64::from_le_bytes(*due)))
}

/// A number for each sequence number, so that no few of them have the same sum as others.
fn fingerprint(seq: u64) -> u64 {
    let mixed = (seq ^ (seq >> 30)).wrapping_add(1).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// Bytes of a message that are not padding.
const HEAD: usize = 16;
