//! Scenarios at random: some that are always the same, and others each time.

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use rumormill_simulator::nodes::{random, run, story, verdict};

use crate::coverage::Coverage;

/// Seeds that are always run, from 0, and how many are run besides, from one that nobody knows before.
const FIXED: u64 = 250;
const FRESH: u64 = 150;
/// Of how many seeds one is run twice.
const TWICE: u64 = 20;

#[test]
fn what_is_promised_holds_for_every_seed() {
    if let Some(seed) = number("SEED") {
        eprintln!("{}", story(&run(&random(seed))));
        check(seed);
        return;
    }
    let seeds: Vec<u64> = match number("SEEDS") {
        Some(count) => (0..count).collect(),
        None => {
            let first = u64::from(rand::random::<u32>());
            (0..FIXED).chain(first..first + FRESH).collect()
        }
    };
    let (next, coverage) = (AtomicU64::new(0), Mutex::new(Coverage::default()));
    let work = || {
        while let Some(seed) = seeds.get(next.fetch_add(1, Relaxed) as usize) {
            match catch_unwind(AssertUnwindSafe(|| check(*seed))) {
                Ok(covered) => coverage.lock().unwrap().absorb(covered),
                Err(_) => panic!("{}", replay(*seed)),
            }
        }
    };
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        (0..workers).for_each(|_| drop(scope.spawn(work)));
    });
    coverage.into_inner().unwrap().check(seeds.len() as u64);
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("SEED and SEEDS are numbers"))
}

fn replay(seed: u64) -> String {
    format!("to replay it: SEED={seed} cargo test -p rumormill-simulator --test nodes seed")
}

fn check(seed: u64) -> Coverage {
    let scenario = random(seed);
    let report = run(&scenario);
    let breaches = verdict(&report);
    assert!(breaches.is_empty(), "{scenario:#?}\n{breaches:#?}\n{}", replay(seed));
    if seed.is_multiple_of(TWICE) {
        let again = run(&scenario);
        let differs = report.log.iter().zip(&again.log).find(|(one, other)| one != other);
        assert_eq!(differs, None, "the same seed took another course");
        assert_eq!(report, again, "the same seed took another course");
    }
    Coverage::of(&report)
}
