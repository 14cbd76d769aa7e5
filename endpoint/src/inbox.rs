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
    pub via: Arc<Addr>,
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
        self.recv_by(VecDeque::pop_front).await
    }

    /// Waits for messages, and appends all that are there to `into`; tells how many. `None` as for
    /// [`recv`](Self::recv), which costs more for each.
    ///
    /// Cancel-safe: messages leave the queue in the poll that returns.
    pub async fn recv_many(&mut self, into: &mut Vec<Message>) -> Option<usize> {
        self.recv_by(|messages| {
            let count = messages.len();
            into.extend(messages.drain(..));
            Some(count)
        })
        .await
    }

    /// Waits until something is there, and takes it by `take`.
    async fn recv_by<T>(
        &mut self,
        mut take: impl FnMut(&mut VecDeque<Message>) -> Option<T>,
    ) -> Option<T> {
        loop {
            {
                let mut waiting = self.0.lock();
                if !waiting.messages.is_empty() {
                    self.0.taken.notify_one();
                    return take(&mut waiting.messages);
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
    /// Hands `messages` over. Bulk waits for room, so that its lane is not read meanwhile; of the
    /// others the oldest gives way.
    ///
    /// What waits when the future is dropped is lost with its conn, and counted.
    pub(crate) async fn put(&self, messages: &mut VecDeque<Message>) {
        let held = Held { inbox: self, messages };
        while !held.messages.is_empty() {
            if !self.put_some(held.messages) {
                self.taken.notified().await;
            }
        }
    }

    /// Takes as many of `messages`, of which there is at least one, as there is room for; tells
    /// whether it took any.
    fn put_some(&self, messages: &mut VecDeque<Message>) -> bool {
        let mut waiting = self.lock();
        if waiting.is_closed {
            // The next one that waits learns of it from this one.
            self.taken.notify_one();
            self.ledger.overflowed(self.class, messages.len() as u64);
            messages.clear();
            return true;
        }
        if self.class != Class::Bulk {
            let total = waiting.messages.len() + messages.len();
            let (most, before) = (total.saturating_sub(self.limit), waiting.messages.len());
            waiting.messages.drain(..most.min(before));
            self.ledger.overflowed(self.class, most.min(before) as u64);
        }
        let room = self.limit - waiting.messages.len();
        let count = room.min(messages.len());
        waiting.messages.extend(messages.drain(..count));
        drop(waiting);
        self.ledger.delivered(self.class, count as u64);
        if 0 < count {
            self.arrived.notify_one();
        }
        0 < count
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

/// Messages that have not got into an inbox; if they never do, they are counted.
struct Held<'a> {
    inbox: &'a Box,
    messages: &'a mut VecDeque<Message>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.inbox.ledger.overflowed(self.inbox.class, self.messages.len() as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    fn messages(count: usize) -> VecDeque<Message> {
        let via: Arc<Addr> = Arc::new("mem://a".parse().expect("an address"));
        let from = NodeId([1; 32]);
        let message = Message { from, via, bytes: Bytes::new(), question: None };
        std::iter::repeat_n(message, count).collect()
    }

    #[tokio::test]
    async fn what_waits_when_its_conn_ends_is_counted() {
        let ledger = Arc::new(Ledger::default());
        let (shared, mut inbox) = inbox(Class::Bulk, 2, ledger.clone());
        let mut five = messages(5);
        {
            let mut putting = std::pin::pin!(shared.put(&mut five));
            assert!(putting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        let bulk = ledger.snapshot().class(Class::Bulk).clone();
        assert_eq!((bulk.delivered, bulk.overflowed), (2, 3));
        let mut taken: Vec<Message> = messages(4).into();
        assert_eq!(inbox.recv_many(&mut taken).await, Some(2), "those that it added");
        assert_eq!(taken.len(), 6);
    }
}
