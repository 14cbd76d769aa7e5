//! What others may do to a conn that carries messages of a peer.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use rumormill_transport_api::NodeId;
use tokio::sync::Notify;

use crate::hello::{Echo, echo};

/// What others may do to a conn that carries messages of a peer.
#[derive(Debug)]
pub(crate) struct Link {
    dialler: NodeId,
    state: AtomicU8,
    has_given_way: AtomicBool,
    pub(crate) changed: Notify,
    was_cut: Notify,
    /// What is to be said beside the frames. Only datagrams need it.
    greetings: Mutex<VecDeque<Bytes>>,
    /// The ends of the last frames, by which whoever got one can show that it did. Only datagrams
    /// need them.
    echoes: Mutex<VecDeque<Echo>>,
}

pub(crate) const OPEN: u8 = 0;
pub(crate) const DRAINING: u8 = 1;
pub(crate) const CUT: u8 = 2;

impl Link {
    pub(crate) fn new(dialler: NodeId) -> Arc<Self> {
        Arc::new(Self {
            dialler,
            state: AtomicU8::new(OPEN),
            has_given_way: AtomicBool::new(false),
            changed: Notify::new(),
            was_cut: Notify::new(),
            greetings: Mutex::default(),
            echoes: Mutex::default(),
        })
    }

    /// The node that has dialled it.
    pub(crate) fn dialler(&self) -> NodeId {
        self.dialler
    }

    /// Has it closed once nothing waits for it.
    pub(crate) fn drain(&self) {
        self.state.fetch_max(DRAINING, SeqCst);
        self.changed.notify_one();
    }

    /// Has it drained because another one took its place. What the peer has sent on it before it
    /// learnt of that may still be on its way.
    pub(crate) fn give_way(&self) {
        self.has_given_way.store(true, SeqCst);
        self.drain();
    }

    pub(crate) fn has_given_way(&self) -> bool {
        self.has_given_way.load(SeqCst)
    }

    /// Has it ended at once.
    pub(crate) fn cut(&self) {
        self.state.store(CUT, SeqCst);
        self.changed.notify_one();
        self.was_cut.notify_one();
    }

    /// Waits until it is cut; for one task.
    pub(crate) async fn is_cut(&self) {
        self.was_cut.notified().await;
    }

    pub(crate) fn state(&self) -> u8 {
        self.state.load(SeqCst)
    }

    pub(crate) fn say(&self, greeting: Bytes) {
        let mut greetings = lock(&self.greetings);
        if greetings.len() < GREETINGS {
            greetings.push_back(greeting);
        }
        drop(greetings);
        self.changed.notify_one();
    }

    pub(crate) fn greeting(&self) -> Option<Bytes> {
        lock(&self.greetings).pop_front()
    }

    /// Notes that this frame is sent.
    pub(crate) fn sends(&self, frame: &[u8]) {
        let mut echoes = lock(&self.echoes);
        if ECHOES <= echoes.len() {
            echoes.pop_front();
        }
        echoes.extend(echo(frame));
    }

    /// Whether a frame that ends like this was sent lately.
    pub(crate) fn has_sent(&self, echo: &Echo) -> bool {
        lock(&self.echoes).contains(echo)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Greetings that may wait to be said on one conn.
const GREETINGS: usize = 4;
/// Frames whose ends are remembered.
const ECHOES: usize = 64;
