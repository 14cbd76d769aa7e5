//! What became of each rumor of one start of one origin: delivered, given up, or neither yet.
//!
//! A floor, below which all is settled, and a map of the numbers above it. Only a rumor whose signature
//! holds moves it, so nobody but the origin makes this node give up anything by a high number.

use std::time::Duration;

use crate::time::Time;

/// The state of one start of one origin. It is the same size whatever numbers there are.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) epoch: u64,
    /// Everything up to it is settled, once something was heard.
    floor: u64,
    /// Which of the numbers above the floor are settled, each at its number modulo the width.
    settled: [u64; WORDS],
    /// The highest number that was heard; 0 if none was.
    highest: u64,
    /// Numbers from this on are delivered or given up aloud; what is below may be delivered.
    promised: u64,
    /// When that was said.
    marked: Time,
    /// What was lacking at a moment is up to this number.
    lacking: Option<(Time, u64)>,
    /// When something was heard last.
    active: Time,
}

/// A row of numbers, both ends included.
pub(crate) type Run = (u64, u64);

/// Numbers that are kept apart.
pub(crate) const WIDTH: u64 = 1024;

const WORDS: usize = WIDTH as usize / 64;

impl Window {
    pub(crate) fn new(epoch: u64, promised: u64, now: Time) -> Self {
        Self {
            epoch,
            floor: 0,
            settled: [0; WORDS],
            highest: 0,
            promised: promised.max(1),
            marked: now,
            lacking: None,
            active: now,
        }
    }

    /// Whether nothing may be delivered under this number any more. There is no number 0.
    pub(crate) fn is_settled(&self, number: u64) -> bool {
        match number.checked_sub(self.floor) {
            None | Some(0) => true,
            Some(above) if above <= WIDTH => self.has(number),
            Some(_) => false,
        }
    }

    /// Takes a number that was not settled, and that the origin has signed; what is given up by that.
    ///
    /// `kept` is for how long anybody keeps a rumor: if nothing was heard of what is promised for that
    /// long, whoever has said from where on to promise was wrong, and the promise begins here.
    pub(crate) fn settle(&mut self, number: u64, now: Time, kept: Duration) -> Vec<Run> {
        let is_mistaken = number.max(self.highest) < self.promised;
        if is_mistaken && kept <= now.since(self.marked) {
            self.promised = number;
        }
        if self.highest == 0 {
            self.floor = number.saturating_sub(WIDTH).min(self.promised - 1);
        }
        let gaps = match WIDTH < number.saturating_sub(self.floor) {
            true => self.slide(number - WIDTH),
            false => Vec::new(),
        };
        self.set(number);
        self.highest = self.highest.max(number);
        self.active = now;
        self.watch(now);
        gaps
    }

    /// Promises numbers from this on, if it did not already.
    pub(crate) fn promise(&mut self, from: u64, now: Time) {
        self.promised = self.promised.min(from).max(self.floor.saturating_add(1));
        self.marked = now;
        self.watch(now);
    }

    /// The numbers that are promised, known to be there, and lacking.
    pub(crate) fn lacks(&self) -> impl Iterator<Item = u64> {
        let first = self.promised.max(self.floor.saturating_add(1));
        (first..=self.highest).filter(|number| !self.has(*number))
    }

    /// The highest number that was heard, or that was there when this node came.
    pub(crate) fn known(&self) -> u64 {
        self.highest.max(self.promised - 1)
    }

    /// The highest number that was heard; 0 if none was.
    pub(crate) fn highest(&self) -> u64 {
        self.highest
    }

    /// The highest number up to which nothing is lacking.
    pub(crate) fn prefix(&self) -> u64 {
        let first = self.lacking.and_then(|_| self.lacks().next());
        first.map_or(self.highest, |first| first - 1)
    }

    pub(crate) fn active(&self) -> Time {
        self.active
    }

    /// When something has to be given up, unless it comes before.
    pub(crate) fn due(&self, kept: Duration) -> Option<Time> {
        self.lacking.map(|(since, _)| since + kept)
    }

