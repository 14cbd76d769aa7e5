//! How much of something is let through, by the generic cell rate algorithm.

use std::time::Duration;

use crate::{
    config::Dissemination,
    rumor::{FRAME, MAX_RUMOR},
    time::Time,
};

/// So much a second, and so much at once after a silence.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    per_second: u64,
    burst: Duration,
}

/// How much of a rate is used up: the moment at which nothing of it will be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter(Time);

/// What one origin may broadcast.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    rumors: Rate,
    bytes: Rate,
}

/// How much of a quota is used up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Share {
    rumors: Meter,
    bytes: Meter,
}

impl Rate {
    pub(crate) fn new(per_second: u64, burst: u64) -> Self {
        let per_second = per_second.max(1);
        Self { per_second, burst: cost(burst.max(1), per_second) }
    }
}

fn cost(count: u64, per_second: u64) -> Duration {
    let nanos = u128::from(count) * 1_000_000_000 / u128::from(per_second);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

impl Meter {
    /// How long it takes until `count` more are let through; nothing, if they are now.
    pub(crate) fn wait(self, count: u64, rate: Rate, now: Time) -> Duration {
        let ahead = self.0.since(now).saturating_add(cost(count, rate.per_second));
        ahead.saturating_sub(rate.burst)
    }

    /// Lets `count` through, now.
    pub(crate) fn take(&mut self, count: u64, rate: Rate, now: Time) {
        self.0 = self.0.max(now) + cost(count, rate.per_second);
    }

    /// Whether nothing is used up.
    pub(crate) fn is_idle(self, now: Time) -> bool {
        self.0 <= now
    }
}

impl Quota {
    /// What an origin allows itself, `times` over.
    pub(crate) fn new(settings: &Dissemination, times: u64) -> Self {
        let scaled = |count: usize| (count as u64).saturating_mul(times);
        let (per_second, bytes) = (scaled(settings.per_second), scaled(settings.bytes_per_second));
        // Else the longest rumor would never be let through.
        let most = bytes.max((settings.longest.min(MAX_RUMOR) + FRAME) as u64);
        Self {
            rumors: Rate::new(per_second, scaled(settings.burst)),
            bytes: Rate::new(bytes, most),
        }
    }
}

impl Share {
    /// How long it takes until one more rumor that says `len` bytes is let through.
    pub(crate) fn wait(self, len: usize, quota: Quota, now: Time) -> Duration {
        let bytes = self.bytes.wait((len + FRAME) as u64, quota.bytes, now);
        self.rumors.wait(1, quota.rumors, now).max(bytes)
    }

    pub(crate) fn take(&mut self, len: usize, quota: Quota, now: Time) {
        self.rumors.take(1, quota.rumors, now);
        self.bytes.take((len + FRAME) as u64, quota.bytes, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time(Duration::from_secs(1000) + Duration::from_millis(millis))
    }

    /// How many are let through at once.
    fn burst(share: &mut Share, quota: Quota, len: usize, now: Time) -> usize {
        let is_let = |share: &mut Share| share.wait(len, quota, now) == Duration::ZERO;
        (0..100_000)
            .take_while(|_| is_let(share).then(|| share.take(len, quota, now)).is_some())
            .count()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let settings = Dissemination { per_second: 10, burst: 20, ..Dissemination::default() };
        let (quota, mut share) = (Quota::new(&settings, 1), Share::default());
        assert_eq!(burst(&mut share, quota, 0, at(0)), 20);
        assert_eq!(share.wait(0, quota, at(0)), Duration::from_millis(100));
        assert_eq!(burst(&mut share, quota, 0, at(99)), 0);
        assert_eq!(burst(&mut share, quota, 0, at(550)), 5);
        assert_eq!(burst(&mut share, quota, 0, at(1_000_000)), 20, "and no more after a silence");
        let (twice, mut share) = (Quota::new(&settings, 2), Share::default());
        assert_eq!(burst(&mut share, twice, 0, at(0)), 40);
        assert_eq!(burst(&mut share, twice, 0, at(1000)), 20);
    }

    #[test]
    fn bytes_count_and_the_longest_always_passes_once() {
        let settings = Dissemination {
            per_second: 1000,
            burst: 1000,
            bytes_per_second: 1000,
            longest: 5000,
            ..Dissemination::default()
        };
        let (quota, mut share) = (Quota::new(&settings, 1), Share::default());
        assert_eq!(burst(&mut share, quota, 5000, at(0)), 1);
        assert_eq!(share.wait(0, quota, at(0)), Duration::from_millis(FRAME as u64));
        assert_eq!(burst(&mut share, quota, 500, at(2000)), 3);
    }

    #[test]
    fn senseless_rates_let_little_through_or_all_and_end_nothing() {
        for count in [0, 1, usize::MAX] {
            let settings = Dissemination {
                per_second: count,
                burst: count,
                bytes_per_second: count,
                longest: 1,
                ..Dissemination::default()
            };
            let (quota, mut share) = (Quota::new(&settings, 2), Share::default());
            assert!(1 <= burst(&mut share, quota, 0, at(0)), "{count}");
        }
    }
}
