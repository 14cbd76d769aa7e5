//! A conn to a peer that has proven itself, and what goes over it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use rumormill_identity::SIGNATURE;
use rumormill_transport_api::{
    Addr, AnyReader, AnyWriter, Batch, Caps, Delivery, End, Info, NodeId, Proof, Reader, Writer,
};
use tokio::time::timeout;

use crate::{
    carriers::{Carrier, Latency, Opened, Way},
    config::Signing,
    crowd::Place,
    ear::{Ear, Late},
    frame::{Class, Frame, HEAD, Kind, Lane, MAX_PAYLOADS, PAYLOAD_HEAD, Payload},
    handle::{CUT, DRAINING, Link, OPEN},
    hello::{Greeting, Stale},
    hub::Hub,
    inbox::Message,
    ledger::{Dropped, Rejected},
    peer::{Answered, Peer, Session},
    seal::{Refused, Require},
};

/// A conn whose peer has proven itself, and everything that belongs to it.
pub(crate) struct Met {
    pub(crate) peer: Arc<Peer>,
    pub(crate) session: Arc<Session>,
    /// The node that has dialled it.
    pub(crate) dialler: NodeId,
    pub(crate) info: Info,
    pub(crate) reader: AnyReader,
    pub(crate) writer: AnyWriter,
    /// Frames that came right behind the greeting.
    pub(crate) arrived: Vec<Bytes>,
    /// The longest frame that both sides take.
    pub(crate) max_frame: usize,
    pub(crate) late: Option<Late>,
    /// What it takes up of what is accepted, if it was.
    pub(crate) place: Option<Place>,
}

/// Carries messages over `met` until it ends, for `lane`; over datagrams for both.
pub(crate) async fn carry(hub: &Arc<Hub>, link: &Arc<Link>, lane: Lane, met: Met) {
    let Met { peer, session, info, mut reader, mut writer, arrived, max_frame, late, .. } = met;
    let _place = met.place;
    let Some(_counted) = peer.another_conn() else {
        hub.ledger.rejected(Rejected::Crowded);
        return hub.ended(&peer);
    };
    let lanes: &[Lane] = match info.caps.delivery {
        Delivery::Stream => &[lane],
        Delivery::Datagram => &[Lane::Urgent, Lane::Bulk],
    };
    let mut is_wanted = false;
    for lane in lanes {
        is_wanted |= peer.offer(*lane, link);
    }
    match is_wanted {
        true => hub.connected(&peer),
        false => link.give_way(),
    }
    let via = Arc::new(info.remote.clone());
    let carrier = hub.ledger.carriers.carrier(via.scheme());
    let _active = carrier.open(match link.dialler() == hub.us.node {
        true => Opened::Dialled,
        false => Opened::Accepted,
    });
    let context = Context { hub, peer: &peer, session: &session, info: &info, link, via, carrier };
    let pump = Pump { lanes, max_frame, caps: info.caps };
    {
        let ear = Ear::new(&info, late);
        let mut reading = std::pin::pin!(context.read(&mut reader, ear, arrived));
        tokio::select! {
            biased;
            () = link.is_cut() => (),
            () = context.pump(&pump, &mut writer) => {
                // The other side reads what is left, and then ends as well, where there is an end.
                let rest = match info.caps.end {
                    End::None if hub.is_closed() || !link.has_given_way() => Duration::ZERO,
                    End::None => LINGER,
                    End::Half | End::Whole => hub.config.timeouts.read,
                };
                tokio::select! {
                    biased;
                    () = link.is_cut() => (),
                    _ = timeout(rest, reading) => (),
                }
            }
            () = &mut reading => (),
        }
    }
    peer.withdraw(link);
    hub.ended(&peer);
}

/// How a pump fills frames.
struct Pump<'a> {
    lanes: &'a [Lane],
    max_frame: usize,
    caps: Caps,
}

struct Context<'a> {
    hub: &'a Hub,
    peer: &'a Arc<Peer>,
    session: &'a Arc<Session>,
    info: &'a Info,
    link: &'a Arc<Link>,
    /// [`Info::remote`], which every message shares.
    via: Arc<Addr>,
    carrier: &'a Carrier,
}

