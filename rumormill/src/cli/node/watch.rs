//! Files whose changes count, looked at now and then.

use std::{
    fs::{self, Metadata},
    future::pending,
    path::{Path, PathBuf},
    time::SystemTime,
};

use tokio::task::JoinHandle;

/// What is known of some files, and whether they have changed since somebody read them.
#[derive(Debug, Default)]
pub(in crate::cli) struct Watch {
    read: Vec<Trace>,
    /// What was seen last, if that is something else: a file that is still being written.
    unsettled: Option<Vec<Trace>>,
    /// A look that has begun.
    look: Option<JoinHandle<Vec<Trace>>>,
}

/// By what a file is recognised; `None` if there is none.
pub(super) type Trace = Option<(u64, Option<SystemTime>, u64)>;

impl Watch {
    /// Takes these for the files that were read.
    pub(in crate::cli) fn of(read: Vec<Trace>) -> Self {
        Self { read, ..Self::default() }
    }

    /// Takes what the files are now for what is about to be read.
    pub(in crate::cli) fn reading(&mut self, read: Vec<Trace>) {
        (self.read, self.unsettled) = (read, None);
    }

    /// Takes the files for changed, as nobody could read them.
    pub(in crate::cli) fn unread(&mut self) {
        self.reading(Vec::new());
    }

    /// Begins a look, unless one has begun.
    pub(in crate::cli) fn begin(&mut self, look: impl FnOnce() -> Option<JoinHandle<Vec<Trace>>>) {
        if self.look.is_none() {
            self.look = look();
        }
    }

    /// Waits for the look that has begun: whether the files have changed, and have then stayed so since the
    /// last one; a half-written file grows, and a file that is replaced in two steps is missing in between.
    /// Cancel-safe: the look goes on.
    pub(in crate::cli) async fn is_due(&mut self) -> bool {
        let Some(look) = &mut self.look else { return pending().await };
        let seen = look.await;
        self.look = None;
        seen.is_ok_and(|seen| self.see(seen))
    }

    fn see(&mut self, seen: Vec<Trace>) -> bool {
        if seen == self.read {
            self.unsettled = None;
            return false;
        }
        if self.unsettled.as_ref() != Some(&seen) {
            self.unsettled = Some(seen);
            return false;
        }
        (self.read, self.unsettled) = (seen, None);
        true
    }
}

/// What is seen of files. It may wait for whoever has them.
pub(super) fn traces(files: &[PathBuf]) -> Vec<Trace> {
    files.iter().map(|file| trace(file)).collect()
}

/// Links are followed, since Kubernetes puts a link in place of another when a file changes.
fn trace(file: &Path) -> Trace {
    let metadata = fs::metadata(file).ok()?;
    Some((metadata.len(), metadata.modified().ok(), inode(&metadata)))
}

/// Differs for a file that was put in place of another one of the same length in the same moment.
#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(len: u64) -> Trace {
        Some((len, None, 0))
    }

    #[test]
    fn a_change_counts_once_it_has_settled() {
        let mut watch = Watch::of(vec![file(1)]);
        for (seen, is_due) in [
            (file(1), false),
            (file(2), false),
            (file(3), false),
            (file(3), true),
            (file(3), false),
            (None, false),
            (file(3), false),
            (None, false),
            (file(4), false),
            (file(4), true),
            (None, false),
            (None, true),
            (None, false),
        ] {
            assert_eq!(watch.see(vec![seen]), is_due, "{seen:?}");
        }
    }

    #[test]
    fn files_are_told_apart_by_what_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        fs::write(&paths[0], "one").unwrap();
        fs::write(&paths[1], "two").unwrap();
        let files = &paths[..1];
        let mut watch = Watch::of(traces(files));
        let look = |watch: &mut Watch| watch.see(traces(files));
        assert!(!look(&mut watch) && !look(&mut watch));
        fs::rename(&paths[1], &paths[0]).unwrap();
        assert!(!look(&mut watch) && look(&mut watch) && !look(&mut watch));
        fs::write(&paths[0], "three").unwrap();
        watch.reading(traces(files));
        assert!(!look(&mut watch) && !look(&mut watch));
        watch.unread();
        assert!(!look(&mut watch) && look(&mut watch) && !look(&mut watch));
    }

    #[tokio::test]
    async fn one_look_is_taken_at_a_time() {
        let mut watch = Watch::of(vec![file(1)]);
        for is_due in [false, true, false] {
            watch.begin(|| Some(tokio::spawn(async { vec![file(2)] })));
            watch.begin(|| panic!("one has begun"));
            assert_eq!(watch.is_due().await, is_due);
        }
    }
}
