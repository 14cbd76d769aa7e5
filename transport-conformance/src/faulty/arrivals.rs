//! What a reader has read from its carrier and not yet delivered: no clock, no waiting.

use std::time::Duration;

use bytes::Bytes;
use rumormill_transport_api::{Delivery, Error};
use tokio::time::Instant;

use super::{dice::Dice, queue::Queue};

/// The way of received messages: fresh, perhaps held back, queued until due.
#[derive(Debug)]
pub(super) struct Arrivals {
    /// What the carrier yielded, no dice thrown yet.
    pub(super) fresh: Vec<Bytes>,
    dice: Dice,
    held: Option<Arrival>,
    queue: Queue,
    end: Option<End>,
}

/// What a reader does next.
pub(super) enum Step {
    /// Return: messages were appended.
    Deliver,
    /// Fail with this error.
    Fail(Error),
    /// Cut the conn.
    Cut,
    /// Wait until this time, if any, and while `read` for the carrier.
    Wait { until: Option<Instant>, read: bool },
}

#[derive(Clone, Debug)]
struct Arrival {
    at: Instant,
    lateness: Duration,
    message: Bytes,
}

/// The end, which arrives as late as messages do.
#[derive(Debug)]
struct End {
    due: Instant,
    /// The carrier's; none where the dice cut the conn.
    error: Option<Error>,
}

impl Arrivals {
    pub(super) fn new(dice: Dice, delivery: Delivery) -> Self {
        let queue = Queue::new(dice.shared.clone(), delivery);
        Self { fresh: Vec::new(), dice, held: None, queue, end: None }
    }

    /// Appends what is due to `into`, and says what to do.
    pub(super) fn advance(&mut self, now: Instant, into: &mut Vec<Bytes>) -> Step {
        self.let_go_of_expired(now);
        self.admit(now);
        if 0 < self.queue.pop_due(now, into) {
            return Step::Deliver;
        }
        let until = self.wake();
        match self.end.take_if(|end| end.due <= now && self.queue.first_due().is_none()) {
            Some(End { error: Some(error), .. }) => Step::Fail(error),
            Some(End { error: None, .. }) => Step::Cut,
            None => Step::Wait { until, read: self.end.is_none() && self.queue.has_room() },
        }
    }

    /// Notes that the carrier ended behind what is fresh.
    pub(super) fn finish(&mut self, now: Instant, error: Error) {
        self.admit(now);
        self.end_with(now, Some(error));
    }

    fn admit(&mut self, now: Instant) {
        let Self { fresh, dice, held, queue, .. } = self;
        let cut = fresh.drain(..).any(|message| {
            let arrival = Arrival { at: now, lateness: dice.lateness(), message };
            dice.throw(arrival, held, |arrival| arrival.join(queue, now)).is_break()
        });
        if cut {
            self.end_with(now, None);
        }
    }

    /// Nothing follows; a cut that the dice brought before stays.
    fn end_with(&mut self, now: Instant, error: Option<Error>) {
        self.let_go(now);
        let due = now + self.dice.delay();
        self.end.get_or_insert(End { due, error });
    }

    fn let_go_of_expired(&mut self, now: Instant) {
        if let Some(expiry) = self.expiry().filter(|expiry| *expiry <= now) {
            self.let_go(expiry);
        }
    }

    fn let_go(&mut self, now: Instant) {
        if let Some(arrival) = self.held.take() {
            arrival.join(&mut self.queue, now);
        }
    }

    /// When there is something to do even if nothing arrives. The end waits for what is queued.
    fn wake(&self) -> Option<Instant> {
        let due = self.queue.first_due().or_else(|| self.end.as_ref().map(|end| end.due));
        due.into_iter().chain(self.expiry()).min()
    }

    fn expiry(&self) -> Option<Instant> {
        self.held.as_ref().map(|held| held.at + HOLD)
    }
}

impl Arrival {
    fn join(self, queue: &mut Queue, now: Instant) {
        queue.push(now, self.lateness, self.message);
    }
}

/// How long a message waits to be overtaken; the docs of `Faults::reorder` tell it.
const HOLD: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::faulty::{Faults, Half, Shared};

    fn arrivals(faults: Faults) -> Arrivals {
        let shared = Arc::new(Shared { faults, ..Shared::default() });
        Arrivals::new(Dice::new(shared, 0, Half::Reader), Delivery::Datagram)
    }

    /// Lets `fresh` arrive; tells what is delivered, and until when there is nothing to do.
    fn arrive(to: &mut Arrivals, now: Instant, fresh: &[&'static str]) -> (Vec<Bytes>, Wait) {
        to.fresh.extend(fresh.iter().map(|text| Bytes::from(*text)));
        let mut into = Vec::new();
        let wait = match to.advance(now, &mut into) {
            Step::Wait { until, .. } => until,
            _ => None,
        };
        (into, wait)
    }

    type Wait = Option<Instant>;

    #[test]
    fn a_message_is_not_held_for_ever() {
        let (start, mut held) =
            (Instant::now(), arrivals(Faults { reorder: 1.0, ..Faults::default() }));
        let expiry = start + HOLD;
        assert_eq!(arrive(&mut held, start, &["a"]), (vec![], Some(expiry)));
        let almost = expiry - Duration::from_nanos(1);
        assert_eq!(arrive(&mut held, almost, &[]), (vec![], Some(expiry)));
        assert_eq!(arrive(&mut held, expiry, &[]), (vec!["a".into()], None));
        assert_eq!(arrive(&mut held, expiry, &["b", "c"]).0, ["c", "b"]);
        assert_eq!(held.dice.shared.counts.tally().reordered, 1);
    }

    #[test]
    fn the_end_lets_go_of_what_is_held_and_comes_after_it() {
        let (start, delay) = (Instant::now(), Duration::from_secs(1));
        let mut held = arrivals(Faults { reorder: 1.0, delay, ..Faults::default() });
        held.fresh.push("a".into());
        held.finish(start, Error::Closed);
        assert_eq!(arrive(&mut held, start, &[]), (vec![], Some(start + delay)));
        assert_eq!(arrive(&mut held, start + delay, &[]).0, ["a"]);
        let step = held.advance(start + delay, &mut Vec::new());
        assert!(matches!(step, Step::Fail(Error::Closed)));
    }

    #[test]
    fn a_cut_comes_before_the_end_that_stands_behind_it() {
        let (start, mut cut) =
            (Instant::now(), arrivals(Faults { cut_after: Some(1), ..Faults::default() }));
        cut.fresh.extend(["a".into(), "b".into()]);
        cut.finish(start, Error::Closed);
        assert_eq!(arrive(&mut cut, start, &[]).0, ["a"]);
        assert!(matches!(cut.advance(start, &mut Vec::new()), Step::Cut));
    }

    #[test]
    fn nothing_is_read_into_a_full_queue_or_after_the_end() {
        let reads = |arrivals: &mut Arrivals| {
            let step = arrivals.advance(Instant::now(), &mut Vec::new());
            matches!(step, Step::Wait { read: true, .. })
        };
        let mut late = arrivals(Faults { delay: Duration::from_secs(9), ..Faults::default() });
        assert!(reads(&mut late));
        late.fresh.resize(10_000, Bytes::new());
        assert!(!reads(&mut late));
        let mut ended = arrivals(Faults { delay: Duration::from_secs(9), ..Faults::default() });
        ended.finish(Instant::now(), Error::Closed);
        assert!(!reads(&mut ended));
    }
}
