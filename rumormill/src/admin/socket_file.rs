//! The life of the socket's file: it appears with its permissions, replaces only what is stale, and goes
//! with its administration. What a transport's socket does, and for the same reasons.

use std::{
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
        net,
    },
    path::{self, Path, PathBuf},
};

use rustix::{
    fs::{Mode, fchmod},
    process::geteuid,
};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

use super::{
    error::Error,
    lock::{FileId, Lock},
};

/// The file of a listening socket. Dropping it removes the file, unless it is another's by now.
///
/// Drop it before the socket: until that is closed, no other file can have its identity.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    id: FileId,
    /// Released last, when the file is gone.
    _lock: Lock,
}

impl SocketFile {
    /// A socket that listens at `path`, which only this user can open.
    pub(super) fn create(path: &Path) -> Result<(Self, UnixListener), Error> {
        let failure = |source| Error::io(format!("listening at {}", path.display()), source);
        let path = path::absolute(path).map_err(failure)?;
        // Before anything is made: a path that is too long is none.
        SockAddr::unix(&path).map_err(failure)?;
        check_directory(&path)?;
        let lock = Lock::take(&path)?;
        make_room(&path)?;
        let failure = |source| Error::io(format!("listening at {}", path.display()), source);
        let socket = bind(&path).map_err(failure)?;
        let id = FileId::at(&path).map_err(failure)?;
        let file = Self { path: path.clone(), id, _lock: lock };
        // Not before it has its permissions is anybody let in. An umask may have taken some of them.
        fs::set_permissions(&file.path, Permissions::from_mode(OWNER)).map_err(failure)?;
        socket.listen(BACKLOG).map_err(failure)?;
        let listener = UnixListener::from_std(net::UnixListener::from(socket)).map_err(failure)?;
        Ok((file, listener))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.id.remove(&self.path);
    }
}

/// Makes the directory if it is missing, for this user alone, and refuses it if somebody else could
/// replace a socket in it.
fn check_directory(socket: &Path) -> Result<(), Error> {
    let directory = socket.parent().unwrap_or_else(|| Path::new("/"));
    let shown = directory.display();
    let failure = |source| Error::io(format!("making the directory {shown}"), source);
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failure(error)),
        _ => (),
    }
    let found = fs::metadata(directory).map_err(failure)?;
    let refuse =
        |problem: &str| Err(Error::Path { path: directory.into(), problem: problem.into() });
    let (owner, mode) = (found.uid(), found.mode());
    match () {
        () if !found.is_dir() => refuse("is no directory; choose another path for the socket"),
        () if owner != ROOT && owner != geteuid().as_raw() => refuse(
            "belongs to another user, who could replace the socket; choose another path for it",
        ),
        () if mode & WRITABLE_BY_OTHERS != 0 && mode & STICKY == 0 => {
            refuse("can be written by others, who could replace the socket; run `chmod go-w` on it")
        }
        () => Ok(()),
    }
}

/// Removes a stale socket, and refuses anything else that is there.
fn make_room(path: &Path) -> Result<(), Error> {
    let failure = |source| Error::io(format!("looking at {}", path.display()), source);
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            let problem = "is there and is no socket; remove it, or choose another path";
            Err(Error::Path { path: path.into(), problem: problem.into() })
        }
        Ok(_) if is_live(path).map_err(failure)? => Err(Error::InUse { path: path.into() }),
        Ok(_) => match fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(failure(source)),
            _ => Ok(()),
        },
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(failure(source)),
    }
}

/// Whether the socket is some process's. The kernel refuses connections to one that is nobody's; a full
/// backlog, and a socket of another type, are somebody's.
fn is_live(path: &Path) -> io::Result<bool> {
    match socket()?.connect(&SockAddr::unix(path)?) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound
            ) =>
        {
            Ok(false)
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(true),
    }
}

/// A socket that is bound and does not listen yet, so that everybody who connects is refused.
fn bind(path: &Path) -> io::Result<Socket> {
    let socket = socket()?;
    // The file gets the permissions of the socket, less the umask; without this it had them all.
    let narrowed = fchmod(&socket, Mode::RUSR | Mode::WUSR);
    // Other systems may refuse that, and there it is only the refused connections that protect.
    if cfg!(target_os = "linux") {
        narrowed?;
    }
    socket.bind(&SockAddr::unix(path)?)?;
    Ok(socket)
}

fn socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

const ROOT: u32 = 0;
const OWNER: u32 = 0o600;
const STICKY: u32 = 0o1000;
const WRITABLE_BY_OTHERS: u32 = 0o022;
/// Conns that the kernel holds ready; beyond them, whoever connects is told to try again.
const BACKLOG: i32 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o7777
    }

    #[tokio::test]
    async fn the_file_is_its_owners_and_goes_with_its_listener() {
        let directory = directory();
        let path = directory.path().join("new/admin.sock");
        let (file, listener) = SocketFile::create(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(matches!(SocketFile::create(&path), Err(Error::InUse { .. })));
        drop((file, listener));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_stale_file_is_replaced_and_a_live_one_is_not() {
        let directory = directory();
        let path = directory.path().join("admin.sock");
        drop(net::UnixListener::bind(&path).unwrap());
        let (file, listener) = SocketFile::create(&path).unwrap();
        drop((file, listener));
        let live = net::UnixListener::bind(&path).unwrap();
        let refused = SocketFile::create(&path);
        assert!(matches!(&refused, Err(Error::InUse { .. })), "{refused:?}");
        drop(live);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_stays() {
        let directory = directory();
        let path = directory.path().join("admin.sock");
        fs::write(&path, "mine").unwrap();
        assert!(matches!(SocketFile::create(&path), Err(Error::Path { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"mine");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn a_directory_that_others_can_write_is_refused() {
        let directory = directory();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
        let refused = SocketFile::create(&directory.path().join("admin.sock"));
        assert!(refused.is_err_and(|error| error.to_string().contains("chmod go-w")));
        fs::set_permissions(directory.path(), Permissions::from_mode(0o1777)).unwrap();
        assert!(SocketFile::create(&directory.path().join("admin.sock")).is_ok());
    }
}
