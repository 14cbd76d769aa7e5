//! A socket that a service manager has opened for the administration.

use std::{
    fs, io,
    os::unix::{fs::PermissionsExt, net},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use tokio::net::UnixListener;

use super::error::Error;

/// Hands over a socket that listens already, as a service manager opens it (socket activation), and
/// tells its path. The administration of the next node in this process whose `admin.socket` is that path
/// takes it, makes none, and leaves the file alone.
///
/// # Errors
/// [`Error`] if the socket has no file, or one that others can open; it is closed then.
pub fn inherit(listener: net::UnixListener) -> Result<PathBuf, Error> {
    let failure = |source| Error::io("looking at an inherited socket", source);
    let addr = listener.local_addr().map_err(failure)?;
    let no_file =
        || failure(io::Error::other("it has no file, by which its user alone could open it"));
    let path = addr.as_pathname().ok_or_else(no_file)?.to_owned();
    let mode = fs::metadata(&path).map_err(failure)?.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        let problem = format!("is open to others (mode {mode:04o}); write SocketMode=0600");
        return Err(Error::Path { path: path.into(), problem: problem.into() });
    }
    listener.set_nonblocking(true).map_err(failure)?;
    *INHERITED.lock().unwrap_or_else(PoisonError::into_inner) = Some((path.clone(), listener));
    Ok(path)
}

/// The socket that was handed over, if it is at this path. Must be called inside a tokio runtime.
pub(super) fn take(path: &Path) -> Result<Option<UnixListener>, Error> {
    let mut inherited = INHERITED.lock().unwrap_or_else(PoisonError::into_inner);
    match inherited.take_if(|(there, _)| there == path) {
        Some((_, listener)) => {
            let failure = |source| Error::io("taking an inherited socket over", source);
            UnixListener::from_std(listener).map(Some).map_err(failure)
        }
        None => Ok(None),
    }
}

/// Of the process, as the environment is that tells of it.
static INHERITED: Mutex<Option<(PathBuf, net::UnixListener)>> = Mutex::new(None);
