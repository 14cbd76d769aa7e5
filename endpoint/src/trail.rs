//! What was sent over a conn and is not known to have arrived.

use std::collections::VecDeque;

use bytes::Bytes;
use rumormill_transport_api::{Delivery, Timeouts};
use tokio::time::{Duration, Instant};

use crate::{
    echo::Echo,
    frame::{Frame, Lane, Payload},
    hello,
};

/// What was sent over a conn and is not known to have arrived, in order.
#[derive(Debug)]
pub(crate) struct Trail {
    kept: VecDeque<Kept>,
    /// Of the frames that are kept whole.
    bytes: usize,
    /// How many the carrier has not taken yet.
    fresh: usize,
    /// How many were sent so far.
    sent: u64,
    /// The number of the latest of those that arrived.
    arrived: u64,
    /// When the peer told of anything last.
    told: Option<Instant>,
    probed: Option<Instant>,
    /// When one may have to be sent again over this conn, or before.
    again: Option<Instant>,
    highest: [u64; 3],
    last: Instant,
}

/// A frame that may have to be sent once more, over another conn: its receiver opens it only once.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) lane: Lane,
    pub(crate) counter: u64,
    /// The frame, as long as there is room for it.
    pub(crate) frame: Option<Bytes>,
    /// How many messages it has of each class.
    pub(crate) messages: [u32; 3],
    /// Whether a carrier has taken it.
    pub(crate) is_carried: bool,
    /// Whether the peer has got it, and could not open it, because it had begun anew.
    pub(crate) is_unopened: bool,
    /// Whether it was sent more than once.
    is_again: bool,
    /// Whether the peer has to tell that it has arrived.
    asks: bool,
    /// Whether the peer has told that it had not, when later ones had.
    is_missed: bool,
    sent: Instant,
    /// When it was sent last.
    tried: Instant,
    /// The how manieth of its conn it is. Clocks may show the same time twice.
    number: u64,
}

/// What an echo tells.
#[derive(Debug)]
pub(crate) struct Learnt {
    /// Messages of each class that nobody knew a carrier had.
    pub(crate) carried: [u32; 3],
    /// Frames that have not arrived, though later ones have.
    pub(crate) lost: Vec<Kept>,
}

/// What is left of a conn that is gone.
#[derive(Debug)]
pub(crate) struct Left {
    /// Frames that may not have arrived, to be sent again.
    pub(crate) again: VecDeque<Kept>,
    /// Frames that have not arrived, and are too old for that.
    pub(crate) lost: Vec<Kept>,
}

/// How long a peer may take to tell that something has arrived.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    silence: Duration,
    /// Where a frame may get lost, when to ask for one that has not.
    probe: Option<Duration>,
}

/// What to do about what has not arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing, until then if there is anything to wait for.
    Wait(Option<Instant>),
    /// Send [some](Trail::repeats) again.
    Again,
    /// Ask whether anything arrives.
    Probe,
    /// Nothing arrives any more.
    Silent,
}

impl Patience {
    /// How long after a frame its sender knows whether it has arrived, if nothing else tells.
    pub(crate) fn silence(&self) -> Duration {
        self.silence
    }

    /// What conns of this kind ask for: 5 s of streams, which lose nothing while they live, and 2 s
    /// of datagrams, in one data centre.
    pub(crate) fn of(delivery: Delivery, timeouts: Timeouts) -> Self {
        match delivery {
            Delivery::Stream => Self { silence: timeouts.read, probe: None },
            Delivery::Datagram => {
                Self { silence: timeouts.read * 2 / 5, probe: Some(timeouts.read / 10) }
            }
        }
    }
}

/// How much longer so many bytes may take than a few.
pub(crate) fn more_for(bytes: usize) -> Duration {
    Duration::from_secs(1).mul_f64(bytes as f64 / SLOWEST)
}

impl Kept {
    pub(crate) fn new(lane: Lane, counter: u64, frame: Bytes, now: Instant) -> Self {
        Self {
            lane,
            counter,
            frame: Some(frame),
            messages: [0; 3],
            is_carried: false,
            is_unopened: false,
            is_again: false,
            asks: false,
            is_missed: false,
            sent: now,
            tried: now,
            number: 0,
        }
    }

    /// It has these payloads, and its peer has to tell if it `asks`.
    pub(crate) fn with(mut self, payloads: &[Payload], asks: bool) -> Self {
        for payload in payloads.iter().filter(|payload| payload.is_message()) {
            self.messages[payload.class as usize] += 1;
        }
        self.asks = asks;
        self
    }

