//! The reading half of a conn: what a client asks for.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{AnyReader, Info, Reader};
use tokio::{
    task::yield_now,
    time::{Instant, sleep_until},
};

use super::{
    Hub,
    conn::Conn,
    errands::Errands,
    session::{Ending, ending_after, ending_of},
    slot::{Slot, State},
};
use crate::{
    CutReason, Stats, TopicName,
    topic::Output,
    wire::{Answer, Deliver, LENGTH, Publish, RefusedWhy, Request, Subscribe},
};

/// The reading half of a conn.
pub(crate) struct Reading<'a> {
    hub: &'a Arc<Hub>,
    conn: &'a Arc<Conn>,
    errands: Errands,
    idle: Duration,
    /// The longest frame that the carrier takes.
    longest: usize,
    /// The longest frame that the broker takes.
    longest_frame: usize,
    /// The topic that was asked about last.
    last: Option<Arc<Slot>>,
    /// Whether the conn may publish to a topic, by its number, as of a version of it.
    may_publish: Option<((u64, u32), bool)>,
    blocks: u32,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(hub: &'a Arc<Hub>, conn: &'a Arc<Conn>, info: &Info, idle: Duration) -> Self {
        let (errands, longest) = (Errands::of(hub), info.caps.max_message);
        let longest_frame = Hub::longest_frame(&hub.limits());
        Self {
            hub,
            conn,
            errands,
            idle,
            longest,
            longest_frame,
            last: None,
            may_publish: None,
            blocks: 0,
        }
    }

    /// Does what the client asks for until it ends or breaks the rules. `arrived` came with its
    /// greeting.
    pub(crate) async fn run(&mut self, reader: &mut AnyReader, mut arrived: Vec<Bytes>) -> Ending {
        let (mut heard, mut end, mut done) = (Instant::now(), None, 0);
        let mut silence = pin!(sleep_until(heard + self.idle));
        loop {
            let capacity = self.hub.limits().channel_capacity;
            for frame in arrived.drain(..) {
                // Whoever is to be closed is not served on: its answers would put the end off.
                if self.conn.outbox.is_closing() {
                    continue;
                }
                done += PLAIN + frame.len();
                if let Err(ending) = self.request(&frame) {
                    return ending;
                }
                if !self.conn.outbox.has_room(capacity) {
                    self.errands.run();
                    self.conn.outbox.room(capacity).await;
                    heard = Instant::now();
                }
            }
            self.errands.run();
            if let Some(ending) = end {
                return ending;
            }
            if MOST <= done {
                done = 0;
                yield_now().await;
            }
            tokio::select! {
                biased;
                // Cancel-safe: what has arrived stays in the reader or is in `arrived`.
                received = reader.recv(&mut arrived) => {
                    heard = Instant::now();
                    self.conn.heard(heard);
                    end = received.err().map(|error| ending_after(&error));
                }
                () = &mut silence => {
                    let due = heard + self.idle;
                    if due <= Instant::now() {
                        return Ending::Cut(CutReason::Idle);
                    }
                    silence.as_mut().reset(due);
                    // A conn that waits for long holds no memory.
                    arrived = Vec::new();
                }
            }
        }
    }

    fn request(&mut self, frame: &Bytes) -> Result<(), Ending> {
        let request = match Request::decode(frame) {
            Ok(request) => request,
            Err(error) => return Err(self.breaks(RefusedWhy::Malformed, &error.to_string())),
        };
        let id = self.conn.id;
        match request {
            Request::Hello(_) | Request::Prove { .. } => {
                return Err(self.breaks(RefusedWhy::Unexpected, "the greeting is over"));
            }
            Request::Publish(publish) => self.publish(publish, frame.len()),
            Request::Subscribe(subscribe) => self.subscribe(&subscribe),
            Request::Unsubscribe { topic } => self.unsubscribe(topic),
            Request::Seen { topic, through } => {
                let seen = |_: &_, state: &mut State, now, out: &mut _| {
                    state.topic.seen(now, id, through, out)
                };
                self.confirm(topic, seen);
            }
            Request::Settle { topic, verdict, runs } => {
                let settled = |_: &_, state: &mut State, now, out: &mut _| {
                    state.topic.settle(now, id, verdict, &runs, out)
                };
                self.confirm(topic, settled);
            }
            Request::Ping { token } => {
                self.errands.tell(self.conn, Answer::Pong { token }.encode());
            }
        }
        Ok(())
    }

    fn publish(&mut self, publish: Publish<'_>, len: usize) {
        let Publish { topic, receipt, block } = publish;
        let (messages, bytes) = (block.count(), block.bytes().len());
        let (conn, longest_frame, mut known) = (self.conn, self.longest_frame, self.may_publish);
        self.blocks = self.blocks.wrapping_add(1);
        let since = self.blocks.is_multiple_of(Stats::SAMPLED).then(Instant::now);
        let published = self.with(topic, |slot, state, now, out| {
            let at = (slot.number, state.version);
            let may = match known {
                Some((known, may)) if known == at => may,
                _ => state.publish.admits(conn.proofs()),
            };
            known = Some((at, may));
            let why = match may {
                true if len <= longest_frame => {
                    return state.topic.publish(now, conn.id, receipt, block, out);
                }
                true => RefusedWhy::TooLarge,
                false => RefusedWhy::NotAllowed,
            };
            state.topic.refuse(conn.id, why, &block, out);
            Err(why)
        });
        self.may_publish = known;
        if let Some(since) = since {
            self.hub.tally.routed(since.elapsed());
        }
        if let Err(why) = published {
            self.refuse(why, topic, receipt, messages);
            if matches!(why, RefusedWhy::UnknownTopic | RefusedWhy::BadName) {
                self.grant(topic, bytes);
            }
        }
    }

    /// Grants more of what is refused in any case, so that the client comes to learn that it is.
    fn grant(&mut self, topic: &str, bytes: usize) {
        let window = Hub::window(&self.hub.limits());
        if let Some(through) = self.conn.strays(topic, bytes, window) {
            self.errands.tell(self.conn, Answer::Credit { topic, through }.encode());
        }
    }

    fn subscribe(&mut self, subscribe: &Subscribe<'_>) {
        let Subscribe { topic, window, resume } = *subscribe;
        let (conn, longest) = (self.conn, self.longest);
        let most = self.hub.limits().max_subscriptions;
        self.ask(topic, |slot, state, now, out| {
            if !state.subscribe.admits(conn.proofs()) {
                return Err(RefusedWhy::NotAllowed);
            }
            // Some message might not fit into a frame that the carrier takes.
            if longest < Deliver::head_len(topic) + LENGTH + state.max_message {
                return Err(RefusedWhy::TooLarge);
            }
            if !conn.is_subscribed(slot) && most <= conn.subscriptions() {
                return Err(RefusedWhy::TooManySubscriptions);
            }
            state.topic.subscribe(now, conn.id, window, resume, out)?;
            conn.set_subscribed(slot, true);
            Ok(())
        });
    }

    fn unsubscribe(&mut self, topic: &str) {
        let conn = self.conn;
        self.ask(topic, |slot, state, now, out| {
            state.topic.unsubscribe(now, conn.id, out)?;
            conn.set_subscribed(slot, false);
            Ok(())
        });
    }

    /// Confirms messages. That the subscription has ended meanwhile is no fault of the client.
    fn confirm(
        &mut self,
        topic: &str,
        work: impl FnOnce(&Arc<Slot>, &mut State, Instant, &mut Vec<Output>) -> Result<(), RefusedWhy>,
    ) {
        match self.with(topic, work) {
            Ok(()) => (),
            Err(RefusedWhy::NotSubscribed | RefusedWhy::UnknownTopic) => {
                self.hub.tally.late_confirmations.add(1);
            }
            Err(why) => self.refuse(why, topic, None, 0),
        }
    }

    /// Does something with a topic, and tells the client if that is refused.
    fn ask(
        &mut self,
        topic: &str,
        work: impl FnOnce(&Arc<Slot>, &mut State, Instant, &mut Vec<Output>) -> Result<(), RefusedWhy>,
    ) {
        if let Err(why) = self.with(topic, work) {
            self.refuse(why, topic, None, 0);
        }
    }

    fn with(
        &mut self,
        topic: &str,
        work: impl FnOnce(&Arc<Slot>, &mut State, Instant, &mut Vec<Output>) -> Result<(), RefusedWhy>,
    ) -> Result<(), RefusedWhy> {
        let mut work = Some(work);
        loop {
            let slot = self.find(topic)?;
            let done = self.errands.with(&slot, |state, now, out| {
                work.take().map_or(Ok(()), |work| work(&slot, state, now, out))
            });
            if let Some(done) = done {
                return done;
            }
            // It was removed; perhaps there is another one of its name.
            self.conn.forgets(&slot, 0);
            self.last = None;
        }
    }

    /// The topic of this name, which will know of the conn.
    fn find(&mut self, name: &str) -> Result<Arc<Slot>, RefusedWhy> {
        if let Some(last) = &self.last
            && last.name.as_str() == name
        {
            return Ok(last.clone());
        }
        let slot = match self.conn.met(name) {
            Some(slot) => slot,
            None => {
                let slot = self.hub.slot(name).ok_or_else(|| unknown(name))?;
                if !slot.is_live() {
                    return Err(match self.hub.is_stopping() {
                        true => RefusedWhy::Stopping,
                        false => RefusedWhy::UnknownTopic,
                    });
                }
                let (id, before) = (self.conn.id, self.conn.meets(&slot));
                if before != 0 {
                    self.errands.with(&slot, |state, _, out| state.topic.adopt(id, before, out));
                }
                slot
            }
        };
        self.last = Some(slot.clone());
        Ok(slot)
    }

    fn refuse(&mut self, why: RefusedWhy, topic: &str, receipt: Option<u64>, messages: u32) {
        let text = why.to_string().into();
        let refused = Answer::Refused { why, topic, receipt, messages, text };
        self.errands.tell(self.conn, refused.encode());
    }

    /// The client has broken the rules: it is told so, and the conn ends.
    fn breaks(&mut self, why: RefusedWhy, text: &str) -> Ending {
        let text = text.into();
        let refused = Answer::Refused { why, topic: "", receipt: None, messages: 0, text };
        self.errands.tell(self.conn, refused.encode());
        ending_of(why)
    }
}

/// Why there is no topic of this name.
fn unknown(name: &str) -> RefusedWhy {
    match name.parse::<TopicName>() {
        Ok(_) => RefusedWhy::UnknownTopic,
        Err(_) => RefusedWhy::BadName,
    }
}

/// What a frame takes beyond its bytes, in bytes.
const PLAIN: usize = 512;
/// Bytes that are routed until others have their turn.
const MOST: usize = 256 << 10;
