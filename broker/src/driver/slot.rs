//! A topic in its place, behind its lock.

use std::{
    fmt,
    pin::pin,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::{sync::Notify, time::Instant};

use crate::{Access, TopicName, config, topic::Topic};

/// A topic in its place.
pub(crate) struct Slot {
    pub(crate) name: TopicName,
    /// Tells the slots of a process apart.
    pub(crate) number: u64,
    is_live: AtomicBool,
    /// How many wait for something to happen.
    waiters: AtomicUsize,
    happened: Notify,
    state: Mutex<State>,
}

/// What the lock of a topic guards.
pub(crate) struct State {
    pub(crate) topic: Topic,
    pub(crate) publish: Access,
    pub(crate) subscribe: Access,
    /// Another one each time that who may publish or subscribe changes.
    pub(crate) version: u32,
    pub(crate) max_message: usize,
    /// When the timer looks at the topic.
    pub(crate) due: Option<Instant>,
}

impl Slot {
    pub(crate) fn new(
        number: u64,
        name: TopicName,
        topic: Topic,
        settings: &config::Topic,
    ) -> Self {
        let state = State {
            topic,
            publish: settings.publish.clone(),
            subscribe: settings.subscribe.clone(),
            version: 0,
            max_message: settings.max_message_size,
            due: None,
        };
        Self {
            name,
            number,
            is_live: AtomicBool::new(true),
            waiters: AtomicUsize::new(0),
            happened: Notify::new(),
            state: Mutex::new(state),
        }
    }

    /// Whether the topic has not been removed. What holds while its lock is held counts.
    pub(crate) fn is_live(&self) -> bool {
        self.is_live.load(Relaxed)
    }

    /// Marks it as removed, while its lock is held.
    pub(crate) fn bury(&self, _state: &mut State) {
        self.is_live.store(false, Relaxed);
    }

    /// Tells those who wait that something has happened, while its lock is held.
    pub(crate) fn happened(&self) {
        if self.waiters.load(Relaxed) != 0 {
            self.happened.notify_waiters();
        }
    }

    /// Waits until something is so. Cancel-safe.
    pub(crate) async fn until(&self, is_so: impl Fn(&State) -> bool) {
        let _waiter = Waiter::of(&self.waiters);
        loop {
            let mut happened = pin!(self.happened.notified());
            happened.as_mut().enable();
            if is_so(&self.lock()) {
                return;
            }
            happened.await;
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits, until this is dropped.
struct Waiter<'a>(&'a AtomicUsize);

impl<'a> Waiter<'a> {
    fn of(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Slot").field(&self.name).finish()
    }
}
