//! What was sent and what arrived, and what must hold about both.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rumormill_endpoint::{Class, Message, Report, RequestError, SendError};
use rumormill_transport_conformance::Tally;
use rumormill_transport_mem::EventKind;
use tokio::time::Instant;

/// One node between one start and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Life {
    pub(crate) node: u8,
    pub(crate) start: u8,
}

/// What every message says: who has sent it to whom, and its number among those.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Label {
    pub(crate) from: Life,
    pub(crate) to: u8,
    pub(crate) class: Class,
    pub(crate) number: u8,
}

/// What is known to all tasks of a course.
#[derive(Clone)]
pub(crate) struct Facts(Arc<Mutex<Inner>>);

struct Inner {
    began: Instant,
    /// Whether the log is printed as it grows.
    is_shown: bool,
    log: Vec<String>,
    sent: BTreeSet<Label>,
    arrived: BTreeSet<Label>,
    /// The last number that came from one life to another, in one class, by one stream.
    order: BTreeMap<(Life, Life, Class, String), u8>,
    /// Messages that an endpoint took, and that it handed over, by class.
    taken: BTreeMap<Life, [u64; 3]>,
    handed: BTreeMap<Life, [u64; 3]>,
    /// What all endpoints that have ended accounted for, and what came of it, by class.
    left: [u64; 3],
    coverage: Coverage,
}

/// How often which thing happened: a test of faults is worth nothing if there are none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Coverage {
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    pub(crate) arrived: u64,
    pub(crate) answered: u64,
    pub(crate) unreachable: u64,
    pub(crate) uncertain: u64,
    pub(crate) forgotten: u64,
    pub(crate) partitions: u64,
    pub(crate) closes: u64,
    pub(crate) vanished: u64,
    pub(crate) unsent: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) delayed: u64,
    pub(crate) cut: u64,
    pub(crate) retries: u64,
    pub(crate) rejected: u64,
    pub(crate) in_doubt: u64,
}

impl Label {
    pub(crate) fn bytes(self) -> Vec<u8> {
        vec![self.from.node, self.from.start, self.to, self.class as u8, self.number]
    }

    pub(crate) fn read(bytes: &[u8]) -> Self {
        let [node, start, to, class, number] = *bytes else { panic!("nobody sent {bytes:?}") };
        let class = [Class::Control, Class::Gossip, Class::Bulk][usize::from(class)];
        Self { from: Life { node, start }, to, class, number }
    }
}

