//! How much a node trusts its own ears.
//!
//! Lifeguard's local health multiplier (arXiv 1707.00788): a node that gets no answers, not even from
//! those that it asks for help, is likely to be the slow one itself, and takes more time.

use std::time::Duration;

/// The multiplier, less one.
#[derive(Debug, Default)]
pub(crate) struct Health(u32);

/// The paper's S: times get up to nine times as long.
const WORST: u32 = 8;

impl Health {
    /// A probe was answered.
    pub(crate) fn answered(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }

    /// A probe was not answered, and of those asked for help `silent` did not even say so.
    ///
    /// The paper adds one for the probe as well. Here, as in memberlist, one whose helpers were all
    /// heard adds nothing: the target is the silent one.
    pub(crate) fn unanswered(&mut self, asked: usize, silent: usize) {
        self.worsen(if asked == 0 { 1 } else { silent });
    }

    /// This node was suspected, and had to say that it lives.
    pub(crate) fn suspected(&mut self) {
        self.worsen(1);
    }

    /// This node was not run for a while.
    pub(crate) fn overslept(&mut self) {
        self.worsen(1);
    }

    pub(crate) fn score(&self) -> u32 {
        self.0
    }

    pub(crate) fn stretch(&self, time: Duration) -> Duration {
        time.saturating_mul(1 + self.0)
    }

    fn worsen(&mut self, by: usize) {
        self.0 = self.0.saturating_add(u32::try_from(by).unwrap_or(WORST)).min(WORST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_stays_within_its_bounds() {
        let mut health = Health::default();
        health.answered();
        assert_eq!(health.score(), 0);
        health.unanswered(0, 0);
        health.suspected();
        assert_eq!(health.stretch(Duration::from_secs(1)), Duration::from_secs(3));
        health.unanswered(3, 0);
        assert_eq!(health.score(), 2, "all helpers were heard");
        health.unanswered(3, 2);
        assert_eq!(health.score(), 4);
        health.unanswered(3, usize::MAX);
        assert_eq!(health.stretch(Duration::from_secs(1)), Duration::from_secs(9));
        (0..9).for_each(|_| health.answered());
        assert_eq!(health.score(), 0);
    }
}
