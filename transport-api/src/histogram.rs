//! How long things took, many of them in little memory.

use std::{fmt, time::Duration};

/// Durations, sorted into at most 1,920 buckets: up to 15 KiB, however many there are.
///
/// The shortest, the longest and the mean are exact; a quantile is at most a thirty-second too long.
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    /// Up to the longest duration so far.
    buckets: Vec<u64>,
    count: u64,
    total: Duration,
    min: Duration,
    max: Duration,
}

impl Histogram {
    /// Adds a duration.
    pub fn record(&mut self, duration: Duration) {
        let bucket = bucket(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.total = self.total.saturating_add(duration);
        self.min = self.min.min(duration);
        self.max = self.max.max(duration);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all.
    pub fn total(&self) -> Duration {
        self.total
    }

    /// The shortest; zero if there is none.
    pub fn min(&self) -> Duration {
        self.min.min(self.max)
    }

    /// The longest; zero if there is none.
    pub fn max(&self) -> Duration {
        self.max
    }

    /// The mean; zero if there is none.
    pub fn mean(&self) -> Duration {
        self.total.div_f64(self.count.max(1) as f64)
    }

    /// What the share `q` of all durations does not exceed.
    pub fn quantile(&self, q: f64) -> Duration {
        let rank = (q * self.count as f64).ceil() as u64;
        let mut below = 0;
        let reaches = |count: &u64| {
            below += count;
            rank <= below
        };
        let found = self.buckets.iter().position(reaches).unwrap_or_default();
        Duration::from_nanos(longest(found)).clamp(self.min(), self.max)
    }
}

impl Default for Histogram {
    fn default() -> Self {
        let (buckets, total) = (Vec::new(), Duration::ZERO);
        Self { buckets, count: 0, total, min: Duration::MAX, max: Duration::ZERO }
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (median, most) = (self.quantile(0.5), self.quantile(0.99));
        write!(f, "Histogram({} of {median:?}, {most:?}, {:?})", self.count, self.max)
    }
}

/// Up to 63 each number has a bucket; from there on, each power of two has 32.
fn bucket(nanos: u64) -> usize {
    let shift = nanos.max(1).ilog2().saturating_sub(BITS);
    ((u64::from(shift) << BITS) + (nanos >> shift)) as usize
}

/// The longest duration of a bucket.
fn longest(bucket: usize) -> u64 {
    let shift = (bucket >> BITS).saturating_sub(1);
    let leading = (bucket - (shift << BITS)) as u64;
    (leading << shift) | ((1 << shift) - 1)
}

const BITS: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_is_almost_the_same() {
        for nanos in (0..64).flat_map(|shift| [1 << shift, (1 << shift) - 1, 3 << shift >> 1]) {
            let longest = longest(bucket(nanos));
            assert!(nanos <= longest && longest - nanos <= nanos / 32, "{nanos}: {longest}");
        }
    }

    #[test]
    fn quantiles_count_from_the_shortest() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.quantile(0.99), histogram.mean()), (Duration::ZERO, Duration::ZERO));
        (1..=100).for_each(|micros| histogram.record(Duration::from_micros(micros)));
        let near = |q, micros: u64| {
            let (found, exact) = (histogram.quantile(q), Duration::from_micros(micros));
            assert!(exact <= found && found <= exact + exact / 32, "{q}: {found:?}");
        };
        near(0.5, 50);
        near(0.99, 99);
        near(1.0, 100);
        assert_eq!(histogram.min(), Duration::from_micros(1));
        assert_eq!(histogram.max(), Duration::from_micros(100));
        assert_eq!(histogram.mean(), Duration::from_nanos(50_500));
    }

    #[test]
    fn the_longest_duration_has_a_bucket_and_little_memory() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::MAX);
        assert_eq!(histogram.buckets.len(), 1920);
        assert_eq!(histogram.quantile(0.5), Duration::MAX);
        assert_eq!(histogram.buckets.len() * size_of::<u64>(), 15 << 10);
    }
}
