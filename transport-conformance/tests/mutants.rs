//! The kit bites: a transport with one deliberate defect fails exactly the check for it.

#[path = "mutants/defect.rs"]
mod defect;
#[path = "mutants/halves.rs"]
mod halves;
#[path = "mutants/pipe.rs"]
mod pipe;
#[path = "mutants/stream.rs"]
mod stream;

use std::panic::{AssertUnwindSafe, catch_unwind};

use rumormill_transport_conformance::{CHECKS, Check, Fixture};

use crate::{
    defect::{DEFECTS, Defect},
    pipe::Pipe,
};

fn fixture(defect: Option<Defect>) -> Fixture {
    let pipe = Pipe::new(defect);
    Fixture::new(pipe.clone(), "pipe://host:0").raw(move |addr| pipe.clone().raw(addr)).paused()
}

fn passes(check: &Check, defect: Option<Defect>) -> bool {
    catch_unwind(AssertUnwindSafe(|| check.run(|| fixture(defect)))).is_ok()
}

fn failed(defect: Option<Defect>) -> Vec<&'static str> {
    CHECKS.iter().filter(|check| !passes(check, defect)).map(|check| check.name).collect()
}

/// One test, not one for each defect: some checks look at the whole process, in which nothing else
/// may run.
#[test]
fn each_defect_fails_its_check_and_no_other() {
    assert_eq!(failed(None), [""; 0], "without a defect");
    let wrong: Vec<_> = DEFECTS
        .iter()
        .map(|(defect, check)| (defect, check, failed(Some(*defect))))
        .filter(|(_, check, failed)| failed[..] != [**check])
        .collect();
    assert!(wrong.is_empty(), "defect, the check for it, and those that failed: {wrong:#?}");
    let (mut covered, mut checks): (Vec<_>, Vec<_>) = (
        DEFECTS.iter().map(|(_, check)| *check).collect(),
        CHECKS.iter().map(|check| check.name).collect(),
    );
    covered.sort_unstable();
    checks.sort_unstable();
    assert_eq!(covered, checks, "each check has one defect");
}
