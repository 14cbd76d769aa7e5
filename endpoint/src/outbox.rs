//! What waits to be sent to one peer.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::frame::{Class, Lane, Payload};

/// The queues of one peer: one for each class, and one for what is urgent and too long for packets.
/// Pushing never waits.
#[derive(Debug)]
pub(crate) struct Outbox {
    queues: Mutex<[Queue; 4]>,
    ready: [Notify; 3],
    limits: Limits,
}

/// How much may wait in one queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages.
    pub messages: usize,
    /// Bytes, each message counted with 64 beyond its length.
    pub bytes: usize,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Payload>,
    cost: usize,
    /// How many have left it.
    left: u64,
}

/// What waited at a moment: where each of its queues ended.
#[derive(Debug)]
pub(crate) struct Mark([u64; 4]);

/// The queue has no room, and what is in it is not given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl Outbox {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { queues: Mutex::default(), ready: Default::default(), limits }
    }

    /// Adds `payload` to its queue in `lane`; tells how many older ones it displaced.
    ///
    /// Control and gossip are worth less the older they are, so the oldest give way. Bulk does not.
    pub(crate) fn push(&self, lane: Lane, payload: Payload) -> Result<u64, Full> {
        let mut queues = self.lock();
        let queue = &mut queues[if lane == Lane::Heavy { HEAVY } else { payload.class as usize }];
        if self.limits.bytes < cost(&payload) {
            return Err(Full);
        }
        let mut displaced = 0;
        while !queue.has_room(&payload, self.limits) {
            let is_bulk = payload.class == Class::Bulk;
            if is_bulk || queue.pop().is_none() {
                return Err(Full);
            }
            displaced += 1;
        }
        queue.push(payload);
        drop(queues);
        self.ready[lane as usize].notify_one();
        Ok(displaced)
    }

    /// Puts back what was taken before, in front of everything else, whatever room there is.
    pub(crate) fn put_back(&self, payloads: Vec<Payload>) {
        let mut queues = self.lock();
        for payload in payloads.into_iter().rev() {
            let queue = &mut queues[payload.class as usize];
            queue.cost += cost(&payload);
            queue.left = queue.left.saturating_sub(1);
            queue.waiting.push_front(payload);
        }
    }

    /// Waits until there may be something in `lane`. Cancel-safe.
    pub(crate) async fn ready(&self, lane: Lane) {
        self.ready[lane as usize].notified().await;
    }

    /// Makes whoever waits for `lane` look again.
    pub(crate) fn wake(&self, lane: Lane) {
        self.ready[lane as usize].notify_one();
    }

    /// Moves what waits in `lane` to `into`, the most urgent first, until that has `bytes` or
    /// `count`; at least one if there is any.
    pub(crate) fn take(&self, lane: Lane, bytes: usize, count: usize, into: &mut Vec<Payload>) {
        let mut taken = 0;
        let mut queues = self.lock();
        for queue in queues_of(lane) {
            let queue = &mut queues[*queue];
            while into.len() < count
                && let Some(next) = queue.waiting.front()
                && (into.is_empty() || taken + cost(next) <= bytes)
            {
                taken += cost(next);
                into.extend(queue.pop());
            }
        }
    }

    /// Moves what waits in front of [`Lane::Urgent`] and is longer than `longest` to
    /// [`Lane::Heavy`]; tells whether there was anything, and adds what it displaced to `displaced`.
    pub(crate) fn divert(&self, longest: usize, displaced: &mut Vec<Payload>) -> bool {
        let mut queues = self.lock();
        let mut has_diverted = false;
        for queue in queues_of(Lane::Urgent) {
            while queues[*queue].waiting.front().is_some_and(|next| longest < next.bytes.len())
                && let Some(long) = queues[*queue].pop()
            {
                while !queues[HEAVY].has_room(&long, self.limits)
                    && let Some(oldest) = queues[HEAVY].pop()
                {
                    displaced.push(oldest);
                }
                queues[HEAVY].push(long);
                has_diverted = true;
            }
        }
        drop(queues);
        if has_diverted {
            self.wake(Lane::Heavy);
        }
        has_diverted
    }

    /// What waits now.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.lock().each_ref().map(|queue| queue.left + queue.waiting.len() as u64))
    }

    /// Moves to `into` what waits in `lane` and did so already when `mark` was taken.
    pub(crate) fn take_until(&self, lane: Lane, mark: &Mark, into: &mut Vec<Payload>) {
        let mut queues = self.lock();
        for queue in queues_of(lane) {
            let (queue, end) = (&mut queues[*queue], mark.0[*queue]);
            while queue.left < end
                && let Some(payload) = queue.pop()
            {
                into.push(payload);
            }
        }
    }

    /// How many messages have left `lane` so far.
    pub(crate) fn left(&self, lane: Lane) -> u64 {
        let queues = self.lock();
        queues_of(lane).iter().map(|queue| queues[*queue].left).sum()
    }

    /// Whether nothing waits in `lane`.
    pub(crate) fn is_empty(&self, lane: Lane) -> bool {
        let queues = self.lock();
        queues_of(lane).iter().all(|queue| queues[*queue].waiting.is_empty())
    }

    fn lock(&self) -> MutexGuard<'_, [Queue; 4]> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn has_room(&self, payload: &Payload, limits: Limits) -> bool {
        self.waiting.len() < limits.messages && self.cost + cost(payload) <= limits.bytes
    }

    fn push(&mut self, payload: Payload) {
        self.cost += cost(&payload);
        self.waiting.push_back(payload);
    }

    fn pop(&mut self) -> Option<Payload> {
        let payload = self.waiting.pop_front()?;
        self.cost -= cost(&payload);
        self.left += 1;
        Some(payload)
    }
}

