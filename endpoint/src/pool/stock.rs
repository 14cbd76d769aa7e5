//! What the clones of a pool, its leases and its background task share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use rumormill_registry::{Error as RegistryError, Registry};
use rumormill_transport_api::{AnyConn, Delivery, Proof, Target, Transport};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, watch},
    time::{Instant, timeout, timeout_at},
};

use super::{
    error::Error,
    health::{Health, health},
    lease::Lease,
    limits::Limits,
    shelf::{Idle, Keeping, Origin, Shelf, Visited},
    tally::{Ended, Snapshot},
};
use crate::{
    budget::{Budget, Counted, Full, Kept, Permit, Yields},
    clock::later,
};

/// What the clones of a pool, its leases and its background task share.
pub(super) struct Stock {
    registry: Arc<Registry>,
    budget: Arc<Budget>,
    pub(super) limits: Limits,
    shelf: Mutex<Shelf<Parked>>,
    waiting: AtomicUsize,
    closed: watch::Sender<bool>,
    /// Something is idle, where nothing was.
    pub(super) stirred: Notify,
    /// A conn is no longer in use.
    pub(super) came_back: Notify,
}

/// An idle conn.
pub(super) struct Parked {
    pub(super) conn: AnyConn,
    _kept: Kept,
}

/// Somebody's hold on a target.
struct Visit {
    stock: Arc<Stock>,
    visited: Visited,
}

/// A visit with the right to one conn.
pub(super) struct Seat {
    visit: Visit,
    _of_target: OwnedSemaphorePermit,
    _of_all: Permit,
}

/// A conn that a seat was given.
pub(super) struct Held {
    pub(super) conn: AnyConn,
    pub(super) origin: Origin,
    pub(super) is_reused: bool,
}

impl Stock {
    pub(super) fn new(registry: Arc<Registry>, budget: Arc<Budget>, limits: Limits) -> Arc<Self> {
        let stock = Arc::new(Self {
            registry,
            budget,
            limits,
            shelf: Mutex::new(Shelf::new()),
            waiting: AtomicUsize::new(0),
            closed: watch::Sender::new(false),
            stirred: Notify::new(),
            came_back: Notify::new(),
        });
        let as_idler: Arc<dyn Yields> = stock.clone();
        stock.budget.register_pool(Arc::downgrade(&as_idler));
        stock
    }

    /// Cancel-safe: what has been taken so far goes back when it is dropped.
    pub(super) async fn checkout(
        self: &Arc<Self>,
        target: &Target,
        deadline: Instant,
    ) -> Result<Lease, Error> {
        let visited = self.shelf().visit(target, self.limits.per_target).ok_or(Error::Closed)?;
        let seat = self.seat(Visit { stock: self.clone(), visited }, deadline).await?;
        let held = match seat.reuse() {
            Some(held) => held,
            None => seat.dial(deadline).await?,
        };
        Ok(Lease::new(seat, held))
    }

    async fn seat(&self, visit: Visit, deadline: Instant) -> Result<Seat, Error> {
        let of_target = visit.visited.places.clone().try_acquire_owned().ok();
        let of_all = of_target.as_ref().and_then(|_| self.budget.try_claim());
        match (of_target, of_all) {
            (Some(of_target), Some(of_all)) => {
                Ok(Seat { visit, _of_target: of_target, _of_all: of_all })
            }
            (of_target, _) => self.wait(visit, of_target, deadline).await,
        }
    }

    async fn wait(
        &self,
        visit: Visit,
        of_target: Option<OwnedSemaphorePermit>,
        deadline: Instant,
    ) -> Result<Seat, Error> {
        let since = Instant::now();
        let full = |setting, limit| Error::Exhausted { setting, limit, waited: since.elapsed() };
        let _waiting = Counted::new(&self.waiting);
        if self.limits.queue < self.waiting.load(SeqCst) {
            return Err(full("queue", self.limits.queue));
        }
        let waiting = async {
            let of_target = match of_target {
                Some(place) => place,
                None => timeout_at(deadline, visit.visited.places.clone().acquire_owned())
                    .await
                    .map_err(|_| full("per_target", self.limits.per_target))?
                    .expect("invariant: the semaphore is never closed"),
            };
            let of_all = self.budget.claim(deadline).await;
            let of_all = of_all.map_err(|_| full("conns", self.budget.limit()))?;
            Ok(Seat { visit, _of_target: of_target, _of_all: of_all })
        };
        self.unless_closed(waiting).await
    }

    /// Ends with [`Error::Closed`] as soon as the pool is closed.
    async fn unless_closed<T>(
        &self,
        doing: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut closed = self.closed.subscribe();
        tokio::select! {
            biased;
            _ = closed.wait_for(|is_closed| *is_closed) => Err(Error::Closed),
            done = doing => done,
        }
    }

