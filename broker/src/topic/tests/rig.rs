//! A topic whose surroundings a test plays.

use std::time::Duration;

use bytes::Bytes;
use rumormill_transport_api::Batch;
use tokio::time::Instant;

use crate::{
    Policy, Routing, TopicName,
    config::Topic as Settings,
    memory::Memory,
    topic::{ConnId, Most, Output, Topic},
    wire::{
        Answer, Block, Blocks, Deliver, EndReason, GapReason, RefusedWhy, Resume, Subscribed,
        Verdict,
    },
};

/// A topic, its clock, and what it said that nobody has looked at yet.
pub(super) struct Rig {
    pub(super) topic: Topic,
    pub(super) memory: Memory,
    pub(super) now: Instant,
    pub(super) heard: Vec<Heard>,
}

/// What a topic says, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Ready(u64),
    Cut(u64),
    DeadLetter(Vec<Bytes>),
    /// The number, the first, the count, and how many it went to.
    Receipt(u64, u64, u64, u32, u32),
    Credit(u64, u64),
    Ended(u64, EndReason),
    Gap(u64, u64, u64, GapReason),
    Refused(u64, RefusedWhy, u32),
    /// The number of the next message.
    Subscribed(u64, u64),
}

/// What a subscriber gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Got {
    Message(u64, Bytes),
    Again(u64, u8),
    Gap(u64, u64),
}

pub(super) const ALL: Most = Most { bytes: 1 << 20, messages: 1_000_000 };
pub(super) const WINDOW: usize = 1_000;
pub(super) const EPOCH: u64 = 7;

pub(super) fn settings(routing: Routing, policy: Policy, messages: usize) -> Settings {
    let dead_letter = None;
    Settings { routing, policy, max_messages: messages, dead_letter, ..Settings::default() }
}

pub(super) fn fanout(policy: Policy, messages: usize) -> Rig {
    Rig::new(settings(Routing::Fanout, policy, messages))
}

pub(super) fn queue(policy: Policy, messages: usize) -> Rig {
    Rig::new(settings(Routing::Queue, policy, messages))
}

pub(super) fn block<M: AsRef<[u8]>>(messages: impl IntoIterator<Item = M>) -> Block {
    let mut blocks = Blocks::default();
    messages.into_iter().for_each(|message| blocks.push(message.as_ref()));
    blocks.take()
}

/// `count` messages of a byte.
pub(super) fn some(count: usize) -> Block {
    block(std::iter::repeat_n("x", count))
}

impl Rig {
    pub(super) fn new(settings: Settings) -> Self {
        let (memory, name) = (Memory::new(64 << 20), "t".parse::<TopicName>().expect("name"));
        let topic = Topic::new(name, settings, EPOCH, memory.clone(), WINDOW);
        Self { topic, memory, now: Instant::now(), heard: Vec::new() }
    }

    pub(super) fn later(&mut self, by: Duration) {
        self.now += by;
    }

    fn hear(&mut self, out: Vec<Output>) {
        self.heard.extend(out.into_iter().map(read));
    }

    /// What was said since the last time.
    pub(super) fn said(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }

    pub(super) fn publish(&mut self, from: u64, block: Block) -> Result<(), RefusedWhy> {
        self.submit(from, None, block)
    }

    pub(super) fn submit(
        &mut self,
        from: u64,
        receipt: Option<u64>,
        block: Block,
    ) -> Result<(), RefusedWhy> {
        let mut out = Vec::new();
        let done = self.topic.publish(self.now, ConnId(from), receipt, block, &mut out);
        self.hear(out);
        done
    }

    pub(super) fn subscribe(&mut self, conn: u64) {
        self.resume(conn, 1 << 20, None).expect("subscribed");
    }

    pub(super) fn resume(
        &mut self,
        conn: u64,
        window: u32,
        resume: Option<Resume>,
    ) -> Result<(), RefusedWhy> {
        let mut out = Vec::new();
        let done = self.topic.subscribe(self.now, ConnId(conn), window, resume, &mut out);
        self.hear(out);
        done
    }

    pub(super) fn unsubscribe(&mut self, conn: u64) -> Result<(), RefusedWhy> {
        let mut out = Vec::new();
        let done = self.topic.unsubscribe(self.now, ConnId(conn), &mut out);
        self.hear(out);
        done
    }

