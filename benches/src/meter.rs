//! How much was done, how long it took, and what it cost.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// A stretch of work that goes on.
pub(crate) struct Meter {
    started: Instant,
    cpu: Duration,
}

impl Meter {
    #[expect(clippy::disallowed_methods, reason = "reading the clock is what a benchmark does")]
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), cpu: cpu() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn stop(&self, count: u64) -> Tally {
        Tally { count, elapsed: self.elapsed(), cpu: cpu().saturating_sub(self.cpu) }
    }
}

/// A stretch of work that is done, as one of the two processes saw it.
#[derive(Clone, Copy)]
pub(crate) struct Tally {
    /// Messages, or round trips.
    pub(crate) count: u64,
    pub(crate) elapsed: Duration,
    /// Time of processors, in the program and in the kernel.
    pub(crate) cpu: Duration,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.count, self.elapsed.as_nanos(), self.cpu.as_nanos())
    }
}

impl FromStr for Tally {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let numbers: Vec<u64> = line.split_whitespace().flat_map(str::parse).collect();
        let [count, elapsed, cpu] = numbers[..] else {
            return Err(format!("the peer failed: it ended with '{line}'"));
        };
        let (elapsed, cpu) = (Duration::from_nanos(elapsed), Duration::from_nanos(cpu));
        Ok(Self { count, elapsed, cpu })
    }
}

fn cpu() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(used).expect("invariant: time that was used is not negative")
}
