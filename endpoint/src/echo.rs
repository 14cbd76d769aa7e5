//! How a receiver tells a sender what has arrived, so that a conn that swallows everything is
//! noticed, and what was lost with a conn is known.

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::{Duration, Instant};

use crate::frame::{Class, Kind, Lane, Malformed, Payload, Rest};

/// Which frames of one lane have arrived over a conn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The lane.
    pub lane: Lane,
    /// The highest counter that has arrived.
    pub highest: u64,
    /// Which of the 64 counters below it have: bit 0 stands for the one just below.
    pub seen: u64,
}

impl Echo {
    /// What stands in a payload of kind [`Kind::Echo`].
    pub fn encode(&self) -> Bytes {
        let mut into = BytesMut::with_capacity(LEN);
        into.put_u8(self.lane.byte());
        into.put_u64(self.highest);
        into.put_u64(self.seen);
        into.freeze()
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut rest = Rest(bytes);
        let echo =
            Self { lane: Lane::of(rest.byte()?)?, highest: rest.number()?, seen: rest.number()? };
        match rest.0.is_empty() {
            true => Ok(echo),
            false => Err(Malformed::Unknown),
        }
    }

    /// Whether the frame with this counter has arrived; of those too far back it is not known any
    /// more, and said before.
    pub fn tells_of(&self, counter: u64) -> bool {
        match self.highest.checked_sub(counter) {
            None => false,
            Some(0) => true,
            Some(below @ 1..=64) => self.seen >> (below - 1) & 1 == 1,
            Some(_) => true,
        }
    }

    /// Whether it tells that the frame with this counter has not arrived, though later ones have.
    pub(crate) fn misses(&self, counter: u64) -> bool {
        self.spans(counter) && !self.tells_of(counter)
    }

    /// Whether it tells anything of the frame with this counter.
    pub(crate) fn spans(&self, counter: u64) -> bool {
        self.highest.checked_sub(counter).is_some_and(|below| below <= 64)
    }

    fn mark(&mut self, counter: u64) {
        match counter.checked_sub(self.highest) {
            Some(0) => (),
            Some(above) => {
                let shifted = self.seen.checked_shl(u32::try_from(above).unwrap_or(64));
                let before = 1_u64.checked_shl(u32::try_from(above - 1).unwrap_or(64));
                self.seen = shifted.unwrap_or(0) | before.unwrap_or(0);
                self.highest = counter;
            }
            None => {
                let below = u32::try_from(self.highest - counter - 1).unwrap_or(64);
                self.seen |= 1_u64.checked_shl(below).unwrap_or(0);
            }
        }
    }
}

/// Whether a frame is to be echoed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asks {
    /// It says nothing, or is an answer itself where answers may get lost.
    No,
    /// Whenever something else is said: it is an answer itself, and its sender waits for nothing.
    Late,
    /// Soon, with whatever else is said.
    Soon,
    /// Soon; but it was seen before, and over datagrams anybody can have sent it: it shows nothing.
    Again,
    /// By a frame of its own.
    Now,
}

impl Asks {
    /// What a frame of `lane` with these payloads asks for. Where a probe and its answer are a frame
    /// each, the answer asks for no other one, or there would be half as many again.
    pub(crate) fn of(lane: Lane, payloads: &[Payload], is_lossy: bool) -> Self {
        let has = |kind| payloads.iter().any(|payload| payload.kind == kind);
        let is_answer = lane == Lane::Urgent && has(Kind::Echo);
        match payloads.iter().any(Payload::is_message) {
            _ if has(Kind::Probe) => Self::Now,
            true if is_answer && is_lossy => Self::No,
            true if is_answer => Self::Late,
            true => Self::Soon,
            false => Self::No,
        }
    }
}

/// What has arrived over a conn, and how much of it the peer does not know yet.
#[derive(Debug)]
pub(crate) struct Heard {
    lanes: [Option<Echo>; 3],
    is_owed: [bool; 3],
    since: Option<Instant>,
    frames: usize,
    bytes: usize,
    is_due: bool,
    /// When something came, or was handed over, that was no mere echo.
    last: Instant,
}

impl Heard {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            lanes: [None; 3],
            is_owed: [false; 3],
            since: None,
            frames: 0,
            bytes: 0,
            is_due: false,
            last: now,
        }
    }

    /// Notes that a frame has arrived; tells whether it has to be echoed at once.
    pub(crate) fn hears(
        &mut self,
        lane: Lane,
        counter: u64,
        len: usize,
        asks: Asks,
        now: Instant,
    ) -> bool {
        let echo =
            self.lanes[lane as usize].get_or_insert(Echo { lane, highest: counter, seen: 0 });
        echo.mark(counter);
        if asks == Asks::No {
            return false;
        }
        if asks != Asks::Again {
            self.last = now;
        }
        self.is_owed[lane as usize] = true;
        if asks != Asks::Late {
            self.since.get_or_insert(now);
        }
        self.frames += 1;
        self.bytes += len;
        let was_due = self.is_due;
        self.is_due |= asks == Asks::Now || FRAMES <= self.frames || BYTES <= self.bytes;
        self.is_due && !was_due
    }

    /// When an echo is due, unless it is already.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.since.filter(|_| !self.is_due).map(|since| since + DELAY)
    }

    /// Has the echo go out even if nothing else does; whether there is one to go.
    pub(crate) fn hurry(&mut self) -> bool {
        self.is_due = self.is_owed.contains(&true);
        self.is_due
    }

    /// Has what was told before be told again, to show that this side lives: what has come has not
    /// been taken yet, so the conn is not idle.
    pub(crate) fn insist(&mut self, now: Instant) {
        self.last = now;
        for (lane, is_owed) in self.lanes.iter().zip(&mut self.is_owed) {
            *is_owed |= lane.is_some();
        }
        self.is_due = true;
    }

    pub(crate) fn is_due(&self) -> bool {
        self.is_due
    }

    pub(crate) fn last(&self) -> Instant {
        self.last
    }

    /// Adds to a frame with payloads of `class` what the peer does not know yet; tells whether there
    /// was anything.
    pub(crate) fn take(&mut self, class: Class, into: &mut Vec<Payload>) -> bool {
        let before = into.len();
        for (lane, is_owed) in self.lanes.iter().zip(&mut self.is_owed) {
            if let Some(echo) = lane.filter(|_| std::mem::take(is_owed)) {
                into.push(Payload { class, kind: Kind::Echo, bytes: echo.encode() });
            }
        }
        (self.since, self.frames, self.bytes, self.is_due) = (None, 0, 0, false);
        before < into.len()
    }
}

