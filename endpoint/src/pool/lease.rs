//! A conn of one's own, for a while.

use std::{fmt, mem, thread, time::Duration, vec};

use bytes::Bytes;
use rumormill_transport_api::{
    Addr, AnyConn, Batch, Error as CarrierError, Info, Reader, Target, Writer,
};
use tokio::time::{Instant, timeout_at};

use super::{
    Effect,
    error::Error,
    health::{Health, health},
    stock::{Held, Seat, after},
    tally::Ended,
};

/// A conn of one's own, until this is dropped.
///
/// [`request`](Self::request) asks a question and waits for its one answer. While nothing else was
/// done, dropping the lease gives the conn back. A use that failed, ran out of time or was dropped
/// half-way leaves a conn that may still carry an answer to nobody, so then it is closed instead;
/// so it is when the lease is dropped by a panic.
///
/// For anything else than questions with one answer there are [`send`](Self::send),
/// [`recv`](Self::recv) and the bare [`conn`](Self::conn). Only their user knows when nothing more is
/// due, and says so by [`give_back`](Self::give_back); a lease that is dropped without it closes its
/// conn.
pub struct Lease {
    seat: Seat,
    /// There until the lease ends.
    held: Option<Held>,
    used: Used,
    /// What came along with what was received.
    arrived: vec::IntoIter<Bytes>,
}

/// What a lease was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Used {
    /// For nothing but questions that were answered.
    Cleanly,
    /// For what only its user can judge.
    Freely,
    /// For something that failed, or that is under way.
    Badly(Ended),
}

/// Why a question has no answer.
pub(super) struct Unanswered {
    pub(super) error: Error,
    /// Whether the conn turned out dead, and not the time too short or the question too long.
    pub(super) is_dead: bool,
    /// Whether the peer may have got it.
    pub(super) was_sent: bool,
}

impl Lease {
    pub(super) fn new(seat: Seat, held: Held) -> Self {
        let (used, arrived) = (Used::Cleanly, Vec::new().into_iter());
        Self { seat, held: Some(held), used, arrived }
    }

    /// Where the conn leads.
    pub fn target(&self) -> &Target {
        self.seat.target()
    }

    /// What is known about the conn.
    pub fn info(&self) -> &Info {
        &self.held().conn.info
    }

    /// Whether the conn was used before, by somebody else.
    pub fn is_reused(&self) -> bool {
        self.held().is_reused
    }

