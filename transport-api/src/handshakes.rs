//! Handshakes of those who dial a listener, many at once and within bounds.

mod table;

use std::{
    collections::HashMap,
    fmt,
    future::{Future, pending},
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::{
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use self::table::{Place, Table};
use crate::{Counters, Error, Result, with_causes};

/// The pending handshakes of one [`Listener`](crate::Listener), which go on side by side.
///
/// A carrier whose handshake takes more than one step of the network keeps its dialers here between
/// the moment they are seen and the conn that [`accept`](crate::Listener::accept) returns. Whoever
/// is slow, silent or hostile holds up nobody:
///
/// - A dialer that has *said nothing yet* costs a place in a large table, until the deadline. When
///   the table is full, a newcomer takes the place of the longest silent one of the source with the
///   most of them.
/// - One that *has spoken* waits for one of 64 slots, in which handshakes are carried out. A source
///   gets a slot only while more are free than it holds: alone it gets half of them, and there is
///   always one for a newcomer. The wait is this side's doing, and may take four deadlines; but when
///   the table is full of those who wait, newcomers take the places of those who have waited for a
///   fifth of one.
/// - One that *has a slot* is never given up for others. Only the deadline ends it, which begins
///   anew.
///
/// A source is an IPv4 address, or the upper half of an IPv6 address, since one host has all of the
/// lower half. Who was given up is in [`Counters::conns_evicted`], who failed, left or was too slow
/// in [`Counters::conns_vanished`].
///
/// Dropping the table ends all handshakes. They go on while nobody polls [`step`](Self::step), but
/// those who wait for a slot get one only in it.
///
/// ```
/// # use std::{future::ready, io, net::SocketAddr};
/// # use rumormill_transport_api::{Error, Handshakes, Result};
/// # use tokio::io::DuplexStream;
/// # struct Port;
/// # impl Port {
/// #     async fn accept(&mut self) -> io::Result<(DuplexStream, SocketAddr)> {
/// #         Err(io::ErrorKind::Other.into())
/// #     }
/// # }
/// # struct Conn;
/// # async fn hello(stream: DuplexStream) -> Result<DuplexStream> { Ok(stream) }
/// # async fn shake_hands(stream: DuplexStream) -> Result<Conn> { Ok(Conn) }
/// # struct Listening { port: Port, handshakes: Handshakes<Conn> }
/// # impl Listening {
/// async fn accept(&mut self) -> Result<Conn> {
///     loop {
///         tokio::select! {
///             biased;
///             conn = self.handshakes.step() => if let Some(conn) = conn {
///                 return Ok(conn);
///             },
///             accepted = self.port.accept(), if self.handshakes.has_room() => {
///                 let (stream, from) = accepted.map_err(|e| Error::io("accepting", e))?;
///                 self.handshakes.start(from.ip(), async move {
///                     let stream = hello(stream).await?;
///                     Ok(shake_hands(stream))
///                 });
///             }
///         }
///     }
/// }
/// # }
/// ```
pub struct Handshakes<T> {
    table: Table<AbortHandle, Waiting<T>>,
    running: HashMap<Id, Running>,
    tasks: JoinSet<Result<Progress<T>>>,
    deadline: Duration,
    counters: Arc<Counters>,
}

type Ended<T> = std::result::Result<(Id, Result<Progress<T>>), JoinError>;
type Shake<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

struct Waiting<T> {
    since: Instant,
    shake: Shake<T>,
}

/// Somebody who is silent or has a slot, and so has a task.
struct Running {
    place: Place,
    stage: Stage,
}

#[derive(Clone, Copy)]
enum Stage {
    Silent,
    Shaking,
}

enum Progress<T> {
    Spoken(Shake<T>),
    Done(T),
}

impl<T: Send + 'static> Handshakes<T> {
    /// A table with `max` places, at least one; a dialer may be silent for `deadline`, at most an
    /// hour, and so long may its handshake take.
    pub fn new(max: usize, deadline: Duration, counters: Arc<Counters>) -> Self {
        let (table, deadline) = (Table::new(max, SLOTS), deadline.min(LONGEST));
        Self { table, running: HashMap::new(), tasks: JoinSet::new(), deadline, counters }
    }

    /// Whether there is a place for another dialer. If not, leave it where it is, in the carrier's
    /// own queue, until [`step`](Self::step) returns.
    pub fn has_room(&self) -> bool {
        !self.table.is_full()
    }

    /// Begins a handshake with a dialer at `from`.
    ///
    /// `hello` resolves when the dialer has said enough to be worth a slot, and yields the future
    /// that does the rest. Where a dialer is seen only by what it says, as in QUIC, that is at once:
    /// `ready(Ok(shake))`. Must be called inside a tokio runtime. Without
    /// [room](Self::has_room) the newcomer is refused ([`Counters::conns_refused`]).
    pub fn start<H, S>(&mut self, from: IpAddr, hello: H)
    where
        H: Future<Output = Result<S>> + Send + 'static,
        S: Future<Output = Result<T>> + Send + 'static,
    {
        if !self.has_room() {
            return self.counters.conns_refused.add(1);
        }
        if let Some(given_up) = self.table.make_room() {
            self.running.remove(&given_up.id());
            given_up.abort();
            self.counters.conns_evicted.add(1);
        }
        let hello =
            async { hello.await.map(|shake| Progress::Spoken(Box::pin(shake) as Shake<T>)) };
        let task = self.spawn(hello);
        let place = self.table.enter(from, task.clone());
        self.running.insert(task.id(), Running { place, stage: Stage::Silent });
    }

    /// Waits until something changes: a conn whose handshake is done, or `None` for everything else,
    /// after which there may be [room](Self::has_room). Pends while there are no handshakes.
    ///
    /// # Cancel safety
    /// Dropping the future loses no conn: the next call yields it.
    pub async fn step(&mut self) -> Option<T> {
        let patience = self.patience();
        let longest = self.table.first_waiting().map(|waiting| waiting.since + patience);
        tokio::select! {
            biased;
            // Cancel-safe: `join_next_with_id` is, and nothing is awaited after it.
            Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
            () = until(longest) => {
                self.give_up_waiting(patience);
                None
            }
        }
    }

    fn spawn<F>(&mut self, progress: F) -> AbortHandle
    where
        F: Future<Output = Result<Progress<T>>> + Send + 'static,
    {
        let after = self.deadline;
        self.tasks.spawn(async move {
            let too_slow = |_| Error::Timeout { doing: "a handshake".into(), after };
            timeout(after, progress).await.map_err(too_slow)?
        })
    }

    fn ended(&mut self, ended: Ended<T>) -> Option<T> {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome.map_err(|error| with_causes(&error))),
            Err(panicked) => (panicked.id(), Err(panicked.to_string())),
        };
        // Whoever was given up has no place, whatever became of it.
        let Running { place, stage } = self.running.remove(&id)?;
        let conn = match outcome {
            Ok(Progress::Spoken(shake)) => {
                self.table.speak(place, Waiting { since: Instant::now(), shake });
                None
            }
            Ok(Progress::Done(conn)) => {
                self.table.leave_slot(place);
                Some(conn)
            }
            Err(problem) => {
                match stage {
                    Stage::Silent => self.table.leave_silent(place),
                    Stage::Shaking => self.table.leave_slot(place),
                }
                self.vanish(place, &problem);
                None
            }
        };
        self.fill_slots();
        conn
    }

    fn fill_slots(&mut self) {
        while let Some((place, Waiting { shake, .. })) = self.table.take_slot() {
            let task = self.spawn(async { shake.await.map(Progress::Done) });
            self.running.insert(task.id(), Running { place, stage: Stage::Shaking });
        }
    }

    /// How long whoever waits for a slot keeps its place.
    fn patience(&self) -> Duration {
        match self.table.is_full() {
            true => self.deadline / 5,
            false => self.deadline * 4,
        }
    }

    fn give_up_waiting(&mut self, patience: Duration) {
        let Some(place) = self.table.leave_waiting() else { return };
        match patience < self.deadline {
            true => self.counters.conns_evicted.add(1),
            false => self.vanish(place, "no slot became free in time"),
        }
    }

    fn vanish(&self, place: Place, problem: &str) {
        tracing::debug!(from = %place.source, problem, "a handshake failed");
        self.counters.conns_vanished.add(1);
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => pending().await,
    }
}

impl<T> fmt::Debug for Handshakes<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshakes")
            .field("pending", &self.table.len())
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// Handshakes that are carried out at once. One takes a fraction of a millisecond of work, and else
/// waits for the network.
const SLOTS: usize = 64;
/// The longest deadline. Times to come must fit into a clock.
const LONGEST: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_failure_is_told_with_its_causes() {
        let error = Error::io("shaking hands", io::Error::other("expired"));
        assert_eq!(with_causes(&error), "shaking hands failed: expired");
    }
}
