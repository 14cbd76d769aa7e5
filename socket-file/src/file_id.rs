//! Which file it is, whatever its name.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::Path,
};

/// A file as its file system knows it. It stays unique while the file is open or bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// What has the name `path`; a symlink is what it is, not what it points to.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::new(&fs::symlink_metadata(path)?))
    }

    pub(crate) fn of(file: &File) -> io::Result<Self> {
        Ok(Self::new(&file.metadata()?))
    }

    fn new(found: &Metadata) -> Self {
        Self { device: found.dev(), inode: found.ino() }
    }

    /// Removes the name `path`, if it is still this file's.
    pub(crate) fn remove(self, path: &Path) {
        if Self::at(path).is_ok_and(|found| found == self) {
            // Where that fails the file stays, and is stale: a destructor has nobody to tell.
            let _ = fs::remove_file(path);
        }
    }
}
