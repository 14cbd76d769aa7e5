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
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX).min(1 << 16);
    allow_descriptors(most);
    most
}

/// While it lives, no descriptor can be opened. Those that are open go on.
pub(crate) struct Drought(u64);

impl Drought {
    pub(crate) fn begin() -> Self {
        let before = raise_descriptors();
        allow_descriptors(0);
        Self(before)
    }
}

impl Drop for Drought {
    fn drop(&mut self) {
        allow_descriptors(self.0);
    }
}

fn allow_descriptors(most: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = Rlimit { current: Some(most), maximum };
    setrlimit(Resource::Nofile, limit).expect("setting the limit of descriptors");
}

/// Tells the person who runs the tests.
#[expect(clippy::print_stdout, reason = "a test's way to say something, shown with --nocapture")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
