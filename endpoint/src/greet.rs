//! The first exchange on a conn, after which each side knows who the other is.
//!
//! Hello, Answer, and a sealed frame each way that signs the other side's nonce: only somebody who
//! holds the key now, in the session that was claimed, can make it. What was recorded before, in any
//! session, proves nothing. On datagrams everything may get lost, so the dialer repeats itself, and a
//! cookie comes first.
//!
//! Over datagrams, anybody may send in anybody's name. So whoever has not shown that it hears what is
//! sent to it costs no memory, and cannot end what somebody else has begun: what is wrong is counted
//! and passed over.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rand::RngExt;
use rumormill_transport_api::{Addr, AnyConn, Caps, NodeId, Proof};
use tokio::time::Instant;

use crate::{
    budget::Permit,
    crowd::Place,
    door::{Door, Failure, Outcome, read_greeting, rejected},
    ear::Late,
    error::Error,
    frame::{Frame, Kind, Lane, Payload},
    hello::{Answer, Claim, Greeting, Hello, Nonce, Stale},
    hub::Hub,
    ledger::Rejected,
    link::Met,
    peer::{Peer, Session},
};

/// What both sides know when a greeting has ended well.
struct Agreed {
    peer: Arc<Peer>,
    session: Arc<Session>,
    lane: Lane,
    dialler: NodeId,
    /// The longest frame that the peer takes.
    peer_max: u32,
    /// When the peer's ticket does.
    expires: Option<Instant>,
    late: Option<Late>,
}

/// A Hello that was answered.
struct Offer {
    hello: Hello,
    expires: Option<Instant>,
    session: Arc<Session>,
    answer: Bytes,
}

/// Greets whoever was dialled at `addr`, which must be `expected` if that is given.
///
/// Not cancel-safe: dropping the future drops the conn.
pub(crate) async fn dialled(
    hub: &Hub,
    (conn, permit): (AnyConn, Permit),
    addr: &Addr,
    expected: Option<&Arc<Peer>>,
    lane: Lane,
    deadline: Instant,
) -> Result<Met, Error> {
    let after = hub.config.timeouts.dial;
    let mut door = Door::new(hub, conn, Some(addr.clone().without_options()));
    let agreed = door.introduce(expected, lane, deadline).await;
    let no_peer = |problem| Error::NoPeer { addr: addr.clone(), problem };
    match agreed {
        Ok(agreed) => Ok(door.met(agreed, (permit, None))),
        Err(Failure::Silent) => Err(Error::Timeout { addr: addr.clone(), after }),
        Err(Failure::Ended) => Err(no_peer(HUNG_UP)),
        Err(Failure::Denied(node, why)) => Err(Error::Denied { node, why }),
        Err(Failure::Forgotten) => Err(no_peer("it was forgotten meanwhile")),
        Err(Failure::NoRoom(error)) => Err(error),
        Err(Failure::Rejected(why)) => {
            hub.ledger.rejected(why);
            Err(no_peer(match why {
                Rejected::Cluster => "it is of another cluster",
                Rejected::Myself => "it is this very node",
                Rejected::Unproven => "it is another node than the one expected",
                _ => "it does not speak as one",
            }))
        }
    }
}

/// Greets whoever has dialled, and waits until it has proven itself; tells in which lane.
///
/// Not cancel-safe: dropping the future drops the conn.
pub(crate) async fn accepted(hub: &Hub, conn: AnyConn) -> Option<(Lane, Met)> {
    let Some(mut place) = hub.crowd.enter(&conn.info, Instant::now()) else {
        hub.ledger.rejected(Rejected::Crowded);
        return None;
    };
    let Some(permit) = hub.places.try_enter() else {
        hub.ledger.rejected(Rejected::Crowded);
        return None;
    };
    let mut door = Door::new(hub, conn, None);
    let why = match door.admit(None, Instant::now() + PATIENCE).await {
        Ok(agreed) => {
            place.proven();
            return Some((agreed.lane, door.met(agreed, (permit, Some(place)))));
        }
        Err(Failure::Silent | Failure::Ended | Failure::Forgotten) => return None,
        Err(Failure::Denied(node, why)) => {
            tracing::debug!(%node, %why, from = %door.info.remote, "a peer was not admitted");
            Rejected::Denied
        }
        Err(Failure::NoRoom(_)) => Rejected::Crowded,
        Err(Failure::Rejected(why)) => why,
    };
    if why == Rejected::Forged && !door.is_lossy() {
        place.has_forged(Instant::now());
    }
    hub.ledger.rejected(why);
    None
}

