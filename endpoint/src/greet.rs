//! The first exchange on a conn, after which each side knows who the other is.
//!
//! Hello, Answer, and a sealed frame each way that signs the other side's nonce: only somebody who
//! holds the key now, in the session that was claimed, can make it. What was recorded before, in any
//! session, proves nothing. On datagrams everything may get lost, so the dialer repeats itself, and a
//! cookie comes first.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{
    Addr, AnyConn, AnyReader, AnyWriter, Batch, Caps, Conn, Delivery, Info, NodeId, Proof, Reader,
    Writer,
};
use tokio::time::{Instant, timeout_at};

use crate::{
    admission::Denied,
    error::Error,
    frame::{Class, Frame, Kind, Lane, Payload},
    hello::{Answer, Claim, Greeting, Hello, MAX_GREETING, Nonce, Stale},
    hub::Hub,
    ledger::Rejected,
    link::Met,
    peer::{Peer, Session},
    seal::{Party, Require},
};

/// A conn before its peer has proven itself.
struct Door<'a> {
    hub: &'a Hub,
    info: Info,
    reader: AnyReader,
    writer: AnyWriter,
    arrived: Vec<Bytes>,
    /// Bytes that came so far.
    heard: usize,
}

/// Why nobody was met. The conn is gone.
enum Failure {
    /// The carrier ended, or the peer said too little in time.
    Silent,
    /// The peer said something that it must not.
    Rejected(Rejected),
    /// This node does not want the peer.
    Denied(NodeId, Denied),
}

type Outcome<T> = Result<T, Failure>;