/// Where what travels in `lane` waits, the most urgent first.
fn queues_of(lane: Lane) -> &'static [usize] {
    match lane {
        Lane::Urgent => &[Class::Control as usize, Class::Gossip as usize],
        Lane::Bulk => &[Class::Bulk as usize],
        Lane::Heavy => &[HEAVY],
    }
}

fn cost(payload: &Payload) -> usize {
    payload.bytes.len() + OVERHEAD
}

/// The place of the queue for what is urgent and too long for packets.
const HEAVY: usize = 3;
/// What a message takes beyond its bytes, so that empty ones are not free.
pub(crate) const OVERHEAD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> Outbox {
        Outbox::new(Limits { messages: 3, bytes: 1000 })
    }

    fn push(outbox: &Outbox, class: Class, text: &'static str) -> Result<u64, Full> {
        outbox.push(class.lane(), Payload::message(class, text))
    }

    fn take(outbox: &Outbox, lane: Lane, bytes: usize, count: usize) -> Vec<String> {
        let mut taken = Vec::new();
        outbox.take(lane, bytes, count, &mut taken);
        taken.iter().map(|payload| String::from_utf8(payload.bytes.to_vec()).unwrap()).collect()
    }

    #[test]
    fn the_oldest_gives_way_unless_it_is_bulk() {
        let outbox = outbox();
        for class in [Class::Control, Class::Gossip, Class::Bulk] {
            for text in ["a", "b", "c"] {
                assert_eq!(push(&outbox, class, text), Ok(0));
            }
        }
        assert_eq!(push(&outbox, Class::Gossip, "d"), Ok(1));
        assert_eq!(push(&outbox, Class::Bulk, "d"), Err(Full));
        assert_eq!(take(&outbox, Lane::Bulk, 9999, 99), ["a", "b", "c"]);
        assert_eq!(take(&outbox, Lane::Urgent, 9999, 99), ["a", "b", "c", "b", "c", "d"]);
        assert!(outbox.is_empty(Lane::Urgent) && outbox.is_empty(Lane::Bulk));
    }

    #[test]
    fn one_is_taken_however_long_it_is() {
        let outbox = outbox();
        let long = Payload::message(Class::Bulk, vec![0; 900]);
        outbox.push(long.class.lane(), long).unwrap();
        assert_eq!(push(&outbox, Class::Bulk, "x"), Err(Full), "bytes are bounded too");
        assert_eq!(take(&outbox, Lane::Bulk, 10, 99).len(), 1);
        push(&outbox, Class::Bulk, "a").unwrap();
        push(&outbox, Class::Bulk, "b").unwrap();
        assert_eq!(take(&outbox, Lane::Bulk, 100, 99), ["a"]);
        assert_eq!(take(&outbox, Lane::Bulk, 999, 0).len(), 0);
    }

    #[test]
    fn a_mark_tells_what_was_there_before() {
        let outbox = outbox();
        for text in ["a", "b", "c"] {
            push(&outbox, Class::Gossip, text).unwrap();
        }
        let mark = outbox.mark();
        push(&outbox, Class::Gossip, "d").unwrap();
        push(&outbox, Class::Control, "e").unwrap();
        let mut before = Vec::new();
        outbox.take_until(Lane::Urgent, &mark, &mut before);
        assert_eq!(before, ["b", "c"].map(|text| Payload::message(Class::Gossip, text)));
        assert_eq!(take(&outbox, Lane::Urgent, 999, 9), ["e", "d"]);
    }

    #[test]
    fn what_is_too_long_for_packets_makes_way() {
        let outbox = outbox();
        for text in ["long one", "a", "long two", "b"] {
            push(&outbox, Class::Gossip, text).ok();
        }
        push(&outbox, Class::Control, "long three").unwrap();
        let mut displaced = Vec::new();
        assert!(outbox.divert(5, &mut displaced));
        assert_eq!(take(&outbox, Lane::Urgent, 1, 1), ["a"]);
        assert!(outbox.divert(5, &mut displaced));
        assert!(!outbox.divert(5, &mut displaced));
        assert_eq!(take(&outbox, Lane::Urgent, 999, 9), ["b"]);
        assert_eq!(take(&outbox, Lane::Heavy, 999, 9), ["long three", "long two"]);
        assert!(displaced.is_empty() && outbox.is_empty(Lane::Heavy));
    }

    #[test]
    fn what_can_never_fit_is_refused_and_costs_nothing_else() {
        let outbox = outbox();
        push(&outbox, Class::Gossip, "a").unwrap();
        let long = Payload::message(Class::Gossip, vec![0; 2000]);
        assert_eq!(outbox.push(long.class.lane(), long), Err(Full));
        assert!(!outbox.is_empty(Lane::Urgent));
    }
}
