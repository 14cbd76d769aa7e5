//! The life of a socket file: it appears with its permissions, replaces only what is stale, and
//! goes with its listener.

use std::{
    fs::{self, FileType, Permissions},
    io,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixListener,
    },
    path::{self, Path, PathBuf},
};

use rustix::{
    fs::{Mode, fchmod},
    io::Errno,
};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{
    directory,
    error::{Error, Result},
    file_id::FileId,
    lock::Lock,
};

/// The file of a listening socket. Dropping it removes the file, unless it is another's by now.
///
/// Drop it before the socket: until that is closed, no other file can have its identity.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    id: FileId,
    /// Released last, when the file is gone.
    _lock: Lock,
}

impl SocketFile {
    /// A socket that listens at `path` and does not block. `mode` is its nine permissions: whom they let
    /// write to the file may connect, and without its owner among those, nobody could find out whether it
    /// is stale. The kernel holds `backlog` conns ready; beyond them, whoever connects is told to try again.
    ///
    /// # Errors
    /// [`Error`].
    pub fn create(path: &Path, mode: u32, backlog: i32) -> Result<(Self, UnixListener)> {
        let path = path::absolute(path).map_err(|source| failure(path, source))?;
        let failure = |source| failure(&path, source);
        // Before anything is made: a path that is too long is none.
        let addr = SockAddr::unix(&path).map_err(failure)?;
        directory::check(&path)?;
        let lock = Lock::take(&path)?;
        make_room(&path, &addr)?;
        let socket = bind(&addr, mode).map_err(failure)?;
        let id = FileId::at(&path).map_err(failure)?;
        let file = Self { path: path.clone(), id, _lock: lock };
        file.open(&socket, mode, backlog).map_err(failure)?;
        Ok((file, socket.into()))
    }

    /// Where it is, from the root.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Lets in whom the mode lets in, now that nobody else can be.
    fn open(&self, socket: &Socket, mode: u32, backlog: i32) -> io::Result<()> {
        fs::set_permissions(&self.path, Permissions::from_mode(mode))?;
        socket.listen(backlog)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.id.remove(&self.path);
    }
}

/// A socket that is bound and does not listen yet, so that everybody who connects is refused.
fn bind(addr: &SockAddr, mode: u32) -> io::Result<Socket> {
    let socket = socket()?;
    // The file gets the permissions of the socket, less the umask; without this it had them all.
    let narrowed = fchmod(&socket, Mode::from_raw_mode(mode as _));
    // Other systems may refuse that, and there it is only the refused connections that protect.
    if cfg!(target_os = "linux") {
        narrowed?;
    }
    socket.bind(addr)?;
    Ok(socket)
}

/// A stream socket that does not block, and is neither bound nor connected.
///
/// # Errors
/// The system's.
pub fn socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Removes a stale socket from `path`, and refuses anything else that is there.
fn make_room(path: &Path, addr: &SockAddr) -> Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failure(path, source)),
    };
    if !kind.is_socket() {
        return Err(Error::path(format!(
            "is the path of {}, which was left as it is; remove that, or choose another path",
            name(kind)
        )));
    }
    match is_live(addr) {
        Ok(true) => Err(Error::InUse),
        Ok(false) => remove_stale(path),
        Err(source) => Err(Error::io(format!("asking who listens at {}", path.display()), source)),
    }
}

fn name(kind: FileType) -> &'static str {
    match kind {
        _ if kind.is_dir() => "a directory",
        _ if kind.is_symlink() => "a symlink",
        _ if kind.is_file() => "a file",
        _ => "a device or pipe",
    }
}

/// Whether the socket at `addr` is some process's. The kernel refuses connections to one that is
/// nobody's; a full backlog and a socket of another type are somebody's.
fn is_live(addr: &SockAddr) -> io::Result<bool> {
    match socket()?.connect(addr) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(false),
            io::ErrorKind::WouldBlock => Ok(true),
            _ if is_of_another_type(&error) => Ok(true),
            _ => Err(error),
        },
    }
}

/// Whether a connection failed because the socket there is not a stream.
pub fn is_of_another_type(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::PROTOTYPE)
}

fn remove_stale(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(format!("removing the stale socket {}", path.display()), source))
        }
        _ => Ok(()),
    }
}

fn failure(path: &Path, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::AddrInUse => Error::InUse,
        _ => Error::io(format!("listening at {}", path.display()), source),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_bound_socket_is_narrow_already_and_lets_nobody_in() {
        let directory = tempfile::tempdir().unwrap();
        for wanted in [0o200, 0o600, 0o640] {
            let path = directory.path().join(format!("{wanted:o}"));
            let addr = SockAddr::unix(&path).unwrap();
            let bound = bind(&addr, wanted).unwrap();
            if cfg!(target_os = "linux") {
                let mode = fs::symlink_metadata(&path).unwrap().mode() & 0o777;
                assert_eq!(mode & !wanted, 0, "mode {mode:o} where {wanted:o} was asked for");
            }
            let refused = socket().unwrap().connect(&addr).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            drop(bound);
        }
    }
}
