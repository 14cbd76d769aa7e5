//! What several processes do to one path, and what is left when they end.

#[path = "processes/child.rs"]
mod child;

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    thread::JoinHandle,
    time::Duration,
};

use rumormill_transport_api::{Addr, Batch, Error, Proof, Reader, Target, Transport, Writer};
use rumormill_transport_unix::{Unix, UnixConn};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::{runtime, time::timeout};

use crate::child::Program;

/// Permissions are as asked, whatever the umask, and at no moment wider.
#[test]
fn the_umask_changes_nothing() {
    let Some(program) = Program::this("the_umask_changes_nothing") else { return };
    let directory = directory();
    for (umask, options, mode) in [
        ("0", "", 0o660),
        ("77", "", 0o660),
        ("0", "?mode=0600", 0o600),
        ("22", "?mode=0666", 0o666),
        ("77", "?mode=0777", 0o777),
        ("0", "?mode=0200", 0o200),
    ] {
        let path = directory.path().join("socket");
        let watch = Watch::begin(path.clone());
        let mut child = program.start();
        child.ask(&format!("umask {umask}"), "done");
        for _ in 0..200 {
            child.ask(&format!("listen unix://{}{options}", path.display()), "listening");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
            child.ask("drop", "done");
        }
        let seen = watch.end();
        assert_eq!(seen & !mode, 0, "mode {seen:o} was seen where {mode:o} was asked for");
    }
}

/// A thread that looks at the permissions of a path again and again.
struct Watch {
    over: Arc<AtomicBool>,
    seen: Arc<AtomicU32>,
    thread: JoinHandle<()>,
}

impl Watch {
    fn begin(path: PathBuf) -> Self {
        let (over, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (until, found) = (over.clone(), seen.clone());
        let thread = std::thread::spawn(move || {
            while !until.load(SeqCst) {
                if let Ok(metadata) = fs::symlink_metadata(&path) {
                    found.fetch_or(metadata.permissions().mode() & 0o7777, SeqCst);
                }
            }
        });
        Self { over, seen, thread }
    }

    /// All bits that were ever seen.
    fn end(self) -> u32 {
        self.over.store(true, SeqCst);
        self.thread.join().expect("the watching thread");
        self.seen.load(SeqCst)
    }
}

#[test]
fn of_twenty_processes_one_wins() {
    let Some(program) = Program::this("of_twenty_processes_one_wins") else { return };
    let directory = directory();
    let path = directory.path().join("socket");
    let mut children: Vec<_> = (0..20).map(|_| program.start()).collect();
    for round in 0..30 {
        if round % 3 != 0 {
            drop(UnixListener::bind(&path).unwrap());
        }
        if round % 3 == 2 {
            fs::write(path.with_extension("lock"), "").unwrap();
        }
        for child in &mut children {
            child.tell(&format!("listen unix://{}", path.display()));
        }
        let answers: Vec<String> = children.iter_mut().map(|child| child.answer()).collect();
        let winners: Vec<_> = (0..answers.len()).filter(|n| answers[*n] == "listening").collect();
        let [winner] = winners[..] else { panic!("round {round}: {answers:?}") };
        let refused = format!("unix://{} is in use by a running process", path.display());
        let losers = answers.iter().filter(|answer| answer.starts_with(&refused)).count();
        assert_eq!(losers, 19, "{answers:?}");
        assert_eq!(who_answers(&path), children[winner].id());
        children[winner].ask("drop", "done");
        assert!(is_empty(&directory), "round {round}: something is left");
    }
}

#[test]
fn what_a_killed_process_leaves_is_replaced() {
    let Some(program) = Program::this("what_a_killed_process_leaves_is_replaced") else { return };
    let directory = directory();
    let path = directory.path().join("socket");
    let listen = format!("listen unix://{}", path.display());
    for _ in 0..3 {
        let mut child = program.start();
        child.ask(&listen, "listening");
        assert_eq!(who_answers(&path), child.id());
        child.signal(Signal::KILL);
        child.wait();
        assert!(path.exists(), "nobody could remove it");
        let error = block_on(dial(&path)).unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    }
    let mut child = program.start();
    child.ask(&listen, "listening");
    assert_eq!(who_answers(&path), child.id());
    child.ask("drop", "done");
    assert!(is_empty(&directory), "something is left");
}

/// A program that drops its listener on a signal leaves nothing.
#[test]
fn a_terminated_program_leaves_nothing() {
    let Some(program) = Program::this("a_terminated_program_leaves_nothing") else { return };
    for signal in [Signal::TERM, Signal::INT] {
        let directory = directory();
        let path = directory.path().join("socket");
        let mut child = program.start();
        child.ask(&format!("listen unix://{}", path.display()), "listening");
        assert_eq!(who_answers(&path), child.id());
        child.signal(signal);
        child.wait();
        assert!(is_empty(&directory), "something is left after {signal:?}");
    }
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory, mode 0700")
}

fn is_empty(directory: &TempDir) -> bool {
    fs::read_dir(directory.path()).expect("the directory").next().is_none()
}

/// The process that listens at `path`, by its credentials, after it echoed a message.
fn who_answers(path: &Path) -> u32 {
    block_on(async {
        let mut conn = dial(path).await.expect("somebody to answer");
        let mut batch: Batch = ["echo"].into_iter().collect();
        conn.writer.send(&mut batch).await.expect("sending");
        let mut echoes = Vec::new();
        conn.reader.recv(&mut echoes).await.expect("an echo");
        assert_eq!(echoes, ["echo"]);
        match conn.info.proof {
            Some(Proof::Process { pid: Some(pid), .. }) => pid,
            proof => panic!("who answered? {proof:?}"),
        }
    })
}

async fn dial(path: &Path) -> Result<UnixConn, Error> {
    let addr = Addr::new("unix", path.to_str().expect("UTF-8"))?;
    Unix::default().dial(&Target::new(addr)).await
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let timely = runtime.block_on(async { timeout(Duration::from_secs(20), future).await });
    timely.expect("an answer in time")
}
