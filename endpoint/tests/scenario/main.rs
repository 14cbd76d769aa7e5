//! Whole endpoints under random faults, in virtual time.
//!
//! Each seed is a course of its own: nodes that send, ask, forget, part, heal, stop, vanish and
//! start again over links that lose, repeat, reorder and cut. What must hold at every moment and at
//! the end stands in `facts`. `SEED=n` replays one course and prints its log.

mod facts;
mod node;
mod world;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
};

use facts::Coverage;
use world::{Course, course};

/// How many seeds are run, and of how many one is run twice.
const SEEDS: u64 = 1000;
const TWICE: u64 = 5;

#[test]
fn what_is_promised_holds_for_a_thousand_seeds() {
    if let Ok(seed) = env::var("SEED") {
        check(seed.parse().expect("SEED is a number"));
        return;
    }
    let (next, coverage) = (AtomicU64::new(0), Mutex::new(Coverage::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Relaxed);
            if SEEDS <= seed {
                return;
            }
            match catch_unwind(AssertUnwindSafe(|| check(seed))) {
                Ok(covered) => coverage.lock().unwrap().add(&covered),
                Err(_) => panic!("SEED={seed} replays it"),
            }
        }
    };
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        (0..workers).for_each(|_| drop(scope.spawn(work)));
    });
    coverage.into_inner().unwrap().check();
}

fn check(seed: u64) -> Coverage {
    let first = run(seed);
    if seed.is_multiple_of(TWICE) {
        let second = run(seed);
        let differs = first.log.iter().zip(&second.log).position(|(a, b)| a != b);
        let at = differs.map(|at| (at, &first.log[at], &second.log[at]));
        assert_eq!(at, None, "the same seed took another course");
        assert_eq!(first.log.len(), second.log.len(), "the same seed took another course");
    }
    first.coverage
}

fn run(seed: u64) -> Course {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(course(seed))
}
