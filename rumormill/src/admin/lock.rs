//! The lock beside a socket file: who holds it may create, replace and remove the socket.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, Mode, OFlags, flock, open},
    io::Errno,
    process::geteuid,
};

use super::error::Error;

/// A file as its file system knows it, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

/// A held lock. Dropping it removes its file, which is safe because a lock counts only while its file
/// has the name: who locks a file that was removed meanwhile begins anew.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    id: FileId,
    /// Closing it unlocks.
    _file: File,
}

impl Lock {
    /// Takes the lock for the socket at `socket`.
    pub(super) fn take(socket: &Path) -> Result<Self, Error> {
        let mut path = socket.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let failure = |source| Error::io(format!("locking {}", path.display()), source);
        for _ in 0..ATTEMPTS {
            let file = create_or_open(&path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => (),
                Err(Errno::WOULDBLOCK) => break,
                Err(source) => return Err(failure(source.into())),
            }
            let id = FileId::of(&file.metadata().map_err(failure)?);
            // Whoever held it may have removed it between the opening and the locking.
            if FileId::at(&path).is_ok_and(|found| found == id) {
                return Ok(Self { path, id, _file: file });
            }
        }
        Err(Error::InUse { path: socket.into() })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.id.remove(&self.path);
    }
}

impl FileId {
    /// What has the name `path`; a symlink is what it is, not what it points to.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&fs::symlink_metadata(path)?))
    }

    fn of(found: &Metadata) -> Self {
        Self(found.dev(), found.ino())
    }

    /// Removes the name `path`, if it is still this file's.
    pub(super) fn remove(self, path: &Path) {
        if Self::at(path).is_ok_and(|found| found == self) {
            // Where that fails the file stays, and is stale: a destructor has nobody to tell.
            let _ = fs::remove_file(path);
        }
    }
}

fn create_or_open(path: &Path) -> Result<File, Error> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file: File = match open(path, flags | OFlags::NOCTTY | OFlags::CLOEXEC, OWNER) {
        Ok(file) => file.into(),
        Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => return Err(taken(path)),
        Err(source) => {
            return Err(Error::io(format!("locking {}", path.display()), source.into()));
        }
    };
    // It is removed in the end, so it must be none that somebody keeps for other reasons.
    let is_own =
        |found: Metadata| found.is_file() && found.len() == 0 && found.uid() == geteuid().as_raw();
    match file.metadata().is_ok_and(is_own) {
        true => Ok(file),
        false => Err(taken(path)),
    }
}

fn taken(path: &Path) -> Error {
    let problem = "is needed as a lock file, and is not an empty file of this user; remove it, or \
                   choose another path for the socket";
    Error::Path { path: path.into(), problem: problem.into() }
}

const OWNER: Mode = Mode::RUSR.union(Mode::WUSR);
/// How often a lock is tried that its holders remove meanwhile, before it counts as held.
const ATTEMPTS: usize = 100;
