//! One direction between two hosts, as all conns over it share it.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::{
    Event, EventKind,
    event::Log,
    pipe::Pipe,
    wire::{Arrival, Wire},
};

/// A wire behind a lock, with those who wait for it.
///
/// Of all locks of this crate it is the outermost but for those of the network's tables: whoever
/// holds it may lock a pipe, and then the log.
#[derive(Debug)]
pub(crate) struct Cable {
    pub(crate) from: Arc<str>,
    pub(crate) to: Arc<str>,
    log: Arc<Log>,
    line: Mutex<Line>,
    /// Wakes dialers when something passes again.
    opened: Notify,
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) wire: Wire,
    /// What waits until something passes again, in the order in which it began to.
    stalled: Vec<Stalled>,
}

#[derive(Debug)]
pub(crate) enum Stalled {
    /// Messages of a stream, and its end.
    Queue(Weak<Pipe>),
    /// The news that a reader is gone.
    Notice(Weak<Pipe>),
}

impl Cable {
    pub(crate) fn new(from: Arc<str>, to: Arc<str>, log: Arc<Log>, wire: Wire) -> Self {
        let line = Mutex::new(Line { wire, stalled: Vec::new() });
        Self { from, to, log, line, opened: Notify::new() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the wire, and lets pass what waited for that.
    pub(crate) fn change(&self, now: Instant, change: impl FnOnce(&mut Wire)) {
        let mut line = self.lock();
        change(&mut line.wire);
        if line.wire.is_blocked() {
            return;
        }
        for stalled in mem::take(&mut line.stalled) {
            stalled.release(&mut line.wire, now);
        }
        drop(line);
        self.opened.notify_waiters();
    }

    /// Waits while a message without bytes crosses.
    pub(crate) async fn crossed(&self) {
        loop {
            // Made before the look at the wire, so that no change falls in between.
            let opened = self.opened.notified();
            let arrival = self.lock().wire.cross(Instant::now(), 0).arrival;
            match arrival {
                Arrival::At(at) if at <= Instant::now() => return,
                Arrival::At(at) => return sleep_until(at).await,
                Arrival::Held => opened.await,
            }
        }
    }

    pub(crate) fn note(&self, conn: u64, now: Instant, kind: EventKind) {
        if self.log.is_on() {
            let (from, to) = (self.from.clone(), self.to.clone());
            self.log.add(Event { at: self.log.since_start(now), conn, from, to, kind });
        }
    }
}

impl Line {
    /// Remembers what waits, instead of what no longer exists where there is any.
    pub(crate) fn stall(&mut self, stalled: Stalled) {
        if self.stalled.len() == self.stalled.capacity() {
            self.stalled.retain(Stalled::is_alive);
        }
        self.stalled.push(stalled);
    }
}

impl Stalled {
    fn is_alive(&self) -> bool {
        let (Self::Queue(pipe) | Self::Notice(pipe)) = self;
        0 < pipe.strong_count()
    }

    fn release(self, wire: &mut Wire, now: Instant) {
        match self {
            Self::Queue(pipe) => {
                pipe.upgrade().into_iter().for_each(|pipe| pipe.release_queue(wire, now));
            }
            Self::Notice(pipe) => {
                pipe.upgrade().into_iter().for_each(|pipe| pipe.release_notice(wire, now));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Link, dice::Dice};

    #[test]
    fn what_no_longer_exists_does_not_pile_up() {
        let (from, to): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let wire = Wire::new(Link::default(), Dice::new(1, &from, &to));
        let cable = Arc::new(Cable::new(from, to, Arc::default(), wire));
        let alive = Pipe::new(0, cable.clone(), 0);
        for conn in 0..10_000 {
            let pipe = Pipe::new(conn, cable.clone(), 0);
            cable.lock().stall(Stalled::Queue(Arc::downgrade(&pipe)));
        }
        cable.lock().stall(Stalled::Notice(Arc::downgrade(&alive)));
        let line = cable.lock();
        assert!(line.stalled.len() <= 4, "{}", line.stalled.len());
        assert_eq!(line.stalled.iter().filter(|stalled| stalled.is_alive()).count(), 1);
    }
}
