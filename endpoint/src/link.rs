//! A conn to a peer that has proven itself, and what goes over it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use rumormill_identity::SIGNATURE;
use rumormill_transport_api::{
    AnyReader, AnyWriter, Batch, Caps, Delivery, End, Info, NodeId, Proof, Reader, Writer,
};
use tokio::{sync::Notify, time::timeout};

use crate::{
    config::Signing,
    frame::{Frame, HEAD, Kind, Lane, MAX_PAYLOADS, PAYLOAD_HEAD, Payload},
    hello::{Greeting, Stale},
    hub::Hub,
    inbox::Message,
    ledger::{Dropped, Rejected},
    peer::{Answered, Peer, Session},
    seal::{Refused, Require},
};

/// What others may do to a conn that carries messages of a peer.
#[derive(Debug)]
pub(crate) struct Link {
    dialler: NodeId,
    state: AtomicU8,
    changed: Notify,
    /// What is to be said beside the frames. Only datagrams need it.
    greetings: Mutex<VecDeque<Bytes>>,
}

const OPEN: u8 = 0;
const DRAINING: u8 = 1;
const CUT: u8 = 2;

impl Link {
    pub(crate) fn new(dialler: NodeId) -> Arc<Self> {
        Arc::new(Self {
            dialler,
            state: AtomicU8::new(OPEN),
            changed: Notify::new(),
            greetings: Mutex::default(),
        })
    }

    /// The node that has dialled it.
    pub(crate) fn dialler(&self) -> NodeId {
        self.dialler
    }

    /// Has it closed once nothing waits for it.
    pub(crate) fn drain(&self) {
        self.state.fetch_max(DRAINING, SeqCst);
        self.changed.notify_one();
    }

    /// Has it ended at once.
    pub(crate) fn cut(&self) {
        self.state.store(CUT, SeqCst);
        self.changed.notify_one();
    }

    fn state(&self) -> u8 {
        self.state.load(SeqCst)
    }

    fn say(&self, greeting: &Greeting) {
        let mut greetings = self.greetings.lock().unwrap_or_else(PoisonError::into_inner);
        if greetings.len() < GREETINGS {
            greetings.push_back(greeting.encode(0));
        }
        drop(greetings);
        self.changed.notify_one();
    }

