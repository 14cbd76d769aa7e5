//! Random rows of faults, each with its seed, and the calm after them.

use std::{env, panic, str::FromStr};

use rand::random;
use rumormill_simulator::cores::{Coverage, play};

/// Stories that are the same in every run, and those that are not.
const FIXED: u64 = 500;
const FRESH: u64 = 1000;

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is a number, not {text:?}")))
}

fn sweep(seeds: impl IntoIterator<Item = u64>) -> Coverage {
    let mut coverage = Coverage::default();
    for seed in seeds {
        match panic::catch_unwind(|| play(seed)) {
            Ok(played) => coverage += played,
            Err(_) => panic!("SEED={seed} shows it again"),
        }
    }
    coverage
}

/// `SEED=7` plays that story alone, `SEEDS=20000` so many fresh ones.
#[test]
fn whatever_happens_nothing_happens_that_must_not() {
    if let Some(seed) = variable("SEED") {
        sweep([seed]);
        return;
    }
    let first: u64 = random();
    let fresh = variable("SEEDS").unwrap_or(FRESH);
    let fresh = (0..fresh).map(|count| first.wrapping_add(count));
    let coverage = sweep((0..FIXED).chain(fresh));
    for (what, count) in coverage.counts() {
        assert!(FIXED <= count, "{what} has happened {count} times only");
    }
}
