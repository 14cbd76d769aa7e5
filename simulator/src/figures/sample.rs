//! Values of one kind, and what is said of them all.

use std::time::Duration;

/// Some values, at least one if anything is asked of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample(Vec<f64>);

impl Sample {
    pub(super) fn add(&mut self, value: f64) {
        let place = self.0.partition_point(|other| *other < value);
        self.0.insert(place, value);
    }

    pub(super) fn add_time(&mut self, time: Duration) {
        self.add(time.as_secs_f64());
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn mean(&self) -> f64 {
        self.0.iter().sum::<f64>() / self.0.len() as f64
    }

    /// The value below which this part of all lies.
    pub(super) fn quantile(&self, part: f64) -> f64 {
        let place = (part * self.0.len() as f64).ceil() as usize;
        self.0.get(place.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    pub(super) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(super) fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    pub(super) fn min(&self) -> f64 {
        self.quantile(0.0)
    }
}

/// By how much `y` grows with each step of `x`: least squares.
pub(super) fn slope(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|(x, _)| *x), mean(|(_, y)| *y));
    let both: f64 = points.iter().map(|(a, b)| (a - x) * (b - y)).sum();
    both / points.iter().map(|(a, _)| (a - x).powi(2)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_its_order() {
        let mut sample = Sample::default();
        [3.0, 1.0, 2.0, 10.0].into_iter().for_each(|value| sample.add(value));
        assert_eq!((sample.len(), sample.mean(), sample.median()), (4, 4.0, 2.0));
        assert_eq!((sample.min(), sample.max(), sample.quantile(0.75)), (1.0, 10.0, 3.0));
        assert_eq!(slope(&[(1.0, 3.0), (2.0, 5.0), (4.0, 9.0)]), 2.0);
    }
}
