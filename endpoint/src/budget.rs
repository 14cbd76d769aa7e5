//! How many conns a node holds open, whoever uses them.

use std::{
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::yield_now,
    time::{Instant, timeout_at},
};

/// The one bound on the conns of a node: the links of its endpoint and the leases of its pool.
///
/// Whoever opens a conn holds a [`Permit`] for as long as the conn lives; where there is none, they
/// wait in order. An idle lease holds no permit: it is [`Kept`] while there is room, and is the
/// first to give way. An idle link holds one, and is asked to end when somebody waits.
pub(crate) struct Budget {
    limit: usize,
    places: Arc<Semaphore>,
    /// Only who is first waits for a place, so that no more links are asked to end than must.
    turn: tokio::sync::Mutex<()>,
    waiting: AtomicUsize,
    kept: AtomicUsize,
    idlers: Mutex<Idlers>,
}

/// Something that may have idle conns and gives them up when others need the place.
pub(crate) trait Yields: Send + Sync {
    /// Since when nothing went over it; `None` while something does.
    fn idle_since(&self) -> Option<Instant>;

    /// Ends it soon.
    fn give_way(&self);
}

/// A place for one conn, which is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    _place: OwnedSemaphorePermit,
}

/// One idle conn that holds no place.
pub(crate) struct Kept(Arc<Budget>);

/// Every place is taken, and none came free in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("all {limit} conns are in use, and none came free in time; raise `conns`")]
pub(crate) struct Full {
    /// How many places there are.
    pub(crate) limit: usize,
}

/// Who may give way, if they are still there.
#[derive(Default)]
struct Idlers {
    pools: Vec<Weak<dyn Yields>>,
    links: Vec<Weak<dyn Yields>>,
}

