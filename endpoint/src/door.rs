//! A conn whose peer has not proven itself: what is said and heard there, within bounds.

use std::time::Duration;

use bytes::Bytes;
use rumormill_transport_api::{
    Addr, AnyConn, AnyReader, AnyWriter, Batch, Conn, Delivery, Info, NodeId, Reader, Writer,
};
use tokio::time::{Instant, timeout_at};

use crate::{
    admission::Denied,
    error::Error,
    frame::Frame,
    hello::{Greeting, MAX_GREETING},
    hub::Hub,
    ledger::Rejected,
};

/// A conn before its peer has proven itself.
pub(crate) struct Door<'a> {
    pub(crate) hub: &'a Hub,
    pub(crate) info: Info,
    pub(crate) reader: AnyReader,
    pub(crate) writer: AnyWriter,
    /// What was dialled, if it was this side that did.
    pub(crate) dialled: Option<Addr>,
    pub(crate) arrived: Vec<Bytes>,
    /// Frames that overtook what they should have followed.
    pub(crate) early: Vec<Bytes>,
    /// Bytes that came so far.
    heard: usize,
}

/// Why nobody was met. The conn is gone.
pub(crate) enum Failure {
    /// The carrier ended.
    Ended,
    /// The peer said too little in time, or all has been said for now.
    Silent,
    /// The peer said something that it must not.
    Rejected(Rejected),
    /// This node does not want the peer.
    Denied(NodeId, Denied),
    /// This node wanted the peer, and does no more.
    Forgotten,
    /// There is no room for another peer.
    NoRoom(Error),
}

pub(crate) type Outcome<T> = Result<T, Failure>;

impl<'a> Door<'a> {
    pub(crate) fn new(hub: &'a Hub, conn: AnyConn, dialled: Option<Addr>) -> Self {
        let Conn { info, reader, writer } = conn;
        let (arrived, early) = (Vec::new(), Vec::new());
        Self { hub, info, reader, writer, dialled, arrived, early, heard: 0 }
    }

    /// Whether anything may get lost here, come twice, or come from somebody else.
    pub(crate) fn is_lossy(&self) -> bool {
        self.info.caps.delivery == Delivery::Datagram
    }

    /// Says `hello`, again and again over datagrams, until a greeting comes that `is_answer`.
    pub(crate) async fn ask(
        &mut self,
        hello: Bytes,
        deadline: Instant,
        is_answer: impl Fn(&Self, &Greeting) -> bool,
    ) -> Outcome<(Bytes, Greeting)> {
        let answer = self
            .converse(hello, deadline, |door, whole| {
                Ok(read_greeting(whole)?.is_some_and(|greeting| is_answer(door, &greeting)))
            })
            .await?;
        let greeting = read_greeting(&answer)?.ok_or(Failure::Silent)?;
        Ok((answer, greeting))
    }

    /// Says `saying`, again and again over datagrams, until something comes that `is_answer`. Over
    /// streams the first thing has to be.
    pub(crate) async fn converse(
        &mut self,
        saying: Bytes,
        deadline: Instant,
        is_answer: impl Fn(&Self, &Bytes) -> Outcome<bool>,
    ) -> Outcome<Bytes> {
        let is_lossy = self.is_lossy();
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
                    Ok(false) if is_lossy => self.keep_frame(whole),
                    Ok(false) => return rejected(Rejected::Unexpected),
                    Err(Failure::Rejected(why)) if is_lossy => self.hub.ledger.rejected(why),
                    Err(failure) => return Err(failure),
                }
            }
        }
    }

    pub(crate) async fn say(&mut self, saying: Bytes, deadline: Instant) -> Outcome<()> {
        let mut batch: Batch = [saying].into_iter().collect();
        match timeout_at(deadline, self.writer.send(&mut batch)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Failure::Ended),
            Err(_) => Err(Failure::Silent),
        }
    }

    /// The next message, as long as there were not too many.
    pub(crate) async fn next(&mut self, deadline: Instant) -> Outcome<Bytes> {
        while self.arrived.is_empty() {
            match timeout_at(deadline, self.reader.recv(&mut self.arrived)).await {
                Ok(Ok(())) => (),
                Ok(Err(_)) if !self.arrived.is_empty() => (),
                Ok(Err(_)) => return Err(Failure::Ended),
                Err(_) => return Err(Failure::Silent),
            }
        }
        let whole = self.arrived.remove(0);
        self.heard += whole.len() + 64;
        match self.heard <= UNPROVEN {
            true => Ok(whole),
            false => rejected(Rejected::Unexpected),
        }
    }

    /// The peer seals as soon as it knows us, which may be before we know it.
    fn keep_frame(&mut self, whole: Bytes) {
        if Frame::parse(whole.clone()).is_ok() {
            self.early.push(whole);
        }
    }

    pub(crate) fn padding(&self) -> usize {
        match self.info.caps.delivery {
            Delivery::Stream => 0,
            Delivery::Datagram => MAX_GREETING,
        }
    }
}

pub(crate) fn read_greeting(whole: &Bytes) -> Outcome<Option<Greeting>> {
    Greeting::parse(whole).map_err(|_| Failure::Rejected(Rejected::Malformed))
}

pub(crate) fn rejected<T>(why: Rejected) -> Outcome<T> {
    Err(Failure::Rejected(why))
}

/// Bytes that a peer may say before it has proven itself, each message counted with 64 more.
const UNPROVEN: usize = 64 << 10;
/// How long to wait for an answer over datagrams before repeating the question; doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
