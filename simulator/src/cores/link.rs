//! What becomes of a message on its way.

use std::time::Duration;

use rand::{Rng, RngExt};

/// How all hosts are connected. Streams have the delay, and nothing else of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// The part of packets that is lost.
    pub loss: f64,
    /// How long a message takes, on average.
    pub delay: Duration,
    /// How that varies.
    pub law: Law,
    /// The part of packets that arrives twice.
    pub doubled: f64,
    /// The part of packets that takes up to twenty delays more, and is overtaken.
    pub held: f64,
}

/// How delays vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// All between half and one and a half of the mean are as likely.
    Even,
    /// The longer, the rarer, without an end.
    Exponential,
}

/// What the border between islands lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wall {
    /// Nothing.
    Closed,
    /// Packets, except those to this island: it is heard and hears nothing. Streams need both directions.
    Deaf(u8),
}

impl Default for Link {
    /// Nothing is lost, and two milliseconds pass.
    fn default() -> Self {
        let delay = Duration::from_millis(2);
        Self { loss: 0.0, delay, law: Law::Even, doubled: 0.0, held: 0.0 }
    }
}

impl Link {
    /// How long a message takes that is not held back.
    pub(super) fn time(&self, rng: &mut impl Rng) -> Duration {
        let factor = match self.law {
            Law::Even => rng.random_range(0.5..1.5),
            Law::Exponential => -(1.0 - rng.random::<f64>()).ln(),
        };
        self.delay.mul_f64(factor)
    }

    /// How much longer this packet takes.
    pub(super) fn hold(&self, rng: &mut impl Rng) -> Duration {
        match happens(self.held, rng) {
            true => self.delay.mul_f64(rng.random_range(0.0..20.0)),
            false => Duration::ZERO,
        }
    }
}

/// Whether something of this chance happens; what never does takes nothing from the dice.
pub(super) fn happens(chance: f64, rng: &mut impl Rng) -> bool {
    0.0 < chance && rng.random_bool(chance)
}