    pub(super) fn forget(&mut self, conn: u64) {
        let mut out = Vec::new();
        self.topic.forget(self.now, ConnId(conn), &mut out);
        self.hear(out);
    }

    pub(super) fn seen(&mut self, conn: u64, through: u64) -> Result<(), RefusedWhy> {
        let mut out = Vec::new();
        let done = self.topic.seen(self.now, ConnId(conn), through, &mut out);
        self.hear(out);
        done
    }

    pub(super) fn done(&mut self, conn: u64, runs: &[(u64, u32)]) {
        self.settle(conn, Verdict::Done, runs).expect("subscribed");
    }

    pub(super) fn settle(
        &mut self,
        conn: u64,
        verdict: Verdict,
        runs: &[(u64, u32)],
    ) -> Result<(), RefusedWhy> {
        let mut out = Vec::new();
        let done = self.topic.settle(self.now, ConnId(conn), verdict, runs, &mut out);
        self.hear(out);
        done
    }

    pub(super) fn wake(&mut self) {
        let mut out = Vec::new();
        self.topic.wake(self.now, &mut out);
        self.hear(out);
    }

    pub(super) fn reconfigure(&mut self, settings: Settings) {
        let mut out = Vec::new();
        self.topic.reconfigure(self.now, settings, &mut out);
        self.hear(out);
    }

    pub(super) fn end(&mut self, reason: EndReason) -> Vec<crate::Left> {
        let mut out = Vec::new();
        let left = self.topic.end(reason, &mut out);
        self.hear(out);
        left
    }

    /// What the subscriber may take now, and whether there is more.
    pub(super) fn take(&mut self, conn: u64, most: Most) -> (Vec<Got>, bool) {
        let (mut batch, mut out) = (Batch::default(), Vec::new());
        let more = self.topic.take(self.now, ConnId(conn), most, &mut batch, &mut out);
        self.hear(out);
        (batch.iter().flat_map(|frame| got(&frame.to_bytes())).collect(), more)
    }

    /// The numbers of the messages that the subscriber may take now; a gap is its ends, negative.
    pub(super) fn numbers(&mut self, conn: u64) -> Vec<i64> {
        let (mut got, mut more) = self.take(conn, ALL);
        while more {
            let (further, again) = self.take(conn, ALL);
            got.extend(further);
            more = again;
        }
        let number = |got| match got {
            Got::Message(seq, _) => vec![seq as i64],
            Got::Again(..) => vec![],
            Got::Gap(from, to) => vec![-(from as i64), -(to as i64)],
        };
        got.into_iter().flat_map(number).collect()
    }
}

/// What is in a frame; a message that was delivered before is said to be that first.
pub(super) fn got(frame: &Bytes) -> Vec<Got> {
    match Answer::decode(frame).expect("a good frame") {
        Answer::Deliver(Deliver { first, redelivered, block, .. }) => {
            let seqs = first..;
            let each = seqs.zip(block.iter()).flat_map(|(seq, message)| {
                let again = (0 < redelivered).then_some(Got::Again(seq, redelivered));
                again.into_iter().chain([Got::Message(seq, message)])
            });
            each.collect()
        }
        Answer::Gap { from, to, reason: GapReason::Dropped, .. } => vec![Got::Gap(from, to)],
        other => panic!("unexpected: {other:?}"),
    }
}

fn read(output: Output) -> Heard {
    let (conn, frame) = match output {
        Output::Ready(conn) => return Heard::Ready(conn.0),
        Output::Cut(conn) => return Heard::Cut(conn.0),
        Output::DeadLetter { topic, block } => {
            assert_eq!(topic.as_str(), "dead");
            return Heard::DeadLetter(block.iter().collect());
        }
        Output::Tell(conn, frame) => (conn.0, frame),
    };
    match Answer::decode(&frame).expect("a good frame") {
        Answer::Receipt { receipt, first, count, subscribers } => {
            Heard::Receipt(conn, receipt, first, count, subscribers)
        }
        Answer::Credit { through, .. } => Heard::Credit(conn, through),
        Answer::Ended { reason, .. } => Heard::Ended(conn, reason),
        Answer::Gap { from, to, reason, .. } => Heard::Gap(conn, from, to, reason),
        Answer::Refused { why, messages, .. } => Heard::Refused(conn, why, messages),
        Answer::Subscribed(Subscribed { epoch: EPOCH, next, .. }) => Heard::Subscribed(conn, next),
        other => panic!("unexpected: {other:?}"),
    }
}
