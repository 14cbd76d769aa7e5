//! Unix sockets and strangers: what happens to `serve` and to the file.

use std::{io::Write, os::unix::net::UnixStream, path::Path, process::Command};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::running::{Running, run};

fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let addr = format!("unix://{}/serve.sock", folder.path().display());
    (folder, addr)
}

fn is_empty(folder: &Path) -> bool {
    folder.read_dir().expect("the folder can be read").next().is_none()
}

fn answers(addr: &str) {
    let ping = run(&["ping", addr, "-c", "1"]);
    assert_eq!((ping.code, &*ping.messages), (Some(0), ""), "{ping:?}");
}

#[test]
fn a_killed_server_leaves_a_file_that_the_next_one_replaces() {
    let (folder, addr) = folder();
    let (first, _) = Running::serve(&[&addr]);
    first.signal(Signal::KILL);
    first.finish();
    assert!(!is_empty(folder.path()), "killed, it could not tidy up");
    let (second, _) = Running::serve(&[&addr]);
    answers(&addr);
    second.signal(Signal::TERM);
    assert_eq!(second.finish().code, Some(0));
    assert!(is_empty(folder.path()), "stopped, it left something behind");
}

#[test]
fn a_second_server_is_refused_and_the_first_goes_on() {
    let (_folder, addr) = folder();
    let (_first, _) = Running::serve(&[&addr]);
    let second = run(&["serve", &addr]);
    assert_eq!(second.code, Some(1));
    assert!(second.messages.contains("is in use by a running process"), "{second:?}");
    answers(&addr);
}

#[test]
fn an_announcement_of_4_gib_costs_only_its_sender() {
    let (_folder, addr) = folder();
    let (_server, _) = Running::serve(&[&addr]);
    let path = addr.strip_prefix("unix://").expect("a unix address");
    let mut stranger = UnixStream::connect(path).expect("connecting");
    stranger.write_all(&u32::MAX.to_be_bytes()).expect("writing");
    answers(&addr);
}

/// The client of docs/wire.md, over each of the three carriers.
#[test]
fn the_python_client_of_the_docs_is_answered() {
    if Command::new("python3").arg("--version").output().is_err() {
        return; // This machine has no Python.
    }
    let page = include_str!("../../../docs/wire.md");
    let program = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next());
    let program = program.expect("the page has the client");
    let (_folder, unix) = folder();
    let (_server, addrs) = Running::serve(&["tcp://127.0.0.1:0", "udp://127.0.0.1:0", &unix]);
    for addr in addrs {
        let output = Command::new("python3").args(["-c", program, &addr]).output();
        let output = output.expect("python runs");
        let (out, err) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(out.trim(), "b'rumor'", "{addr}: {err}");
    }
}
