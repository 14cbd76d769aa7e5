//! Conns for questions and answers, kept to be used again.
//!
//! A [`Pool`] dials what it is asked for, lends it out to one user at a time, and keeps what comes
//! back for the next one. It needs nothing of an endpoint: the peer may be anybody who answers each
//! message with one message.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use rumormill_endpoint::pool::{Effect, Limits, Pool};
//! use rumormill_registry::Registry;
//! use rumormill_transport_api::{Limits as Serving, Target, serve};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let registry = Arc::new(Registry::of([rumormill_transport_tcp::FACTORY])?);
//! let listener = registry.listen(&"tcp://127.0.0.1:0".parse()?).await?;
//! let echo = serve(listener, Serving::default(), async |_, question| Some(question));
//!
//! let pool = Pool::new(registry, Limits::default());
//! let target = Target::new(echo.addr().clone());
//! let second = Duration::from_secs(1);
//! for question in ["one", "two", "three"] {
//!     let answer = pool.request(&target, question, Effect::Idempotent, second).await?;
//!     assert_eq!(answer, question);
//! }
//! assert_eq!((pool.snapshot().created, pool.snapshot().reused), (1, 2));
//! pool.close(second).await;
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//!
//! - **No answer reaches the wrong user.** A conn goes back only when every question on it was
//!   answered once. A use that was cancelled, failed, ran out of time or panicked closes it.
//! - **A conn is looked at before it is lent:** its reader is asked once, without waiting. One that
//!   has ended is dropped, and so is one that speaks without being asked. Nothing is consumed of a
//!   conn that is lent.
//! - **Everything is bounded** by [`Limits`]: conns, idle conns, those who wait, and how long.
//! - **Nothing is left:** after [`close`](Pool::close), or when the last clone is dropped, no task
//!   and no idle conn.
//!
//! A peer that leaves just when a conn is lent cannot be noticed before. [`Pool::request`] asks an
//! idempotent question once more on a new conn then; any other one is [`Error::Uncertain`].
//!
//! Nor can it be noticed that a peer has begun to say something unasked for, but not ended: pool
//! conns to peers that answer, and to nobody who speaks by himself.

mod lease;
mod limits;
mod tally;

mod error;
mod health;
mod shelf;
mod stock;
mod sweep;

pub use error::Error;
pub use lease::Lease;
pub use limits::Limits;
pub use tally::{Ended, Snapshot};

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use rumormill_registry::Registry;
use rumormill_transport_api::{NodeId, Target};
use tokio::{task::JoinHandle, time::timeout_at};

use crate::budget::Budget;
use lease::Unanswered;
use stock::{Stock, after};

/// Conns for questions and answers, kept to be used again; clones are the same pool.
///
/// Where conns are in short supply, checkouts wait in order; what is idle gives way first. A conn
/// is lent again only for the very same target: address with its options, whom it expects, and from
/// where. Of several, the one that was used last is lent, so that the others can expire.
#[derive(Clone)]
pub struct Pool(Arc<Owner>);

/// What a question does to a peer that gets it twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The same as if it had got it once.
    Idempotent,
    /// Something else: it must not be asked again without the user's knowledge.
    Once,
}

/// Ends the background task with the last clone of the pool.
struct Owner {
    stock: Arc<Stock>,
    sweeping: Mutex<Option<JoinHandle<()>>>,
}

impl Pool {
    /// A pool over the transports of `registry`, with a budget of its own. Must be called inside a
    /// tokio runtime.
    pub fn new(registry: Arc<Registry>, limits: Limits) -> Self {
        Self::sharing(Budget::new(limits.conns), registry, limits)
    }

    /// A pool whose conns count in `budget`, in place of `limits.conns`.
    pub(crate) fn sharing(budget: Arc<Budget>, registry: Arc<Registry>, limits: Limits) -> Self {
        let stock = Stock::new(registry, budget, limits);
        let sweeping = Mutex::new(Some(tokio::spawn(sweep::sweep(stock.clone()))));
        Self(Arc::new(Owner { stock, sweeping }))
    }

