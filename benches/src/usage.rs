//! What another process has taken so far.

use std::{fs, time::Duration};

use crate::Outcome;

/// What a process has taken.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    /// Time of processors, in the program and in the kernel; the kernel counts in hundredths of a second.
    pub(crate) cpu: Duration,
    /// Bytes of memory that it has now.
    pub(crate) resident: u64,
}

impl Usage {
    /// That of the process with this id.
    pub(crate) fn of(process: u32) -> Outcome<Self> {
        let read = |file| fs::read_to_string(format!("/proc/{process}/{file}"));
        let stat = read("stat")?;
        // The name of the program, in brackets, may hold anything; 13 and 14 fields are before it.
        let (_, fields) = stat.rsplit_once(") ").ok_or("stat is short")?;
        let ticks: u64 =
            fields.split(' ').skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum();
        let statm = read("statm")?;
        let pages: u64 = statm.split(' ').nth(1).ok_or("statm is short")?.parse()?;
        let second = rustix::param::clock_ticks_per_second();
        Ok(Self {
            cpu: Duration::from_millis(1000 * ticks / second),
            resident: pages * rustix::param::page_size() as u64,
        })
    }
}
