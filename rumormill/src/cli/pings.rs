//! What became of each ping.

use std::{collections::VecDeque, time::Duration};

use rumormill::transport::Histogram;
use tokio::time::Instant;

/// Pings by number, from 1, and what became of them.
///
/// It remembers the last [`KEPT`]; what comes later for an older one is as if it were a stranger's.
#[derive(Debug)]
pub(crate) struct Pings {
    wait: Duration,
    recent: VecDeque<Ping>,
    /// No ping below this number is waited for.
    settled: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) duplicates: u64,
    pub(crate) times: Histogram,
}

#[derive(Clone, Copy, Debug)]
struct Ping {
    at: Instant,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Answered,
    Overdue,
    Waiting,
}

/// What arrived for a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) time: Duration,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Duplicate,
    Late,
    Timely,
}

impl Pings {
    /// Each ping is waited for so long.
    pub(crate) fn new(wait: Duration) -> Self {
        let (recent, times) = (VecDeque::new(), Histogram::default());
        Self { wait, recent, settled: 1, sent: 0, received: 0, duplicates: 0, times }
    }

    /// Gives a number to a ping that leaves now.
    pub(crate) fn send(&mut self, now: Instant) -> u64 {
        if self.recent.len() == KEPT {
            self.recent.pop_front();
        }
        self.recent.push_back(Ping { at: now, state: State::Waiting });
        self.sent += 1;
        self.settled = self.settled.max(self.oldest());
        self.sent
    }

    /// Takes an answer; `None` if there is no such ping.
    pub(crate) fn receive(&mut self, number: u64, now: Instant) -> Option<Answer> {
        let ping = self.ping(number)?;
        let (time, state) = (now - ping.at, ping.state);
        ping.state = State::Answered;
        let kind = match state {
            State::Answered => Kind::Duplicate,
            State::Overdue => Kind::Late,
            State::Waiting => Kind::Timely,
        };
        match kind {
            Kind::Duplicate => self.duplicates += 1,
            Kind::Late | Kind::Timely => {
                self.received += 1;
                self.times.record(time);
            }
        }
        Some(Answer { time, kind })
    }

    /// The next ping that has been waited for long enough, each once.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<u64> {
        let (number, deadline) = self.first_waiting()?;
        if now < deadline {
            return None;
        }
        self.ping(number)?.state = State::Overdue;
        Some(number)
    }

    /// No ping is overdue before this.
    pub(crate) fn next_deadline(&mut self, now: Instant) -> Instant {
        self.first_waiting().map_or(now + self.wait, |(_, deadline)| deadline)
    }

    /// Whether every ping was answered or is overdue.
    pub(crate) fn are_settled(&mut self) -> bool {
        self.first_waiting().is_none()
    }

    fn first_waiting(&mut self) -> Option<(u64, Instant)> {
        while let Some(ping) = self.ping(self.settled) {
            if matches!(ping.state, State::Waiting) {
                let at = ping.at;
                return Some((self.settled, at + self.wait));
            }
            self.settled += 1;
        }
        None
    }

    fn ping(&mut self, number: u64) -> Option<&mut Ping> {
        let index = number.checked_sub(self.oldest())?;
        self.recent.get_mut(usize::try_from(index).ok()?)
    }

    fn oldest(&self) -> u64 {
        self.sent + 1 - self.recent.len() as u64
    }
}

/// Pings that are remembered: 2 MiB at most.
pub(crate) const KEPT: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(1);

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn answers_are_matched_by_number() {
        let (mut pings, start) = (Pings::new(WAIT), Instant::now());
        assert_eq!((pings.send(start), pings.send(after(start, 10))), (1, 2));
        let answer = |time, kind| Some(Answer { time: Duration::from_millis(time), kind });
        assert_eq!(pings.receive(2, after(start, 30)), answer(20, Kind::Timely));
        assert_eq!(pings.receive(2, after(start, 40)), answer(30, Kind::Duplicate));
        assert_eq!(pings.overdue(after(start, 999)), None);
        assert_eq!(pings.next_deadline(start), after(start, 1000));
        assert!(!pings.are_settled());
        assert_eq!(pings.overdue(after(start, 1000)), Some(1));
        assert_eq!(pings.overdue(after(start, 9000)), None);
        assert!(pings.are_settled());
        assert_eq!(pings.receive(1, after(start, 1500)), answer(1500, Kind::Late));
        assert_eq!((pings.sent, pings.received, pings.duplicates), (2, 2, 1));
    }

    #[test]
    fn what_was_never_sent_is_no_answer() {
        let mut pings = Pings::new(WAIT);
        pings.send(Instant::now());
        for number in [0, 2, u64::MAX] {
            assert_eq!(pings.receive(number, Instant::now()), None);
        }
    }

    #[test]
    fn only_so_many_are_remembered() {
        let (mut pings, start) = (Pings::new(WAIT), Instant::now());
        let numbers: Vec<u64> = (0..=KEPT).map(|_| pings.send(start)).collect();
        assert_eq!(numbers.last(), Some(&(KEPT as u64 + 1)));
        assert_eq!(pings.recent.len(), KEPT);
        assert_eq!(pings.receive(1, start), None);
        assert!(pings.receive(2, start).is_some());
        assert_eq!(pings.overdue(start + WAIT), Some(3));
    }
}
