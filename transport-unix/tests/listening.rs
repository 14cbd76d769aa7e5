//! What becomes of a socket file and of what is in its place.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown, symlink},
        net::{UnixDatagram, UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use rumormill_transport_api::{Addr, Error, Listener, Target, Transport};
use rumormill_transport_unix::{Unix, UnixPort};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use socket2::{Domain, SockAddr, Socket, Type};
use tempfile::TempDir;
use tokio::task::JoinSet;

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory, mode 0700")
}

fn addr(path: &Path) -> Addr {
    Addr::new("unix", path.to_str().expect("UTF-8")).expect("an address")
}

async fn listen(path: &Path) -> Result<UnixPort, Error> {
    Unix::default().listen(&addr(path)).await
}

/// The error of listening at `path`, which leaves the directory as it was.
async fn refusal(path: &Path) -> String {
    let directory = path.parent().expect("a directory");
    let before = entries(directory);
    let error = listen(path).await.expect_err("a refusal");
    assert!(matches!(error, Error::Address { .. }) && !error.is_retryable(), "{error:?}");
    assert_eq!(entries(directory), before);
    error.to_string()
}

/// Who is in a directory: names, inodes, modes and sizes.
fn entries(directory: &Path) -> Vec<(PathBuf, u64, u32, u64)> {
    let Ok(listing) = fs::read_dir(directory) else { return Vec::new() };
    let mut entries: Vec<_> = listing
        .map(|entry| entry.expect("an entry").path())
        .map(|path| (fs::symlink_metadata(&path).expect("what it is"), path))
        .map(|(found, path)| (path, found.ino(), found.mode(), found.size()))
        .collect();
    entries.sort();
    entries
}

fn names(directory: &Path) -> Vec<String> {
    let name = |path: &Path| path.file_name().map(|name| name.display().to_string());
    entries(directory).iter().filter_map(|(path, ..)| name(path)).collect()
}

#[tokio::test]
async fn a_dropped_listener_leaves_nothing() {
    let directory = directory();
    let path = directory.path().join("socket");
    for _ in 0..3 {
        let listener = listen(&path).await.unwrap();
        assert_eq!(listener.addr(), &addr(&path));
        assert_eq!(names(directory.path()), ["socket", "socket.lock"]);
        assert_eq!(fs::metadata(path.with_extension("lock")).unwrap().mode() & 0o7777, 0o600);
        drop(listener);
        assert_eq!(names(directory.path()), [""; 0]);
    }
}

#[tokio::test]
async fn what_is_no_socket_is_left_as_it_is() {
    let directory = directory();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("file"), "precious").unwrap();
    fs::create_dir(at("directory")).unwrap();
    mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    symlink("file", at("to-a-file")).unwrap();
    symlink("nothing", at("to-nothing")).unwrap();
    let _live = UnixListener::bind(at("live")).unwrap();
    symlink("live", at("to-a-socket")).unwrap();
    for (name, kind) in [
        ("file", "a file"),
        ("directory", "a directory"),
        ("pipe", "a device or pipe"),
        ("to-a-file", "a symlink"),
        ("to-nothing", "a symlink"),
        ("to-a-socket", "a symlink"),
    ] {
        let message = refusal(&at(name)).await;
        let way_out = format!("is the path of {kind}, which was left as it is; remove that, or");
        assert!(message.contains(&way_out), "{message}");
    }
    assert_eq!(fs::read_to_string(at("file")).unwrap(), "precious");
}

#[tokio::test]
async fn what_is_no_lock_is_left_as_it_is() {
    let directory = directory();
    let (path, lock) = (directory.path().join("socket"), directory.path().join("socket.lock"));
    let check = async || {
        let message = refusal(&path).await;
        assert!(message.contains("is not an empty file of this user; remove it, or"), "{message}");
    };
    fs::write(&lock, "precious").unwrap();
    check().await;
    fs::remove_file(&lock).unwrap();
    symlink("socket", &lock).unwrap();
    check().await;
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    check().await;
    fs::remove_dir(&lock).unwrap();
    let _socket = UnixListener::bind(&lock).unwrap();
    check().await;
}

#[tokio::test]
async fn stale_sockets_and_locks_are_replaced() {
    let directory = directory();
    let path = directory.path().join("socket");
    for leftover_lock in [false, true] {
        drop(UnixListener::bind(&path).unwrap());
        if leftover_lock {
            fs::write(path.with_extension("lock"), "").unwrap();
        }
        let listener = listen(&path).await.unwrap();
        UnixStream::connect(&path).unwrap();
        drop(listener);
        assert_eq!(names(directory.path()), [""; 0]);
    }
    // A socket of another type can be just as stale.
    drop(UnixDatagram::bind(&path).unwrap());
    listen(&path).await.unwrap();
}

#[tokio::test]
async fn live_sockets_of_strangers_are_in_use() {
    let directory = directory();
    let at = |name: &str| directory.path().join(name);
    let _stream = UnixListener::bind(at("stream")).unwrap();
    let _datagram = UnixDatagram::bind(at("datagram")).unwrap();
    let full = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    full.bind(&SockAddr::unix(at("full")).unwrap()).unwrap();
    full.listen(0).unwrap();
    let _waiting = UnixStream::connect(at("full")).unwrap();
    let before = entries(directory.path());
    for name in ["stream", "datagram", "full"] {
        let error = listen(&at(name)).await.unwrap_err();
        assert!(matches!(error, Error::InUse { .. }), "{name}: {error:?}");
        assert!(error.to_string().contains("in use by a running process"), "{error}");
    }
    assert_eq!(entries(directory.path()), before);
    UnixStream::connect(at("stream")).unwrap();
}

