//! Random courses of queues, beside a note of where every message is.

use std::{collections::BTreeMap, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::time::Instant;

use super::rig::{ALL, Got, Heard, Rig, settings, some};
use crate::{
    Policy, Routing,
    config::Topic as Settings,
    topic::Most,
    wire::{RefusedWhy, Verdict},
};

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Somewhere in the topic, delivered so often.
    Waits(u8),
    /// With a taker until then, delivered so often before.
    With(u64, Instant, u8),
    /// Settled or given up.
    Gone,
}

struct Course {
    rng: StdRng,
    rig: Rig,
    settings: Settings,
    messages: BTreeMap<u64, Place>,
    takers: Vec<u64>,
    called: Vec<u64>,
    settled: u64,
    given_up: u64,
    dead: u64,
    refused: u64,
}

#[test]
fn every_message_of_a_queue_is_somewhere() {
    for seed in 0..700 {
        let mut course = Course::new(seed);
        for _ in 0..60 {
            course.step();
            course.check();
        }
        course.finish();
    }
}

impl Course {
    fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let settings = draw_settings(&mut rng);
        Self {
            rng,
            rig: Rig::new(settings.clone()),
            settings,
            messages: BTreeMap::new(),
            takers: Vec::new(),
            called: Vec::new(),
            settled: 0,
            given_up: 0,
            dead: 0,
            refused: 0,
        }
    }

    fn step(&mut self) {
        let conn = self.rng.random_range(1..5);
        match self.rng.random_range(0..100) {
            0..35 => self.publish(),
            35..60 => self.take(conn),
            60..80 => self.settle(conn),
            80..86 => self.subscribe(conn),
            86..91 => self.leave(conn),
            91..96 => self.wake(),
            _ => self.reconfigure(),
        }
        self.hear();
    }

    fn publish(&mut self) {
        let (from, count) = (self.rng.random_range(7..9), self.rng.random_range(1..12));
        match self.rig.publish(from, some(count)) {
            Ok(()) => (),
            Err(RefusedWhy::Full) => {
                let all = self.rig.topic.stats().queued.messages as usize;
                assert!(
                    self.settings.policy != Policy::Block
                        && self.settings.max_messages < all + count
                );
                self.refused += count as u64;
            }
            Err(why) => panic!("{why}"),
        }
        self.number();
    }

    /// Notes the messages that have got a number.
    fn number(&mut self) {
        let known = self.messages.last_key_value().map_or(1, |(seq, _)| seq + 1);
        let next = self.rig.topic.stats().next;
        self.messages.extend((known..next).map(|seq| (seq, Place::Waits(0))));
    }

    fn take(&mut self, conn: u64) {
        let bytes = self.rng.random_range(1..60);
        let messages = self.rng.random_range(1..12);
        self.take_most(conn, Most { bytes, messages });
    }

    fn take_most(&mut self, conn: u64, most: Most) -> bool {
        let (got, more) = self.rig.take(conn, most);
        let (until, mut again) = (self.rig.now + self.settings.ack_timeout, 0);
        for got in &got {
            match got {
                Got::Again(_, times) => again = *times,
                Got::Message(seq, _) => {
                    let before = self.messages.insert(*seq, Place::With(conn, until, again));
                    assert_eq!(before, Some(Place::Waits(again)), "{seq}");
                    again = 0;
                }
                Got::Gap(..) => panic!("a queue has no gaps"),
            }
        }
        assert!(got.is_empty() || self.takers.contains(&conn));
        self.called.retain(|called| *called != conn);
        if more {
            self.called.push(conn);
        }
        self.number();
        !got.is_empty()
    }

    fn settle(&mut self, conn: u64) {
        let last = self.rig.topic.stats().next;
        let runs: Vec<_> = (0..self.rng.random_range(1..6))
            .map(|_| (self.rng.random_range(0..last), self.rng.random_range(0..12)))
            .collect();
        let verdict = if self.rng.random_bool(0.7) { Verdict::Done } else { Verdict::GiveBack };
        let done = self.rig.settle(conn, verdict, &runs);
        assert_eq!(done.is_ok(), self.takers.contains(&conn));
        for (first, count) in runs {
            for seq in first..first + u64::from(count) {
                match self.messages.get(&seq).copied() {
                    Some(Place::With(taker, _, times)) if taker == conn => match verdict {
                        Verdict::Done => {
                            self.messages.insert(seq, Place::Gone);
                            self.settled += 1;
                        }
                        Verdict::GiveBack => self.back(seq, times),
                    },
                    _ => (),
                }
            }
        }
        self.number();
    }

    /// A message comes back to the queue, or is given up.
    fn back(&mut self, seq: u64, times: u8) {
        let place = if times + 1 < self.settings.max_deliveries {
            Place::Waits(times + 1)
        } else if self.settings.dead_letter.is_some() {
            self.dead += 1;
            Place::Gone
        } else {
            self.given_up += 1;
            Place::Gone
        };
        self.messages.insert(seq, place);
    }

    fn subscribe(&mut self, conn: u64) {
        let window = self.rng.random_range(0..120);
        match self.rig.resume(conn, window, None) {
            Ok(()) => self.takers.push(conn),
            Err(why) => assert_eq!(why, RefusedWhy::AlreadySubscribed),
        }
    }

    fn leave(&mut self, conn: u64) {
        self.called.retain(|called| *called != conn);
        if self.rng.random_bool(0.5) {
            self.rig.forget(conn);
        } else {
            assert_eq!(self.rig.unsubscribe(conn).is_ok(), self.takers.contains(&conn));
        }
        self.takers.retain(|taker| *taker != conn);
        self.come_back(|taker, _| taker == conn);
    }

    /// What takers have comes back, of those and at those times.
    fn come_back(&mut self, which: impl Fn(u64, Instant) -> bool) {
        let back: Vec<_> = self
            .messages
            .iter()
            .filter_map(|(seq, place)| match place {
                Place::With(taker, until, times) if which(*taker, *until) => Some((*seq, *times)),
                _ => None,
            })
            .collect();
        back.into_iter().for_each(|(seq, times)| self.back(seq, times));
        self.number();
    }

    fn wake(&mut self) {
        self.rig.later(Duration::from_millis(self.rng.random_range(0..20_000)));
        self.rig.wake();
        let now = self.rig.now;
        self.come_back(|_, until| until <= now);
    }

    fn reconfigure(&mut self) {
        self.settings = draw_settings(&mut self.rng);
        self.rig.reconfigure(self.settings.clone());
        self.number();
    }

    fn hear(&mut self) {
        for heard in self.rig.said() {
            match heard {
                Heard::Ready(conn) => {
                    assert!(!self.called.contains(&conn), "{conn} is called twice");
                    self.called.push(conn);
                }
                Heard::Refused(_, RefusedWhy::Full, count) => self.refused += u64::from(count),
                Heard::DeadLetter(messages) => assert!(!messages.is_empty()),
                Heard::Subscribed(..) | Heard::Ended(..) | Heard::Credit(..) => (),
                other => panic!("{other:?}"),
            }
        }
    }

    fn check(&self) {
        let stats = self.rig.topic.stats();
        let in_it = self.messages.values().filter(|place| **place != Place::Gone).count() as u64;
        assert_eq!(in_it - stats.dropped.oldest, stats.queued.messages);
        assert_eq!(stats.confirmed, self.settled);
        assert_eq!((stats.given_up, stats.dead_lettered), (self.given_up, self.dead));
        assert_eq!(stats.refused.values().sum::<u64>(), self.refused);
        let with = |place: &Place| matches!(place, Place::With(..));
        let until = |place: &Place| match place {
            Place::With(_, until, _) => Some(*until),
            _ => None,
        };
        let pinned = self.messages.values().filter(|place| with(place)).count();
        assert!(pinned as u64 <= stats.queued.messages);
        assert_eq!(self.rig.topic.deadline(), self.messages.values().filter_map(until).min());
    }

    /// Somebody takes and settles all of it.
    fn finish(mut self) {
        (1..5).for_each(|conn| self.leave(conn));
        self.subscribe(6);
        self.hear();
        while self.take_most(6, ALL) {
            self.hear();
            self.rig.done(6, &[(0, u32::MAX)]);
            for place in self.messages.values_mut().filter(|it| matches!(it, Place::With(..))) {
                *place = Place::Gone;
                self.settled += 1;
            }
            self.number();
        }
        self.hear();
        let stats = self.rig.topic.stats();
        let lost = self.messages.values().filter(|place| **place != Place::Gone).count();
        assert_eq!(lost as u64, stats.dropped.oldest, "{stats:?}");
        assert!(self.rig.topic.is_drained(), "{:?}", self.rig.topic.left());
        assert_eq!(self.rig.memory.used(), 0);
    }
}

fn draw_settings(rng: &mut StdRng) -> Settings {
    let policies = [Policy::Block, Policy::Disconnect, Policy::DropNewest, Policy::DropOldest];
    let policy = policies[rng.random_range(0..policies.len())];
    let dead_letter = rng.random_bool(0.5).then(|| "dead".parse().expect("name"));
    let limits = settings(Routing::Queue, policy, rng.random_range(3..40));
    Settings { dead_letter, max_deliveries: rng.random_range(1..5), ..limits }
}