impl Context<'_> {
    /// Sends what waits, until the link is drained, cut, idle, or broken.
    async fn pump(&self, pump: &Pump<'_>, writer: &mut AnyWriter) {
        let (mut batch, mut memory) = (Batch::default(), BytesMut::new());
        let mut in_hand = InHand { context: self, payloads: Vec::new() };
        loop {
            while let Some(greeting) = self.link.greeting() {
                batch.push(greeting);
            }
            let lane = self.fill(pump, &mut in_hand);
            if let Some(lane) = lane {
                let frame = self.seal(&mut memory, lane, &in_hand.payloads);
                if pump.caps.delivery == Delivery::Datagram {
                    self.link.sends(&frame);
                }
                batch.push(frame);
            }
            if self.link.state() == CUT {
                return;
            }
            if batch.is_empty() {
                // A link that waits holds no memory.
                (memory, in_hand.payloads) = Default::default();
                match self.link.state() {
                    OPEN if self.wait(pump).await => continue,
                    OPEN | DRAINING => {
                        drop(timeout(self.hub.config.timeouts.write, writer.close()).await);
                        return;
                    }
                    _ => return,
                }
            }
            let (frames, bytes) = (batch.len(), batch.bytes());
            let sent = timeout(self.hub.config.timeouts.write, writer.send(&mut batch)).await;
            match sent {
                Ok(Ok(())) => {
                    self.carrier.moved(Way::Out, frames, bytes);
                    in_hand.carried();
                }
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    /// Waits for something to do; false if there was nothing for so long that the link may end.
    async fn wait(&self, pump: &Pump<'_>) -> bool {
        // Whoever waits for a lane that it does not carry takes the news from the link that does.
        let carries = |lane| pump.lanes.contains(&lane) && self.peer.carries(lane, self.link);
        let (urgent, bulk) = (carries(Lane::Urgent), carries(Lane::Bulk));
        let changed = async {
            tokio::select! {
                biased;
                () = self.link.changed.notified() => (),
                () = self.peer.outbox.ready(Lane::Urgent), if urgent => (),
                () = self.peer.outbox.ready(Lane::Bulk), if bulk => (),
            }
        };
        timeout(self.hub.config.idle, changed).await.is_ok()
    }

    /// Takes what fits into one frame; tells of which lane.
    fn fill(&self, pump: &Pump<'_>, in_hand: &mut InHand<'_>) -> Option<Lane> {
        for lane in pump.lanes.iter().copied() {
            if !self.peer.carries(lane, self.link) {
                continue;
            }
            let most = match pump.caps.delivery {
                Delivery::Stream => FRAME,
                Delivery::Datagram => pump.caps.packet,
            };
            let room = most.min(pump.max_frame).saturating_sub(HEAD + SIGNATURE);
            let longest = pump.max_frame.saturating_sub(HEAD + PAYLOAD_HEAD + SIGNATURE);
            while in_hand.payloads.is_empty() {
                self.peer.outbox.take(lane, room, MAX_PAYLOADS, &mut in_hand.payloads);
                if in_hand.payloads.is_empty() {
                    break;
                }
                in_hand.drop_what_is_longer(longest);
            }
            if !in_hand.payloads.is_empty() {
                return Some(lane);
            }
        }
        None
    }

    fn seal(&self, memory: &mut BytesMut, lane: Lane, payloads: &[Payload]) -> Bytes {
        let sign = (!self.is_proven_by_carrier()).then_some(&self.hub.key);
        self.session.sealer.seal_in(memory, lane, payloads.iter(), sign)
    }

    /// Receives until the conn ends, is silent for too long, or misbehaves.
    async fn read(&self, reader: &mut AnyReader, mut ear: Ear, mut arrived: Vec<Bytes>) {
        loop {
            let bytes = arrived.iter().map(Bytes::len).sum();
            self.carrier.moved(Way::In, arrived.len(), bytes);
            for whole in arrived.drain(..) {
                let mut is_borne = true;
                if let Err(why) = self.handle(whole, &mut ear).await {
                    self.hub.ledger.rejected(why);
                    is_borne = ear.bears_a_fault();
                }
                if !is_borne || self.link.state() == CUT {
                    return;
                }
            }
            let silence = self.hub.config.idle + GRACE;
            match timeout(silence, reader.recv(&mut arrived)).await {
                Ok(Ok(())) => (),
                // What came before the end is valid.
                Ok(Err(_)) if !arrived.is_empty() => (),
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    async fn handle(&self, whole: Bytes, ear: &mut Ear) -> Result<(), Rejected> {
        if let Some(shown) = ear.said_before(&whole) {
            self.link.say(shown);
            return Ok(());
        }
        if let Some(greeting) = Greeting::parse(&whole).map_err(|_| Rejected::Malformed)? {
            return self.greeted(&greeting, whole.len(), ear);
        }
        let frame = Frame::parse(whole).map_err(|_| Rejected::Malformed)?;
        let require = match self.is_proven_by_carrier() {
            true => Require::Nothing,
            false => Require::Signature,
        };
        let payloads = ear.open(&self.session.opener, &frame, require)?;
        let (mut messages, mut class) = (VecDeque::with_capacity(payloads.len()), Class::Bulk);
        for payload in payloads {
            if payload.class != class {
                self.hub.inbox(class).put(&mut messages).await;
                class = payload.class;
            }
            messages.extend(self.message(payload));
        }
        self.hub.inbox(class).put(&mut messages).await;
        Ok(())
    }

    /// Greetings have their place before everything else; on datagrams, after a restart too.
    fn greeted(&self, greeting: &Greeting, len: usize, ear: &Ear) -> Result<(), Rejected> {
        if self.info.caps.delivery == Delivery::Stream {
            return Err(Rejected::Unexpected);
        }
        match greeting {
            Greeting::Hello(hello) => match self.hub.challenge(self.info, hello, len) {
                Some(challenge) => self.link.say(challenge.encode(0)),
                None if ear.is_replay(&hello.nonce) => return Err(Rejected::Replayed),
                // The peer is where it says it is, and wants to begin again.
                None => self.link.cut(),
            },
            Greeting::Stale(Stale { tag, echo })
                if *tag == self.session.sealer.tag() && self.link.has_sent(echo) =>
            {
                self.link.cut();
            }
            // Late doubles of what was answered before.
            Greeting::Challenge(_) | Greeting::Answer(_) | Greeting::Stale(_) => {
                return Err(Rejected::Unexpected);
            }
        }
        Ok(())
    }

    /// The message for whoever uses the endpoint, unless it is for somebody else.
    fn message(&self, Payload { kind, bytes, .. }: Payload) -> Option<Message> {
        let question = match kind {
            Kind::Confirm => return None,
            Kind::Message => None,
            Kind::Request(number) => Some(number),
            Kind::Reply(number) => {
                if let Some(asked) = self.peer.answer(number, Answered::With(bytes)) {
                    self.carrier.took(Latency::RoundTrip, asked.elapsed());
                }
                return None;
            }
        };
        Some(Message { from: self.peer.node, via: self.via.clone(), bytes, question })
    }

    /// Whether the carrier itself has proven the peer, so that frames need no signature.
    fn is_proven_by_carrier(&self) -> bool {
        self.hub.config.signing == Signing::UnlessSecure
            && !self.info.early
            && self.info.proof == Some(Proof::Node(self.peer.node))
    }
}

/// Messages that were taken out of their queue. If nobody says what became of them, nobody knows.
struct InHand<'a> {
    context: &'a Context<'a>,
    payloads: Vec<Payload>,
}

impl InHand<'_> {
    fn carried(&mut self) {
        let ledger = &self.context.hub.ledger;
        for run in self.payloads.chunk_by(|one, next| one.class == next.class) {
            run.iter().take(1).for_each(|one| ledger.carried(one.class, run.len() as u64));
        }
        self.payloads.clear();
    }

    fn drop_what_is_longer(&mut self, max: usize) {
        let Context { hub, peer, .. } = self.context;
        self.payloads.retain(|payload| {
            let fits = payload.bytes.len() <= max;
            if !fits {
                hub.drop_payload(peer, payload, Dropped::TooLarge);
            }
            fits
        });
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.payloads.iter().for_each(|payload| self.context.hub.ledger.uncertain(payload.class));
    }
}

impl From<Refused> for Rejected {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Elsewhere => Self::Elsewhere,
            Refused::Forged => Self::Forged,
            Refused::Malformed(_) => Self::Malformed,
            Refused::Old => Self::Old,
            Refused::Replayed => Self::Replayed,
            Refused::Unsigned => Self::Unsigned,
        }
    }
}

/// Bytes of payloads that are signed together on a stream: more gained little where it was measured,
/// and half of it cost a seventh of the processor.
const FRAME: usize = 512 << 10;
/// How long a conn without an end, which another one has replaced, is still read.
const LINGER: Duration = Duration::from_secs(1);
/// How much longer the side that reads waits than the one that writes.
const GRACE: Duration = Duration::from_secs(5);
