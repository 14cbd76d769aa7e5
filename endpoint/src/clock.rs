//! Clocks: the system's, and one that never goes back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Tells the time of day.
///
/// Where tokio's time is paused, it stands still and advances with it, so that a whole program runs
/// in virtual time. Reading it costs no system call beyond the vDSO.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The time of day at `anchored`.
    epoch: Duration,
    anchored: Instant,
}

impl Clock {
    /// A monotonic clock that is anchored to the system's now: it goes on evenly, whatever is done
    /// to the system's clock afterwards.
    pub fn monotonic() -> Self {
        Self::at(SystemClock.nanos())
    }

    /// A monotonic clock that shows `nanos` since 1970 now: for simulations, which shall not depend
    /// on when they run.
    pub fn at(nanos: u64) -> Self {
        Self { epoch: Duration::from_nanos(nanos), anchored: Instant::now() }
    }

    /// Nanoseconds since 1970, saturating in the year 2554.
    pub fn nanos(&self) -> u64 {
        clamped((self.epoch + self.anchored.elapsed()).as_nanos())
    }

    /// Microseconds since 1970.
    pub fn micros(&self) -> u64 {
        self.nanos() / 1_000
    }

    /// Milliseconds since 1970.
    pub fn millis(&self) -> u64 {
        self.nanos() / 1_000_000
    }

    /// Seconds since 1970.
    pub fn seconds(&self) -> u64 {
        self.nanos() / 1_000_000_000
    }
}

/// The moment that is `by` later; what is too far away for the clock is ten years away.
pub(crate) fn later(from: Instant, by: Duration) -> Instant {
    from + by.min(DECADE)
}

const DECADE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Tells the time of day as the system does, which may go back.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl SystemClock {
    /// Nanoseconds since 1970; 0 before.
    pub fn nanos(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        clamped(since.unwrap_or_default().as_nanos())
    }
}

fn clamped(nanos: u128) -> u64 {
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_follows_virtual_time() {
        let clock = Clock::at(5_000_000_123);
        tokio::time::advance(Duration::from_millis(1500)).await;
        let read = (clock.nanos(), clock.micros(), clock.millis(), clock.seconds());
        assert_eq!(read, (6_500_000_123, 6_500_000, 6_500, 6));
    }

    #[tokio::test]
    async fn it_starts_at_the_systems_time_and_never_goes_back() {
        let (before, clock) = (SystemClock.nanos(), Clock::monotonic());
        let mut last = clock.nanos();
        assert!(before <= last);
        for _ in 0..10_000 {
            let now = clock.nanos();
            assert!(last <= now);
            last = now;
        }
    }

    #[tokio::test]
    async fn the_far_future_saturates() {
        assert_eq!(Clock::at(u64::MAX).nanos(), u64::MAX);
    }
}
