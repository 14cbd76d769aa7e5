//! One direction of one conn: what is on its way, and what has arrived and is not yet read.

use std::{
    collections::VecDeque,
    io, iter,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rumormill_transport_api::{Batch, Error, MAX_RECV, Result};
use tokio::{sync::Notify, time::Instant};

use crate::{
    EventKind,
    cable::{Cable, Line, Stalled},
    wait::Due,
    wire::{Arrival, Wire},
};

/// A queue in the order of arrival. Nobody moves it on but its two ends: the reader waits until
/// what is in front has arrived.
#[derive(Debug)]
pub(crate) struct Pipe {
    conn: u64,
    cable: Arc<Cable>,
    window: usize,
    state: Mutex<State>,
    pub(crate) readable: Notify,
    pub(crate) writable: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Parcel>,
    /// Bytes of the window that are taken.
    used: usize,
    is_ended: bool,
    /// Once the reader is gone: when the writer learns of it.
    gone: Option<Arrival>,
}

#[derive(Debug)]
struct Parcel {
    arrival: Arrival,
    load: Load,
}

#[derive(Debug)]
enum Load {
    Message(Bytes),
    End(Ending),
}

/// How a writer of a stream ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Closed,
    Cut,
}

/// What becomes of a datagram that arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Landing {
    Full,
    Gone,
    Queued,
}

impl Pipe {
    pub(crate) fn new(conn: u64, cable: Arc<Cable>, window: usize) -> Arc<Self> {
        let state = Mutex::default();
        let (readable, writable) = (Notify::new(), Notify::new());
        Arc::new(Self { conn, cable, window, state, readable, writable })
    }

    pub(crate) fn cable(&self) -> &Arc<Cable> {
        &self.cable
    }

    /// Moves messages that have arrived to `into`, or tells how long to wait for one.
    pub(crate) fn take(&self, now: Instant, into: &mut Vec<Bytes>) -> Result<Due<()>> {
        let mut state = self.lock();
        let before = into.len();
        into.extend(iter::from_fn(|| state.pop(now)).take(MAX_RECV));
        if into.len() == before {
            return state.outlook(now);
        }
        state.shrink();
        drop(state);
        self.writable.notify_one();
        let lengths = into[before..].iter().map(Bytes::len);
        lengths.for_each(|len| self.note(now, EventKind::Delivered { len }));
        Ok(Due::Now(()))
    }

    /// Puts what fits of a stream's `backlog` on the wire, from `next` on, or tells how long to
    /// wait for room.
    pub(crate) fn push(
        self: &Arc<Self>,
        backlog: &Batch,
        next: &mut usize,
        now: Instant,
    ) -> Result<Due<()>> {
        let mut line = self.cable.lock();
        let mut state = self.lock();
        while let Some(message) = backlog.get(*next) {
            match state.gone {
                Some(Arrival::At(at)) if at <= now => return Err(cut(io::ErrorKind::BrokenPipe)),
                _ if state.has_room(message.len(), self.window) => (),
                Some(Arrival::At(at)) => return Ok(Due::Later(Some(at))),
                Some(Arrival::Held) | None => return Ok(Due::Later(None)),
            }
            self.note(now, EventKind::Sent { len: message.len() });
            self.launch(&mut line, &mut state, Load::Message(message.to_bytes()), now);
            *next += 1;
        }
        Ok(Due::Now(()))
    }

    /// Ends a stream, behind everything that is on its way.
    pub(crate) fn end(self: &Arc<Self>, ending: Ending, now: Instant) {
        let mut line = self.cable.lock();
        let mut state = self.lock();
        state.is_ended = true;
        self.note(now, ending.event());
        self.launch(&mut line, &mut state, Load::End(ending), now);
    }

    /// Queues a datagram that arrives at `at`.
    pub(crate) fn land(&self, message: Bytes, at: Instant) -> Landing {
        let mut state = self.lock();
        if state.gone.is_some() {
            return Landing::Gone;
        }
        if !state.has_room(message.len(), self.window) {
            return Landing::Full;
        }
        if state.insert(Parcel { arrival: Arrival::At(at), load: Load::Message(message) }) {
            self.readable.notify_one();
        }
        Landing::Queued
    }

    /// Takes leave of a stream's reader; its writer learns of it when the news has crossed `back`.
    ///
    /// What the reader took from the window is not given back, so that a writer who does not know
    /// yet is held up as by a reader who has stopped.
    pub(crate) fn abandon(self: &Arc<Self>, back: &Cable, now: Instant) {
        let mut line = back.lock();
        let mut state = self.lock();
        state.queue = VecDeque::new();
        if state.is_ended {
            return;
        }
        let notice = line.wire.cross(now, 0).arrival;
        if notice == Arrival::Held {
            line.stall(Stalled::Notice(Arc::downgrade(self)));
        }
        state.gone = Some(notice);
        self.note(now, EventKind::Abandoned);
        self.writable.notify_one();
    }