    async fn open(&self, target: &Target, deadline: Instant) -> Result<AnyConn, Error> {
        let addr = || Box::new(target.addr.clone());
        let failed = |source: RegistryError| Error::Dial { addr: addr(), source };
        let transport = self.registry.transport(target.addr.scheme()).map_err(failed)?;
        if transport.caps().delivery == Delivery::Datagram {
            return Err(Error::Datagram { addr: addr() });
        }
        let after = self.limits.dial.min(deadline.saturating_duration_since(Instant::now()));
        match timeout(after, transport.dial(target)).await {
            Ok(Ok(conn)) if conn.info.caps.delivery == Delivery::Datagram => {
                Err(Error::Datagram { addr: addr() })
            }
            Ok(dialled) => dialled.map_err(|error| failed(error.into())),
            Err(_) => Err(Error::Timeout { addr: addr(), after }),
        }
    }

    /// Takes back a conn that is as good as when it was checked out.
    fn keep(&self, held: Held) {
        let parked = Parked { conn: held.conn, _kept: self.budget.keep() };
        let idle = Idle { origin: held.origin, since: Instant::now(), conn: parked };
        let mut shelf = self.shelf();
        let unwanted = shelf.keep(idle, self.keeping());
        let is_first = shelf.len() == 1;
        drop(shelf);
        drop(unwanted);
        if is_first {
            self.stirred.notify_one();
        }
        self.came_back.notify_waiters();
    }

    pub(super) fn keeping(&self) -> Keeping {
        Keeping { most: self.limits.idle, warm: self.limits.warm }
    }

    /// Drops a conn that was in use.
    fn end(&self, held: Held, why: Ended) {
        self.shelf().ended(&held.origin, why);
        drop(held);
        self.came_back.notify_waiters();
    }

    /// A place to say farewell in, if nobody needs it for anything better.
    pub(super) fn try_claim(&self) -> Option<Permit> {
        self.budget.try_claim()
    }

    pub(super) fn shelf(&self) -> MutexGuard<'_, Shelf<Parked>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn close(&self) -> Vec<Idle<Parked>> {
        self.closed.send_replace(true);
        self.shelf().close()
    }

    /// Waits until the pool is closed. Cancel-safe.
    pub(super) async fn closed(&self) {
        // An error would mean that the sender is gone, which `self` holds.
        self.closed.subscribe().wait_for(|is_closed| *is_closed).await.ok();
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let shelf = self.shelf();
        shelf.tally.snapshot(shelf.targets(), self.waiting.load(SeqCst))
    }
}

impl Seat {
    pub(super) fn target(&self) -> &Target {
        &self.visit.visited.target
    }

    /// An idle conn of the target that is fit to be used; those that are not are dropped.
    fn reuse(&self) -> Option<Held> {
        let stock = &self.visit.stock;
        loop {
            let Idle { origin, conn, .. } = stock.shelf().take(self.visit.visited.site)?;
            let mut held = Held { conn: conn.conn, origin, is_reused: true };
            match health(&mut held.conn.reader) {
                Health::Good => {
                    stock.shelf().tally.reused();
                    return Some(held);
                }
                Health::Ended(_) | Health::Spoke => stock.end(held, Ended::Unhealthy),
            }
        }
    }

    /// A conn of its own. Cancel-safe: dropping the future closes what it has opened.
    pub(super) async fn dial(&self, deadline: Instant) -> Result<Held, Error> {
        let stock = &self.visit.stock;
        let since = Instant::now();
        let is_full =
            |Full { limit }| Error::Exhausted { setting: "conns", limit, waited: since.elapsed() };
        stock.budget.make_room(deadline).await.map_err(is_full)?;
        let mut origin = stock.shelf().origin(self.visit.visited.site);
        let dialled = Box::pin(stock.unless_closed(stock.open(self.target(), deadline))).await;
        let conn = dialled.inspect_err(|error| {
            let has_dialled = matches!(error, Error::Dial { .. } | Error::Timeout { .. });
            stock.shelf().tally.failed_dials += u64::from(has_dialled);
        })?;
        origin.node = match conn.info.proof {
            Some(Proof::Node(node)) => Some(node),
            _ => None,
        };
        match stock.shelf().opened(&origin) {
            true => Ok(Held { conn, origin, is_reused: false }),
            false => Err(Error::Closed),
        }
    }

    /// Gives a conn back: idle if nothing is wrong with it. Where one of those that were idle has
    /// died in use, the others are not trusted either: a peer that has vanished without a word
    /// takes all its conns with it, and would be found out by one user after the other.
    pub(super) fn release(&self, held: Held, wrong: Option<Ended>) {
        match wrong {
            None => self.visit.stock.keep(held),
            Some(why) => {
                let is_suspicious = held.is_reused && why == Ended::Unhealthy;
                self.visit.stock.end(held, why);
                if is_suspicious {
                    let suspects = self.visit.stock.shelf().suspect(self.visit.visited.site);
                    drop(suspects);
                }
            }
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.stock.shelf().leave(self.visited.site);
    }
}

impl Yields for Stock {
    fn idle_since(&self) -> Option<Instant> {
        self.shelf().oldest()
    }

    fn give_way(&self) {
        let oldest = self.shelf().pop_oldest(Ended::Displaced);
        drop(oldest);
    }
}

/// The moment when `within` has passed; one so far away that it cannot be told is in thirty years.
pub(super) fn after(within: Duration) -> Instant {
    later(Instant::now(), within)
}