impl Budget {
    /// Room for `limit` conns.
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        let limit = limit.min(Semaphore::MAX_PERMITS);
        Arc::new(Self {
            limit,
            places: Arc::new(Semaphore::new(limit)),
            turn: tokio::sync::Mutex::default(),
            waiting: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            idlers: Mutex::default(),
        })
    }

    /// Has a link end when it is idle and somebody waits. As many are known as are alive.
    pub(crate) fn register(&self, link: Weak<dyn Yields>) {
        let mut idlers = self.idlers();
        idlers.links.retain(is_alive);
        idlers.links.push(link);
    }

    /// Has a pool give up the idle conn that was unused longest, whenever there are too many.
    pub(crate) fn register_pool(&self, pool: Weak<dyn Yields>) {
        let mut idlers = self.idlers();
        idlers.pools.retain(is_alive);
        idlers.pools.push(pool);
    }

    /// Waits for a place to open a conn in.
    ///
    /// Those who wait are served in order, and what is idle gives way to them: first the lease, then
    /// the link, that was unused longest.
    ///
    /// # Cancel safety
    /// Dropping the future loses its turn, and no place.
    pub(crate) async fn enter(&self, deadline: Instant) -> Result<Permit, Full> {
        let permit = self.claim(deadline).await?;
        self.make_room(deadline).await?;
        Ok(permit)
    }

    /// Whether a place is free without anybody giving way.
    pub(crate) fn has_room(&self) -> bool {
        self.in_use() + self.kept() < self.limit
    }

    /// A place for a conn that was accepted, if one is free. Nothing gives way for it: what a
    /// stranger opens never displaces what this node has dialled.
    pub(crate) fn try_enter(&self) -> Option<Permit> {
        let permit = self.try_claim()?;
        (self.in_use() + self.kept() <= self.limit).then_some(permit)
    }

    /// Waits for a place, as [`enter`](Self::enter) does; but what is idle stays until
    /// [`make_room`](Self::make_room), which must be called before a conn is opened.
    ///
    /// # Cancel safety
    /// As for [`enter`](Self::enter).
    pub(crate) async fn claim(&self, deadline: Instant) -> Result<Permit, Full> {
        if let Some(permit) = self.try_claim() {
            return Ok(permit);
        }
        let _waiting = Counted::new(&self.waiting);
        let full = |_| Full { limit: self.limit };
        timeout_at(deadline, self.wait()).await.map_err(full)
    }

    /// A place that is free and for which nobody waits.
    pub(crate) fn try_claim(&self) -> Option<Permit> {
        // Between two turns a place may be free that is somebody's already.
        if 0 < self.waiting.load(SeqCst) {
            return None;
        }
        let place = self.places.clone().try_acquire_owned().ok()?;
        Some(Permit { _place: place })
    }

    /// Cancel-safe: both queues take back what they have assigned to a dropped future.
    async fn wait(&self) -> Permit {
        let _turn = self.turn.lock().await;
        let mut place = pin!(self.places.clone().acquire_owned());
        let mut patience = Instant::now();
        loop {
            if let Ok(place) = timeout_at(patience, &mut place).await {
                let place = place.expect("invariant: the semaphore is never closed");
                return Permit { _place: place };
            }
            self.dismiss_link();
            patience = Instant::now() + LOOK_AGAIN;
        }
    }

    /// Has idle leases give way until all conns are within the limit again.
    ///
    /// # Cancel safety
    /// Dropping the future stops it.
    pub(crate) async fn make_room(&self, deadline: Instant) -> Result<(), Full> {
        while self.limit < self.in_use() + self.kept() {
            if self.dismiss_lease() {
                continue;
            }
            if deadline < Instant::now() {
                return Err(Full { limit: self.limit });
            }
            // Another thread has one in its hands just now: it returns it, takes it or drops it, and
            // will have counted it in a moment.
            yield_now().await;
        }
        Ok(())
    }

    /// Counts a conn that becomes idle. Its permit is dropped afterwards, and what is kept is given
    /// up only when the conn is dropped or has a permit, so that at no moment fewer conns are
    /// counted than there are.
    pub(crate) fn keep(self: &Arc<Self>) -> Kept {
        self.kept.fetch_add(1, SeqCst);
        Kept(self.clone())
    }

    /// How many conns there may be.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    fn in_use(&self) -> usize {
        self.limit - self.places.available_permits()
    }

    fn kept(&self) -> usize {
        self.kept.load(SeqCst)
    }

    fn dismiss_lease(&self) -> bool {
        let pools = alive(&self.idlers().pools);
        longest_idle(&pools).inspect(|pool| pool.give_way()).is_some()
    }

    /// Asks each link at most once.
    fn dismiss_link(&self) {
        let links = alive(&self.idlers().links);
        let Some(link) = longest_idle(&links) else { return };
        let is_other =
            |other: &Weak<dyn Yields>| !std::ptr::addr_eq(other.as_ptr(), Arc::as_ptr(link));
        self.idlers().links.retain(is_other);
        link.give_way();
    }

    fn idlers(&self) -> MutexGuard<'_, Idlers> {
        self.idlers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.0.kept.fetch_sub(1, SeqCst);
    }
}

/// One more, for as long as this lives.
pub(crate) struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    pub(crate) fn new(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, SeqCst);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

fn is_alive(idler: &Weak<dyn Yields>) -> bool {
    0 < idler.strong_count()
}

/// They are looked at without the lock: what they do when they are dropped is their own business.
fn alive(idlers: &[Weak<dyn Yields>]) -> Vec<Arc<dyn Yields>> {
    idlers.iter().filter_map(Weak::upgrade).collect()
}

fn longest_idle(idlers: &[Arc<dyn Yields>]) -> Option<&Arc<dyn Yields>> {
    let idle = idlers.iter().filter_map(|idler| Some((idler.idle_since()?, idler)));
    idle.min_by_key(|(since, _)| *since).map(|(_, idler)| idler)
}

/// How long whoever is first waits for a place before one more link is asked to end.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests;
