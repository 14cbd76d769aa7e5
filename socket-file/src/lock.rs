//! The lock beside a socket file: who holds it may create, replace and remove the socket.

use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, Mode, OFlags, flock, open},
    io::Errno,
    process::geteuid,
};

use crate::{
    error::{Error, Result},
    file_id::FileId,
};

/// A held lock. Dropping it removes its file, so that nothing is left behind.
///
/// Removing a lock file is safe because a lock counts only while its file has the name: who locks a
/// file that was removed meanwhile notices, and begins anew.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    id: FileId,
    /// Closing it unlocks.
    _file: File,
}

impl Lock {
    /// Takes the lock for the socket at `socket`.
    ///
    /// # Errors
    /// [`Error::InUse`] if somebody holds it.
    pub(crate) fn take(socket: &Path) -> Result<Self> {
        let mut path = socket.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        for _ in 0..ATTEMPTS {
            let file = create_or_open(&path)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => (),
                Err(Errno::WOULDBLOCK) => break,
                Err(source) => return Err(failure(&path, source.into())),
            }
            let id = FileId::of(&file).map_err(|source| failure(&path, source))?;
            // Whoever held it may have removed it between the opening and the locking.
            if FileId::at(&path).is_ok_and(|found| found == id) {
                return Ok(Self { path, id, _file: file });
            }
        }
        Err(Error::InUse)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.id.remove(&self.path);
    }
}

fn create_or_open(path: &Path) -> Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    match open(path, flags | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::RUSR | Mode::WUSR) {
        Ok(file) => own(path, file.into()),
        Err(Errno::LOOP | Errno::ISDIR | Errno::NXIO) => Err(taken(path)),
        Err(source) => Err(failure(path, source.into())),
    }
}

/// The lock file is removed in the end, so it must be none that somebody keeps for other reasons.
fn own(path: &Path, file: File) -> Result<File> {
    let found = file.metadata().map_err(|source| failure(path, source))?;
    match found.is_file() && found.len() == 0 && found.uid() == geteuid().as_raw() {
        true => Ok(file),
        false => Err(taken(path)),
    }
}

fn taken(path: &Path) -> Error {
    Error::path(format!(
        "needs {} as its lock file, but that is not an empty file of this user; remove it, or \
         choose another path",
        path.display()
    ))
}

fn failure(path: &Path, source: io::Error) -> Error {
    Error::io(format!("locking {}", path.display()), source)
}

/// How often a lock is tried that its holders remove meanwhile, before it counts as held.
const ATTEMPTS: usize = 100;
