//! The socket of a node's administration.

use std::{
    fs::DirBuilder,
    io,
    os::unix::{fs::DirBuilderExt, net},
    path::{self, Path},
};

use rumormill_socket_file::{Error as FileError, SocketFile};
use tokio::net::UnixListener;

use super::error::Error;

/// A socket that listens at `path`, which only this user can open. Its directory is made if it is
/// missing, for this user alone.
pub(super) fn listen(path: &Path) -> Result<(SocketFile, UnixListener), Error> {
    let failure = |source| Error::io(format!("listening at {}", path.display()), source);
    let there = path::absolute(path).map_err(failure)?;
    // Before anything is made: a path that is too long is none.
    net::SocketAddr::from_pathname(&there).map_err(failure)?;
    make_directory(&there)?;
    let refused = |error| match error {
        FileError::InUse => Error::InUse { path: path.into() },
        FileError::Io { doing, source } => Error::Io { doing, source },
        FileError::Path { problem } => Error::Path { path: path.into(), problem },
    };
    let (file, listener) = SocketFile::create(&there, OWNER, BACKLOG).map_err(refused)?;
    Ok((file, UnixListener::from_std(listener).map_err(failure)?))
}

fn make_directory(socket: &Path) -> Result<(), Error> {
    let Some(directory) = socket.parent() else { return Ok(()) };
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(Error::io(format!("making the directory {}", directory.display()), error))
        }
        _ => Ok(()),
    }
}

const OWNER: u32 = 0o600;
/// Conns that the kernel holds ready; beyond them, whoever connects is told to try again.
const BACKLOG: i32 = 1024;

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{MetadataExt, PermissionsExt},
    };

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
        let (file, listener) = listen(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(matches!(listen(&path), Err(Error::InUse { .. })));
        drop((file, listener));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_makes_no_directory() {
        let directory = directory();
        let refused = listen(&directory.path().join("new").join("x".repeat(200)));
        assert!(matches!(&refused, Err(Error::Io { .. })), "{refused:?}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_directory_that_others_can_write_is_refused() {
        let directory = directory();
        fs::set_permissions(directory.path(), Permissions::from_mode(0o777)).unwrap();
        let refused = listen(&directory.path().join("admin.sock"));
        assert!(refused.is_err_and(|error| error.to_string().contains("chmod go-w")));
        fs::set_permissions(directory.path(), Permissions::from_mode(0o1777)).unwrap();
        assert!(listen(&directory.path().join("admin.sock")).is_ok());
    }
}
