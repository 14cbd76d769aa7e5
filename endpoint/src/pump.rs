//! The sending side of a conn: takes what waits for its peer, seals it, and sends it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rumormill_identity::SIGNATURE;
use rumormill_transport_api::{AnyWriter, Batch, Delivery, Writer};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    carriers::{Broken, Way},
    frame::{HEAD, Kind, Lane, MAX_PAYLOADS, PAYLOAD_HEAD, Payload},
    handle::{CUT, DRAINING, OPEN},
    ledger::Dropped,
    link::{Context, Ending},
    orphans::Orphan,
    track::Lanes,
    trail::{Kept, Next, more_for},
    turn::{Portion, Turn},
};

/// The sending side of a conn.
pub(crate) struct Pump<'a> {
    pub(crate) context: &'a Context<'a>,
    /// In which it says what belongs to none.
    pub(crate) lane: Lane,
    /// The longest frame that both sides take.
    pub(crate) max_frame: usize,
    pub(crate) batch: Batch,
    pub(crate) memory: BytesMut,
    pub(crate) payloads: Vec<Payload>,
    pub(crate) portion: Portion,
}

impl Pump<'_> {
    /// Sends what waits, until the conn is drained, cut, idle, silent or broken.
    pub(crate) async fn run(&mut self, writer: &mut AnyWriter) -> Ending {
        let Context { hub, peer, link, .. } = self.context;
        let (mut turn, is_signed) = (Turn::default(), !self.context.is_proven_by_carrier());
        loop {
            let now = Instant::now();
            let lost = link.trail().overdue(&self.context.patience, now);
            lost.iter().for_each(|kept| hub.lose(peer, kept));
            let next = link.trail().next(&self.context.patience, now);
            if next == Next::Silent {
                return Ending::Broken(Broken::Silent);
            }
            self.gather(next, now);
            if link.state() == CUT {
                return Ending::Ours;
            }
            if !self.batch.is_empty() {
                let bytes = self.batch.bytes();
                if let Err(why) = self.send(writer).await {
                    return Ending::Broken(why);
                }
                turn.works(bytes, is_signed).await;
                continue;
            }
            if next == Next::Again {
                continue;
            }
            // A conn that waits holds no memory.
            (self.memory, self.payloads) = Default::default();
            match link.state() {
                OPEN if self.wait(next).await => (),
                // The peer is told of what has arrived, or it would be sent again.
                OPEN => link.drain(),
                DRAINING => {
                    return match timeout(hub.config.timeouts.write, writer.close()).await {
                        Ok(Ok(())) => Ending::Clean,
                        Ok(Err(_)) => Ending::Broken(Broken::Cut),
                        Err(_) => Ending::Broken(Broken::Silent),
                    };
                }
                _ => return Ending::Ours,
            }
        }
    }

    /// Sends what is gathered. A peer that does not read, but says that it lives, is waited for.
    async fn send(&mut self, writer: &mut AnyWriter) -> Result<(), Broken> {
        let Context { hub, link, carrier, .. } = self.context;
        let (frames, bytes) = (self.batch.len(), self.batch.bytes());
        let patience = hub.config.timeouts.write + more_for(bytes);
        let mut sending = std::pin::pin!(writer.send(&mut self.batch));
        let mut until = Instant::now() + patience;
        let sent = loop {
            match timeout_at(until, &mut sending).await {
                Ok(sent) => break sent,
                Err(_) => match link.trail().told().map(|told| told + patience) {
                    Some(later) if until < later => until = later,
                    _ => return Err(Broken::Silent),
                },
            }
        };
        sent.map_err(|_| Broken::Cut)?;
        carrier.moved(Way::Out, frames, bytes);
        hub.ledger.carried(link.trail().carried());
        Ok(())
    }

    /// Waits for something to do; false if there was nothing for so long that the conn may end.
    async fn wait(&self, next: Next) -> bool {
        let Context { hub, peer, link, .. } = self.context;
        // Whoever waits for a lane that it does not carry takes the news from the conn that does.
        let lanes = self.lanes();
        let ready = |lane| peer.outbox.ready(lane);
        let changed = async {
            tokio::select! {
                biased;
                () = link.changed() => (),
                () = ready(Lane::Urgent), if lanes.has(Lane::Urgent) => (),
                () = ready(Lane::Heavy), if lanes.has(Lane::Heavy) => (),
                () = ready(Lane::Bulk), if lanes.has(Lane::Bulk) => (),
            }
        };
        let idle = link.idle_at(hub.config.idle);
        let until = match next {
            Next::Wait(Some(due)) => idle.min(due),
            _ => idle,
        };
        timeout_at(until, changed).await.is_ok() || Instant::now() < link.idle_at(hub.config.idle)
    }

    /// Fills the batch: what has to be said beside the messages, what other conns have left behind,
    /// and a frame of messages.
    fn gather(&mut self, next: Next, now: Instant) {
        let Context { link, .. } = self.context;
        while let Some(greeting) = link.greeting() {
            self.batch.push(greeting);
        }
        if next == Next::Again {
            link.trail()
                .repeats(&self.context.patience, now)
                .into_iter()
                .for_each(|it| self.batch.push(it));
        }
        self.adopt(now);
        if let Some(lane) = self.fill(now) {
            let is_answer = self.has_room() && self.echo_in(lane);
            let asks = !(is_answer && lane == Lane::Urgent);
            self.seal(lane, asks, now);
        }
        let is_due = {
            let mut heard = link.heard();
            heard.is_due() || (link.state() == DRAINING && heard.hurry())
        };
        let is_probe = next == Next::Probe;
        if is_probe {
            let class = self.lane.classes()[0];
            self.payloads.push(Payload { class, kind: Kind::Probe, bytes: Bytes::new() });
            link.trail().probes(now);
        }
        if is_probe || (is_due && self.echo_in(self.lane)) {
            self.seal(self.lane, is_probe, now);
        }
    }

    /// Adds what the peer does not know to have arrived to a frame of `lane`; tells whether there is
    /// anything.
    fn echo_in(&mut self, lane: Lane) -> bool {
        self.context.link.heard().take(lane.classes()[0], &mut self.payloads)
    }

    fn seal(&mut self, lane: Lane, asks: bool, now: Instant) {
        let Context { hub, session, link, .. } = self.context;
        let sign = (!self.context.is_proven_by_carrier()).then_some(&hub.key);
        let payloads = self.payloads.iter();
        let (counter, frame) = session.sealer.seal_in(&mut self.memory, lane, payloads, sign);
        // A mere echo may get lost.
        if asks || self.payloads.iter().any(Payload::is_message) {
            let kept = Kept::new(lane, counter, frame.clone(), now).with(&self.payloads, asks);
            link.trail().sends(kept);
        }
        self.batch.push(frame);
        self.payloads.clear();
    }

    /// Takes what other conns have left behind.
    fn adopt(&mut self, now: Instant) {
        let Context { hub, peer, link, .. } = self.context;
        let (lanes, mut unopened) = (self.lanes(), Vec::new());
        let mut adopted = 0;
        // The pump is told when it may carry more.
        while adopted < MAX_ADOPTED && !self.is_full() {
            let Some(orphan) = peer.orphans().next(lanes) else { break };
            match self.send_again(orphan, now) {
                Some(orphan) => unopened.push(orphan),
                None => adopted += 1,
            }
        }
        hub.take_back(peer, unopened);
        if adopted == MAX_ADOPTED {
            link.nudge();
        }
    }

    /// Sends a frame that another conn has left behind, or gives it up; one that was never opened
    /// comes back.
    fn send_again(&mut self, orphan: Orphan, now: Instant) -> Option<Orphan> {
        let Context { hub, peer, session, link, .. } = self.context;
        let (lane, counter) = (orphan.kept.lane, orphan.kept.counter);
        if !Arc::ptr_eq(&orphan.session, session) {
            if orphan.is_unopened() {
                return Some(orphan);
            }
            hub.lose(peer, &orphan.kept);
            return None;
        }
        let fits = |frame: &Bytes| frame.len() <= self.max_frame;
        // What is behind newer messages of a stream would break their order.
        let in_order = self.is_lossy() || link.trail().is_before(lane, counter);
        match orphan.kept.frame.clone().filter(|frame| in_order && fits(frame)) {
            Some(frame) => {
                link.trail().sends(orphan.kept.again(now));
                self.batch.push(frame);
            }
            None => hub.lose(peer, &orphan.kept),
        }
        None
    }

    /// Whether a stream has carried as much as can be kept until the peer tells of it.
    fn is_full(&self) -> bool {
        let Context { link, .. } = self.context;
        !self.is_lossy() && link.state() == OPEN && link.trail().is_full()
    }

    /// What it carries now.
    fn lanes(&self) -> Lanes {
        self.context.peer.with_tracks(|tracks| tracks.served_by(self.context.link))
    }

    /// Takes what fits into one frame; tells of which lane.
    fn fill(&mut self, now: Instant) -> Option<Lane> {
        let Context { peer, .. } = self.context;
        if self.is_full() {
            return None;
        }
        let lanes = self.lanes();
        let most = match self.context.info.caps.delivery {
            Delivery::Stream => self.portion.next(peer.outbox.left(Lane::Urgent), now),
            Delivery::Datagram => self.context.info.caps.packet,
        };
        let room = most.min(self.max_frame).saturating_sub(HEAD + SIGNATURE);
        for lane in lanes.iter() {
            // What is newer would come between those.
            if peer.orphans().has(lane) {
                continue;
            }
            while self.payloads.is_empty() {
                if lane == Lane::Urgent && self.is_lossy() && !lanes.has(Lane::Heavy) {
                    self.divert(room.saturating_sub(PAYLOAD_HEAD));
                }
                peer.outbox.take(lane, room, MAX_PAYLOADS - 4, &mut self.payloads);
                if self.payloads.is_empty() {
                    break;
                }
                self.drop_what_is_longer();
            }
            if !self.payloads.is_empty() {
                return Some(lane);
            }
        }
        None
    }

    /// Has what does not fit into a packet travel by a stream.
    fn divert(&self, longest: usize) {
        let Context { hub, peer, .. } = self.context;
        let mut displaced = Vec::new();
        if peer.outbox.divert(longest, &mut displaced) {
            hub.drop_all(peer, &displaced, Dropped::Displaced);
            hub.dial_for(peer, Lane::Heavy);
        }
    }

    fn drop_what_is_longer(&mut self) {
        let Context { hub, peer, .. } = self.context;
        let longest = self.max_frame.saturating_sub(HEAD + PAYLOAD_HEAD + SIGNATURE);
        self.payloads.retain(|payload| {
            let fits = payload.bytes.len() <= longest;
            if !fits {
                hub.drop_payload(peer, payload, Dropped::TooLarge);
            }
            fits
        });
    }

    /// Whether an echo fits behind the messages: not where a single one is too long for a packet.
    fn has_room(&self) -> bool {
        let len = |payload: &Payload| PAYLOAD_HEAD + payload.bytes.len();
        let used: usize = self.payloads.iter().map(len).sum();
        let most = match self.context.info.caps.delivery {
            Delivery::Stream => self.max_frame,
            Delivery::Datagram => self.context.info.caps.packet.min(self.max_frame),
        };
        self.payloads.is_empty() || HEAD + used + ECHOES + SIGNATURE <= most
    }

    fn is_lossy(&self) -> bool {
        self.context.is_lossy()
    }
}

/// Frames of other conns that go into one batch.
const MAX_ADOPTED: usize = 256;
/// Bytes of the echoes of all lanes.
const ECHOES: usize = 3 * (PAYLOAD_HEAD + 17);
