//! What has arrived and waits for whoever uses the endpoint.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rumormill_transport_api::{Addr, NodeId};
use tokio::sync::Notify;

use crate::{
    frame::Class,
    ledger::Ledger,
    outbox::{Limits, OVERHEAD},
};

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
    limits: Limits,
    ledger: Arc<Ledger>,
}

#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Message>,
    bytes: usize,
    is_closed: bool,
}

pub(crate) fn inbox(class: Class, limits: Limits, ledger: Arc<Ledger>) -> (Arc<Box>, Inbox) {
    let shared = Arc::new(Box {
        class,
        waiting: Mutex::default(),
        arrived: Notify::new(),
        taken: Notify::new(),
        limits,
        ledger,
    });
    (shared.clone(), Inbox(shared))
}

impl Inbox {
    /// Waits for a message; `None` when the endpoint is closed and everything was taken.
    ///
    /// Cancel-safe: a message leaves the queue in the poll that returns it.
    pub async fn recv(&mut self) -> Option<Message> {
        self.recv_by(Waiting::pop).await
    }

    /// Waits for messages, and appends all that are there to `into`; tells how many. `None` as for
    /// [`recv`](Self::recv), which costs more for each.
    ///
    /// Cancel-safe: messages leave the queue in the poll that returns.
    pub async fn recv_many(&mut self, into: &mut Vec<Message>) -> Option<usize> {
        self.recv_by(|waiting| {
            let (count, messages) = (waiting.messages.len(), &mut waiting.messages);
            match into.is_empty() {
                // Nothing moves: what the caller has emptied is filled next.
                true => *into = mem::replace(messages, mem::take(into).into()).into(),
                false => into.extend(messages.drain(..)),
            }
            waiting.bytes = 0;
            Some(count)
        })
        .await
    }

    /// Waits until something is there, and takes it by `take`.
    async fn recv_by<T>(&mut self, mut take: impl FnMut(&mut Waiting) -> Option<T>) -> Option<T> {
        loop {
            {
                let mut waiting = self.0.lock();
                if !waiting.messages.is_empty() {
                    self.0.taken.notify_one();
                    return take(&mut waiting);
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
        let (mut count, mut overflowed) = (waiting.swap(messages, self.limits), 0);
        while let Some(next) = messages.front() {
            if !waiting.has_room(next, self.limits) {
                let is_worth_less = self.class != Class::Bulk && waiting.pop().is_some();
                if !is_worth_less {
                    break;
                }
                overflowed += 1;
                continue;
            }
            waiting.bytes += cost(next);
            waiting.messages.extend(messages.pop_front());
            count += 1;
        }
        self.ledger.overflowed(self.class, overflowed);
        drop(waiting);
        self.ledger.delivered(self.class, count);
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

impl Waiting {
    /// Takes all of `messages` without moving them, if nothing waits and they fit; tells how many.
    fn swap(&mut self, messages: &mut VecDeque<Message>, limits: Limits) -> u64 {
        let bytes = messages.iter().map(cost).sum();
        let fits = messages.len() <= limits.messages && bytes <= limits.bytes;
        if !self.messages.is_empty() || !fits {
            return 0;
        }
        mem::swap(&mut self.messages, messages);
        self.bytes = bytes;
        self.messages.len() as u64
    }

    /// Whether there is room for one more; one is taken however long it is.
    fn has_room(&self, message: &Message, limits: Limits) -> bool {
        let fits = self.bytes + cost(message) <= limits.bytes;
        self.messages.is_empty() || (self.messages.len() < limits.messages && fits)
    }

    fn pop(&mut self) -> Option<Message> {
        let message = self.messages.pop_front()?;
        self.bytes -= cost(&message);
        Some(message)
    }
}

fn cost(message: &Message) -> usize {
    message.bytes.len() + OVERHEAD
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

    fn limits(messages: usize, bytes: usize) -> Limits {
        Limits { messages, bytes }
    }

    #[tokio::test]
    async fn bytes_are_bounded_too() {
        let ledger = Arc::new(Ledger::default());
        let (shared, mut inbox) = inbox(Class::Gossip, limits(99, 3 * OVERHEAD), ledger.clone());
        shared.put(&mut messages(5)).await;
        let gossip = ledger.snapshot().class(Class::Gossip).clone();
        assert_eq!((gossip.delivered, gossip.overflowed), (5, 2), "the oldest gave way");
        let mut long = messages(1);
        long[0].bytes = vec![0; 9999].into();
        shared.put(&mut long).await;
        assert_eq!(inbox.recv().await.map(|message| message.bytes.len()), Some(9999));
        assert_eq!(inbox.0.lock().bytes, 0);
    }

    #[tokio::test]
    async fn messages_stay_in_order_however_they_are_taken() {
        let (shared, mut inbox) = inbox(Class::Bulk, limits(10, 9999), Arc::new(Ledger::default()));
        let (mut sent, mut taken, mut total) = (0_u64, Vec::new(), Vec::new());
        for count in [3, 2, 5, 1, 4] {
            for _ in 0..2 {
                let mut more = messages(count);
                more.iter_mut()
                    .for_each(|message| (message.question, sent) = (Some(sent), sent + 1));
                shared.put(&mut more).await;
            }
            total.extend(inbox.recv().await);
            inbox.recv_many(&mut taken).await;
            total.append(&mut taken);
        }
        assert!(total.iter().map(|message| message.question).eq((0..sent).map(Some)));
    }

    #[tokio::test]
    async fn what_waits_when_its_conn_ends_is_counted() {
        let ledger = Arc::new(Ledger::default());
        let (shared, mut inbox) = inbox(Class::Bulk, limits(2, 9999), ledger.clone());
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
