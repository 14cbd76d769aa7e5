//! Random courses of fanout topics, beside a simple one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    rig::{Got, Heard, Rig, WINDOW, block, settings},
    simple::{Queued, Simple},
};
use crate::{Policy, Routing, config::Topic as Settings, topic::Most, wire::RefusedWhy};

/// A topic, what should be in it, and who was called.
struct Course {
    rng: StdRng,
    rig: Rig,
    simple: Simple,
    called: BTreeSet<u64>,
    receipts: Vec<(u64, u64, u64, u32)>,
    cut: Vec<u64>,
    refused: u64,
    /// Of each publisher: what it has published, and what it may.
    credits: BTreeMap<u64, (usize, u64)>,
    messages: u64,
}

#[test]
fn every_subscriber_gets_what_a_simple_topic_would_give_it() {
    for seed in 0..1_500 {
        let mut course = Course::new(seed);
        for _ in 0..40 {
            course.step();
            course.check(seed);
        }
        course.finish();
    }
}

impl Course {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let settings = draw_settings(&mut rng);
        let (rig, simple) = (Rig::new(settings.clone()), Simple::new(settings));
        if rng.random_ratio(1, 8) {
            rig.memory.set_limit(2_000);
        }
        Self {
            rng,
            rig,
            simple,
            called: BTreeSet::new(),
            receipts: Vec::new(),
            cut: Vec::new(),
            refused: 0,
            credits: BTreeMap::new(),
            messages: 0,
        }
    }

    fn step(&mut self) {
        let conn = self.rng.random_range(1..5);
        match self.rng.random_range(0..100) {
            0..40 => self.publish(),
            40..65 => self.take(conn),
            65..75 => self.seen(conn),
            75..84 => self.subscribe(conn),
            84..87 => self.unsubscribe(conn),
            87..90 => self.forget(),
            90..96 => self.wake(),
            _ => self.reconfigure(),
        }
        self.hear();
    }

    fn publish(&mut self) {
        let from = self.rng.random_range(7..10);
        let count: u32 = self.rng.random_range(1..8);
        let messages: Vec<_> = (0..count).map(|_| self.message()).collect();
        let receipt = self.rng.random_bool(0.5).then_some(self.messages);
        let sent = block(&messages);
        let largest = messages.iter().map(Bytes::len).max().unwrap_or(0);
        let bytes = sent.bytes().len();
        let expected = if self.simple.settings.max_message_size < largest {
            Err(RefusedWhy::TooLarge)
        } else if self.simple.is_waiting() && WINDOW <= self.simple.parked_bytes(from) {
            Err(RefusedWhy::Overrun)
        } else {
            Ok(())
        };
        self.credits.entry(from).or_insert((0, WINDOW as u64)).0 += bytes;
        let done = self.rig.submit(from, receipt, sent);
        match done {
            Ok(()) => self.simple.publish(self.rig.now, from, receipt, messages),
            Err(_) => self.refused += u64::from(count),
        }
        if done != Err(RefusedWhy::Memory) {
            assert_eq!(done, expected);
        }
    }

    /// Another one each time, of a random length.
    fn message(&mut self) -> Bytes {
        self.messages += 1;
        let len = match self.rng.random_range(0..30) {
            0 => 200,
            _ => self.rng.random_range(0..14),
        };
        let text = format!("{:03}{}", self.messages, "x".repeat(len));
        Bytes::copy_from_slice(&text.as_bytes()[..len])
    }

    fn take(&mut self, conn: u64) {
        let most =
            Most { bytes: self.rng.random_range(1..100), messages: self.rng.random_range(1..20) };
        self.take_most(conn, most);
    }

    fn take_most(&mut self, conn: u64, most: Most) {
        let (got, more) = self.rig.take(conn, most);
        let messages = got.iter().filter(|got| matches!(got, Got::Message(..))).count();
        assert!(messages <= most.messages);
        match self.simple.subscribers.get_mut(&conn) {
            None => assert_eq!((got, more), (vec![], false)),
            Some(queued) => {
                got.iter().for_each(|got| queued.take(got));
                self.simple.settle(self.rig.now);
            }
        }
        if more {
            self.called.insert(conn);
        } else {
            self.called.remove(&conn);
        }
        self.hear();
    }

    fn seen(&mut self, conn: u64) {
        let Some(queued) = self.simple.subscribers.get_mut(&conn) else {
            assert_eq!(self.rig.seen(conn, 1), Err(RefusedWhy::NotSubscribed));
            return;
        };
        let seen = self.rng.random_range(0..=queued.sent.len());
        if let Some(last) = seen.checked_sub(1).and_then(|last| queued.sent.get(last)) {
            self.rig.seen(conn, *last).expect("subscribed");
            queued.sent.drain(..seen);
        }
    }

    fn subscribe(&mut self, conn: u64) {
        let expected = match self.simple.subscribers.contains_key(&conn) {
            true => Err(RefusedWhy::AlreadySubscribed),
            false => Ok(()),
        };
        let window = self.rng.random_range(0..200);
        assert_eq!(self.rig.resume(conn, window, None), expected);
        self.simple.subscribers.entry(conn).or_default();
    }

    fn unsubscribe(&mut self, conn: u64) {
        let expected = match self.simple.subscribers.remove(&conn) {
            Some(_) => Ok(()),
            None => Err(RefusedWhy::NotSubscribed),
        };
        assert_eq!(self.rig.unsubscribe(conn), expected);
        self.simple.settle(self.rig.now);
        self.called.remove(&conn);
    }

    fn forget(&mut self) {
        let conn = self.rng.random_range(1..10);
        self.called.remove(&conn);
        self.credits.remove(&conn);
        self.rig.forget(conn);
        self.simple.forget(self.rig.now, conn);
    }

    fn wake(&mut self) {
        self.rig.later(Duration::from_millis(self.rng.random_range(0..3_000)));
        self.rig.wake();
        self.simple.wake(self.rig.now);
    }

    fn reconfigure(&mut self) {
        let settings = draw_settings(&mut self.rng);
        self.rig.reconfigure(settings.clone());
        self.simple.reconfigure(self.rig.now, settings);
    }

    fn hear(&mut self) {
        for heard in self.rig.said() {
            match heard {
                Heard::Ready(conn) => assert!(self.called.insert(conn), "{conn} is called twice"),
                Heard::Cut(conn) => {
                    self.called.remove(&conn);
                    self.cut.push(conn);
                }
                Heard::Receipt(conn, receipt, first, count, _) => {
                    self.receipts.push((conn, receipt, first, count));
                }
                Heard::Refused(_, RefusedWhy::TooLarge, count) => self.refused += u64::from(count),
                Heard::Credit(conn, through) => {
                    let (sent, granted) = self.credits.get_mut(&conn).expect("published");
                    assert!(*granted < through && through <= (*sent + WINDOW) as u64);
                    *granted = through;
                }
                Heard::Subscribed(_, next) => assert_eq!(next, self.simple.next),
                Heard::Ended(..) => (),
                other => panic!("{other:?}"),
            }
        }
    }

    fn check(&mut self, seed: u64) {
        let (stats, simple) = (self.rig.topic.stats(), &mut self.simple);
        let queued = simple.subscribers.values().flat_map(Queued::messages);
        let bytes: usize = queued.map(|(_, message)| message.len()).sum();
        let messages: usize =
            simple.subscribers.values().map(|queued| queued.messages().count()).sum();
        assert_eq!((stats.queued.messages, stats.queued.bytes), (messages as u64, bytes as u64));
        assert_eq!((stats.next, stats.blocked), (simple.next, simple.is_waiting()), "{seed}");
        assert_eq!(stats.subscribers, simple.subscribers.len());
        assert_eq!(stats.dropped.oldest + stats.dropped.newest, simple.dropped);
        for (conn, queued) in &simple.subscribers {
            let waits_for_seen = !queued.sent.is_empty();
            let is_called = self.called.contains(conn);
            assert!(queued.is_empty() || is_called || waits_for_seen, "{conn} is not called");
        }
        self.receipts.sort_unstable();
        simple.receipts.sort_unstable();
        assert_eq!(self.receipts, simple.receipts);
        self.cut.sort_unstable();
        simple.cut.sort_unstable();
        assert_eq!(self.cut, simple.cut);
        let deadline = self.rig.topic.deadline();
        assert!(simple.deadline().is_none_or(|due| deadline.is_some_and(|at| at <= due)));
        for (sent, granted) in self.credits.values() {
            let owed = stats.parked.messages == 0 && *granted <= *sent as u64;
            assert!(!owed, "no credit is granted");
        }
    }

    /// Lets everybody take and see everything.
    fn finish(mut self) {
        self.rig.topic.stop_accepting();
        for _ in 0..1_000 {
            for conn in 1..5 {
                self.take_most(conn, Most { bytes: 1 << 20, messages: 1 << 20 });
                if let Some(queued) = self.simple.subscribers.get_mut(&conn)
                    && let Some(last) = std::mem::take(&mut queued.sent).pop_back()
                {
                    self.rig.seen(conn, last).expect("subscribed");
                    self.hear();
                }
            }
            if self.rig.topic.is_drained() {
                break;
            }
        }
        let stats = self.rig.topic.stats();
        assert!(self.rig.topic.is_drained(), "{stats:?} {:?}", self.rig.topic.left());
        assert!(self.simple.subscribers.values().all(Queued::is_empty));
        assert_eq!((self.rig.memory.used(), stats.queued.messages), (0, 0));
        assert_eq!(stats.refused.values().sum::<u64>(), self.refused);
        assert_eq!(self.rig.topic.left(), []);
    }
}

fn draw_settings(rng: &mut StdRng) -> Settings {
    let policies = [Policy::Block, Policy::Disconnect, Policy::DropNewest, Policy::DropOldest];
    let policy = policies[rng.random_range(0..policies.len())];
    let max_bytes = rng.random_range(220..500);
    let limits = settings(Routing::Fanout, policy, rng.random_range(1..25));
    let max_message_size = if rng.random_bool(0.8) { 220 } else { 100 };
    let max_bytes = if rng.random_bool(0.5) { max_bytes } else { 60.max(max_message_size) };
    Settings { max_bytes, max_message_size, ..limits }
}
