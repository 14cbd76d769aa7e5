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
const FIXED: u64 = 240;
const FRESH: u64 = 60;
/// Seeds that have failed once, each for a reason of its own.
const ONCE: [u64; 13] = [
    // Two in turn take the name of a third, and the last is told of one of them alone.
    2_774_325_476,
    // Rumors that are asked for together are more than a datagram holds.
    1_100_000_973,
    // One that had failed before others came says goodbye, and they do not show it.
    1_100_001_730,
    1_100_001_968,
    // The last of four probes so slowly that it misses the third of the others late.
    1_100_003_450,
    // Of two with one key, the one that takes a name is known to nobody.
    2_000_001_080,
    // Two with one key are all that others know, and each is the first of a cluster.
    3_000_000_238,
    // The first that others come to crashes before it has met the rest, who never hear of them.
    3_000_006_394,
    // The only one that somebody knows begins anew elsewhere, and meets others first.
    3_000_014_598,
    // Somebody hears of one that has crashed only after that.
    3_000_014_953,
    // The only one that is left of those whom others heard of has met somebody else.
    3_000_015_418,
    // All that one could join by begin anew before it has joined.
    3_000_016_499,
    // The first of all was known only to one that has crashed, and has nobody to join by.
    3_000_040_658,
];
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
            (0..FIXED).chain(ONCE).chain(first..first + FRESH).collect()
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