/// The first of two listeners is not even connected to by the second.
#[tokio::test]
async fn the_first_listener_does_not_notice_the_second() {
    let directory = directory();
    let path = directory.path().join("socket");
    let mut first = listen(&path).await.unwrap();
    let before = entries(directory.path());
    let error = listen(&path).await.unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error:?}");
    assert_eq!(entries(directory.path()), before);
    let dialer = Unix::default();
    let _conn = dialer.dial(&Target::new(first.addr().clone())).await.unwrap();
    let _accepted = first.accept().await.unwrap();
    let next = tokio::time::timeout(std::time::Duration::from_millis(10), first.accept()).await;
    assert!(next.is_err(), "somebody else had connected: {next:?}");
}

#[tokio::test]
async fn a_successors_socket_is_not_removed() {
    let directory = directory();
    let path = directory.path().join("socket");
    let listener = listen(&path).await.unwrap();
    // Somebody clears the directory, as no program should, and another takes the place.
    fs::remove_file(&path).unwrap();
    fs::remove_file(path.with_extension("lock")).unwrap();
    let successor = listen(&path).await.unwrap();
    let before = entries(directory.path());
    drop(listener);
    assert_eq!(entries(directory.path()), before);
    UnixStream::connect(&path).unwrap();
    drop(successor);
    assert_eq!(names(directory.path()), [""; 0]);
}

#[tokio::test]
async fn directories_that_others_can_write_are_refused() {
    let directory = directory();
    let path = directory.path().join("socket");
    for mode in [0o777, 0o770, 0o707, 0o2775] {
        fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
        let message = refusal(&path).await;
        let way_out =
            format!("(mode {mode:04o}) and could replace the socket; take that from them");
        assert!(message.contains(&way_out), "{message}");
    }
    for mode in [0o1777, 0o1770, 0o755, 0o750, 0o700] {
        fs::set_permissions(directory.path(), Permissions::from_mode(mode)).unwrap();
        listen(&path).await.unwrap_or_else(|error| panic!("mode {mode:o}: {error:?}"));
    }
    // Only root can give a directory away.
    if chown(directory.path(), Some(4_000_000), None).is_ok() {
        let message = refusal(&path).await;
        assert!(message.contains("choose a directory that this user or root owns"), "{message}");
    }
}

#[tokio::test]
async fn a_missing_directory_is_asked_for() {
    let directory = directory();
    fs::write(directory.path().join("file"), "").unwrap();
    let missing = refusal(&directory.path().join("a/b/socket")).await;
    let parent = directory.path().join("a/b").display().to_string();
    assert!(missing.contains(&format!("create it (mkdir -p -m 700 {parent})")), "{missing}");
    for path in ["file/socket", "file/more/socket"] {
        let message = refusal(&directory.path().join(path)).await;
        assert!(message.contains("which is no directory"), "{message}");
    }
}

#[tokio::test]
async fn the_longest_path_works_and_a_longer_one_is_refused() {
    let directory = directory();
    let prefix = directory.path().to_str().unwrap().len() + 1;
    let longest = if cfg!(target_os = "linux") { 107 } else { 103 };
    let path = directory.path().join("x".repeat(longest - prefix));
    let _listener = listen(&path).await.unwrap();
    Unix::default().dial(&Target::new(addr(&path))).await.unwrap();
    let path = directory.path().join("x".repeat(longest + 1 - prefix));
    let message = refusal(&path).await;
    let limit = format!("has a path of {} bytes; a socket's may have {longest}", longest + 1);
    assert!(message.contains(&limit) && message.contains("use a shorter directory"), "{message}");
    let dialled = Unix::default().dial(&Target::new(addr(&path))).await.unwrap_err();
    assert_eq!(dialled.to_string(), message);
}

/// Listeners come and go as fast as they can at one path; at no time are there two.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_one_wins() {
    let directory = directory();
    let (path, holders) = (directory.path().join("socket"), Arc::new(AtomicUsize::new(0)));
    let mut racers = JoinSet::new();
    for _ in 0..8 {
        racers.spawn(race(path.clone(), holders.clone()));
    }
    let won: usize = racers.join_all().await.into_iter().sum();
    assert!(8 <= won, "only {won} of 8,000 attempts succeeded");
    assert_eq!(names(directory.path()), [""; 0]);
}

async fn race(path: PathBuf, holders: Arc<AtomicUsize>) -> usize {
    let mut won = 0;
    for _ in 0..1000 {
        match listen(&path).await {
            Ok(listener) => {
                assert_eq!(holders.fetch_add(1, SeqCst), 0, "two listen at once");
                UnixStream::connect(&path).expect("the winner's socket");
                won += 1;
                holders.fetch_sub(1, SeqCst);
                drop(listener);
            }
            Err(Error::InUse { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error:?}"),
        }
    }
    won
}

#[tokio::test]
async fn waiting_dialers_are_cut_off_with_the_listener() {
    let directory = directory();
    let path = directory.path().join("socket");
    let listener = listen(&path).await.unwrap();
    let mut waiting = UnixStream::connect(&path).unwrap();
    drop(listener);
    let end = io::Read::read(&mut waiting, &mut [0]);
    assert!(end.is_err() || end.is_ok_and(|bytes| bytes == 0));
}