    /// A conn to `target` for one's own use: an idle one, or else a new one. It may take
    /// [`Limits::wait`].
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Datagram`], [`Error::Dial`], [`Error::Exhausted`],
    /// [`Error::Timeout`]. Nothing was opened.
    ///
    /// # Cancel safety
    /// Dropping the future loses its turn, and closes what it has opened.
    pub async fn checkout(&self, target: &Target) -> Result<Lease, Error> {
        self.checkout_within(target, self.0.stock.limits.wait).await
    }

    /// The same, within another time.
    ///
    /// # Errors
    /// As for [`checkout`](Self::checkout).
    ///
    /// # Cancel safety
    /// As for [`checkout`](Self::checkout).
    pub async fn checkout_within(&self, target: &Target, within: Duration) -> Result<Lease, Error> {
        self.0.stock.checkout(target, after(within)).await
    }

    /// Asks a question, and waits for the one message that answers it; checkout, dial and answer
    /// may take `within` in all.
    ///
    /// When a conn that was idle turns out to be dead before its answer, the question is asked once
    /// more on a new one: if it is idempotent, or was not sent yet.
    ///
    /// # Errors
    /// [`Error::Uncertain`] if the peer may have got the question; of a question that is
    /// idempotent, asking again does no harm. Any other error means that it was not sent.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the answer, and the conn with it. The peer may have got the
    /// question.
    pub async fn request(
        &self,
        target: &Target,
        question: impl Into<Bytes>,
        effect: Effect,
        within: Duration,
    ) -> Result<Bytes, Error> {
        let (question, deadline) = (question.into(), after(within));
        let mut lease = self.0.stock.checkout(target, deadline).await?;
        let unanswered = match lease.ask(question.clone(), deadline).await {
            Ok(answer) => return Ok(answer),
            Err(unanswered) => unanswered,
        };
        if !lease.is_reused() || !unanswered.may_be_repeated(effect) {
            return Err(unanswered.error);
        }
        let again = async { lease.redial(deadline).await?.ask(question, deadline).await };
        again.await.map_err(|repeated: Unanswered| unanswered.or(repeated))
    }

    /// Closes what leads to `target`, at once where it is idle, else when it comes back.
    pub fn forget(&self, target: &Target) {
        let forgotten = self.0.stock.shelf().forget(target);
        drop(forgotten);
    }

    /// Closes what leads to a node, as [`forget`](Self::forget) does: conns that expect it, and
    /// those whose carrier has proved it.
    pub(crate) fn evict(&self, node: NodeId) {
        let evicted = self.0.stock.shelf().evict(node);
        drop(evicted);
    }

    /// The numbers of this moment.
    pub fn snapshot(&self) -> Snapshot {
        self.0.stock.snapshot()
    }

    /// Ends everything: checkouts that wait fail, idle conns are closed, and it is waited for those
    /// that are leased, until `deadline` has passed. Returns how many leases are still out; their
    /// conns close when they are dropped.
    ///
    /// Not cancel-safe: the pool is closed even if the future is dropped, and idle conns are cut off
    /// then.
    pub async fn close(&self, deadline: Duration) -> usize {
        let (stock, deadline) = (&self.0.stock, after(deadline));
        sweep::farewell(stock, stock.close(), deadline).await;
        let sweeping = self.0.take_sweeping();
        if let Some(sweeping) = sweeping {
            sweeping.await.ok();
        }
        timeout_at(deadline, all_back(stock)).await.ok();
        stock.snapshot().active
    }
}

impl Owner {
    fn take_sweeping(&self) -> Option<JoinHandle<()>> {
        self.sweeping.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        let idle = self.stock.close();
        drop(idle);
        if let Some(sweeping) = self.take_sweeping() {
            sweeping.abort();
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.snapshot()).finish()
    }
}

async fn all_back(stock: &Stock) {
    loop {
        let mut came_back = std::pin::pin!(stock.came_back.notified());
        // From here on nothing is missed.
        came_back.as_mut().enable();
        if stock.snapshot().active == 0 {
            return;
        }
        came_back.await;
    }
}

#[cfg(test)]
mod tests;
