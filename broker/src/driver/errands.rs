//! What is left to do when the locks of topics have been let go.

use std::{mem, sync::Arc};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    Hub,
    conn::Conn,
    outbox::Writer,
    session::Ending,
    slot::{Slot, State},
};
use crate::{ConnId, CutReason, TopicName, topic::Output, wire::Block};

/// What is left to do when the locks of topics have been let go: writers to wake, and messages that
/// were given up. It is done at the latest when this is dropped.
pub(crate) struct Errands {
    hub: Arc<Hub>,
    outputs: Vec<Output>,
    asleep: Vec<Arc<Conn>>,
    dead: Vec<(TopicName, Block)>,
}

impl Errands {
    pub(crate) fn of(hub: &Arc<Hub>) -> Self {
        Self { hub: hub.clone(), outputs: Vec::new(), asleep: Vec::new(), dead: Vec::new() }
    }

    /// Does something with a topic, under its lock, and hands on what it puts out. `None` if the topic
    /// has been removed.
    pub(crate) fn with<T>(
        &mut self,
        slot: &Arc<Slot>,
        work: impl FnOnce(&mut State, Instant, &mut Vec<Output>) -> T,
    ) -> Option<T> {
        let mut state = slot.lock();
        if !slot.is_live() {
            return None;
        }
        let done = work(&mut state, Instant::now(), &mut self.outputs);
        self.hand_on(slot);
        self.hub.watch(slot, &mut state);
        slot.happened();
        Some(done)
    }

    /// Puts an answer into a conn's outbox.
    pub(crate) fn tell(&mut self, conn: &Arc<Conn>, answer: Bytes) {
        let writer = conn.outbox.tell(answer);
        self.note(conn, writer);
    }

    /// Has a conn closed after the answers that wait for it.
    pub(crate) fn close(&mut self, conn: &Arc<Conn>, ending: Ending) {
        let writer = conn.outbox.close(ending);
        self.note(conn, writer);
    }

    /// Wakes whoever has something to write.
    pub(crate) fn run(&mut self) {
        // Each round may give up more, in topics further down the chain of dead letters.
        while !self.dead.is_empty() {
            for (topic, block) in mem::take(&mut self.dead) {
                self.bury(&topic, block);
            }
        }
        self.asleep.drain(..).for_each(|conn| conn.outbox.wake());
    }

    fn bury(&mut self, topic: &TopicName, block: Block) {
        let Some(slot) = self.hub.slot(topic.as_str()) else {
            return self.hub.tally.dead_letters_lost.add(block.count().into());
        };
        let count = block.count();
        let published = self.with(&slot, |state, now, out| {
            state.topic.publish(now, ConnId::BROKER, None, block, out)
        });
        if !matches!(published, Some(Ok(()))) {
            self.hub.tally.dead_letters_lost.add(count.into());
        }
    }

    /// Puts what a topic puts out for conns into their outboxes, while the topic's lock is held.
    fn hand_on(&mut self, slot: &Arc<Slot>) {
        if self.outputs.is_empty() {
            return;
        }
        let Self { hub, outputs, asleep, dead } = self;
        let table = hub.table.look();
        for output in outputs.drain(..) {
            let (id, put): (_, &dyn Fn(&Conn) -> Writer) = match &output {
                Output::Ready(id) => (*id, &|conn| conn.outbox.ready(slot.clone())),
                Output::Tell(id, answer) => (*id, &|conn| conn.outbox.tell(answer.clone())),
                Output::Cut(id) => {
                    (*id, &|conn| conn.outbox.close(Ending::Told(CutReason::Lagging)))
                }
                Output::DeadLetter { topic, block } => {
                    dead.push((topic.clone(), block.clone()));
                    continue;
                }
            };
            if let Some(conn) = table.get(id)
                && put(conn) == Writer::Asleep
            {
                asleep.push(conn.clone());
            }
        }
    }

    fn note(&mut self, conn: &Arc<Conn>, writer: Writer) {
        if writer == Writer::Asleep {
            self.asleep.push(conn.clone());
        }
    }
}

impl Drop for Errands {
    fn drop(&mut self) {
        self.run();
    }
}