impl Door<'_> {
    /// The dialing side.
    async fn introduce(
        &mut self,
        expected: Option<&Arc<Peer>>,
        lane: Lane,
        deadline: Instant,
    ) -> Outcome<Agreed> {
        let nonce: Nonce = self.hub.rng().random();
        let mut hello = Hello { claim: self.claim(), nonce, cookie: None };
        let mut turns = 0..TURNS;
        let answer = loop {
            turns.next().ok_or(Failure::Silent)?;
            let asking = Greeting::Hello(hello.clone()).encode(self.padding());
            let concerns = |door: &Self, greeting: &Greeting| door.is_concerned(greeting, &nonce);
            let (whole, greeting) = self.ask(asking, deadline, concerns).await?;
            match greeting {
                Greeting::Answer(answer) => break answer,
                Greeting::Challenge(challenge) => hello.cookie = Some(challenge.cookie),
                // Both have dialled at once, on what is the same conn to both.
                Greeting::Hello(theirs) => {
                    match self.hub.challenge(&self.info, &theirs, whole.len()) {
                        Some(challenge) => self.say(challenge.encode(0), deadline).await?,
                        None => {
                            self.arrived.insert(0, whole);
                            return self.admit(expected, deadline).await;
                        }
                    }
                }
                Greeting::Stale(_) => return rejected(Rejected::Unexpected),
            }
        };
        let expires = self.check(&answer.claim)?;
        let theirs = answer.claim.party;
        check_expected(expected, theirs.node)?;
        let session = self.hub.session_for(theirs).ok_or(Failure::Rejected(Rejected::Forged))?;
        let shown = self.confirm(&session, lane, &answer.challenge);
        self.converse(shown, deadline, |_, whole| is_confirmed(&session, whole, &nonce)).await?;
        let (peer, session) = self.take_in(session, expected, &answer.claim)?;
        let (dialler, peer_max) = (self.hub.us.node, answer.claim.max_frame);
        Ok(Agreed { peer, session, lane, dialler, peer_max, expires, late: None })
    }

    /// Whether a greeting is for a dialer that has drawn this nonce.
    fn is_concerned(&self, greeting: &Greeting, nonce: &Nonce) -> bool {
        match greeting {
            Greeting::Answer(answer) => answer.nonce == *nonce,
            Greeting::Challenge(challenge) => challenge.nonce == *nonce,
            // Of two who greet each other over the same datagrams, the one with the lower id goes on.
            Greeting::Hello(hello) => self.is_lossy() && hello.claim.party.node < self.hub.us.node,
            Greeting::Stale(_) => false,
        }
    }

    /// The accepting side.
    async fn admit(&mut self, expected: Option<&Arc<Peer>>, deadline: Instant) -> Outcome<Agreed> {
        let challenge: Nonce = self.hub.rng().random();
        let mut offered = None;
        loop {
            let whole = self.next(deadline).await?;
            match self.hear(whole, &mut offered, &challenge, deadline).await {
                Ok(Some(frame)) => return self.agree(offered, &frame, expected, deadline).await,
                Ok(None) => (),
                Err(Failure::Rejected(why)) if self.is_kept(&offered) => {
                    self.hub.ledger.rejected(why);
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Whether the conn goes on whatever comes: somebody real is at its other end, and anybody may
    /// send in its name.
    fn is_kept(&self, offered: &Option<Offer>) -> bool {
        self.is_lossy() && (offered.is_some() || self.dialled.is_some())
    }

    /// Takes a message of a dialer; returns the frame by which it has proven itself.
    async fn hear(
        &mut self,
        whole: Bytes,
        offered: &mut Option<Offer>,
        challenge: &Nonce,
        deadline: Instant,
    ) -> Outcome<Option<Frame>> {
        if let Some(greeting) = read_greeting(&whole)? {
            let Greeting::Hello(hello) = greeting else { return rejected(Rejected::Unexpected) };
            return self
                .offer(hello, whole.len(), offered, challenge, deadline)
                .await
                .map(|()| None);
        }
        let frame = Frame::parse(whole).map_err(|_| Failure::Rejected(Rejected::Malformed))?;
        let Some(offer) = offered else {
            return self.tell_stale(&frame, deadline).await.map(|()| None);
        };
        match confirms(&offer.session, &frame, challenge)? {
            true => Ok(Some(frame)),
            false => rejected(Rejected::Unexpected),
        }
    }

    /// Answers a Hello; on datagrams only once it has brought a cookie back.
    async fn offer(
        &mut self,
        hello: Hello,
        len: usize,
        offered: &mut Option<Offer>,
        challenge: &Nonce,
        deadline: Instant,
    ) -> Outcome<()> {
        if !self.is_lossy() && offered.is_some() {
            return rejected(Rejected::Unexpected);
        }
        if self.is_lossy()
            && let Some(challenge) = self.hub.challenge(&self.info, &hello, len)
        {
            self.say(challenge.encode(0), deadline).await?;
            // The conn of somebody who was made up is not kept; a real one comes again.
            return if self.is_kept(offered) { Ok(()) } else { Err(Failure::Silent) };
        }
        if let Some(offer) = offered.as_ref().filter(|offer| offer.hello.nonce == hello.nonce) {
            return self.say(offer.answer.clone(), deadline).await;
        }
        let expires = self.check(&hello.claim)?;
        let session = self.hub.session_of(hello.claim.party);
        let session = session.ok_or(Failure::Rejected(Rejected::Forged))?;
        let (claim, nonce, challenge) = (self.claim(), hello.nonce, *challenge);
        let answer = Greeting::Answer(Answer { claim, nonce, challenge }).encode(0);
        self.say(answer.clone(), deadline).await?;
        *offered = Some(Offer { hello, expires, session, answer });
        Ok(())
    }

    /// Takes the dialer, which has proven itself by `frame`, as the one that it claims to be.
    async fn agree(
        &mut self,
        offered: Option<Offer>,
        frame: &Frame,
        expected: Option<&Arc<Peer>>,
        deadline: Instant,
    ) -> Outcome<Agreed> {
        let Some(offer) = offered else { return Err(Failure::Silent) };
        let Offer { hello, expires, session, .. } = offer;
        check_expected(expected, session.theirs.node)?;
        let (peer, session) = self.take_in(session, expected, &hello.claim)?;
        let shown = self.confirm(&session, frame.lane, &hello.nonce);
        self.say(shown.clone(), deadline).await?;
        let (hello, peer_max) = (hello.nonce, hello.claim.max_frame);
        let confirm = frame.whole().clone();
        let late = self.is_lossy().then_some(Late { hello, confirm, shown });
        let (lane, dialler) = (frame.lane, peer.node);
        Ok(Agreed { peer, session, lane, dialler, peer_max, expires, late })
    }

    /// Makes the peer, which has proven itself, a known one.
    fn take_in(
        &self,
        session: Arc<Session>,
        expected: Option<&Arc<Peer>>,
        claim: &Claim,
    ) -> Outcome<(Arc<Peer>, Arc<Session>)> {
        let node = session.theirs.node;
        let peer = match (expected, &self.dialled) {
            (Some(peer), _) => Ok(peer.clone()),
            (None, Some(addr)) => self.hub.peer_or_new(node, || vec![addr.clone()]),
            (None, None) => self.hub.stranger(node),
        };
        let peer = peer.map_err(Failure::NoRoom)?;
        let session = self.hub.adopt(&peer, session).ok_or(Failure::Forgotten)?;
        peer.shows(claim.ticket.clone());
        Ok((peer, session))
    }

    /// What has to be right before anything that a peer claims is considered; tells until when.
    fn check(&self, claim: &Claim) -> Outcome<Option<Instant>> {
        let node = claim.party.node;
        if claim.cluster != self.hub.cluster.mark() {
            return rejected(Rejected::Cluster);
        }
        if node == self.hub.us.node {
            return rejected(Rejected::Myself);
        }
        if let Some(Proof::Node(proven)) = &self.info.proof
            && *proven != node
        {
            return rejected(Rejected::Unproven);
        }
        self.hub.admit(node, &claim.ticket).map_err(|why| Failure::Denied(node, why))
    }

    fn claim(&self) -> Claim {
        Claim {
            cluster: self.hub.cluster.mark(),
            party: self.hub.us,
            max_frame: u32::try_from(self.info.caps.max_message).unwrap_or(u32::MAX),
            ticket: self.hub.ticket(),
        }
    }

    fn confirm(&self, session: &Session, lane: Lane, nonce: &Nonce) -> Bytes {
        let class = lane.classes()[0];
        let bytes = Bytes::copy_from_slice(nonce);
        let payload = Payload { class, kind: Kind::Confirm, bytes };
        session.sealer.seal(lane, std::iter::once(&payload), Some(&self.hub.key))
    }

    /// Tells who sends into a session that is over, over datagrams, that it is.
    async fn tell_stale(&mut self, frame: &Frame, deadline: Instant) -> Outcome<()> {
        if let Some(stale) = Stale::to(frame).filter(|_| self.is_lossy()) {
            self.say(Greeting::Stale(stale).encode(0), deadline).await?;
        }
        rejected(Rejected::Elsewhere)
    }

    fn met(self, agreed: Agreed, places: (Permit, Option<Place>)) -> Met {
        let Self { info, reader, writer, mut early, arrived, .. } = self;
        let Agreed { peer, session, dialler, peer_max, expires, late, .. } = agreed;
        let Caps { max_message, .. } = info.caps;
        let max_frame = max_message.min(usize::try_from(peer_max).unwrap_or(usize::MAX));
        early.extend(arrived);
        let arrived = early;
        Met {
            peer,
            session,
            dialler,
            info,
            reader,
            writer,
            arrived,
            max_frame,
            expires,
            late,
            places,
        }
    }
}

fn check_expected(expected: Option<&Arc<Peer>>, node: NodeId) -> Outcome<()> {
    match expected {
        Some(peer) if peer.node != node => rejected(Rejected::Unproven),
        _ => Ok(()),
    }
}

/// Whether a frame signs our nonce, in the session that was claimed.
fn confirms(session: &Session, frame: &Frame, nonce: &Nonce) -> Outcome<bool> {
    let opened = session.opener.open_greeting(frame);
    let payloads = opened.map_err(|why| Failure::Rejected(why.into()))?;
    let confirmed = |payload: &Payload| payload.kind == Kind::Confirm && *payload.bytes == *nonce;
    Ok(payloads.iter().any(confirmed))
}

fn is_confirmed(session: &Session, whole: &Bytes, nonce: &Nonce) -> Outcome<bool> {
    let Ok(frame) = Frame::parse(whole.clone()) else { return Ok(false) };
    confirms(session, &frame, nonce)
}

/// What a listener that hangs up may have meant. It does not say.
const HUNG_UP: &str =
    "it hung up: it may be of another cluster, or not admit this node, or be full";
/// How long a dialer may take to prove itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// Greetings that a dialer says in answer to others.
const TURNS: u32 = 4;
