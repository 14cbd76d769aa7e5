//! Which counters of a sender have been seen: the sliding window against replays.

/// Remembers the [`WIDTH`] highest counters that were accepted (RFC 4303, section 3.4.3, and
/// appendix A).
///
/// Counters begin at 1. Checking and advancing are two steps, since only a verified frame may
/// advance it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    /// The highest counter that was accepted; 0: none.
    highest: u64,
    /// A bit for each counter of the window, at its place modulo [`WIDTH`].
    seen: [u64; WORDS],
}

/// Why a counter is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    /// It is below the window, so that it is not known whether it was accepted before.
    Old,
    /// It was accepted before.
    Seen,
}

/// Counters that a window spans.
pub(crate) const WIDTH: u64 = 1024;
const WORDS: usize = (WIDTH / 64) as usize;

impl Window {
    /// Whether `counter` may be accepted.
    ///
    /// # Errors
    /// [`Stale`]; nothing has changed.
    pub(crate) fn check(&self, counter: u64) -> Result<(), Stale> {
        if self.highest < counter {
            return Ok(());
        }
        if counter == 0 || WIDTH <= self.highest - counter {
            return Err(Stale::Old);
        }
        let (word, bit) = place(counter);
        match self.seen[word] & bit {
            0 => Ok(()),
            _ => Err(Stale::Seen),
        }
    }

    /// Accepts `counter`.
    ///
    /// # Errors
    /// As for [`check`](Self::check), which is done again.
    pub(crate) fn advance(&mut self, counter: u64) -> Result<(), Stale> {
        self.check(counter)?;
        if self.highest < counter {
            self.forget_up_to(counter);
            self.highest = counter;
        }
        let (word, bit) = place(counter);
        self.seen[word] |= bit;
        Ok(())
    }

    /// Clears the places of those counters above `highest` that come before `counter`.
    fn forget_up_to(&mut self, counter: u64) {
        if WIDTH <= counter - self.highest {
            self.seen = [0; WORDS];
            return;
        }
        for skipped in self.highest + 1..=counter {
            let (word, bit) = place(skipped);
            self.seen[word] &= !bit;
        }
    }
}

fn place(counter: u64) -> (usize, u64) {
    ((counter / 64) as usize % WORDS, 1 << (counter % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The same without any cleverness.
    #[derive(Default)]
    struct Model(BTreeSet<u64>);

    impl Model {
        fn check(&self, counter: u64) -> Result<(), Stale> {
            let highest = self.0.last().copied().unwrap_or(0);
            match counter {
                0 => Err(Stale::Old),
                _ if counter <= highest && WIDTH <= highest - counter => Err(Stale::Old),
                _ if self.0.contains(&counter) => Err(Stale::Seen),
                _ => Ok(()),
            }
        }
    }

    fn compare(counters: impl IntoIterator<Item = u64>) {
        let (mut window, mut model) = (Window::default(), Model::default());
        for counter in counters {
            let expected = model.check(counter);
            assert_eq!(window.check(counter), expected, "{counter}");
            assert_eq!(window.advance(counter), expected, "{counter}");
            if expected.is_ok() {
                model.0.insert(counter);
            }
        }
    }

    #[test]
    fn it_does_what_a_set_would_do() {
        compare(0..3 * WIDTH);
        compare((0..3 * WIDTH).rev());
        compare((0..3 * WIDTH).flat_map(|n| [n, n]));
        compare([1, 5, 3, 3, WIDTH, WIDTH + 5, 5, 6, 2 * WIDTH, WIDTH, WIDTH + 1, 3 * WIDTH - 1]);
        compare([u64::MAX, u64::MAX - WIDTH, u64::MAX - WIDTH + 1, u64::MAX, 0, 1]);
        let mut state = 1_u64;
        compare((0..20_000).map(|n| {
            // Knuth's linear congruential generator (MMIX).
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let spread = if n % 100 == 0 { 4 * WIDTH } else { WIDTH + 100 };
            n / 2 + (state >> 33) % spread
        }));
    }

    #[test]
    fn checking_changes_nothing() {
        let window = Window::default();
        assert_eq!((window.check(7), window.check(7)), (Ok(()), Ok(())));
    }
}
