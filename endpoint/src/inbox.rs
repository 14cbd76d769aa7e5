//! What has arrived and waits for whoever uses the endpoint.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rumormill_transport_api::{Addr, NodeId};
use tokio::sync::Notify;

use crate::{frame::Class, ledger::Ledger};

/// A message, and who has verifiably sent it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who.
    pub from: NodeId,
    /// The other end of the conn that it came by.
    pub via: Addr,
    /// What. It may share memory with its neighbours: copy what is kept for long.
    pub bytes: Bytes,
    /// The number to answer with, if it is a question.
    pub question: Option<u64>,
}

/// Where messages of one class arrive.
#[derive(Debug)]
pub struct Inbox(Arc<Box>);

/// The sending side of an [`Inbox`], shared by all conns.
#[derive(Debug)]
pub(crate) struct Box {
    class: Class,
    waiting: Mutex<Waiting>,
    arrived: Notify,
    taken: Notify,
    limit: usize,
    ledger: Arc<Ledger>,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Message>,
    is_closed: bool,
}

pub(crate) fn inbox(class: Class, limit: usize, ledger: Arc<Ledger>) -> (Arc<Box>, Inbox) {
    let shared = Arc::new(Box {
        class,
        waiting: Mutex::default(),
        arrived: Notify::new(),
        taken: Notify::new(),
        limit: limit.max(1),
        ledger,
    });
    (shared.clone(), Inbox(shared))
}

impl Inbox {
    /// Waits for a message; `None` when the endpoint is closed and everything was taken.
    ///
    /// Cancel-safe: a message leaves the queue in the poll that returns it.
    pub async fn recv(&mut self) -> Option<Message> {
        loop {
            {
                let mut waiting = self.0.lock();
                if let Some(message) = waiting.messages.pop_front() {
                    self.0.taken.notify_one();
                    return Some(message);
                }
                if waiting.is_closed {
                    return None;
                }
            }
            self.0.arrived.notified().await;
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Box {
    /// Hands `message` over. Bulk waits for room, so that its lane is not read meanwhile; of the
    /// others the oldest gives way.
    ///
    /// Cancel-safe, except that the message is lost: its conn has ended.
    pub(crate) async fn put(&self, message: Message) {
        loop {
            {
                let mut waiting = self.lock();
                let has_room = waiting.messages.len() < self.limit;
                if waiting.is_closed {
                    // The next one that waits learns of it from this one.
                    self.taken.notify_one();
                    return self.ledger.overflowed(self.class, 1);
                }
                if has_room || self.class != Class::Bulk {
                    if !has_room {
                        waiting.messages.pop_front();
                        self.ledger.overflowed(self.class, 1);
                    }
                    waiting.messages.push_back(message);
                    drop(waiting);
                    self.ledger.delivered(self.class);
                    return self.arrived.notify_one();
                }
            }
            self.taken.notified().await;
        }
    }

    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.arrived.notify_one();
        self.taken.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
