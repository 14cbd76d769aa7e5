//! Where rumors wait for whoever listens.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{Gap, Rumor};

/// What others say to all. Each of these hears everything from its beginning on.
///
/// What is not taken waits, up to 4,096 rumors or 16 MiB of them, whichever is less; whoever is slower
/// misses the oldest, and is told how many.
#[derive(Debug)]
pub struct Rumors {
    hall: Arc<Hall>,
    listener: u64,
}

/// What there is to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A member has said something.
    Rumor(Rumor),
    /// What a member has said is lost to this node.
    Gap(Gap),
    /// So many rumors and gaps were not taken in time.
    Missed(u64),
}

/// Whoever tells what there is to hear. Nothing more will come when it is dropped.
#[derive(Debug)]
pub(super) struct Teller(pub(super) Arc<Hall>);

/// What waits, for all who listen.
#[derive(Debug, Default)]
pub(super) struct Hall {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    heard: VecDeque<Heard>,
    bytes: usize,
    /// Which one of all is the first that waits.
    first: u64,
    /// Which one each listener takes next.
    listeners: BTreeMap<u64, u64>,
    is_over: bool,
    count: u64,
}

/// How much waits, at most.
const MOST: usize = 4096;
const MOST_BYTES: usize = 16 << 20;

impl Teller {
    pub(super) fn tell(&self, heard: Heard) {
        self.0.lock().push(heard);
        self.0.arrived.notify_waiters();
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.arrived.notify_waiters();
    }
}

impl Hall {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn push(&mut self, heard: Heard) {
        if self.listeners.is_empty() {
            return;
        }
        self.bytes += cost(&heard);
        self.heard.push_back(heard);
        while MOST < self.heard.len() || MOST_BYTES < self.bytes {
            self.pop();
        }
    }

    fn pop(&mut self) {
        self.first += 1;
        self.bytes -= self.heard.pop_front().as_ref().map_or(0, cost);
    }

    /// What a listener takes next.
    fn take(&mut self, listener: u64) -> Option<Heard> {
        let next = self.listeners.get_mut(&listener)?;
        let missed = self.first.saturating_sub(*next);
        if 0 < missed {
            *next = self.first;
            return Some(Heard::Missed(missed));
        }
        let place = usize::try_from(*next - self.first).ok()?;
        let heard = self.heard.get(place)?.clone();
        *next += 1;
        self.tidy();
        Some(heard)
    }

    /// Drops what everybody has taken.
    fn tidy(&mut self) {
        let end = self.first + self.heard.len() as u64;
        let taken = self.listeners.values().copied().min().unwrap_or(end);
        while self.first < taken {
            self.pop();
        }
    }
}

fn cost(heard: &Heard) -> usize {
    match heard {
        Heard::Rumor(rumor) => rumor.whole().len(),
        Heard::Gap(_) | Heard::Missed(_) => 0,
    }
}

impl Rumors {
    pub(super) fn new(hall: &Arc<Hall>) -> Self {
        let mut waiting = hall.lock();
        waiting.count += 1;
        let (listener, end) = (waiting.count, waiting.first + waiting.heard.len() as u64);
        waiting.listeners.insert(listener, end);
        Self { hall: Arc::clone(hall), listener }
    }

    /// Waits for what comes next; `None` when membership has ended and all was taken.
    ///
    /// Cancel-safe: what it returns leaves the queue in the poll that returns it.
    pub async fn recv(&mut self) -> Option<Heard> {
        loop {
            // Before looking, so that what arrives in between is noticed.
            let arrived = self.hall.arrived.notified();
            {
                let mut waiting = self.hall.lock();
                let heard = waiting.take(self.listener);
                if heard.is_some() || waiting.is_over {
                    return heard;
                }
            }
            arrived.await;
        }
    }
}

impl Drop for Rumors {
    fn drop(&mut self) {
        let mut waiting = self.hall.lock();
        waiting.listeners.remove(&self.listener);
        waiting.tidy();
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Poll};

    use super::*;
    use crate::rumor::tests::rumor;

    impl Hall {
        /// How many wait, and how many bytes.
        fn held(&self) -> (usize, usize) {
            let waiting = self.lock();
            (waiting.heard.len(), waiting.bytes)
        }
    }

    fn heard(number: u64, len: usize) -> Heard {
        Heard::Rumor(rumor(1, 1, number, &vec![0; len]))
    }

    #[tokio::test]
    async fn each_listener_hears_all_from_its_beginning_on() {
        let hall = Arc::<Hall>::default();
        let teller = Teller(Arc::clone(&hall));
        teller.tell(heard(1, 0));
        let mut one = Rumors::new(&hall);
        teller.tell(heard(2, 0));
        let mut other = Rumors::new(&hall);
        teller.tell(heard(3, 0));
        assert_eq!(one.recv().await, Some(heard(2, 0)));
        assert_eq!((one.recv().await, other.recv().await), (Some(heard(3, 0)), Some(heard(3, 0))));
        assert_eq!(hall.held(), (0, 0), "nobody waits for it");
        teller.tell(heard(4, 0));
        drop(one);
        drop(teller);
        assert_eq!((other.recv().await, other.recv().await), (Some(heard(4, 0)), None));
    }

    #[tokio::test]
    async fn whoever_is_slow_is_told_how_many_it_missed() {
        let hall = Arc::<Hall>::default();
        let teller = Teller(Arc::clone(&hall));
        let mut slow = Rumors::new(&hall);
        (0..5000).for_each(|number| teller.tell(heard(number, 0)));
        assert_eq!(slow.recv().await, Some(Heard::Missed(5000 - MOST as u64)));
        assert_eq!(slow.recv().await, Some(heard(5000 - MOST as u64, 0)));
        (0..100).for_each(|number| teller.tell(heard(number, 200_000)));
        assert!(hall.held().1 <= MOST_BYTES);
        assert!(matches!(slow.recv().await, Some(Heard::Missed(_))));
        drop(slow);
        assert_eq!(hall.held(), (0, 0));
    }

    #[tokio::test]
    async fn a_dropped_wait_loses_nothing() {
        let hall = Arc::<Hall>::default();
        let teller = Teller(Arc::clone(&hall));
        let mut rumors = Rumors::new(&hall);
        {
            let mut wait = pin!(rumors.recv());
            let poll = std::future::poll_fn(|context| Poll::Ready(wait.as_mut().poll(context)));
            assert_eq!(poll.await, Poll::Pending);
            teller.tell(heard(1, 0));
        }
        assert_eq!(rumors.recv().await, Some(heard(1, 0)));
    }
}