/// Greets whoever was dialled at `addr`, which must be `expected` if that is given.
///
/// Not cancel-safe: dropping the future drops the conn.
pub(crate) async fn dialled(
    hub: &Hub,
    conn: AnyConn,
    addr: &Addr,
    expected: Option<NodeId>,
    lane: Lane,
) -> Result<Met, Error> {
    let after = hub.config.timeouts.dial;
    let mut door = Door::new(hub, conn);
    let met = door.introduce(expected, lane, Instant::now() + after).await;
    let no_peer = |problem| Error::NoPeer { addr: addr.clone(), problem };
    match met {
        Ok((session, peer_max)) => {
            let routes = || vec![addr.clone().without_options()];
            let peer = hub.peer_or_new(session.theirs.node, routes)?;
            Ok(door.met(peer, session, peer_max))
        }
        Err(Failure::Silent) => Err(Error::Timeout { addr: addr.clone(), after }),
        Err(Failure::Denied(node, why)) => Err(Error::Denied { node, why }),
        Err(Failure::Rejected(why)) => {
            hub.ledger.rejected(why);
            Err(no_peer(match why {
                Rejected::Cluster => "it is of another cluster",
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
    let mut door = Door::new(hub, conn);
    match door.admit(Instant::now() + PATIENCE).await {
        Ok((lane, session, peer_max)) => {
            let peer = hub.peer_or_new(session.theirs.node, Vec::new).ok()?;
            Some((lane, door.met(peer, session, peer_max)))
        }
        Err(Failure::Silent) => None,
        Err(Failure::Denied(node, why)) => {
            tracing::debug!(%node, %why, from = %door.info.remote, "a peer was not admitted");
            hub.ledger.rejected(Rejected::Denied);
            None
        }
        Err(Failure::Rejected(why)) => {
            hub.ledger.rejected(why);
            None
        }
    }
}

impl<'a> Door<'a> {
    fn new(hub: &'a Hub, conn: AnyConn) -> Self {
        let Conn { info, reader, writer } = conn;
        Self { hub, info, reader, writer, arrived: Vec::new(), heard: 0 }
    }

    /// The dialing side.
    async fn introduce(
        &mut self,
        expected: Option<NodeId>,
        lane: Lane,
        deadline: Instant,
    ) -> Outcome<(Arc<Session>, u32)> {
        let nonce: Nonce = rand::random();
        let mut hello = Hello { claim: self.claim(), nonce, cookie: None };
        let answer = loop {
            let greeting = Greeting::Hello(hello.clone()).encode(self.padding());
            match self.ask(greeting, deadline, |greeting| concerns(greeting, &nonce)).await? {
                Greeting::Answer(answer) => break answer,
                Greeting::Challenge(challenge) => hello.cookie = Some(challenge.cookie),
                Greeting::Hello(_) | Greeting::Stale(_) => return rejected(Rejected::Unexpected),
            }
        };
        self.check(&answer.claim)?;
        let theirs = answer.claim.party;
        if expected.is_some_and(|node| node != theirs.node) {
            return rejected(Rejected::Unproven);
        }
        let session = self.hub.session_for(theirs).ok_or(Failure::Rejected(Rejected::Forged))?;
        let shown = self.confirm(&session, lane, &answer.challenge);
        self.converse(shown, deadline, |door, whole| door.is_confirmed(&session, whole, &nonce))
            .await?;
        Ok((session, answer.claim.max_frame))
    }

    /// The accepting side.
    async fn admit(&mut self, deadline: Instant) -> Outcome<(Lane, Arc<Session>, u32)> {
        let challenge: Nonce = rand::random();
        let mut offered: Option<(Hello, Arc<Session>)> = None;
        loop {
            let whole = self.next(deadline).await?;
            if let Some(greeting) = self.read_greeting(&whole)? {
                let Greeting::Hello(hello) = greeting else {
                    return rejected(Rejected::Unexpected);
                };
                offered = self.offer(hello, &whole, challenge, deadline).await?.or(offered);
                continue;
            }
            let frame = Frame::parse(whole).map_err(|_| Failure::Rejected(Rejected::Malformed))?;
            let Some((hello, session)) = &offered else {
                self.tell_stale(&frame, deadline).await?;
                continue;
            };
            if !self.confirms(session, &frame, &challenge)? {
                return rejected(Rejected::Unexpected);
            }
            let (lane, hello, session) = (frame.lane, hello.clone(), session.clone());
            let session = self.hub.adopt(session, Vec::new).ok_or(Failure::Silent)?;
            let shown = self.confirm(&session, lane, &hello.nonce);
            self.say(shown, deadline).await?;
            return Ok((lane, session, hello.claim.max_frame));
        }
    }

    /// Answers a Hello; on datagrams only once it has brought a cookie back.
    async fn offer(
        &mut self,
        hello: Hello,
        whole: &Bytes,
        challenge: Nonce,
        deadline: Instant,
    ) -> Outcome<Option<(Hello, Arc<Session>)>> {
        if self.info.caps.delivery == Delivery::Datagram
            && let Some(challenge) = self.hub.challenge(&self.info, &hello, whole.len())
        {
            self.say(challenge.encode(0), deadline).await?;
            return Ok(None);
        }
        self.check(&hello.claim)?;
        let session = Session::new(&self.hub.cluster, self.hub.us, hello.claim.party);
        let session = Arc::new(session.ok_or(Failure::Rejected(Rejected::Forged))?);
        let answer = Answer { claim: self.claim(), nonce: hello.nonce, challenge };
        self.say(Greeting::Answer(answer).encode(0), deadline).await?;
        Ok(Some((hello, session)))
    }

    /// What has to be right before anything that a peer claims is considered.
    fn check(&self, claim: &Claim) -> Outcome<()> {
        let node = claim.party.node;
        if claim.cluster != self.hub.cluster.mark() {
            return rejected(Rejected::Cluster);
        }
        if node == self.hub.us.node {
            return rejected(Rejected::Unexpected);
        }
        if let Some(Proof::Node(proven)) = &self.info.proof
            && *proven != node
        {
            return rejected(Rejected::Unproven);
        }
        let Hub { config, cluster, .. } = self.hub;
        let admitted = config.admission.admit(cluster, node, &claim.ticket, config.clock.seconds());
        admitted.map(drop).map_err(|why| Failure::Denied(node, why))
    }

    fn claim(&self) -> Claim {
        Claim {
            cluster: self.hub.cluster.mark(),
            party: self.hub.us,
            max_frame: u32::try_from(self.info.caps.max_message).unwrap_or(u32::MAX),
            ticket: self.hub.config.ticket.clone(),
        }
    }

    fn confirm(&self, session: &Session, lane: Lane, nonce: &Nonce) -> Bytes {
        let class = match lane {
            Lane::Urgent => Class::Control,
            Lane::Bulk => Class::Bulk,
        };
        let bytes = Bytes::copy_from_slice(nonce);
        let payload = Payload { class, kind: Kind::Confirm, bytes };
        session.sealer.seal(lane, std::iter::once(&payload), Some(&self.hub.key))
    }

    /// Whether a frame signs our nonce, in the session that was claimed.
    fn confirms(&self, session: &Session, frame: &Frame, nonce: &Nonce) -> Outcome<bool> {
        let opened = session.opener.open(frame, Require::Signature);
        let payloads = opened.map_err(|why| Failure::Rejected(why.into()))?;
        let confirmed =
            |payload: &Payload| payload.kind == Kind::Confirm && *payload.bytes == *nonce;
        Ok(payloads.iter().any(confirmed))
    }

    fn is_confirmed(&self, session: &Arc<Session>, whole: &Bytes, nonce: &Nonce) -> Outcome<bool> {
        let Ok(frame) = Frame::parse(whole.clone()) else { return Ok(false) };
        self.confirms(session, &frame, nonce)
    }

    /// Tells who sends into a session that is over, over datagrams, that it is.
    async fn tell_stale(&mut self, frame: &Frame, deadline: Instant) -> Outcome<()> {
        self.hub.ledger.rejected(Rejected::Elsewhere);
        if self.info.caps.delivery == Delivery::Stream {
            return rejected(Rejected::Unexpected);
        }
        let stale = Stale { tag: frame.tag, counter: frame.counter };
        self.say(Greeting::Stale(stale).encode(0), deadline).await
    }

    /// Says `hello`, again and again over datagrams, until a greeting comes that `is_answer`.
    async fn ask(
        &mut self,
        hello: Bytes,
        deadline: Instant,
        is_answer: impl Fn(&Greeting) -> bool,
    ) -> Outcome<Greeting> {
        let answer = self
            .converse(hello, deadline, |door, whole| {
                Ok(door.read_greeting(whole)?.is_some_and(|greeting| is_answer(&greeting)))
            })
            .await?;
        self.read_greeting(&answer)?.ok_or(Failure::Silent)
    }

    /// Says `saying`, again and again over datagrams, until something comes that `is_answer`. Over
    /// streams the first thing has to be.
    async fn converse(
        &mut self,
        saying: Bytes,
        deadline: Instant,
        is_answer: impl Fn(&Self, &Bytes) -> Outcome<bool>,
    ) -> Outcome<Bytes> {
        let is_lossy = self.info.caps.delivery == Delivery::Datagram;
        let mut pause = FIRST_PAUSE;
        loop {
            self.say(saying.clone(), deadline).await?;
            let until = if is_lossy { deadline.min(Instant::now() + pause) } else { deadline };
            pause *= 2;
            loop {
                let whole = match self.next(until).await {
                    Err(Failure::Silent) if is_lossy && Instant::now() < deadline => break,
                    whole => whole?,
                };
                match is_answer(self, &whole) {
                    Ok(true) => return Ok(whole),
                    // Late doubles and overtakers.
                    Ok(false) | Err(Failure::Rejected(_)) if is_lossy => (),
                    Ok(false) => return rejected(Rejected::Unexpected),
                    Err(failure) => return Err(failure),
                }
            }
        }
    }

    async fn say(&mut self, greeting: Bytes, deadline: Instant) -> Outcome<()> {
        let mut batch: Batch = [greeting].into_iter().collect();
        match timeout_at(deadline, self.writer.send(&mut batch)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Failure::Silent),
        }
    }

    /// The next message, as long as there were not too many.
    async fn next(&mut self, deadline: Instant) -> Outcome<Bytes> {
        while self.arrived.is_empty() {
            match timeout_at(deadline, self.reader.recv(&mut self.arrived)).await {
                Ok(Ok(())) => (),
                Ok(Err(_)) if !self.arrived.is_empty() => (),
                Ok(Err(_)) | Err(_) => return Err(Failure::Silent),
            }
        }
        let whole = self.arrived.remove(0);
        self.heard += whole.len() + 64;
        match self.heard <= UNPROVEN {
            true => Ok(whole),
            false => rejected(Rejected::Unexpected),
        }
    }

    fn read_greeting(&self, whole: &Bytes) -> Outcome<Option<Greeting>> {
        Greeting::parse(whole).map_err(|_| Failure::Rejected(Rejected::Malformed))
    }

    fn padding(&self) -> usize {
        match self.info.caps.delivery {
            Delivery::Stream => 0,
            Delivery::Datagram => MAX_GREETING,
        }
    }

    fn met(self, peer: Arc<Peer>, session: Arc<Session>, peer_max: u32) -> Met {
        let Self { info, reader, writer, arrived, .. } = self;
        let Caps { max_message, .. } = info.caps;
        let max_frame = max_message.min(usize::try_from(peer_max).unwrap_or(usize::MAX));
        Met { peer, session, info, reader, writer, arrived, max_frame }
    }
}

fn concerns(greeting: &Greeting, mine: &Nonce) -> bool {
    match greeting {
        Greeting::Answer(answer) => answer.nonce == *mine,
        Greeting::Challenge(challenge) => challenge.nonce == *mine,
        Greeting::Hello(_) | Greeting::Stale(_) => false,
    }
}

fn rejected<T>(why: Rejected) -> Outcome<T> {
    Err(Failure::Rejected(why))
}

/// How long a dialer may take to prove itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that a dialer may say before it has proven itself, each message counted with 64 more.
const UNPROVEN: usize = 64 << 10;
/// How long to wait for an answer over datagrams before repeating the question; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

impl Party {
    /// A node in a session that begins now.
    pub(crate) fn starting(node: NodeId) -> Self {
        Self { node, session: rand::random() }
    }
}