impl Facts {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            began: Instant::now(),
            is_shown: env::var_os("SEED").is_some(),
            log: Vec::new(),
            sent: BTreeSet::new(),
            arrived: BTreeSet::new(),
            order: BTreeMap::new(),
            taken: BTreeMap::new(),
            handed: BTreeMap::new(),
            left: [0; 3],
            coverage: Coverage::default(),
        })))
    }

    pub(crate) fn note(&self, what: impl AsRef<str>) {
        let mut inner = self.lock();
        let line = format!("{:?} {}", inner.began.elapsed(), what.as_ref());
        if inner.is_shown {
            eprintln!("{line}");
        }
        inner.log.push(line);
    }

    pub(crate) fn answered(&self) -> u64 {
        self.lock().coverage.answered
    }

    pub(crate) fn count(&self, count: impl FnOnce(&mut Coverage)) {
        count(&mut self.lock().coverage);
    }

    /// A message or question is about to be sent.
    pub(crate) fn will_send(&self, label: Label) {
        assert!(self.lock().sent.insert(label), "labels are unique");
    }

    pub(crate) fn was_sent(&self, by: Life, class: Class, outcome: Result<(), SendError>) {
        let mut inner = self.lock();
        match outcome {
            Ok(()) => {
                inner.coverage.sent += 1;
                inner.taken.entry(by).or_default()[class as usize] += 1;
            }
            Err(SendError::UnknownPeer | SendError::Closed) => inner.coverage.refused += 1,
            Err(other) => panic!("{other}"),
        }
    }

    /// A message came out of an inbox.
    pub(crate) fn arrived(&self, at: Life, class: Class, message: &Message, is_stream: bool) {
        let label = Label::read(&message.bytes);
        self.note(format!("{at:?} got {label:?} via {}", message.via));
        let mut inner = self.lock();
        inner.coverage.arrived += 1;
        inner.handed.entry(at).or_default()[class as usize] += 1;
        assert_eq!((label.to, label.class), (at.node, class), "{label:?} came to {at:?}");
        assert!(inner.sent.contains(&label), "{label:?} was not sent");
        assert!(inner.arrived.insert(label), "{label:?} came twice");
        let via = message.via.to_string();
        if is_stream {
            let before = inner.order.insert((at, label.from, class, via), label.number);
            assert!(before < Some(label.number), "{label:?} came after {before:?}");
        }
    }

    /// A question that was asked at `since` has its outcome.
    pub(crate) fn was_asked(
        &self,
        question: Label,
        since: Instant,
        deadline: Duration,
        outcome: Result<&[u8], RequestError>,
    ) {
        self.note(format!("{question:?}: {outcome:?}"));
        // Timers tick in milliseconds.
        assert!(since.elapsed() <= deadline + Duration::from_millis(2), "{question:?} is late");
        let mut inner = self.lock();
        match outcome {
            Ok(answer) => {
                inner.coverage.answered += 1;
                assert_eq!(*answer, question.bytes(), "the answer to another question");
                assert!(inner.arrived.contains(&question));
            }
            Err(RequestError::Unreachable) => {
                inner.coverage.unreachable += 1;
                assert!(!inner.arrived.contains(&question), "{question:?} did leave");
            }
            Err(RequestError::Uncertain) => inner.coverage.uncertain += 1,
            Err(RequestError::NotSent(_)) => (),
        }
    }

    /// An endpoint has ended: its ledger has to agree with what was seen.
    pub(crate) fn ended(&self, life: Life, report: &Report) {
        let mut inner = self.lock();
        let (taken, handed) = (inner.taken.get(&life), inner.handed.get(&life));
        let taken = taken.copied().unwrap_or_default();
        let handed = handed.copied().unwrap_or_default();
        for class in [Class::Control, Class::Gossip, Class::Bulk] {
            let (at, snapshot) = (class as usize, report.snapshot.class(class));
            let dropped: u64 = snapshot.dropped.iter().map(|(_, count)| count).sum();
            let gone = snapshot.carried + snapshot.uncertain + dropped;
            assert_eq!(snapshot.sent, taken[at], "{life:?} {class:?} taken: {snapshot:?}");
            assert_eq!(snapshot.sent, gone, "{life:?} {class:?} balance: {snapshot:?}");
            assert_eq!(snapshot.delivered, handed[at], "{life:?} {class:?}: {snapshot:?}");
            inner.left[at] += snapshot.carried + snapshot.uncertain;
            inner.coverage.in_doubt += snapshot.uncertain;
        }
        inner.coverage.unsent += report.unsent;
        inner.coverage.retries += report.snapshot.links.retries;
        inner.coverage.rejected += report.snapshot.rejected.iter().map(|(_, n)| n).sum::<u64>();
    }

    pub(crate) fn suffered(&self, tally: Tally) {
        self.lock().coverage.cut += tally.cut;
    }

    /// Everything is over. Unless somebody `vanished` with its ledger, no more arrived than left.
    pub(crate) fn finish(self, events: Vec<rumormill_transport_mem::Event>) -> super::Course {
        let mut inner = self.lock();
        if inner.coverage.vanished == 0 {
            let arrived: u64 = inner.handed.values().flatten().sum();
            let left: u64 = inner.left.iter().sum();
            assert!(arrived <= left, "{arrived} arrived, and {left} left");
        }
        for event in events {
            let coverage = &mut inner.coverage;
            match event.kind {
                EventKind::Lost { .. } => coverage.lost += 1,
                EventKind::Duplicated { .. } => coverage.duplicated += 1,
                EventKind::Delayed { .. } => coverage.delayed += 1,
                _ => (),
            }
            inner.log.push(format!("{event:?}"));
        }
        super::Course { log: std::mem::take(&mut inner.log), coverage: inner.coverage }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nobody panicked")
    }
}

impl Coverage {
    fn numbers(&mut self) -> [(&'static str, &mut u64); 18] {
        [
            ("sent", &mut self.sent),
            ("refused", &mut self.refused),
            ("arrived", &mut self.arrived),
            ("answered", &mut self.answered),
            ("unreachable", &mut self.unreachable),
            ("uncertain", &mut self.uncertain),
            ("forgotten", &mut self.forgotten),
            ("partitions", &mut self.partitions),
            ("closes", &mut self.closes),
            ("vanished", &mut self.vanished),
            ("unsent", &mut self.unsent),
            ("lost", &mut self.lost),
            ("duplicated", &mut self.duplicated),
            ("delayed", &mut self.delayed),
            ("cut", &mut self.cut),
            ("retries", &mut self.retries),
            ("rejected", &mut self.rejected),
            ("in doubt", &mut self.in_doubt),
        ]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let mut other = *other;
        for ((_, mine), (_, theirs)) in self.numbers().into_iter().zip(other.numbers()) {
            *mine += *theirs;
        }
    }

    /// Fails if anything that was to be tested did not happen often.
    pub(crate) fn check(mut self) {
        eprintln!("{self:?}");
        for (what, count) in self.numbers() {
            assert!(100 <= *count, "{what} happened only {count} times");
        }
    }
}
