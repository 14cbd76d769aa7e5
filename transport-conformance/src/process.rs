//! What the operating system says about this process; nothing where it cannot be asked.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open file descriptors.
pub(crate) fn descriptors() -> Option<usize> {
    // One of the entries is the descriptor that reads the directory.
    Some(fs::read_dir("/proc/self/fd").ok()?.count() - 1)
}

/// Address space in use, in bytes: it grows with what is allocated, touched or not.
pub(crate) fn memory() -> Option<usize> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split_whitespace().next()?.parse().ok()?;
    Some(pages * rustix::param::page_size())
}

/// Allows as many descriptors as the system lets this process have; returns the number.
pub(crate) fn raise_descriptors() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX).min(1 << 16);
    allow_descriptors(most);
    most
}

/// Allows no descriptor above the number `most` from now on.
pub(crate) fn allow_descriptors(most: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: Some(most), maximum };
    setrlimit(Resource::Nofile, limit).expect("setting the limit of descriptors");
}

/// Tells the person who runs the tests.
#[expect(clippy::print_stdout, reason = "a test's way to say something, shown with --nocapture")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
