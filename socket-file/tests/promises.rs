//! What a socket file promises to whoever listens there, and to whoever was there before.

use std::{
    fs::{self, File},
    io,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, symlink},
        net::{UnixDatagram, UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{Barrier, mpsc},
    thread,
};

use rumormill_socket_file::{Error, Result, SocketFile, is_of_another_type, socket};
use rustix::fs::{FlockOperation, flock};
use socket2::SockAddr;
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory, mode 0700");
    let path = directory.path().join("socket");
    (directory, path)
}

fn create(path: &Path) -> Result<(SocketFile, UnixListener)> {
    SocketFile::create(path, 0o600, 16)
}

/// The error of listening at `path`, which leaves the directory as it was.
fn refusal(path: &Path) -> Error {
    let before = entries(path);
    let error = create(path).expect_err("a refusal");
    assert_eq!(entries(path), before, "{error:?}");
    error
}

/// Who is in the directory of `path`: names, inodes, modes and sizes.
fn entries(path: &Path) -> Vec<(PathBuf, u64, u32, u64)> {
    let listing = fs::read_dir(path.parent().expect("a directory")).expect("its entries");
    let mut entries: Vec<_> = listing
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (fs::symlink_metadata(&path).expect("what it is"), path))
        .map(|(found, path)| (path, found.ino(), found.mode(), found.size()))
        .collect();
    entries.sort();
    entries
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).expect("a file").permissions().mode() & 0o7777
}

#[test]
fn the_file_has_its_mode_and_goes_with_its_listener() {
    for wanted in [0o600, 0o660, 0o666, 0o200] {
        let (_directory, path) = place();
        let (file, listener) = SocketFile::create(&path, wanted, 16).unwrap();
        assert_eq!((mode(&path), file.path()), (wanted, &*path));
        UnixStream::connect(&path).unwrap();
        drop((file, listener));
        assert_eq!(entries(&path), []);
    }
}

#[test]
fn a_live_socket_is_refused_with_a_lock_and_without() {
    let (_directory, path) = place();
    let ours = create(&path).unwrap();
    assert!(matches!(refusal(&path), Error::InUse));
    // Its lock alone says so: it is in use also before it listens.
    fs::remove_file(&path).unwrap();
    assert!(matches!(refusal(&path), Error::InUse));
    drop(ours);
    let strangers = UnixListener::bind(&path).unwrap();
    assert!(matches!(refusal(&path), Error::InUse));
    drop(strangers);
    create(&path).unwrap();
}

#[test]
fn a_live_socket_of_another_type_is_refused() {
    let (_directory, path) = place();
    let strangers = UnixDatagram::bind(&path).unwrap();
    assert!(matches!(refusal(&path), Error::InUse));
    let error = socket().unwrap().connect(&SockAddr::unix(&path).unwrap()).unwrap_err();
    assert!(is_of_another_type(&error), "{error:?}");
    drop(strangers);
    create(&path).unwrap();
}

#[test]
fn a_stale_socket_and_a_stale_lock_are_replaced() {
    let (_directory, path) = place();
    drop(UnixListener::bind(&path).unwrap());
    File::create(path.with_extension("lock")).unwrap();
    let (file, listener) = create(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    UnixStream::connect(&path).unwrap();
    drop((file, listener));
    assert_eq!(entries(&path), []);
}

#[test]
fn what_is_no_socket_stays() {
    for make in [
        |path: &Path| fs::write(path, "mine"),
        |path: &Path| fs::create_dir(path),
        |path: &Path| symlink("/nowhere", path),
    ] {
        for extension in ["", "lock"] {
            let (_directory, path) = place();
            make(&path.with_extension(extension)).unwrap();
            let error = refusal(&path);
            assert!(matches!(error, Error::Path { .. }), "{error:?}");
        }
    }
}

#[test]
fn a_successors_files_stay() {
    let (_directory, path) = place();
    let predecessor = create(&path).unwrap();
    // Somebody clears the directory, as no program should, and another takes the place.
    fs::remove_file(&path).unwrap();
    fs::remove_file(path.with_extension("lock")).unwrap();
    let successor = create(&path).unwrap();
    let before = entries(&path);
    drop(predecessor);
    assert_eq!(entries(&path), before);
    UnixStream::connect(&path).unwrap();
    drop(successor);
    assert_eq!(entries(&path), []);
}

#[test]
fn the_lock_is_held_while_the_file_lives() {
    let (_directory, path) = place();
    let held = create(&path).unwrap();
    let lock = File::open(path.with_extension("lock")).unwrap();
    assert_eq!(mode(&path.with_extension("lock")), 0o600);
    let exclusive = FlockOperation::NonBlockingLockExclusive;
    assert_eq!(flock(&lock, exclusive).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(held);
    flock(&lock, exclusive).unwrap();
    // It locks a file without a name, which counts for nothing.
    create(&path).unwrap();
}

#[test]
fn of_many_at_once_one_wins() {
    const RIVALS: usize = 8;
    let (_directory, path) = place();
    for _ in 0..50 {
        let (start, (done, outcomes)) = (Barrier::new(RIVALS), mpsc::sync_channel(RIVALS));
        thread::scope(|scope| {
            for _ in 0..RIVALS {
                let (start, path, done) = (&start, &path, done.clone());
                scope.spawn(move || {
                    start.wait();
                    done.send(create(path)).unwrap();
                });
            }
            // All that was created is held until all have tried.
            let (won, lost): (Vec<_>, Vec<_>) =
                outcomes.iter().take(RIVALS).partition(std::result::Result::is_ok);
            assert_eq!(won.len(), 1);
            assert!(lost.iter().all(|lost| matches!(lost, Err(Error::InUse))), "{lost:?}");
        });
        assert_eq!(entries(&path), []);
    }
}

#[test]
fn what_fails_leaves_nothing() {
    let (_directory, path) = place();
    let long = path.with_file_name("x".repeat(200));
    assert!(matches!(refusal(&long), Error::Io { .. }));
    let missing = path.join("socket");
    assert!(matches!(create(&missing), Err(Error::Path { .. })));
    assert_eq!(entries(&path), []);
}
