//! The kit bites: a transport with one deliberate defect fails exactly the check for it.

#[path = "mutants/defect.rs"]
mod defect;
#[path = "mutants/halves.rs"]
mod halves;
#[path = "mutants/pipe.rs"]
mod pipe;
#[path = "mutants/stream.rs"]
mod stream;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{PoisonError, RwLock},
};

use rumormill_transport_conformance::{CHECKS, Check, Fixture};

use crate::{defect::Defect, pipe::Pipe};

fn fixture(defect: Option<Defect>) -> Fixture {
    let pipe = Pipe::new(defect);
    Fixture::new(pipe.clone(), "pipe://host:0").raw(move |addr| pipe.clone().raw(addr)).paused()
}

/// Checks that look at the whole process have it for themselves.
static PROCESS: RwLock<()> = RwLock::new(());

fn passes(check: &Check, defect: Option<Defect>) -> bool {
    let run = || catch_unwind(AssertUnwindSafe(|| check.run(|| fixture(defect)))).is_ok();
    if check.alone {
        let _process = PROCESS.write().unwrap_or_else(PoisonError::into_inner);
        return run();
    }
    let _process = PROCESS.read().unwrap_or_else(PoisonError::into_inner);
    run()
}

fn failed(defect: Option<Defect>) -> Vec<&'static str> {
    CHECKS.iter().filter(|check| !passes(check, defect)).map(|check| check.name).collect()
}

pub(crate) fn only_this_check_fails(defect: Defect, check: &str) {
    assert_eq!(failed(Some(defect)), [check], "{defect:?}");
}

#[test]
fn without_a_defect_every_check_passes() {
    assert_eq!(failed(None), [""; 0]);
}
