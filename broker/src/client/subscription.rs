//! Where the messages of a topic come out.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::{
    config::{Settle, cost},
    error::Ended,
    handle::Handle,
    inbox::{Arrived, Entry, Found, Inbox, Noted},
    outbox::When,
};
use crate::{
    Routing, TopicName,
    wire::{EndReason, GapReason, Verdict},
};

/// The messages of a topic, as they arrive.
///
/// It survives the loss of the conn: the client subscribes again, and what was missed meanwhile is
/// shown as a [`Gap`]. To drop it unsubscribes; what has arrived and was not finished with is lost, or
/// goes to somebody else if the topic is a queue.
#[derive(Debug)]
pub struct Subscription {
    handle: Arc<Handle>,
    inbox: Arc<Inbox>,
    settle: Settle,
    /// What was taken out of the inbox together.
    taken: VecDeque<Entry>,
    current: Option<Current>,
    /// A message of a queue that the user has, and is done with when the next one is asked for.
    lent: Option<Lent>,
    ended: Option<Ended>,
    has_left: bool,
}

/// The next thing that a subscriber learns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A message.
    Message(Delivery),
    /// Messages that will not come. A queue shows none.
    Gap(Gap),
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// Its number in the topic: 1 more than that of the one before, in a fanout topic without gaps.
    pub seq: u64,
    /// How often it was delivered before, to anybody: a queue delivers again what was not settled.
    pub redelivered: u8,
    /// Its bytes. They share a buffer with those that arrived together: copy what is kept for long.
    pub payload: Bytes,
    conn: u64,
}

/// Messages that a subscriber does not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The number of the first that is missing.
    pub from: u64,
    /// That of the last.
    pub to: u64,
    /// Why. Where the topic [began anew](GapReason::Restarted), the numbers are new ones, and what is
    /// missing of the old ones nobody knows; they are 0 if nothing was published since.
    pub reason: GapReason,
}

impl Gap {
    /// How many messages are missing; `None` if nobody knows.
    pub fn missing(&self) -> Option<u64> {
        let is_known = self.reason != GapReason::Restarted;
        is_known.then(|| self.to.saturating_sub(self.from).saturating_add(1))
    }
}

/// A block that is being handed out.
#[derive(Debug)]
struct Current {
    arrived: Arrived,
    routing: Routing,
    bytes: usize,
}

#[derive(Debug)]
struct Lent {
    seq: u64,
    conn: u64,
    bytes: usize,
}

impl Subscription {
    /// Waits until the broker has answered, for as long as an answer may take; `None`: it has not.
    pub(super) async fn begin(
        handle: Arc<Handle>,
        inbox: Arc<Inbox>,
        settle: Settle,
    ) -> Option<Result<Self, Ended>> {
        let (taken, current, lent, ended) = (VecDeque::new(), None, None, None);
        let subscription =
            Self { handle, inbox, settle, taken, current, lent, ended, has_left: false };
        let patience = subscription.handle.shared().config.timeouts.read;
        let inbox = Arc::clone(&subscription.inbox);
        let answer = timeout(patience, async {
            loop {
                match inbox.answer() {
                    Some(answer) => return answer,
                    None => inbox.news.notified().await,
                }
            }
        });
        Some(answer.await.ok()?.map(|_| subscription))
    }

    /// The topic.
    pub fn topic(&self) -> &TopicName {
        &self.inbox.topic
    }

    /// Who gets its messages. A broker that was restarted may have another routing than before.
    pub fn routing(&self) -> Routing {
        self.inbox.routing()
    }

    /// The next message, or what is missing before it. `None`: nothing more comes, and
    /// [`ended`](Self::ended) tells why.
    ///
    /// To ask for the next message says that one is finished with those before: the broker sends more,
    /// and of a queue, unless it is [settled by hand](Settle::Manual), they are dealt with.
    ///
    /// Cancel-safe: what has arrived waits for the next call.
    pub async fn next(&mut self) -> Option<Incoming> {
        loop {
            if let Some(incoming) = self.next_here() {
                return Some(incoming);
            }
            match self.inbox.take(&mut self.taken) {
                Found::Some => continue,
                Found::Over(ended) => {
                    self.ended = Some(ended);
                    return None;
                }
                Found::Nothing => self.flush(),
            }
            self.inbox.news.notified().await;
        }
    }

    /// The next message, or what is missing before it, if something has arrived.
    pub fn try_next(&mut self) -> Option<Incoming> {
        if let Some(incoming) = self.next_here() {
            return Some(incoming);
        }
        self.inbox.take(&mut self.taken);
        self.next_here()
    }