    /// Gives up what has been lacking for so long that nobody has it any more.
    pub(crate) fn expire(&mut self, now: Time, kept: Duration) -> Vec<Run> {
        let is_old = |(since, _): &(Time, u64)| kept <= now.since(*since);
        let Some((_, up_to)) = self.lacking.filter(is_old) else { return Vec::new() };
        let gaps = self.give_up(up_to);
        self.watch(now);
        gaps
    }

    /// Gives up all that is lacking.
    pub(crate) fn close(&mut self) -> Vec<Run> {
        self.lacking = None;
        self.give_up(u64::MAX)
    }

    fn give_up(&mut self, up_to: u64) -> Vec<Run> {
        let lost: Vec<u64> = self.lacks().take_while(|number| *number <= up_to).collect();
        let mut gaps = Vec::new();
        for number in lost {
            self.set(number);
            extend(&mut gaps, (number, number));
        }
        gaps
    }

    /// Moves the floor, and gives up what is promised and lacking below.
    fn slide(&mut self, floor: u64) -> Vec<Run> {
        let (first, last) = (self.floor + 1, floor.min(self.floor.saturating_add(WIDTH)));
        let mut gaps = Vec::new();
        for number in first..=last {
            if !self.take(number) && self.promised <= number {
                extend(&mut gaps, (number, number));
            }
        }
        let beyond = self.promised.max(last + 1);
        if beyond <= floor {
            extend(&mut gaps, (beyond, floor));
        }
        self.floor = floor;
        gaps
    }

    /// Remembers since when something is lacking.
    fn watch(&mut self, now: Time) {
        let first = self.lacks().next();
        self.lacking = match (first, self.lacking) {
            (None, _) => None,
            (Some(first), Some((since, up_to))) if first <= up_to => Some((since, up_to)),
            (Some(_), _) => Some((now, self.highest)),
        };
    }

    fn has(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.settled.get(word).is_some_and(|word| word & bit != 0)
    }

    fn set(&mut self, number: u64) {
        let (word, bit) = place(number);
        self.settled.get_mut(word).into_iter().for_each(|word| *word |= bit);
    }

    fn take(&mut self, number: u64) -> bool {
        let (was_there, (word, bit)) = (self.has(number), place(number));
        self.settled.get_mut(word).into_iter().for_each(|word| *word &= !bit);
        was_there
    }
}

fn place(number: u64) -> (usize, u64) {
    let at = number % WIDTH;
    ((at / 64) as usize, 1 << (at % 64))
}