    /// The same, to be sent now over another conn.
    pub(crate) fn again(self, now: Instant) -> Self {
        let (is_unopened, is_missed) = (false, false);
        let (sent, tried) = (now, now);
        Self { asks: true, sent, tried, is_again: true, is_unopened, is_missed, ..self }
    }
}

impl Trail {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            kept: VecDeque::new(),
            bytes: 0,
            fresh: 0,
            sent: 0,
            arrived: 0,
            told: None,
            probed: None,
            again: None,
            highest: [0; 3],
            last: now,
        }
    }

    /// Notes that a frame is about to be sent.
    pub(crate) fn sends(&mut self, frame: Kept) {
        self.sent += 1;
        let frame = Kept { number: self.sent, ..frame };
        let highest = &mut self.highest[frame.lane as usize];
        *highest = (*highest).max(frame.counter);
        self.last = frame.sent;
        self.bytes += frame.len();
        self.fresh += 1;
        if frame.lane != Lane::Urgent {
            self.again.get_or_insert(frame.tried);
        }
        self.kept.push_back(frame);
        // What is not kept is believed to have arrived.
        if MAX_KEPT < self.kept.len() {
            self.drop_first();
        }
        let mut whole = self.kept.iter_mut();
        while MAX_BYTES < self.bytes
            && let Some(oldest) = whole.next()
        {
            self.bytes -= oldest.len();
            oldest.frame = None;
        }
    }

    fn drop_first(&mut self) {
        self.bytes -= self.kept.pop_front().map_or(0, |first| first.len());
    }

    /// Whether everything that was sent in `lane` came before this counter.
    pub(crate) fn is_before(&self, lane: Lane, counter: u64) -> bool {
        self.highest[lane as usize] < counter
    }

    /// Notes that the carrier has taken everything; tells how many messages that it had not before.
    pub(crate) fn carried(&mut self) -> [u32; 3] {
        let mut messages = [0; 3];
        let batch = self.kept.iter_mut().rev().take(std::mem::take(&mut self.fresh));
        // What another conn has left behind may have been with a carrier before.
        for kept in batch.filter(|kept| !kept.is_carried) {
            kept.is_carried = true;
            add(&mut messages, kept);
        }
        messages
    }

    /// Notes what has arrived.
    pub(crate) fn learns(&mut self, echo: &Echo, patience: &Patience, now: Instant) -> Learnt {
        let has_arrived = |kept: &Kept| {
            let is_told = kept.lane == echo.lane && echo.tells_of(kept.counter);
            // What was missed, and is too far back by now, has never arrived as far as is known.
            is_told && (echo.spans(kept.counter) || !kept.is_missed)
        };
        let is_lossy = patience.probe.is_some();
        let is_far_back = |kept: &Kept| kept.lane == echo.lane && echo.tells_of(kept.counter);
        let latest = self.kept.iter().rfind(|kept| has_arrived(kept)).map(|kept| kept.number);
        self.arrived = self.arrived.max(latest.unwrap_or_default());
        let (mut carried, mut lost) = ([0; 3], Vec::new());
        for _ in 0..self.kept.len() {
            let Some(mut kept) = self.kept.pop_front() else { break };
            if has_arrived(&kept) {
                self.bytes -= kept.len();
                // The peer may have the beginning of a batch before the carrier has its end.
                if !kept.is_carried {
                    add(&mut carried, &kept);
                }
            } else if is_lossy && is_far_back(&kept) {
                self.bytes -= kept.len();
                lost.push(kept);
            } else {
                kept.is_missed |= kept.lane == echo.lane && echo.misses(kept.counter);
                self.kept.push_back(kept);
            }
        }
        (self.told, self.probed) = (Some(now), None);
        lost.extend(self.overdue(patience, now));
        Learnt { carried, lost }
    }

    /// Gives up what has not arrived though later frames have, where that means that it got lost.
    pub(crate) fn overdue(&mut self, patience: &Patience, now: Instant) -> Vec<Kept> {
        let mut lost = Vec::new();
        while self.overtaken(patience).is_some_and(|due| due <= now)
            && let Some(kept) = self.kept.pop_front()
        {
            self.bytes -= kept.len();
            lost.push(kept);
        }
        lost
    }

    /// When to give up the oldest frame that later ones have overtaken.
    fn overtaken(&self, patience: &Patience) -> Option<Instant> {
        let oldest = self.kept.front().filter(|oldest| oldest.number < self.arrived)?;
        patience.probe.map(|_| oldest.sent + patience.silence)
    }

    /// What is to be done at `now`.
    pub(crate) fn next(&self, patience: &Patience, now: Instant) -> Next {
        let is_open = |kept: &&Kept| kept.asks && self.arrived < kept.number;
        let again = patience.probe.and_then(|pause| self.again.map(|again| again + pause));
        if again.is_some_and(|again| again <= now) {
            return Next::Again;
        }
        let soon = again.into_iter().chain(self.overtaken(patience)).min();
        let Some(oldest) = self.kept.iter().find(is_open) else { return Next::Wait(soon) };
        let since = Some(oldest.sent).max(self.told).unwrap_or(oldest.sent);
        let silent = since + patience.silence + more_for(self.bytes);
        if silent <= now {
            return Next::Silent;
        }
        let Some(pause) = patience.probe else { return Next::Wait(Some(silent)) };
        let probe = Some(since).max(self.probed).unwrap_or(since) + pause;
        match probe <= now {
            true => Next::Probe,
            false => Next::Wait(soon.into_iter().chain([probe, silent]).min()),
        }
    }

    /// What has to be sent again where frames get lost: those of applications, which nobody else
    /// repeats. What is urgent is worth nothing when it is late.
    pub(crate) fn repeats(&mut self, patience: &Patience, now: Instant) -> Vec<Bytes> {
        let Some(pause) = patience.probe else { return Vec::new() };
        let mut frames = Vec::new();
        self.again = None;
        for kept in self.kept.iter_mut().filter(|kept| kept.lane != Lane::Urgent) {
            let Some(frame) = &kept.frame else { continue };
            if kept.tried + pause <= now && frames.len() < MAX_AGAIN {
                (kept.tried, kept.is_again) = (now, true);
                frames.push(frame.clone());
            }
            self.again = Some(self.again.map_or(kept.tried, |again| again.min(kept.tried)));
        }
        frames
    }

    /// When the peer told of anything last.
    pub(crate) fn told(&self) -> Option<Instant> {
        self.told
    }

    /// Notes that what the peer tells is not listened to just now: it may have told of anything.
    pub(crate) fn is_deaf(&mut self, now: Instant) {
        self.told = self.told.max(Some(now));
    }

    /// Whether a stream should carry no more until the peer has told of some of it: what is not kept
    /// would be lost without a trace if the conn broke.
    pub(crate) fn is_full(&self) -> bool {
        MAX_KEPT <= self.kept.len() + MAX_BATCH
    }

    /// Notes that the peer was asked.
    pub(crate) fn probes(&mut self, now: Instant) {
        self.probed = Some(now);
    }

    /// Notes that the peer has got the frame that ends like this, and could not open it; tells
    /// whether there is one. What was sent behind it has met the same, unless it was sent before.
    pub(crate) fn was_unopened(&mut self, echo: &hello::Echo) -> bool {
        let ends = |kept: &Kept| {
            kept.frame.as_ref().and_then(|frame| hello::echo(frame)).as_ref() == Some(echo)
        };
        let from = self.kept.iter().position(ends);
        let behind = self.kept.iter_mut().skip(from.unwrap_or(usize::MAX));
        behind.for_each(|kept| kept.is_unopened = !kept.is_again);
        from.is_some()
    }

    /// Whether nothing is waited for.
    pub(crate) fn is_settled(&self) -> bool {
        self.kept.iter().all(|kept| kept.is_carried && !self.is_open(kept))
    }

    /// Whether the peer has to tell that a frame has arrived, and has not.
    fn is_open(&self, kept: &Kept) -> bool {
        kept.asks && self.arrived < kept.number
    }

    /// When something was sent that was no mere echo, or the peer told of anything last: it repeats
    /// itself only while it has not taken everything yet.
    pub(crate) fn last(&self) -> Instant {
        self.told.unwrap_or(self.last).max(self.last)
    }

    /// Gives up waiting for what is left: the carrier has it, and nobody can tell any more. What the
    /// peer has told to be missing comes back.
    pub(crate) fn forget(&mut self) -> Vec<Kept> {
        (self.bytes, self.fresh, self.again) = (0, 0, None);
        std::mem::take(&mut self.kept).into_iter().filter(|kept| kept.is_missed).collect()
    }

    /// Everything that is left; the conn is gone. Where an echo may get lost, or nobody asks for one,
    /// what is old is believed to have arrived, unless the peer has told that it is missing.
    pub(crate) fn leave(&mut self, patience: &Patience, now: Instant) -> Left {
        (self.bytes, self.fresh, self.again) = (0, 0, None);
        let (mut again, mut lost) = (VecDeque::new(), Vec::new());
        for kept in std::mem::take(&mut self.kept) {
            let is_open = kept.asks && self.arrived < kept.number;
            let is_young = now - kept.sent <= patience.silence;
            match patience.probe.is_none() || !kept.is_carried || is_open || is_young {
                true => again.push_back(kept),
                false if kept.is_missed => lost.push(kept),
                false => (),
            }
        }
        Left { again, lost }
    }
}

