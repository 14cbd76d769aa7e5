//! How long one conn may work until others have their turn.

use tokio::{
    task::yield_now,
    time::{Duration, Instant},
};

/// Work that a task has done since others had their turn. What is always ready, like a peer that
/// floods, would otherwise keep its thread as long as tokio lets it: for tens of milliseconds, and
/// sockets are looked at only after several such turns.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    done: usize,
}

impl Turn {
    /// Notes that a frame of `len` bytes was sealed or opened; lets others work if that was enough.
    /// Cancel-safe.
    pub(crate) async fn works(&mut self, len: usize, is_signed: bool) {
        self.done += len + if is_signed { SIGNED } else { PLAIN };
        if MOST <= self.done {
            self.done = 0;
            yield_now().await;
        }
    }
}

/// How much is sealed together on a stream: less while urgent messages come and go beside it, since
/// they have to wait for whatever is hashed when they come.
#[derive(Debug, Default)]
pub(crate) struct Portion {
    urgent: u64,
    disturbed: Option<Instant>,
}

impl Portion {
    /// The bytes of the next frame, when `urgent` is how many urgent messages have left so far.
    pub(crate) fn next(&mut self, urgent: u64, now: Instant) -> usize {
        if self.urgent != urgent {
            (self.urgent, self.disturbed) = (urgent, Some(now));
        }
        match self.disturbed.is_some_and(|since| now - since < CALM) {
            true => SHORT,
            false => LONG,
        }
    }
}

/// Bytes that are hashed and copied until others have their turn: one or two hundred microseconds.
const MOST: usize = 128 << 10;
/// What a frame takes beyond its bytes, in bytes: making or checking a signature takes as long as
/// hashing about so many.
const SIGNED: usize = 64 << 10;
const PLAIN: usize = 1 << 10;
/// Bytes that are signed together on a stream: more gained little where it was measured, and half of
/// it cost a seventh of the processor.
const LONG: usize = 512 << 10;
/// The same beside urgent messages.
const SHORT: usize = 64 << 10;
/// How long after an urgent message the next one is expected: not as long as between two probes,
/// which bear the millisecond.
const CALM: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    /// How often others have their turn during a thousand such frames.
    fn turns(len: usize, is_signed: bool) -> usize {
        let mut turn = Turn::default();
        let mut work = pin!(async {
            for _ in 0..1000 {
                turn.works(len, is_signed).await;
            }
        });
        let mut context = Context::from_waker(Waker::noop());
        std::iter::from_fn(|| work.as_mut().poll(&mut context).is_pending().then_some(())).count()
    }

    #[test]
    fn others_have_their_turn_by_work_that_is_done() {
        assert_eq!(turns(LONG, true), 1000);
        assert_eq!(turns(64, true), 500);
        assert_eq!(turns(64, false), 1000 * (64 + PLAIN) / MOST);
    }

    #[tokio::test(start_paused = true)]
    async fn portions_are_short_beside_urgent_messages() {
        let (start, mut portion) = (Instant::now(), Portion::default());
        assert_eq!(portion.next(0, start), LONG);
        assert_eq!(portion.next(1, start), SHORT);
        assert_eq!(portion.next(1, start + CALM / 2), SHORT);
        assert_eq!(portion.next(1, start + CALM), LONG);
        assert_eq!(portion.next(2, start + CALM), SHORT);
    }
}