/// Adds a run that begins behind all others; what follows at once is one with the last.
fn extend(runs: &mut Vec<Run>, (from, to): Run) {
    match runs.last_mut() {
        Some((_, last)) if *last + 1 == from => *last = to,
        _ => runs.push((from, to)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    const KEPT: Duration = Duration::from_secs(120);

    fn at(seconds: u64) -> Time {
        Time(Duration::from_secs(seconds))
    }

    fn window(promised: u64, numbers: &[u64]) -> Window {
        let mut window = Window::new(1, promised, at(0));
        for number in numbers {
            assert!(!window.is_settled(*number), "{number}");
            assert_eq!(window.settle(*number, at(0), KEPT), []);
        }
        window
    }

    fn lacking(window: &Window) -> Vec<u64> {
        window.lacks().collect()
    }

    #[test]
    fn each_number_is_taken_once_in_any_order() {
        let window = window(1, &[3, 1, 2, 7]);
        assert!([0, 1, 2, 3, 7].iter().all(|number| window.is_settled(*number)));
        assert!([4, 5, 6, 8, u64::MAX].iter().all(|number| !window.is_settled(*number)));
        assert_eq!((lacking(&window), window.prefix()), (vec![4, 5, 6], 3));
    }

    #[test]
    fn what_leaves_the_window_is_given_up_once() {
        let mut window = window(1, &[2, 3, 5]);
        assert_eq!(window.settle(1025, at(0), KEPT), [(1, 1)]);
        assert_eq!(window.settle(1030, at(0), KEPT), [(4, 4), (6, 6)]);
        assert_eq!(window.settle(10_000, at(0), KEPT), [(7, 1024), (1026, 1029), (1031, 8976)]);
        assert!([1, 4, 6, 8976].iter().all(|number| window.is_settled(*number)));
        assert_eq!(window.settle(u64::MAX, at(0), KEPT).len(), 2);
        assert!(window.is_settled(u64::MAX) && !window.is_settled(u64::MAX - 1));
    }

    #[test]
    fn what_stays_lacking_is_given_up_when_nobody_keeps_it() {
        let mut window = window(1, &[3]);
        assert_eq!(window.due(KEPT), Some(at(120)));
        window.settle(6, at(100), KEPT);
        assert_eq!(window.expire(at(119), KEPT), []);
        assert_eq!(window.expire(at(120), KEPT), [(1, 2)]);
        assert_eq!((window.due(KEPT), window.prefix()), (Some(at(240)), 3));
        window.settle(4, at(130), KEPT);
        assert!(window.is_settled(1) && !window.is_settled(5));
        window.settle(5, at(130), KEPT);
        assert_eq!((window.due(KEPT), window.expire(at(999), KEPT)), (None, vec![]));
    }

    #[test]
    fn what_was_before_a_joiner_is_not_promised_and_may_come() {
        let mut window = window(11, &[8, 12]);
        assert_eq!((lacking(&window), window.is_settled(3)), (vec![11], false));
        assert_eq!(window.close(), [(11, 11)]);
        assert_eq!(window.settle(2000, at(0), KEPT), [(13, 976)]);
        let mut late = Window::new(1, 5000, at(0));
        assert_eq!(late.settle(5000, at(0), KEPT), []);
        late.promise(4990, at(0));
        assert_eq!(lacking(&late).len(), 10);
        late.promise(1, at(0));
        assert_eq!(lacking(&late).len(), 1023, "no more than the window has");
    }

    #[test]
    fn a_promise_that_never_begins_begins_late() {
        let mut window = Window::new(1, u64::MAX, at(0));
        assert_eq!(window.settle(50, at(10), KEPT), []);
        assert_eq!((window.settle(52, at(20), KEPT), lacking(&window)), (vec![], vec![]));
        assert_eq!((window.settle(60, at(120), KEPT), lacking(&window)), (vec![], vec![]));
        assert_eq!((window.settle(62, at(121), KEPT), lacking(&window)), (vec![], vec![61]));
    }

    /// Holds a window against two sets: what was delivered, and what was given up.
    fn check_by_sets(seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let promised = [1, 1, 500, 3000][rng.random_range(0..4)];
        let (mut window, mut now) = (Window::new(1, promised, at(0)), at(0));
        let (mut heard, mut lost) = (BTreeSet::new(), BTreeSet::new());
        let (mut top, spread) = (rng.random_range(1..3000_u64), rng.random_range(1..1500));
        for step in 0..400 {
            now = now + Duration::from_millis(rng.random_range(0..2000));
            top += rng.random_range(0..4) * rng.random_range(0..4) * rng.random_range(0..9);
            let number = top.saturating_sub(rng.random_range(0..spread)).max(1);
            let mut gaps = window.expire(now, KEPT);
            if !window.is_settled(number) {
                assert!(heard.insert(number) && !lost.contains(&number), "{seed}: {number}");
                gaps.extend(window.settle(number, now, KEPT));
            }
            for number in gaps.into_iter().flat_map(|(from, to)| from..=to) {
                assert!(lost.insert(number) && !heard.contains(&number), "{seed}: {number}");
            }
            let is_over = |number: &u64| window.is_settled(*number);
            assert!(step % 100 != 0 || heard.iter().chain(&lost).all(is_over), "{seed}");
        }
        lost.extend(window.close().into_iter().flat_map(|(from, to)| from..=to));
        let highest = *heard.last().unwrap();
        let known = |number: &u64| heard.contains(number) || lost.contains(number);
        assert!((window.promised..=highest).all(|number| known(&number)), "{seed}");
    }

    #[test]
    fn nothing_is_delivered_and_given_up_or_either_twice() {
        (0..1000).for_each(check_by_sets);
    }
}
