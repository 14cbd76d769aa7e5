//! Runs one check: with a runtime and a deadline, and alone in a process where it must be.

use std::{future::Future, pin::Pin, process::Command, time::Duration};

use tokio::{runtime, time::timeout};

use crate::{CHECKS, Fixture, process};

/// One check of the contract.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Its name, which is also the name of the test.
    pub name: &'static str,
    /// What it asks of the transport.
    pub asks: &'static str,
    /// Whether it looks at the whole process, so that nothing else may run in it.
    pub alone: bool,
    /// Panics if the transport breaks the contract, and returns whether there was anything to ask.
    pub check: fn(Fixture) -> Pin<Box<dyn Future<Output = Asked>>>,
}

/// Whether a check had anything to ask of a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It asked, and was answered well.
    Yes,
    /// The transport does not promise what it asks about, for the reason given.
    No(&'static str),
}

impl Check {
    /// Runs the check in this process, on a runtime of its own.
    ///
    /// # Panics
    /// If the transport breaks the contract, or the check takes longer than a minute.
    pub fn run(&self, fixture: impl FnOnce() -> Fixture) -> Asked {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime for the check");
        let asked = runtime.block_on(async {
            let fixture = fixture();
            if fixture.paused {
                tokio::time::pause();
            }
            timeout(PATIENCE, (self.check)(fixture)).await
        });
        // A blocking task (a name being resolved) must not hold up the end.
        runtime.shutdown_timeout(Duration::from_secs(1));
        asked.unwrap_or_else(|_| panic!("the check '{}' hung", self.name))
    }
}

/// Runs the check called `name`, for the test at `path`; what [`suite!`](crate::suite) expands to.
///
/// # Panics
/// If the transport breaks the contract, or there is no such check.
pub fn run(name: &str, path: &str, fixture: impl FnOnce() -> Fixture) {
    let check = CHECKS.iter().find(|check| check.name == name);
    let check = check.unwrap_or_else(|| panic!("there is no check '{name}'"));
    if check.alone && std::env::var_os(ALONE).is_none() {
        return run_alone(path);
    }
    if let Asked::No(why) = check.run(fixture) {
        process::say(&format!("{name}{NOT_ASKED}{why}"));
    }
}

/// Starts this program again, with only the test at `path` in it.
fn run_alone(path: &str) {
    let test = path.split_once("::").map_or(path, |(_, test)| test);
    let program = std::env::current_exe().expect("the path of this program");
    let output = Command::new(program)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(ALONE, "1")
        .output()
        .expect("starting this program again");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let ran = out.contains("test result: ok. 1 passed");
    assert!(output.status.success() && ran, "in a process of its own:\n{out}\n{err}");
    out.lines().filter(|line| line.contains(NOT_ASKED)).for_each(process::say);
}

const NOT_ASKED: &str = ": not asked, ";
const ALONE: &str = "RUMORMILL_CONFORMANCE_ALONE";
/// A check that takes so long is stuck; the slowest takes about five seconds on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
