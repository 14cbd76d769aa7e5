//! What waits for a conn's writer.

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use rumormill_transport_api::Batch;
use tokio::sync::Notify;

use super::{session::Ending, slot::Slot};

/// What waits for a conn's writer: answers, which go first, and topics that have messages for it.
#[derive(Default)]
pub(crate) struct Outbox {
    state: Mutex<State>,
    /// How many answers there are, so that nobody has to lock to learn that there are few.
    answers: AtomicUsize,
    bytes: AtomicUsize,
    is_closing: AtomicBool,
    wake: Notify,
    room: Notify,
}

/// Whether the writer has to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Writer {
    Awake,
    Asleep,
}

/// What a writer does that found nothing to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// It closes the conn, which ends like this.
    Close(Ending),
    Gather,
    Wait,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Bytes>,
    ready: VecDeque<Arc<Slot>>,
    closing: Option<Ending>,
    /// The writer waits, and nobody is about to wake it.
    is_asleep: bool,
}

impl Outbox {
    /// Puts an answer behind the others.
    pub(crate) fn tell(&self, answer: Bytes) -> Writer {
        let mut state = self.lock();
        self.answers.fetch_add(1, Relaxed);
        self.bytes.fetch_add(answer.len(), Relaxed);
        state.answers.push_back(answer);
        state.wakes()
    }

    /// Notes that a topic has messages for the conn.
    pub(crate) fn ready(&self, slot: Arc<Slot>) -> Writer {
        let mut state = self.lock();
        state.ready.push_back(slot);
        state.wakes()
    }

    /// Has the writer close the conn after the answers that wait; it ends like this, unless it has
    /// another end already.
    pub(crate) fn close(&self, ending: Ending) -> Writer {
        let mut state = self.lock();
        state.closing.get_or_insert(ending);
        self.is_closing.store(true, Relaxed);
        state.wakes()
    }

    /// Whether it was to be closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Relaxed)
    }

    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Whether no more than `capacity` answers wait.
    pub(crate) fn has_room(&self, capacity: usize) -> bool {
        self.answers.load(Relaxed) < capacity
    }

    /// Waits until the writer has taken answers. Cancel-safe.
    pub(crate) async fn room(&self, capacity: usize) {
        while !self.has_room(capacity) {
            self.room.notified().await;
        }
    }

    /// Bytes of answers that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Moves the answers to `into`, and the topics that are ready behind those of `turn`; if the conn
    /// closes, none of those are left.
    pub(crate) fn take(&self, into: &mut Batch, turn: &mut VecDeque<Arc<Slot>>) {
        let mut state = self.lock();
        turn.append(&mut state.ready);
        if state.closing.is_some() {
            turn.clear();
        }
        let answers = mem::take(&mut state.answers);
        drop(state);
        self.moved(answers, into);
    }

    /// Moves the answers to `into`, if there are any.
    pub(crate) fn take_answers(&self, into: &mut Batch) {
        if self.answers.load(Relaxed) != 0 {
            let answers = mem::take(&mut self.lock().answers);
            self.moved(answers, into);
        }
    }

    /// What is next for a writer that found nothing; when it shall wait, it has to call
    /// [`woken`](Self::woken).
    pub(crate) fn next(&self) -> Next {
        let mut state = self.lock();
        if !(state.answers.is_empty() && state.ready.is_empty()) {
            return Next::Gather;
        }
        if let Some(ending) = state.closing {
            return Next::Close(ending);
        }
        state.is_asleep = true;
        Next::Wait
    }

    /// Cancel-safe.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    fn moved(&self, answers: VecDeque<Bytes>, into: &mut Batch) {
        if answers.is_empty() {
            return;
        }
        let bytes = answers.iter().map(Bytes::len).sum();
        self.answers.fetch_sub(answers.len(), Relaxed);
        self.bytes.fetch_sub(bytes, Relaxed);
        into.extend(answers);
        self.room.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wakes(&mut self) -> Writer {
        match mem::take(&mut self.is_asleep) {
            true => Writer::Asleep,
            false => Writer::Awake,
        }
    }
}
