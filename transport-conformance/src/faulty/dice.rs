//! Decides what happens to each message of one half.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{Half, Shared};

/// The chance of one half of a conn.
#[derive(Debug)]
pub(super) struct Dice {
    pub(super) shared: Arc<Shared>,
    rng: StdRng,
    /// How many messages were thrown for.
    thrown: u64,
}

enum Fate {
    Cut,
    Drop,
    Duplicate,
    Hold,
    Pass,
}

impl Dice {
    pub(super) fn new(shared: Arc<Shared>, conn: u64, half: Half) -> Self {
        let mut seed = [0; 32];
        let which = match half {
            Half::Reader => 0_u64,
            Half::Writer => 1,
        };
        for (slot, word) in seed.chunks_exact_mut(8).zip([shared.faults.seed, conn, which]) {
            slot.copy_from_slice(&word.to_le_bytes());
        }
        Self { shared, rng: StdRng::from_seed(seed), thrown: 0 }
    }

    /// Decides what happens to `message`, and hands what goes on because of it to `pass`, in order.
    /// It breaks off where the conn is cut.
    ///
    /// `held` is the message that waits to be overtaken.
    pub(super) fn throw<M: Clone>(
        &mut self,
        message: M,
        held: &mut Option<M>,
        mut pass: impl FnMut(M),
    ) -> ControlFlow<()> {
        match self.fate() {
            Fate::Cut => return ControlFlow::Break(()),
            Fate::Drop => {
                self.shared.counts.dropped.add_one();
                return ControlFlow::Continue(());
            }
            Fate::Hold if held.is_none() => {
                *held = Some(message);
                return ControlFlow::Continue(());
            }
            Fate::Duplicate => {
                self.shared.counts.duplicated.add_one();
                pass(message.clone());
            }
            Fate::Hold | Fate::Pass => (),
        }
        pass(message);
        if let Some(overtaken) = held.take() {
            self.shared.counts.reordered.add_one();
            pass(overtaken);
        }
        ControlFlow::Continue(())
    }

    fn fate(&mut self) -> Fate {
        let faults = self.shared.faults;
        let spent = faults.cut_after.is_some_and(|most| most <= self.thrown);
        self.thrown += 1;
        if spent || self.happens(faults.cut) {
            Fate::Cut
        } else if self.happens(faults.drop) {
            Fate::Drop
        } else if self.happens(faults.duplicate) {
            Fate::Duplicate
        } else if self.happens(faults.reorder) {
            Fate::Hold
        } else {
            Fate::Pass
        }
    }

    fn happens(&mut self, share: f64) -> bool {
        self.rng.random::<f64>() < share
    }

    /// How much later the next message arrives. To be asked once for each message, before its
    /// fate, so that what the dice show depends on nothing but its number.
    pub(super) fn lateness(&mut self) -> Duration {
        self.delay() + self.shared.faults.jitter.min(LONGEST).mul_f64(self.rng.random())
    }

    /// How much later everything arrives.
    pub(super) fn delay(&self) -> Duration {
        self.shared.faults.delay.min(LONGEST)
    }
}

/// Keeps sums of times in range, whatever was configured.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::faulty::Faults;

    /// The first messages, by number, that pass.
    fn passed(faults: Faults, conn: u64, half: Half) -> Vec<u32> {
        let shared = Arc::new(Shared { faults, ..Shared::default() });
        let (mut dice, mut held, mut passed) = (Dice::new(shared, conn, half), None, Vec::new());
        let _ = (0..100)
            .try_for_each(|message| dice.throw(message, &mut held, |message| passed.push(message)));
        passed
    }

    #[test]
    fn seeds_conns_and_halves_have_fates_of_their_own() {
        let faults = Faults { drop: 0.5, ..Faults::default() };
        let other = Faults { seed: 1, ..faults };
        let fates = [
            passed(faults, 0, Half::Reader),
            passed(faults, 0, Half::Writer),
            passed(faults, 1, Half::Reader),
            passed(faults, 1, Half::Writer),
            passed(other, 0, Half::Reader),
        ];
        assert_eq!(BTreeSet::from(fates).len(), 5);
        assert_eq!(passed(faults, 0, Half::Reader), passed(faults, 0, Half::Reader));
    }

    #[test]
    fn cuts_come_by_chance() {
        let faults = Faults { cut: 0.1, ..Faults::default() };
        let passed: usize = (0..1000).map(|conn| passed(faults, conn, Half::Writer).len()).sum();
        assert!((8500..9500).contains(&passed), "{passed} instead of 9000");
    }

    #[test]
    fn cut_after_none_cuts_at_the_first() {
        let faults = Faults { cut_after: Some(0), ..Faults::default() };
        assert_eq!(passed(faults, 0, Half::Reader), []);
    }

    #[test]
    fn shares_out_of_range_mean_never_and_always() {
        let none = Faults { drop: -1.0, duplicate: f64::NAN, ..Faults::default() };
        assert_eq!(passed(none, 0, Half::Reader).len(), 100);
        let twice = Faults { duplicate: f64::INFINITY, ..Faults::default() };
        assert_eq!(passed(twice, 0, Half::Reader).len(), 200);
    }
}