/// Bytes of an echo.
const LEN: usize = 17;
/// How long an echo waits for something to travel with.
const DELAY: Duration = Duration::from_millis(250);
/// Frames, and bytes, that are echoed together: fewer than an [`Echo`] has bits.
const FRAMES: usize = 32;
const BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_tells_what_a_set_would_tell() {
        let mut state = 7_u64;
        for _ in 0..200 {
            let mut echo: Option<Echo> = None;
            let mut seen = BTreeSet::new();
            for at in 1..300_u64 {
                // Knuth's linear congruential generator (MMIX).
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let counter = at + (state >> 33) % 90;
                let lane = Lane::Bulk;
                echo.get_or_insert(Echo { lane, highest: counter, seen: 0 }).mark(counter);
                seen.insert(counter);
            }
            let echo = echo.expect("it was marked");
            assert_eq!(Some(&echo.highest), seen.last());
            for counter in echo.highest - 64..echo.highest + 99 {
                assert_eq!(echo.tells_of(counter), seen.contains(&counter), "{counter} {echo:?}");
            }
            assert_eq!(Echo::parse(&echo.encode()), Ok(echo));
        }
    }

    #[test]
    fn the_ends_of_the_numbers_do_no_harm() {
        let mut echo = Echo { lane: Lane::Urgent, highest: 0, seen: 0 };
        for counter in [u64::MAX, 0, 1, u64::MAX - 1, u64::MAX] {
            echo.mark(counter);
            assert!(echo.tells_of(counter));
        }
        assert_eq!((echo.highest, echo.seen), (u64::MAX, 1));
    }

    #[test]
    fn pieces_and_noise_are_errors() {
        let bytes = Echo { lane: Lane::Heavy, highest: 5, seen: 6 }.encode();
        for len in 0..bytes.len() {
            assert!(Echo::parse(&bytes[..len]).is_err());
        }
        assert!(Echo::parse(&[bytes.as_ref(), &[0]].concat()).is_err());
        assert!(Echo::parse(&[&[3], &bytes[1..]].concat()).is_err(), "there is no such lane");
    }

    #[test]
    fn an_answer_asks_for_no_other_frame() {
        let payload = |kind| Payload { class: Class::Control, kind, bytes: Bytes::new() };
        let check = |lane, kinds: &[Kind], is_lossy, expected| {
            let payloads: Vec<_> = kinds.iter().map(|kind| payload(*kind)).collect();
            assert_eq!(Asks::of(lane, &payloads, is_lossy), expected, "{lane:?} {kinds:?}");
        };
        for is_lossy in [false, true] {
            let late = if is_lossy { Asks::No } else { Asks::Late };
            check(Lane::Urgent, &[Kind::Message, Kind::Echo], is_lossy, late);
            check(Lane::Urgent, &[Kind::Message], is_lossy, Asks::Soon);
            check(Lane::Bulk, &[Kind::Reply(1), Kind::Echo], is_lossy, Asks::Soon);
            check(Lane::Urgent, &[Kind::Echo], is_lossy, Asks::No);
            check(Lane::Urgent, &[Kind::Message, Kind::Echo, Kind::Probe], is_lossy, Asks::Now);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_echo_is_due_after_a_while_or_when_much_has_come() {
        let now = Instant::now();
        let mut heard = Heard::new(now);
        assert!(!heard.hears(Lane::Bulk, 1, 10, Asks::No, now));
        assert_eq!((heard.due(), heard.hurry()), (None, false));
        assert!(!heard.hears(Lane::Bulk, 2, 10, Asks::Soon, now));
        assert_eq!(heard.due(), Some(now + DELAY));
        assert!(heard.hears(Lane::Bulk, 3, 10, Asks::Now, now), "at once");
        assert!(!heard.hears(Lane::Bulk, 4, 10, Asks::Now, now), "it is due already");
        let mut payloads = Vec::new();
        heard.take(Class::Bulk, &mut payloads);
        assert_eq!(payloads.len(), 1, "one lane was heard of");
        let echo = Echo::parse(&payloads[0].bytes).unwrap();
        assert_eq!(echo, Echo { lane: Lane::Bulk, highest: 4, seen: 7 });
        assert_eq!((heard.due(), heard.is_due()), (None, false));
        assert!(!heard.hears(Lane::Urgent, 1, 10, Asks::Late, now));
        assert_eq!((heard.due(), heard.is_due()), (None, false), "it goes with what is said next,");
        assert!(heard.hurry(), "or with the end");
        heard.take(Class::Bulk, &mut payloads);
        let more = (5..).take_while(|at| !heard.hears(Lane::Bulk, *at, 1, Asks::Soon, now));
        assert_eq!(more.count() + 1, FRAMES);
    }
}
