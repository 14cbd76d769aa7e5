//! Moments, as the core is told them.

use std::{ops::Add, time::Duration};

/// A moment: the time since 1970, by a monotonic clock that the system's clock has set once.
///
/// The core never reads a clock. It takes differences of moments, which need a monotonic clock, and
/// compares its days with those of other nodes' records, which needs a clock that all share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub Duration);

impl Time {
    /// How long after `earlier` it is; nothing, if it is before.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub fn seconds(self) -> u64 {
        self.0.as_secs()
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stays_within_its_range() {
        let second = Time(Duration::from_secs(1));
        assert_eq!(second.since(Time::default()), Duration::from_secs(1));
        assert_eq!(Time::default().since(second), Duration::ZERO);
        assert_eq!((second + Duration::MAX).0, Duration::MAX);
        assert_eq!((second + Duration::from_millis(1999)).seconds(), 2);
    }
}
