//! A transport around a transport that drops, duplicates, reorders, delays and cuts.

mod faults;
mod road;
mod tally;

mod reader;
mod writer;

mod arrivals;
mod dice;
mod queue;
mod wire;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rumormill_transport_api::{Addr, Caps, Conn, Info, Listener, Result, Target, Transport};

use dice::Dice;
use road::Roadblock;
use tally::Counts;
use wire::Wire;

pub use faults::Faults;
pub use reader::FaultyReader;
pub use road::Road;
pub use tally::Tally;
pub use writer::FaultyWriter;

/// A transport whose conns suffer programmed faults; clones are the same instance.
///
/// Both halves of every conn that it dials or accepts suffer, so one end suffices to make a conn
/// bad in both directions:
///
/// | fault | on messages received | on messages sent |
/// |---|---|---|
/// | drop, duplicate, cut | each as it is read from the carrier | each as `send` takes it |
/// | reorder | among all, since a message waits for the next | among those of one batch |
/// | delay, jitter | yes | no |
///
/// A writer works only while it is called. It could delay a message, or wait for the next one, only
/// by making `send` wait, which would let one batch pass per delay: a limit on throughput instead
/// of a delay. A reader is called all the time, and reads on while messages wait. So one faulty end
/// adds its delay once to a round trip. With both ends faulty each direction has its delay, and
/// suffers every other fault twice.
///
/// What the contract promises holds but for the faults: a dropped future loses nothing, and a
/// message that is too long is refused before any dice are thrown. Dialling, accepting and
/// addresses are the inner transport's. So is backpressure: where messages get lost on a stream,
/// [`caps`](Transport::caps) say datagram, yet `send` waits while the peer does not read.
///
/// A cut ends both halves at once, each with [`Error::Cut`](rumormill_transport_api::Error::Cut),
/// and drops the inner ones, even while nobody calls them, so the peer notices as soon as its
/// carrier can tell. What was still delayed is lost.
///
/// The same seed brings the same fate. Each half has dice of its own, and what they show for a
/// message depends on the seed, the number of the conn, the half and the number of the message
/// alone (only whether something comes in time to overtake it depends on what follows). Conns are
/// numbered in the order in which the dials and accepts of the instance succeed: a program that
/// wants to see a run again has to keep that order.
#[derive(Debug)]
pub struct Faulty<T> {
    inner: Arc<T>,
    shared: Arc<Shared>,
}

/// The [`Listener`] of [`Faulty`].
pub struct FaultyListener<T: Transport> {
    inner: T::Listener,
    shared: Arc<Shared>,
}

impl<T> Faulty<T> {
    /// Makes conns of `inner` suffer `faults`.
    pub fn new(inner: T, faults: Faults) -> Self {
        let shared = Shared { faults, ..Shared::default() };
        Self { inner: Arc::new(inner), shared: Arc::new(shared) }
    }

    /// Blocks or opens the road to all conns of this instance, those that live included.
    pub fn set_road(&self, road: Road) {
        self.shared.road.set(road);
    }

    /// What has happened so far to the conns of this instance, those that ended included.
    pub fn tally(&self) -> Tally {
        self.shared.counts.tally()
    }
}

impl<T: Transport> Transport for Faulty<T> {
    type Reader = FaultyReader<T>;
    type Writer = FaultyWriter<T>;
    type Listener = FaultyListener<T>;

    fn caps(&self) -> Caps {
        self.shared.faults.caps(self.inner.caps())
    }

    async fn dial(&self, target: &Target) -> Result<Conn<Self::Reader, Self::Writer>> {
        self.shared.road.dial(target, self.inner.caps().delivery).await?;
        Ok(wrap(&self.shared, self.inner.dial(target).await?))
    }

    async fn listen(&self, addr: &Addr) -> Result<Self::Listener> {
        let inner = self.inner.listen(addr).await?;
        Ok(FaultyListener { inner, shared: self.shared.clone() })
    }
}

impl<T: Transport> Listener for FaultyListener<T> {
    type Reader = FaultyReader<T>;
    type Writer = FaultyWriter<T>;

    fn addr(&self) -> &Addr {
        self.inner.addr()
    }

    async fn accept(&mut self) -> Result<Conn<Self::Reader, Self::Writer>> {
        loop {
            let conn = self.inner.accept().await?;
            if !self.shared.road.is(Road::Refused) {
                return Ok(wrap(&self.shared, conn));
            }
        }
    }
}

// Not derived, which would ask for `T: Clone`.
impl<T> Clone for Faulty<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), shared: self.shared.clone() }
    }
}

impl<T: Transport> fmt::Debug for FaultyListener<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyListener").field("addr", self.addr()).finish_non_exhaustive()
    }
}

/// What the conns of one instance have in common.
#[derive(Debug, Default)]
struct Shared {
    faults: Faults,
    road: Roadblock,
    conns: AtomicU64,
    counts: Counts,
}

/// Which half of a conn throws the dice.
#[derive(Clone, Copy, Debug)]
enum Half {
    Reader,
    Writer,
}

fn wrap<T: Transport>(
    shared: &Arc<Shared>,
    conn: Conn<T::Reader, T::Writer>,
) -> Conn<FaultyReader<T>, FaultyWriter<T>> {
    let number = shared.conns.fetch_add(1, Ordering::Relaxed);
    let dice = |half| Dice::new(shared.clone(), number, half);
    let caps = shared.faults.caps(conn.info.caps);
    let wire = Arc::new(Wire::new(conn.reader, conn.writer, shared.clone()));
    Conn {
        info: Info { caps, ..conn.info },
        reader: FaultyReader::new(wire.clone(), dice(Half::Reader), caps.delivery),
        writer: FaultyWriter::new(wire, dice(Half::Writer), caps.max_message),
    }
}
