//! The life of a socket file: it appears with its permissions, replaces only what is stale, and
//! goes with its listener.

use std::{
    fs::{self, FileType, Permissions},
    io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rumormill_transport_api::{Addr, Error, Result};
use rustix::{
    fs::{Mode, fchmod},
    io::Errno,
};
use socket2::{Domain, SockAddr, Socket, Type};

use crate::{Settings, directory, file_id::FileId, lock::Lock, path};

/// The file of a listening socket. Dropping it removes the file, unless it is another's by now.
///
/// Drop it before the socket: until that is closed, no other file can have its identity.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    id: FileId,
    /// Released last, when the file is gone.
    _lock: Lock,
}

impl SocketFile {
    /// A socket that listens at `addr`, and does not block.
    pub(crate) fn create(addr: &Addr, settings: &Settings) -> Result<(Self, Socket)> {
        let path = path::parse(addr)?;
        directory::check(addr, path)?;
        let lock = Lock::take(addr, path)?;
        make_room(addr, path)?;
        let failure = |source| failure(addr, source);
        let socket = bind(path, settings).map_err(failure)?;
        let id = FileId::at(path).map_err(failure)?;
        let file = Self { path: path.into(), id, _lock: lock };
        file.open(&socket, settings).map_err(failure)?;
        Ok((file, socket))
    }

    /// Lets in whom the mode lets in, now that nobody else can be.
    fn open(&self, socket: &Socket, settings: &Settings) -> io::Result<()> {
        fs::set_permissions(&self.path, Permissions::from_mode(settings.permissions()))?;
        socket.listen(i32::try_from(settings.backlog).unwrap_or(i32::MAX))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.id.remove(&self.path);
    }
}

/// A socket that is bound and does not listen yet, so that everybody who connects is refused.
fn bind(path: &Path, settings: &Settings) -> io::Result<Socket> {
    let socket = socket()?;
    // The file gets the permissions of the socket, less the umask; without this it had them all.
    let narrowed = fchmod(&socket, Mode::from_raw_mode(settings.permissions() as _));
    // Other systems may refuse that, and there it is only the refused connections that protect.
    if cfg!(target_os = "linux") {
        narrowed?;
    }
    socket.bind(&SockAddr::unix(path)?)?;
    Ok(socket)
}

pub(crate) fn socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Removes a stale socket from `path`, and refuses anything else that is there.
fn make_room(addr: &Addr, path: &Path) -> Result<()> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(failure(addr, source)),
    };
    if !kind.is_socket() {
        return Err(addr.malformed(format!(
            "is the path of {}, which was left as it is; remove that, or choose another path",
            name(kind)
        )));
    }
    match is_live(path) {
        Ok(true) => Err(Error::InUse { addr: addr.clone() }),
        Ok(false) => remove_stale(path),
        Err(source) => Err(Error::io(format!("asking who listens at {addr}"), source)),
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

/// Whether the socket at `path` is some process's. The kernel refuses connections to one that is
/// nobody's; a full backlog and a socket of another type are somebody's.
fn is_live(path: &Path) -> io::Result<bool> {
    match socket()?.connect(&SockAddr::unix(path)?) {
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
pub(crate) fn is_of_another_type(error: &io::Error) -> bool {
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

fn failure(addr: &Addr, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::AddrInUse => Error::InUse { addr: addr.clone() },
        _ => Error::io(format!("listening at {addr}"), source),
    }
}
