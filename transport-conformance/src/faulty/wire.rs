//! The two inner halves of a conn, where a cut can take both away.

use std::{
    io, mem,
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rumormill_transport_api::{Error, Result, Transport};
use tokio::sync::Notify;

use super::{Road, Shared};

/// What both halves of a faulty conn hold.
pub(super) struct Wire<T: Transport> {
    pub(super) reader: Slot<T::Reader>,
    pub(super) writer: Slot<T::Writer>,
    shared: Arc<Shared>,
    cut: AtomicBool,
    woken: Notify,
}

/// The place of one inner half.
pub(super) struct Slot<H>(Mutex<Place<H>>);

/// An inner half in use. It goes back to its slot when this is dropped, unless the slot is gone.
pub(super) struct Loan<'a, H> {
    half: Option<H>,
    slot: &'a Slot<H>,
}

enum Place<H> {
    Here(H),
    Lent,
    Gone,
}

impl<T: Transport> Wire<T> {
    pub(super) fn new(reader: T::Reader, writer: T::Writer, shared: Arc<Shared>) -> Self {
        Self {
            reader: Slot::new(reader),
            writer: Slot::new(writer),
            shared,
            cut: AtomicBool::new(false),
            woken: Notify::new(),
        }
    }

    /// Drops both inner halves, those in use as soon as their calls wake; gives the error to return.
    pub(super) fn cut(&self) -> Error {
        if !self.cut.swap(true, Ordering::AcqRel) {
            self.shared.counts.cut.add_one();
        }
        self.reader.clear();
        self.writer.clear();
        self.woken.notify_waiters();
        was_cut()
    }

    /// Resolves, to the error to return, when the conn is cut.
    pub(super) async fn until_cut(&self) -> Error {
        // In this order: a cut between the two is seen by one or the other.
        let woken = self.woken.notified();
        if !self.cut.load(Ordering::Acquire) {
            tokio::select! {
                biased;
                () = woken => (),
                () = self.shared.road.until_refused() => return self.cut(),
            }
        }
        was_cut()
    }

    /// Waits as long as nothing passes and nobody is told.
    pub(super) async fn until_told(&self) {
        self.shared.road.until_told().await;
    }

    pub(super) fn is_blackholed(&self) -> bool {
        self.shared.road.is(Road::Blackholed)
    }
}

impl<H> Slot<H> {
    fn new(half: H) -> Self {
        Self(Mutex::new(Place::Here(half)))
    }

    /// Takes the half, until the loan is dropped.
    ///
    /// # Errors
    /// [`Error::Cut`] if it is gone.
    pub(super) fn lend(&self) -> Result<Loan<'_, H>> {
        let mut place = self.place();
        match mem::replace(&mut *place, Place::Lent) {
            Place::Here(half) => Ok(Loan { half: Some(half), slot: self }),
            // Lent: a future of the half was leaked instead of dropped, and the half with it.
            gone @ (Place::Lent | Place::Gone) => {
                *place = gone;
                Err(was_cut())
            }
        }
    }

    /// Drops the half, now or when its loan ends.
    pub(super) fn clear(&self) {
        // Dropped outside of the lock, as it runs a carrier's code.
        let old = mem::replace(&mut *self.place(), Place::Gone);
        drop(old);
    }

    fn place(&self) -> MutexGuard<'_, Place<H>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H> Deref for Loan<'_, H> {
    type Target = H;

    fn deref(&self) -> &H {
        self.half.as_ref().expect("invariant: taken only when the loan is dropped")
    }
}

impl<H> DerefMut for Loan<'_, H> {
    fn deref_mut(&mut self) -> &mut H {
        self.half.as_mut().expect("invariant: taken only when the loan is dropped")
    }
}

impl<H> Drop for Loan<'_, H> {
    fn drop(&mut self) {
        let half = self.half.take();
        let mut place = self.slot.place();
        if let (Place::Lent, Some(half)) = (&*place, half) {
            *place = Place::Here(half);
        }
    }
}

fn was_cut() -> Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "a simulated fault").into()
}
