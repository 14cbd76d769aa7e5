//! Chance that repeats itself.

use std::time::Duration;

/// The random numbers of one link: the SplitMix64 generator (Steele, Lea and Flood, 2014).
///
/// It has eight bytes of state, and no version of another crate can change what a seed gives.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The numbers that belong to a network's seed and the direction from one host to another.
    pub(crate) fn new(seed: u64, from: &str, to: &str) -> Self {
        // No text holds the byte 255, so the parts cannot run into each other.
        let parts = [&seed.to_le_bytes()[..], from.as_bytes(), &[255], to.as_bytes()];
        Self(parts.into_iter().flatten().fold(FNV_OFFSET, fnv))
    }

    /// True in about this share of calls; shares of 0 and less use up no number.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        0.0 < share && self.unit() < share
    }

    /// An even choice between nothing and `most`, both included.
    pub(crate) fn up_to(&mut self, most: Duration) -> Duration {
        let Some(choices) = most.as_nanos().checked_add(1).filter(|choices| 1 < *choices) else {
            return Duration::ZERO;
        };
        let choices = choices.min(1 << 64);
        Duration::from_nanos(((u128::from(self.next()) * choices) >> 64) as u64)
    }

    /// From 0 to just below 1, in steps that an `f64` can hold.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// One step of the hash FNV-1a, which is the same on every machine and in every version.
fn fnv(hash: u64, byte: &u8) -> u64 {
    (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;

#[cfg(test)]
mod tests {
    use super::*;

    fn rolls(seed: u64, from: &str, to: &str) -> [u64; 4] {
        let mut dice = Dice::new(seed, from, to);
        std::array::from_fn(|_| dice.next())
    }

    #[test]
    fn the_generator_is_the_published_one() {
        let mut dice = Dice(1_234_567);
        let first: [u64; 3] = std::array::from_fn(|_| dice.next());
        assert_eq!(first, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
    }

    #[test]
    fn seed_and_both_hosts_tell_dice_apart() {
        let all = [
            rolls(1, "a", "b"),
            rolls(2, "a", "b"),
            rolls(1, "b", "a"),
            rolls(1, "ab", ""),
            rolls(1, "", "ab"),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one), "{index}");
        }
        assert_eq!(all[0], rolls(1, "a", "b"));
    }

    #[test]
    fn shares_at_and_beyond_the_ends_are_certain() {
        let mut dice = Dice::new(1, "a", "b");
        for _ in 0..1000 {
            assert!(!dice.chance(0.0) && !dice.chance(-1.0) && !dice.chance(f64::NAN));
            assert!(dice.chance(1.0) && dice.chance(2.0));
        }
    }

    #[test]
    fn spans_stay_within_their_bound() {
        let mut dice = Dice::new(1, "a", "b");
        let most = Duration::from_nanos(3);
        let mut seen = [0_u32; 4];
        (0..4000).for_each(|_| seen[dice.up_to(most).as_nanos() as usize] += 1);
        assert!(seen.iter().all(|count| (900..1100).contains(count)), "{seen:?}");
        assert_eq!(dice.up_to(Duration::ZERO), Duration::ZERO);
        assert!(dice.up_to(Duration::MAX) <= Duration::MAX);
    }
}