    /// Asks a question, and waits for the one message that answers it.
    ///
    /// The answer may share its memory with what came along: copy what is stored for long.
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::Conn`], [`Error::Timeout`], [`Error::TooLarge`] and
    /// [`Error::Unsolicited`]: the question was not sent. [`Error::Uncertain`]: it may have been.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the answer, and the conn with it.
    pub async fn request(
        &mut self,
        question: impl Into<Bytes>,
        within: Duration,
    ) -> Result<Bytes, Error> {
        let deadline = after(within);
        self.listen_first()?;
        self.ask(question.into(), deadline).await.map_err(|unanswered| unanswered.error)
    }

    /// Sends a message. The conn goes back only by [`give_back`](Self::give_back).
    ///
    /// It waits while the peer does not read; the deadline is the caller's.
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::Conn`], [`Error::TooLarge`].
    ///
    /// # Cancel safety
    /// Dropping the future may lose the message, and gives up the conn.
    pub async fn send(&mut self, message: impl Into<Bytes>) -> Result<(), Error> {
        let before = self.begin()?;
        let mut batch = Batch::from_iter([message]);
        let sent = self.held_mut().conn.writer.send(&mut batch).await;
        match sent {
            Ok(()) => self.used = Used::Freely,
            Err(CarrierError::TooLarge { len, max }) => {
                self.used = before;
                return Err(Error::TooLarge { len, max });
            }
            Err(error) => return Err(self.failed(error)),
        }
        Ok(())
    }

    /// Waits for a message. The conn goes back only by [`give_back`](Self::give_back).
    ///
    /// # Errors
    /// [`Error::Broken`], [`Error::Conn`].
    ///
    /// # Cancel safety
    /// Dropping the future gives up the conn.
    pub async fn recv(&mut self) -> Result<Bytes, Error> {
        if let Some(message) = self.arrived.next() {
            return Ok(message);
        }
        self.begin()?;
        let mut arrived = Vec::new();
        let received = self.held_mut().conn.reader.recv(&mut arrived).await;
        self.arrived = arrived.into_iter();
        match (self.arrived.next(), received) {
            (Some(message), Ok(())) => {
                self.used = Used::Freely;
                Ok(message)
            }
            (Some(message), Err(_)) => {
                self.used = Used::Badly(Ended::Unhealthy);
                Ok(message)
            }
            (None, received) => Err(self.failed(received.err().unwrap_or(CarrierError::Closed))),
        }
    }

    /// The conn itself, for what the other methods cannot do. It goes back only by
    /// [`give_back`](Self::give_back), and what [`recv`](Self::recv) has not yet told is not in it.
    pub fn conn(&mut self) -> &mut AnyConn {
        if self.used == Used::Cleanly {
            self.used = Used::Freely;
        }
        &mut self.held_mut().conn
    }

    /// Gives the conn back to be used again: the caller's word that every answer has been received,
    /// and that no future of its halves was dropped half-way.
    ///
    /// It is closed all the same if a use of this lease failed, or something arrived that was not
    /// received.
    pub fn give_back(mut self) {
        if self.used == Used::Freely {
            self.used = match self.arrived.len() {
                0 => Used::Cleanly,
                _ => Used::Badly(Ended::Unhealthy),
            };
        }
    }

    /// Asks on a conn that was silent just now.
    pub(super) async fn ask(
        &mut self,
        question: Bytes,
        deadline: Instant,
    ) -> Result<Bytes, Unanswered> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(self.too_late(left).into());
        }
        let before = self.begin()?;
        let (mut batch, mut arrived) = (Batch::from_iter([question]), Vec::new());
        let conn = &mut self.held_mut().conn;
        let exchange = async {
            conn.writer.send(&mut batch).await?;
            conn.reader.recv(&mut arrived).await
        };
        // Cancel-safe: the lease is marked as badly used until its one answer is here.
        let done = timeout_at(deadline, exchange).await;
        let was_sent = batch.is_empty();
        match (arrived.pop(), done) {
            (Some(answer), Ok(Ok(()))) if arrived.is_empty() => {
                self.used = before;
                Ok(answer)
            }
            (Some(last), _) => {
                self.used = Used::Badly(Ended::Unhealthy);
                Ok(arrived.into_iter().next().unwrap_or(last))
            }
            (None, Ok(Err(CarrierError::TooLarge { len, max }))) if !was_sent => {
                self.used = before;
                Err(Error::TooLarge { len, max }.into())
            }
            (None, Ok(done)) => {
                Err(self.died(done.err().unwrap_or(CarrierError::Closed), was_sent))
            }
            (None, Err(_)) if was_sent => Err(self.waited_in_vain(left)),
            (None, Err(_)) => Err(self.too_late(left).into()),
        }
    }

    /// The same lease with a conn of its own, in place of one that was found dead.
    pub(super) async fn redial(mut self, deadline: Instant) -> Result<Self, Error> {
        if let Some(dead) = self.held.take() {
            self.seat.release(dead, Some(Ended::Unhealthy));
        }
        self.held = Some(self.seat.dial(deadline).await?);
        self.used = Used::Cleanly;
        Ok(self)
    }

    /// Makes sure that nothing has arrived which would be taken for the answer to what is asked
    /// next.
    fn listen_first(&mut self) -> Result<(), Error> {
        if matches!(self.used, Used::Badly(_)) {
            return Err(Error::Broken);
        }
        let has_more = 0 < self.arrived.len();
        match health(&mut self.held_mut().conn.reader) {
            Health::Good if !has_more => Ok(()),
            Health::Ended(error) if !has_more => Err(self.failed(error)),
            _ => {
                self.used = Used::Badly(Ended::Unhealthy);
                Err(Error::Unsolicited { addr: self.addr() })
            }
        }
    }

    /// Marks the lease as badly used, until the use has ended well. Returns what it was before.
    fn begin(&mut self) -> Result<Used, Error> {
        match mem::replace(&mut self.used, Used::Badly(Ended::Dirty)) {
            Used::Badly(why) => {
                self.used = Used::Badly(why);
                Err(Error::Broken)
            }
            before => Ok(before),
        }
    }

    fn failed(&mut self, source: CarrierError) -> Error {
        self.used = Used::Badly(Ended::Unhealthy);
        Error::Conn { addr: self.addr(), source }
    }

    fn died(&mut self, source: CarrierError, was_sent: bool) -> Unanswered {
        match (self.failed(source), was_sent) {
            (Error::Conn { addr, source }, true) => {
                Unanswered { error: Error::Uncertain { addr, source }, is_dead: true, was_sent }
            }
            (error, _) => error.into(),
        }
    }

    fn waited_in_vain(&self, after: Duration) -> Unanswered {
        let source = CarrierError::Timeout { doing: "waiting for an answer".into(), after };
        let error = Error::Uncertain { addr: self.addr(), source };
        Unanswered { error, is_dead: false, was_sent: true }
    }

    fn too_late(&self, after: Duration) -> Error {
        Error::Timeout { addr: self.addr(), after }
    }

    fn addr(&self) -> Box<Addr> {
        Box::new(self.target().addr.clone())
    }

    fn held(&self) -> &Held {
        self.held.as_ref().expect(HELD)
    }

    fn held_mut(&mut self) -> &mut Held {
        self.held.as_mut().expect(HELD)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        let wrong = match self.used {
            Used::Cleanly if !thread::panicking() => None,
            Used::Cleanly | Used::Freely => Some(Ended::Dirty),
            Used::Badly(why) => Some(why),
        };
        self.seat.release(held, wrong);
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Lease");
        debug.field("target", self.target()).field("used", &self.used).finish_non_exhaustive()
    }
}

impl Unanswered {
    /// Whether asking again, on a new conn, can help and does no harm.
    pub(super) fn may_be_repeated(&self, effect: Effect) -> bool {
        self.is_dead && (!self.was_sent || effect == Effect::Idempotent)
    }

    /// What to report when it was repeated in vain: that a question may have been sent outweighs
    /// that another was not.
    pub(super) fn or(self, repeated: Self) -> Error {
        match self.was_sent && !repeated.was_sent {
            true => self.error,
            false => repeated.error,
        }
    }
}

/// Nothing was sent.
impl From<Error> for Unanswered {
    fn from(error: Error) -> Self {
        let is_dead = matches!(error, Error::Conn { .. });
        Self { error, is_dead, was_sent: false }
    }
}

const HELD: &str = "invariant: a lease has a conn until it is dropped";