    /// Takes leave of a reader of datagrams; nobody learns of it.
    pub(crate) fn discard(&self, now: Instant) {
        let mut state = self.lock();
        state.queue = VecDeque::new();
        state.gone = Some(Arrival::Held);
        self.note(now, EventKind::Abandoned);
    }

    /// Puts what was held on its way.
    pub(crate) fn release_queue(&self, wire: &mut Wire, now: Instant) {
        let mut state = self.lock();
        let first = state.queue.partition_point(|parcel| parcel.arrival < Arrival::Held);
        let mut before = state.arrival_before(first, now);
        for parcel in state.queue.range_mut(first..) {
            parcel.arrival = self.depart(wire, parcel.load.len(), now).max(before);
            before = parcel.arrival;
        }
        self.readable.notify_one();
    }

    /// Puts the news that the reader is gone on its way.
    pub(crate) fn release_notice(&self, wire: &mut Wire, now: Instant) {
        self.lock().gone = Some(wire.cross(now, 0).arrival);
        self.writable.notify_one();
    }

    pub(crate) fn note(&self, now: Instant, kind: EventKind) {
        self.cable.note(self.conn, now, kind);
    }

    /// Puts one part of a stream on the wire.
    fn launch(self: &Arc<Self>, line: &mut Line, state: &mut State, load: Load, now: Instant) {
        if state.gone.is_some() {
            state.used += cost(load.len());
            return;
        }
        let before = state.arrival_before(state.queue.len(), now);
        let arrival = self.depart(&mut line.wire, load.len(), now).max(before);
        if arrival == Arrival::Held && before != Arrival::Held {
            self.note(now, EventKind::Held);
            line.stall(Stalled::Queue(Arc::downgrade(self)));
        }
        if state.insert(Parcel { arrival, load }) {
            self.readable.notify_one();
        }
    }

    fn depart(&self, wire: &mut Wire, len: usize, now: Instant) -> Arrival {
        let crossing = wire.cross(now, len);
        if !crossing.delay.is_zero() {
            self.note(now, EventKind::Delayed { by: crossing.delay });
        }
        crossing.arrival
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The message in front, if there is one and it has arrived.
    fn pop(&mut self, now: Instant) -> Option<Bytes> {
        let front = self.queue.front()?;
        if Arrival::At(now) < front.arrival || matches!(front.load, Load::End(_)) {
            return None;
        }
        let Load::Message(message) = self.queue.pop_front()?.load else { return None };
        self.used -= cost(message.len());
        Some(message)
    }

    /// What there is when no message has arrived.
    fn outlook(&self, now: Instant) -> Result<Due<()>> {
        match self.queue.front() {
            None | Some(Parcel { arrival: Arrival::Held, .. }) => Ok(Due::Later(None)),
            Some(Parcel { arrival: Arrival::At(at), .. }) if now < *at => Ok(Due::Later(Some(*at))),
            Some(Parcel { load: Load::End(Ending::Closed), .. }) => Err(Error::Closed),
            Some(_) => Err(cut(io::ErrorKind::ConnectionReset)),
        }
    }

    fn has_room(&self, len: usize, window: usize) -> bool {
        self.used == 0 || self.used + cost(len) <= window
    }

    /// Inserts behind everything that arrives earlier or at the same time; tells whether that is
    /// in front.
    fn insert(&mut self, parcel: Parcel) -> bool {
        self.used += cost(parcel.load.len());
        let at = self.queue.partition_point(|other| other.arrival <= parcel.arrival);
        self.queue.insert(at, parcel);
        at == 0
    }

    /// When the parcel before the one at `index` arrives; without one, now.
    fn arrival_before(&self, index: usize, now: Instant) -> Arrival {
        let before = index.checked_sub(1).and_then(|before| self.queue.get(before));
        before.map_or(Arrival::At(now), |parcel| parcel.arrival)
    }

    /// Gives the memory of a burst back.
    fn shrink(&mut self) {
        if self.queue.is_empty() && SLACK < self.queue.capacity() {
            self.queue = VecDeque::new();
        }
    }
}

impl Load {
    fn len(&self) -> usize {
        match self {
            Self::Message(message) => message.len(),
            Self::End(_) => 0,
        }
    }
}

impl Ending {
    fn event(self) -> EventKind {
        match self {
            Self::Closed => EventKind::Closed,
            Self::Cut => EventKind::Cut,
        }
    }
}

/// What a message takes from the window: messages without bytes take memory too.
fn cost(len: usize) -> usize {
    len + OVERHEAD
}

fn cut(kind: io::ErrorKind) -> Error {
    io::Error::from(kind).into()
}

/// Bytes that a message counts for beyond its length.
const OVERHEAD: usize = 64;
/// Room in a queue that an idle conn may keep.
const SLACK: usize = 64;
