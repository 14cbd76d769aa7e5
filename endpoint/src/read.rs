//! The receiving side of a conn: opens what its peer has sealed, and hands it over.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{AnyReader, Error as CarrierError, Reader};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    carriers::{Broken, Latency, Way},
    ear::Ear,
    echo::{Asks, Echo},
    frame::{Class, Frame, Kind, Lane, Payload},
    handle::CUT,
    hello::{Greeting, Stale},
    inbox::Message,
    ledger::Rejected,
    link::{Context, Ending},
    peer::Answered,
    seal::{Refused, Require},
    turn::Turn,
};

impl Context<'_> {
    /// Receives until the conn ends, is silent for too long, or misbehaves.
    pub(crate) async fn read(
        &self,
        reader: &mut AnyReader,
        mut ear: Ear,
        mut arrived: Vec<Bytes>,
    ) -> Ending {
        let (mut turn, is_signed) = (Turn::default(), !self.is_proven_by_carrier());
        let mut ended = None;
        loop {
            let bytes = arrived.iter().map(Bytes::len).sum();
            self.carrier.moved(Way::In, arrived.len(), bytes);
            for whole in arrived.drain(..) {
                let (len, mut is_borne) = (whole.len(), true);
                if let Err(why) = self.handle(whole, &mut ear).await {
                    self.hub.ledger.rejected(why);
                    is_borne = ear.bears(why);
                }
                if !is_borne {
                    return Ending::Broken(Broken::Misbehaved);
                }
                if self.link.state() == CUT {
                    return Ending::Ours;
                }
                turn.works(len, is_signed).await;
            }
            if let Some(ended) = ended {
                return ended;
            }
            let silent = self.link.idle_at(self.hub.config.idle) + GRACE;
            let until = self.link.heard().due().unwrap_or(silent);
            match timeout_at(until, reader.recv(&mut arrived)).await {
                Ok(Ok(())) => (),
                // What came before the end is valid.
                Ok(Err(error)) => {
                    ended = Some(match error {
                        CarrierError::Closed => Ending::Clean,
                        CarrierError::Protocol { .. } | CarrierError::TooLarge { .. } => {
                            Ending::Broken(Broken::Misbehaved)
                        }
                        _ => Ending::Broken(Broken::Cut),
                    });
                }
                // Something may have been sent meanwhile.
                Err(_) if self.link.idle_at(self.hub.config.idle) + GRACE <= Instant::now() => {
                    return Ending::Broken(Broken::Silent);
                }
                Err(_) => {
                    self.link.heard().hurry();
                    self.link.nudge();
                }
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
        let opened = ear.open(&self.session.opener, &frame, require);
        match &opened {
            Ok(payloads) => {
                self.heard(&frame, Asks::of(frame.lane, payloads, self.is_lossy()));
                self.compare(frame.lane);
                self.learn(payloads)?;
            }
            // It is here, by this conn or another, and its sender has to know.
            Err(Rejected::Replayed) => self.heard(&frame, Asks::Again),
            // Over datagrams anybody can have made it.
            Err(Rejected::Old) if !self.is_lossy() => self.heard(&frame, Asks::Again),
            Err(_) => (),
        }
        self.deliver(opened?).await;
        Ok(())
    }

    fn heard(&self, frame: &Frame, asks: Asks) {
        let (lane, counter, len) = (frame.lane, frame.counter, frame.whole().len());
        if self.link.heard().hears(lane, counter, len, asks, Instant::now()) {
            self.link.nudge();
        }
    }

    /// Cuts the conn that this side would use for `lane`, if the peer uses this one instead: it has
    /// noticed that the other is dead, and without this what is sent there would have to wait until
    /// this side does.
    fn compare(&self, lane: Lane) {
        let dead = self.peer.with_tracks(|tracks| tracks.peer_uses(self.link, lane));
        dead.iter().for_each(|dead| dead.cut());
    }

    /// Takes note of what the peer says has arrived.
    fn learn(&self, payloads: &[Payload]) -> Result<(), Rejected> {
        let echoes = || payloads.iter().filter(|payload| payload.kind == Kind::Echo);
        // Each costs a look at everything that is waited for.
        if Lane::ALL.len() < echoes().count() {
            return Err(Rejected::Malformed);
        }
        for payload in echoes() {
            let echo = Echo::parse(&payload.bytes).map_err(|_| Rejected::Malformed)?;
            let learnt = self.link.trail().learns(&echo, &self.patience, Instant::now());
            self.hub.ledger.carried(learnt.carried);
            learnt.lost.iter().for_each(|kept| self.hub.lose(self.peer, kept));
            // There may be room for more.
            self.link.nudge();
        }
        Ok(())
    }

    async fn deliver(&self, payloads: Vec<Payload>) {
        let (mut messages, mut class) = (VecDeque::with_capacity(payloads.len()), Class::Bulk);
        for payload in payloads {
            if payload.class != class {
                self.put(class, &mut messages).await;
                class = payload.class;
            }
            messages.extend(self.message(payload));
        }
        self.put(class, &mut messages).await;
    }

    /// Hands messages over. As long as that takes, the peer is told that this side lives, and what
    /// it tells itself waits behind them.
    async fn put(&self, class: Class, messages: &mut VecDeque<Message>) {
        let mut putting = std::pin::pin!(self.hub.inbox(class).put(messages));
        if timeout(Duration::ZERO, &mut putting).await.is_ok() {
            return;
        }
        let pause = self.hub.config.timeouts.read.min(self.hub.config.timeouts.write) / 4;
        self.link.trail().is_deaf(Instant::now());
        while timeout(pause, &mut putting).await.is_err() {
            self.link.trail().is_deaf(Instant::now());
            self.link.heard().insist(Instant::now());
            self.link.nudge();
        }
        self.link.trail().is_deaf(Instant::now());
    }

    /// Greetings have their place before everything else; on datagrams, after a restart too.
    fn greeted(&self, greeting: &Greeting, len: usize, ear: &Ear) -> Result<(), Rejected> {
        if !self.is_lossy() {
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
                if *tag == self.session.sealer.tag() && self.link.trail().was_unopened(echo) =>
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
            Kind::Confirm | Kind::Echo | Kind::Probe => return None,
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

/// How much longer the side that reads waits than the one that writes.
const GRACE: Duration = Duration::from_secs(5);
