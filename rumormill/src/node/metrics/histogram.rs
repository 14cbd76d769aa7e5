//! Durations as Prometheus counts them: how many were at most so long.

use std::time::Duration;

use rumormill_transport_api::Histogram;

use super::Series;

impl Series<'_> {
    /// All series of one histogram.
    pub(super) fn put_times(&mut self, labels: &[&str], times: &Histogram) {
        self.put_times_within(labels, times, BOUNDS);
    }

    /// The same with other bounds: in seconds, as they are written, and in nanoseconds.
    pub(super) fn put_times_within(
        &mut self,
        labels: &[&str],
        times: &Histogram,
        bounds: &[(&str, u64)],
    ) {
        let mut below = 0;
        for (bound, nanos) in bounds {
            below = within(times, Duration::from_nanos(*nanos), below);
            self.put_part("_bucket", labels, Some(bound), below);
        }
        self.put_part("_bucket", labels, Some("+Inf"), times.count());
        self.put_part("_sum", labels, None, times.total().as_secs_f64());
        self.put_part("_count", labels, None, times.count());
    }
}

/// How many durations are at most `limit`, of which at least `known` are. Those are not counted that
/// are less than a thirty-second below it, since the histogram does not tell them from longer ones.
fn within(times: &Histogram, limit: Duration, known: u64) -> u64 {
    let (mut least, mut most) = (known, times.count());
    while least < most {
        let middle = most - (most - least) / 2;
        match at_rank(times, middle) <= limit {
            true => least = middle,
            false => most = middle - 1,
        }
    }
    least
}

/// The duration that is the `rank`th of all, counted from 1.
fn at_rank(times: &Histogram, rank: u64) -> Duration {
    // In the middle of the rank's share, so that no rounding makes another one of it.
    times.quantile((rank as f64 - 0.5) / times.count() as f64)
}

/// Bounds in seconds, as they are written, and in nanoseconds.
const BOUNDS: &[(&str, u64)] = &[
    ("0.0001", 100_000),
    ("0.00025", 250_000),
    ("0.0005", 500_000),
    ("0.001", 1_000_000),
    ("0.0025", 2_500_000),
    ("0.005", 5_000_000),
    ("0.01", 10_000_000),
    ("0.025", 25_000_000),
    ("0.05", 50_000_000),
    ("0.1", 100_000_000),
    ("0.25", 250_000_000),
    ("0.5", 500_000_000),
    ("1", 1_000_000_000),
    ("2.5", 2_500_000_000),
    ("5", 5_000_000_000),
    ("10", 10_000_000_000),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_counted_whatever_their_number() {
        let mut times = Histogram::default();
        for micros in 1..=5000 {
            times.record(Duration::from_micros(micros));
        }
        for limit in [0, 1, 99, 1000, 2500, 4999, 5000, 9000] {
            let found = within(&times, Duration::from_micros(limit), 0);
            let exact = limit.min(5000);
            assert!(found <= exact && exact <= found + exact / 31 + 1, "{limit}: {found}");
        }
        assert_eq!(within(&Histogram::default(), Duration::from_secs(1), 0), 0);
    }

    #[test]
    fn the_bounds_are_what_they_say_and_rise() {
        for (text, nanos) in BOUNDS {
            assert_eq!(text.parse(), Ok(Duration::from_nanos(*nanos).as_secs_f64()));
        }
        assert!(BOUNDS.is_sorted_by(|a, b| a.1 < b.1));
    }
}