    fn greeting(&self) -> Option<Bytes> {
        self.greetings.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// A conn whose peer has proven itself, and everything that belongs to it.
pub(crate) struct Met {
    pub(crate) peer: Arc<Peer>,
    pub(crate) session: Arc<Session>,
    pub(crate) info: Info,
    pub(crate) reader: AnyReader,
    pub(crate) writer: AnyWriter,
    /// Frames that came right behind the greeting.
    pub(crate) arrived: Vec<Bytes>,
    /// The longest frame that both sides take.
    pub(crate) max_frame: usize,
}

/// Carries messages over `met` until it ends, for `lane`; over datagrams for both.
pub(crate) async fn carry(hub: &Arc<Hub>, link: &Arc<Link>, lane: Lane, met: Met) {
    let Met { peer, session, info, mut reader, mut writer, arrived, max_frame } = met;
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
        false => link.drain(),
    }
    let context = Context { hub, peer: &peer, session: &session, info: &info, link };
    let pump = Pump { lanes, max_frame, caps: info.caps };
    {
        let mut reading = std::pin::pin!(context.read(&mut reader, arrived));
        tokio::select! {
            biased;
            () = context.pump(&pump, &mut writer) => {
                // The other side reads what is left, and then ends as well, where there is an end.
                if info.caps.end != End::None {
                    drop(timeout(hub.config.timeouts.read, reading).await);
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
}

impl Context<'_> {
    /// Sends what waits, until the link is drained, cut, idle, or broken.
    async fn pump(&self, pump: &Pump<'_>, writer: &mut AnyWriter) {
        let mut batch = Batch::default();
        loop {
            while let Some(greeting) = self.link.greeting() {
                batch.push(greeting);
            }
            let mut in_hand = InHand { context: self, payloads: Vec::new() };
            let lane = self.fill(pump, &mut in_hand);
            if let Some(lane) = lane {
                batch.push(self.seal(lane, &in_hand.payloads));
            }
            if self.link.state() == CUT {
                return;
            }
            if batch.is_empty() {
                drop(in_hand);
                match self.link.state() {
                    OPEN if self.wait(pump).await => continue,
                    OPEN | DRAINING => {
                        drop(timeout(self.hub.config.timeouts.write, writer.close()).await);
                        return;
                    }
                    _ => return,
                }
            }
            let sent = timeout(self.hub.config.timeouts.write, writer.send(&mut batch)).await;
            match sent {
                Ok(Ok(())) => in_hand.carried(),
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    /// Waits for something to do; false if there was nothing for so long that the link may end.
    async fn wait(&self, pump: &Pump<'_>) -> bool {
        let ready = async {
            match pump.lanes {
                [one] => self.peer.outbox.ready(*one).await,
                _ => tokio::select! {
                    () = self.peer.outbox.ready(Lane::Urgent) => (),
                    () = self.peer.outbox.ready(Lane::Bulk) => (),
                },
            }
        };
        let changed = async {
            tokio::select! {
                () = self.link.changed.notified() => (),
                () = ready => (),
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
            self.peer.outbox.take(lane, room, MAX_PAYLOADS, &mut in_hand.payloads);
            in_hand.drop_what_is_longer(
                pump.max_frame.saturating_sub(HEAD + PAYLOAD_HEAD + SIGNATURE),
            );
            if !in_hand.payloads.is_empty() {
                return Some(lane);
            }
        }
        None
    }

    fn seal(&self, lane: Lane, payloads: &[Payload]) -> Bytes {
        let sign = (!self.is_proven_by_carrier()).then_some(&self.hub.key);
        self.session.sealer.seal(lane, payloads.iter(), sign)
    }

    /// Receives until the conn ends, is silent for too long, or misbehaves.
    async fn read(&self, reader: &mut AnyReader, mut arrived: Vec<Bytes>) {
        let mut faults = 0;
        loop {
            for whole in arrived.drain(..) {
                if let Err(why) = self.handle(whole).await {
                    self.hub.ledger.rejected(why);
                    faults += 1;
                }
                if FAULTS < faults || self.link.state() == CUT {
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

    async fn handle(&self, whole: Bytes) -> Result<(), Rejected> {
        if let Some(greeting) = Greeting::parse(&whole).map_err(|_| Rejected::Malformed)? {
            return self.greeted(greeting, whole.len());
        }
        let frame = Frame::parse(whole).map_err(|_| Rejected::Malformed)?;
        let require = match self.is_proven_by_carrier() {
            true => Require::Nothing,
            false => Require::Signature,
        };
        for payload in self.session.opener.open(&frame, require)? {
            self.deliver(payload).await;
        }
        Ok(())
    }

    /// Greetings have their place before everything else; on datagrams, after a restart too.
    fn greeted(&self, greeting: Greeting, len: usize) -> Result<(), Rejected> {
        if self.info.caps.delivery == Delivery::Stream {
            return Err(Rejected::Unexpected);
        }
        match greeting {
            Greeting::Hello(hello) => match self.hub.challenge(self.info, &hello, len) {
                Some(challenge) => self.link.say(&challenge),
                // The peer is where it says it is, and wants to begin again.
                None => self.link.cut(),
            },
            Greeting::Stale(Stale { tag, .. }) if tag == self.session.sealer.tag() => {
                self.link.cut();
            }
            // Late doubles of what was answered before.
            Greeting::Challenge(_) | Greeting::Answer(_) | Greeting::Stale(_) => {
                return Err(Rejected::Unexpected);
            }
        }
        Ok(())
    }

    async fn deliver(&self, payload: Payload) {
        let Payload { class, kind, bytes } = payload;
        let question = match kind {
            Kind::Confirm => return,
            Kind::Message => None,
            Kind::Request(number) => Some(number),
            Kind::Reply(number) => {
                self.peer.answer(number, Answered::With(bytes));
                return;
            }
        };
        let via = self.info.remote.clone();
        self.hub.inbox(class).put(Message { from: self.peer.node, via, bytes, question }).await;
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
    fn carried(mut self) {
        self.payloads.drain(..).for_each(|payload| self.context.hub.ledger.carried(payload.class));
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

/// Bytes of payloads that are signed together on a stream.
const FRAME: usize = 256 << 10;
/// Frames of one conn that may be refused before it is cut.
const FAULTS: u32 = 16;
/// Greetings that may wait to be said on one conn.
const GREETINGS: usize = 4;
/// How much longer the side that reads waits than the one that writes.
const GRACE: Duration = Duration::from_secs(5);
