//! What can be changed while conns live: whether anything passes at all.

use std::{
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rumormill_transport_api::{Delivery, Error, Result, Target};
use tokio::sync::Notify;

/// Whether anything passes to the conns of a [`Faulty`](crate::Faulty) transport.
///
/// It stands at the end that receives: nodes that share an instance are blocked both ways, and of
/// nodes with an instance each one may be kept from hearing while it is still heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Road {
    /// Everything, with the faults that the instance has.
    #[default]
    Open,
    /// Nothing, and nobody is told: datagrams are lost as they arrive, streams stand still, their
    /// ends too, and dials of streams wait, until it is open again.
    Blackholed,
    /// Nothing, and everybody is told: dials fail at once, conns that live are cut as soon as one
    /// of their halves is called, and conns that come in are dropped.
    Refused,
}

/// Where the halves of all conns of an instance look.
///
/// No `watch`: that one wakes those who wait in an order that differs from run to run.
#[derive(Debug, Default)]
pub(super) struct Roadblock {
    road: Mutex<Road>,
    changed: Notify,
}

impl Roadblock {
    pub(super) fn set(&self, road: Road) {
        *self.lock() = road;
        self.changed.notify_waiters();
    }

    pub(super) fn is(&self, road: Road) -> bool {
        *self.lock() == road
    }

    /// Waits while whatever arrives would vanish. Cancel-safe.
    pub(super) async fn until_told(&self) {
        self.until(|road| road != Road::Blackholed).await;
    }

    /// Waits until everything is refused. Cancel-safe.
    pub(super) async fn until_refused(&self) {
        self.until(|road| road == Road::Refused).await;
    }

    /// Lets a dial begin, or fail. Datagrams are not asked for, so none waits to be answered.
    pub(super) async fn dial(&self, target: &Target, delivery: Delivery) -> Result<()> {
        if delivery == Delivery::Stream {
            self.until_told().await;
        }
        match self.is(Road::Refused) {
            false => Ok(()),
            true => Err(Error::Unreachable {
                addr: target.addr.clone(),
                source: io::Error::new(io::ErrorKind::ConnectionRefused, "a simulated refusal"),
            }),
        }
    }

    async fn until(&self, is_it: impl Fn(Road) -> bool) {
        loop {
            // Made before the look, so that no change falls in between.
            let changed = self.changed.notified();
            if is_it(*self.lock()) {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Road> {
        self.road.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
