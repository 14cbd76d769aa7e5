//! How long to wait before trying again, and how often at all.

use std::{ops::RangeInclusive, time::Duration};

use rand::{Rng, RngExt};

/// When to try again.
///
/// Pure: it draws from the `rng` that it is given, and knows no clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often something is tried, the first time included; at least once.
    pub attempts: u32,
    /// The wait before the second attempt, without jitter. It doubles with each further one.
    pub base: Duration,
    /// The longest wait, jitter included.
    pub cap: Duration,
    /// How much chance there is in it.
    pub jitter: Jitter,
}

/// How much chance there is in a wait `w`, so that many who fail together do not return together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Anything from `w` to `1.5 w`.
    Half,
    /// Anything from nothing to `w` ("full jitter", Brooker, AWS Architecture Blog, 2015).
    Full,
    /// Exactly `w`.
    None,
}

impl Default for Retry {
    /// Three attempts: at once, after 100 ms and up to 50 more, after 200 ms and up to 100 more.
    fn default() -> Self {
        Self {
            attempts: 3,
            base: Duration::from_millis(100),
            cap: Duration::from_secs(30),
            jitter: Jitter::Half,
        }
    }
}

impl Retry {
    /// The wait before the attempt with this number, which counts from 0: the first is at once.
    /// `None`: it was tried often enough.
    pub fn delay(&self, attempt: u32, rng: &mut impl Rng) -> Option<Duration> {
        match attempt {
            0 => Some(Duration::ZERO),
            _ if self.attempts <= attempt => None,
            _ => Some(self.wait(attempt, rng)),
        }
    }

    /// The wait before the attempt with this number where there is no end to trying: for a conn
    /// that shall come back whenever its peer does.
    pub fn wait(&self, attempt: u32, rng: &mut impl Rng) -> Duration {
        let Some(doublings) = attempt.checked_sub(1) else { return Duration::ZERO };
        let whole = self.base.saturating_mul(1 << doublings.min(20)).min(self.cap);
        match self.jitter {
            Jitter::Half => {
                // The longest waits need their jitter most: everybody who waits waits as long.
                let whole = whole.min(self.cap / 3 * 2);
                whole + within(Duration::ZERO..=whole / 2, rng)
            }
            Jitter::Full => within(Duration::ZERO..=whole, rng),
            Jitter::None => whole,
        }
    }
}

fn within(range: RangeInclusive<Duration>, rng: &mut impl Rng) -> Duration {
    rng.random_range(range)
}

/// How much of the work may be repetition, so that retries cannot multiply an overload.
///
/// Every first attempt earns a share of a retry, and every retry costs one: with the default of a
/// tenth, at most 10 % more is sent than without retries, after a reserve of ten is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudget {
    /// In thousandths of a retry.
    saved: u32,
    share: u32,
    most: u32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new(100, 10)
    }
}

impl RetryBudget {
    /// A budget that earns `share` thousandths of a retry with every first attempt, and holds, at
    /// first and at most, `most` retries.
    pub fn new(share: u32, most: u32) -> Self {
        let most = most.saturating_mul(WHOLE);
        Self { saved: most, share, most }
    }

    /// Counts a first attempt.
    pub fn earn(&mut self) {
        self.saved = self.saved.saturating_add(self.share).min(self.most);
    }

    /// Whether there may be a retry, which it then pays for.
    #[must_use]
    pub fn spend(&mut self) -> bool {
        let left = self.saved.checked_sub(WHOLE);
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }
}

const WHOLE: u32 = 1000;

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn rng() -> StdRng {
        StdRng::seed_from_u64(7)
    }

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_defaults_are_those_of_the_requirement() {
        let (retry, mut rng) = (Retry::default(), rng());
        assert_eq!(retry.delay(0, &mut rng), Some(Duration::ZERO));
        for _ in 0..1000 {
            let (second, third) = (retry.delay(1, &mut rng), retry.delay(2, &mut rng));
            assert!((millis(100)..=millis(150)).contains(&second.unwrap()), "{second:?}");
            assert!((millis(200)..=millis(300)).contains(&third.unwrap()), "{third:?}");
        }
        assert_eq!(retry.delay(3, &mut rng), None);
    }

    /// Each tenth of the range gets its share: a chi-squared test with nine degrees of freedom,
    /// whose 99.9 % quantile is 27.9.
    #[test]
    fn jitter_is_spread_evenly() {
        for (jitter, low, width) in [(Jitter::Half, 100, 50), (Jitter::Full, 0, 100)] {
            let (retry, mut rng) = (Retry { jitter, ..Retry::default() }, rng());
            let mut tenths = [0_f64; 10];
            for _ in 0..10_000 {
                let wait = retry.wait(1, &mut rng).saturating_sub(millis(low));
                let tenth = wait.as_nanos() * 10 / millis(width).as_nanos();
                tenths[(tenth as usize).min(9)] += 1.0;
            }
            let chi: f64 = tenths.iter().map(|n| (n - 1000.0).powi(2) / 1000.0).sum();
            assert!(chi < 27.9, "{jitter:?}: {tenths:?}");
        }
    }

    #[test]
    fn waits_double_up_to_the_cap_and_never_overflow() {
        let mut rng = rng();
        let retry = Retry { jitter: Jitter::None, ..Retry::default() };
        let waits = [1, 2, 3, 9, 10, 1000, u32::MAX].map(|attempt| retry.wait(attempt, &mut rng));
        assert_eq!(waits, [100, 200, 400, 25_600, 30_000, 30_000, 30_000].map(millis));
        let longest = Retry { base: Duration::MAX, cap: Duration::MAX, ..retry };
        assert_eq!(longest.wait(u32::MAX, &mut rng), Duration::MAX);
        let half = Retry { jitter: Jitter::Half, ..Retry::default() };
        assert!((0..100).all(|attempt| half.wait(attempt, &mut rng) <= half.cap));
        let longest: Vec<Duration> = (0..100).map(|_| half.wait(1000, &mut rng)).collect();
        let (low, high) = (longest.iter().min().unwrap(), longest.iter().max().unwrap());
        assert!(Duration::from_secs(20) <= *low && Duration::from_secs(8) < *high - *low);
    }

    #[test]
    fn a_budget_bounds_what_is_repeated() {
        let mut budget = RetryBudget::default();
        let mut retries = 0;
        for _ in 0..10_000 {
            budget.earn();
            retries += u32::from(budget.spend());
        }
        assert!((1000..=1010).contains(&retries), "{retries}");
        let mut idle = RetryBudget::default();
        (0..1000).for_each(|_| idle.earn());
        assert_eq!((0..100).filter(|_| idle.spend()).count(), 10, "what is saved is bounded");
    }
}