impl Kept {
    /// The payloads of the frame, if it is whole.
    pub(crate) fn payloads(&self) -> Vec<Payload> {
        let frame = self.frame.clone().and_then(|frame| Frame::parse(frame).ok());
        frame.into_iter().flat_map(|frame| frame.payloads()).flatten().collect()
    }

    fn len(&self) -> usize {
        self.frame.as_ref().map_or(0, Bytes::len)
    }
}

fn add(messages: &mut [u32; 3], kept: &Kept) {
    messages.iter_mut().zip(kept.messages).for_each(|(sum, more)| *sum += more);
}

/// Frames that are kept for one conn, and bytes of them. Of more, the oldest are believed to have
/// arrived, or are kept without their bytes, and cannot be sent again.
const MAX_KEPT: usize = 1024;
/// Room for the frames of one batch.
const MAX_BATCH: usize = 4;
const MAX_BYTES: usize = 4 << 20;
/// Frames that are sent again together.
const MAX_AGAIN: usize = 64;
/// Bytes a second of the slowest conn that is used for long messages.
const SLOWEST: f64 = (1 << 20) as f64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Class;

    const LANE: Lane = Lane::Urgent;

    fn patience(delivery: Delivery) -> Patience {
        Patience::of(delivery, Timeouts::lan())
    }

    fn kept(counter: u64, now: Instant) -> Kept {
        let payload = Payload::message(Class::Gossip, "rumor");
        Kept::new(LANE, counter, vec![counter as u8; 100].into(), now).with(&[payload], true)
    }

    fn echo(highest: u64, seen: u64) -> Echo {
        Echo { lane: LANE, highest, seen }
    }

    #[tokio::test(start_paused = true)]
    async fn what_arrives_is_not_waited_for() {
        let (mut now, patience) = (Instant::now(), patience(Delivery::Stream));
        let mut trail = Trail::new(now);
        assert_eq!(trail.next(&patience, now), Next::Wait(None));
        (1..4).for_each(|counter| trail.sends(kept(counter, now)));
        assert_eq!(trail.carried(), [0, 3, 0]);
        assert_eq!(trail.carried(), [0, 0, 0], "counted once");
        now += Duration::from_secs(4);
        trail.sends(kept(4, now));
        let learnt = trail.learns(&echo(4, 0b111), &patience, now);
        assert_eq!((learnt.carried, learnt.lost.len()), ([0, 1, 0], 0));
        assert_eq!(trail.next(&patience, now), Next::Wait(None));
        assert!(trail.leave(&patience, now).again.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_tells_nothing_for_long_is_silent() {
        let (start, patience) = (Instant::now(), patience(Delivery::Stream));
        let mut trail = Trail::new(start);
        trail.sends(kept(1, start));
        trail.sends(kept(2, start + Duration::from_secs(3)));
        let at = |seconds: u64| start + Duration::from_millis(seconds * 1000 + 10);
        assert!(matches!(trail.next(&patience, at(4)), Next::Wait(Some(_))));
        assert_eq!(trail.next(&patience, at(5)), Next::Silent);
        trail.learns(&echo(1, 0), &patience, at(5));
        assert!(matches!(trail.next(&patience, at(9)), Next::Wait(Some(_))), "it lives");
        assert_eq!(trail.next(&patience, at(11)), Next::Silent);
        assert_eq!(trail.leave(&patience, start).again.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn datagrams_are_asked_for_before_they_are_given_up() {
        let (start, patience) = (Instant::now(), patience(Delivery::Datagram));
        let mut trail = Trail::new(start);
        trail.sends(kept(1, start));
        let mut asked = Vec::new();
        let mut now = start;
        loop {
            match trail.next(&patience, now) {
                Next::Wait(Some(until)) => now = until,
                Next::Wait(None) | Next::Again => panic!("an urgent one is open"),
                Next::Probe => {
                    asked.push((now - start).as_millis());
                    trail.probes(now);
                }
                Next::Silent => break,
            }
        }
        assert_eq!((&asked[..3], (now - start).as_millis()), (&[500, 1000, 1500][..], 2000));
    }

    #[tokio::test(start_paused = true)]
    async fn what_applications_sent_by_datagrams_is_sent_again() {
        let (start, patience) = (Instant::now(), patience(Delivery::Datagram));
        let mut trail = Trail::new(start);
        trail.sends(kept(1, start));
        trail.sends(Kept { lane: Lane::Bulk, ..kept(2, start) });
        trail.sends(Kept { lane: Lane::Bulk, ..kept(3, start) });
        let half = start + Duration::from_millis(500);
        assert_eq!(trail.next(&patience, start), Next::Wait(Some(half)));
        trail.learns(&Echo { lane: Lane::Bulk, highest: 3, seen: 0 }, &patience, start);
        assert_eq!(trail.next(&patience, half), Next::Again);
        assert_eq!(trail.repeats(&patience, half), [vec![2; 100]]);
        assert_eq!(trail.next(&patience, half), Next::Wait(Some(half + (half - start))));
        assert!(!trail.was_unopened(&[9; 16]));
        trail.was_unopened(&[2; 16]);
        let left = trail.leave(&patience, half).again;
        assert!(left.iter().all(|kept| !kept.is_unopened), "the first may have been opened");
    }

    #[tokio::test(start_paused = true)]
    async fn a_datagram_that_later_ones_overtook_is_lost() {
        let (start, patience) = (Instant::now(), patience(Delivery::Datagram));
        let mut trail = Trail::new(start);
        trail.sends(kept(1, start));
        let later = start + Duration::from_secs(3);
        trail.sends(kept(2, later));
        trail.carried();
        let learnt = trail.learns(&echo(2, 0), &patience, later);
        assert_eq!((learnt.carried, learnt.lost.len()), ([0; 3], 1));
        assert_eq!(trail.next(&patience, later), Next::Wait(None));
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_peer_has_missed_is_lost_even_if_nothing_follows() {
        let (start, patience) = (Instant::now(), patience(Delivery::Datagram));
        let later = start + Duration::from_secs(90);
        for told in [Told::Nothing, Told::FarBack] {
            let mut trail = Trail::new(start);
            (1..=2).for_each(|counter| trail.sends(kept(counter, start)));
            trail.carried();
            trail.learns(&echo(2, 0), &patience, start);
            let lost = match told {
                Told::Nothing => trail.leave(&patience, later).lost,
                Told::FarBack => trail.learns(&echo(99, u64::MAX), &patience, start).lost,
            };
            let counters: Vec<u64> = lost.iter().map(|kept| kept.counter).collect();
            assert_eq!(counters, [1], "{told:?}");
        }
    }

    /// What follows after the peer has told that a frame is missing.
    #[derive(Clone, Copy, Debug)]
    enum Told {
        Nothing,
        FarBack,
    }

    #[tokio::test(start_paused = true)]
    async fn a_datagram_is_lost_even_if_nothing_more_is_told() {
        let (start, patience) = (Instant::now(), patience(Delivery::Datagram));
        let mut trail = Trail::new(start);
        trail.sends(kept(1, start));
        trail.sends(kept(2, start));
        assert!(trail.learns(&echo(2, 0), &patience, start).lost.is_empty(), "it may be late");
        let due = start + patience.silence;
        assert_eq!(trail.next(&patience, start), Next::Wait(Some(due)));
        assert_eq!(trail.overdue(&patience, due).len(), 1);
        assert_eq!(trail.next(&patience, due), Next::Wait(None));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_much_is_kept() {
        let now = Instant::now();
        let mut trail = Trail::new(now);
        for counter in 1..=2 * MAX_KEPT as u64 {
            trail.sends(Kept::new(LANE, counter, vec![0; 8 << 10].into(), now));
            trail.carried();
        }
        let left = trail.leave(&patience(Delivery::Stream), now).again;
        let whole = left.iter().filter(|kept| kept.frame.is_some()).count();
        assert_eq!((left.len(), whole), (MAX_KEPT, MAX_BYTES / (8 << 10)));
        assert!(left.back().is_some_and(|youngest| youngest.frame.is_some()));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_new_peer_could_not_open_is_known() {
        let now = Instant::now();
        let mut trail = Trail::new(now);
        trail.sends(kept(1, now));
        trail.sends(kept(2, now));
        trail.sends(kept(3, now).again(now));
        assert!(!trail.was_unopened(&[9; 16]));
        assert!(trail.was_unopened(&[2; 16]));
        let unopened: Vec<bool> = trail
            .leave(&patience(Delivery::Datagram), now)
            .again
            .iter()
            .map(|kept| kept.is_unopened)
            .collect();
        assert_eq!(unopened, [false, true, false], "the last may have been opened before");
    }
}