    fn next_here(&mut self) -> Option<Incoming> {
        self.settle_lent();
        loop {
            if let Some(delivery) = self.pop() {
                return Some(Incoming::Message(delivery));
            }
            self.finish_block();
            match self.taken.pop_front()? {
                Entry::Gap(gap) => return Some(Incoming::Gap(gap)),
                Entry::Block(old, routing) if !self.inbox.is_current(old.conn, routing) => (),
                Entry::Block(arrived, routing) => {
                    let bytes = arrived.block.bytes().len();
                    self.current = Some(Current { arrived, routing, bytes });
                }
            }
        }
    }

    fn pop(&mut self) -> Option<Delivery> {
        let Current { arrived, routing, .. } = self.current.as_mut()?;
        let payload = arrived.block.pop()?;
        let (seq, conn) = (arrived.first, arrived.conn);
        arrived.first += 1;
        if *routing == Routing::Queue && self.settle == Settle::Auto {
            self.lent = Some(Lent { seq, conn, bytes: cost(payload.len()) });
        }
        Some(Delivery { seq, redelivered: arrived.redelivered, payload, conn })
    }

    /// The user has had all of a block, and asks for more.
    fn finish_block(&mut self) {
        if let Some(Current { arrived, routing, bytes }) = self.current.take()
            && routing == Routing::Fanout
        {
            let noted = self.inbox.see(arrived.conn, arrived.first.wrapping_sub(1), bytes);
            self.note(noted);
        }
    }

    fn settle_lent(&mut self) {
        if let Some(Lent { seq, conn, bytes }) = self.lent.take() {
            let noted = self.inbox.settle(conn, Verdict::Done, seq, bytes);
            self.note(noted);
        }
    }

    /// The message is dealt with. It means something only for a queue that is
    /// [settled by hand](Settle::Manual), once for each message, and not after the conn over which it
    /// came was lost: then the broker delivers it again.
    pub fn done(&mut self, delivery: &Delivery) {
        self.settle(delivery, Verdict::Done);
    }

    /// The message shall go to somebody else, or come again. As for [`done`](Self::done).
    pub fn give_back(&mut self, delivery: &Delivery) {
        self.settle(delivery, Verdict::GiveBack);
    }

    fn settle(&mut self, delivery: &Delivery, verdict: Verdict) {
        if self.settle == Settle::Manual {
            let bytes = cost(delivery.payload.len());
            let noted = self.inbox.settle(delivery.conn, verdict, delivery.seq, bytes);
            self.note(noted);
        }
    }

    /// Before a wait: what a queue waits for is told at once.
    fn flush(&self) {
        if self.inbox.has_settled() {
            self.handle.note(None, When::Now);
        }
    }

    fn note(&self, noted: Noted) {
        let (is_new, is_urgent) = match noted {
            Noted::Already => return,
            Noted::New => (true, false),
            Noted::Urgent => (false, true),
            Noted::NewAndUrgent => (true, true),
        };
        let when = if is_urgent { When::Now } else { When::Soon(Instant::now()) };
        self.handle.note(is_new.then(|| Arc::clone(&self.inbox)), when);
    }

    /// Why nothing more comes, once [`next`](Self::next) has returned `None`.
    pub fn ended(&self) -> Option<Ended> {
        self.ended
    }

    /// Says that one is finished with what one has, unsubscribes, and waits until the broker has answered, for as long as an answer may take.
    ///
    /// If the future is dropped, the subscription is over in any case.
    pub async fn unsubscribe(mut self) {
        self.settle_lent();
        if !self.leave() {
            return;
        }
        let patience = self.handle.shared().config.timeouts.read;
        let over = async {
            while !matches!(self.inbox.answer(), Some(Err(_))) {
                self.inbox.news.notified().await;
            }
        };
        // Without an answer it is over too, with the conn.
        timeout(patience, over).await.ok();
    }

    /// Whether there is something to wait for.
    fn leave(&mut self) -> bool {
        !std::mem::replace(&mut self.has_left, true) && self.handle.leave(&self.inbox)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Why a subscription did not come about.
pub(super) fn never_began(ended: Ended, topic: &TopicName) -> crate::SubscribeError {
    match ended {
        Ended::Broker(reason) => crate::SubscribeError::Ended(reason),
        Ended::Closed => crate::SubscribeError::Closed,
        Ended::Refused(crate::wire::RefusedWhy::AlreadySubscribed) => {
            crate::SubscribeError::Already(topic.clone())
        }
        Ended::Refused(why) => crate::SubscribeError::Refused(why),
    }
}

/// Whether a subscription goes on with the next conn.
pub(super) fn survives(reason: EndReason) -> bool {
    reason == EndReason::Stopping
}
