//! Files whose changes count, looked at now and then.

use std::{
    fs::{self, Metadata},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// What is known of some files, and whether they have changed since somebody read them.
#[derive(Debug, Default)]
pub(super) struct Watch {
    read: Vec<Trace>,
    /// What was seen last, if that is something else: a file that is still being written.
    unsettled: Option<Vec<Trace>>,
}

/// By what a file is recognised; `None` if there is none.
type Trace = Option<(u64, Option<SystemTime>, u64)>;

impl Watch {
    /// Takes these for the files that were read.
    pub(super) fn of(files: &[PathBuf]) -> Self {
        Self { read: traces(files), unsettled: None }
    }

    /// Takes what the files are now for what is about to be read.
    pub(super) fn reading(&mut self, files: &[PathBuf]) {
        *self = Self::of(files);
    }

    /// Whether they have changed, and have then stayed so since the last look: a half-written file
    /// grows, and a file that is replaced in two steps is missing in between.
    pub(super) fn look(&mut self, files: &[PathBuf]) -> bool {
        self.see(traces(files))
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

fn traces(files: &[PathBuf]) -> Vec<Trace> {
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
        let mut watch = Watch { read: vec![file(1)], unsettled: None };
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
        let mut watch = Watch::of(files);
        assert!(!watch.look(files) && !watch.look(files));
        fs::rename(&paths[1], &paths[0]).unwrap();
        assert!(!watch.look(files) && watch.look(files) && !watch.look(files));
        fs::write(&paths[0], "three").unwrap();
        watch.reading(files);
        assert!(!watch.look(files) && !watch.look(files));
    }
}
