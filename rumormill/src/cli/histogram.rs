//! How long things took, many of them in little memory.

use std::time::Duration;

/// Durations, sorted into 1,920 buckets: 15 KiB, however many there are.
///
/// The shortest, the longest and the mean are exact; a quantile is at most a thirty-second too long.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    total: Duration,
    min: Duration,
    max: Duration,
}

impl Histogram {
    pub(crate) fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos)] += 1;
        self.count += 1;
        self.total = self.total.saturating_add(duration);
        self.min = self.min.min(duration);
        self.max = self.max.max(duration);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn min(&self) -> Duration {
        self.min.min(self.max)
    }

    pub(crate) fn max(&self) -> Duration {
        self.max
    }

    pub(crate) fn mean(&self) -> Duration {
        self.total.div_f64(self.count.max(1) as f64)
    }

    /// What the share `q` of all durations does not exceed.
    pub(crate) fn quantile(&self, q: f64) -> Duration {
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
        let (buckets, total) = (vec![0; bucket(u64::MAX) + 1], Duration::ZERO);
        Self { buckets, count: 0, total, min: Duration::MAX, max: Duration::ZERO }
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
}
