//! `rumormill node`, run as a service would be.

pub(crate) mod daemon;

#[cfg(feature = "admin")]
mod asked;
mod killed;
mod managed;
mod reload;
mod wrong;

use rumormill::identity::SecretKey;
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::running::run;
use daemon::{Daemon, Program};

/// A node of the cluster `c` on this machine.
fn program() -> Program {
    let args = ["--cluster", "c", "--open", "--preset", "local"];
    Program::new().args(&["--set", "admin.socket=off"]).args(&args)
}

/// A node that listens there, and where it does.
fn listening(name: &str, addr: &str) -> (Daemon, String) {
    let node = program().args(&["--name", name, "--listen", addr]).start();
    let addr = node.address();
    (node, addr)
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// Every kind of carrier, the files of sockets in this folder.
fn addresses(folder: &TempDir) -> [String; 5] {
    let socket = format!("unix://{}/node.sock", folder.path().display());
    let ports = ["tcp", "udp", "tls", "quic"].map(|scheme| format!("{scheme}://127.0.0.1:0"));
    let [tcp, udp, tls, quic] = ports;
    [tcp, udp, tls, quic, socket]
}

#[test]
fn members_tell_of_each_other_over_every_carrier() {
    let folder = folder();
    for addr in addresses(&folder) {
        let (alice, addr) = listening("alice", &addr);
        let bob = program().args(&["--name", "bob", "--join", &addr, "--listen", &addr_for(&addr)]);
        let bob = bob.start();
        bob.out("ready");
        alice.out_with(|line| line.starts_with("joined node1") && line.ends_with(" \"bob\""));
        bob.out_with(|line| line.starts_with("joined node1") && line.ends_with(" \"alice\""));
        bob.signal(Signal::TERM);
        alice.out_with(|line| line.starts_with("left node1") && line.ends_with(" \"bob\""));
        let bob = bob.finish();
        assert_eq!(bob.code, Some(0), "{bob:?}");
        assert!(
            bob.messages.contains("stopped; told by goodbye: 1 of 1 that were asked"),
            "{bob:?}"
        );
        alice.signal(Signal::INT);
        assert_eq!(alice.finish().code, Some(0));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Where somebody listens who joins there.
fn addr_for(addr: &str) -> String {
    match addr.strip_suffix("node.sock") {
        Some(folder) => format!("{folder}other.sock"),
        None => "tcp://127.0.0.1:0".into(),
    }
}

#[test]
fn programs_are_told_in_json() {
    let (_alice, addr) = listening("alice", "tcp://127.0.0.1:0");
    let bob = program().args(&["--name", "bob\u{1b}", "--json", "--join", &addr]).start();
    // The name is refused: exit 2, and nothing on standard output.
    let refused = bob.finish();
    assert_eq!((refused.code, refused.lines.len()), (Some(2), 0), "{refused:?}");
    let bob = program().args(&["--name", "bob", "--json", "--join", &addr]).start();
    let line = bob.out_with(|line| line.contains("\"joined\""));
    let joined: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&joined["name"], &joined["addresses"]), (&json!("alice"), &json!([addr])));
    bob.signal(Signal::TERM);
    let bob = bob.finish();
    let parsed = bob.lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let events: Vec<_> = parsed.map(|it| it["event"].as_str().unwrap().to_owned()).collect();
    assert_eq!(events.first().map(String::as_str), Some("started"), "{bob:?}");
    assert!(events.iter().any(|event| event == "ready"), "{events:?}");
}

#[test]
fn questions_come_back_and_messages_are_one_printable_line() {
    let (alice, addr) = listening("alice", "tcp://127.0.0.1:0");
    let ping = run(&["ping", &addr, "--cluster", "c", "-c", "2", "-i", "1ms"]);
    assert_eq!(ping.code, Some(0), "{ping:?}");
    let line = alice.out_with(|line| line.starts_with("question from node1"));
    assert!(line.contains(": \"\\0") && line.chars().all(|c| !c.is_control()), "{line}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (alice, addr) = listening("alice", "tcp://127.0.0.1:0");
    let bob = program().args(&["--join", &addr, "--set", "leave.deadline=10m"]).start();
    bob.out_with(|line| line.starts_with("joined "));
    // Nobody confirms a goodbye to whom nobody listens.
    alice.signal(Signal::STOP);
    bob.signal(Signal::TERM);
    bob.err_with(|line| line.starts_with("leaving the cluster within 600s; "));
    bob.signal(Signal::TERM);
    let bob = bob.finish();
    assert_eq!(bob.code, Some(1), "{bob:?}");
    assert!(bob.messages.contains("error: ended by a second signal"), "{bob:?}");
    alice.signal(Signal::CONT);
}

#[test]
fn a_goodbye_that_nobody_hears_ends_in_time() {
    let (alice, addr) = listening("alice", "tcp://127.0.0.1:0");
    let bob = program().args(&["--join", &addr, "--set", "leave.deadline=50ms"]).start();
    bob.out_with(|line| line.starts_with("joined "));
    alice.signal(Signal::STOP);
    bob.signal(Signal::TERM);
    let bob = bob.finish();
    assert_eq!(bob.code, Some(0), "{bob:?}");
    alice.signal(Signal::CONT);
}

#[test]
fn two_processes_with_one_key_are_told_apart() {
    let folder = folder();
    let key = folder.path().join("node.key");
    SecretKey::generate().save(&key).unwrap();
    let key = key.to_str().unwrap();
    let (_carol, addr) = listening("carol", "tcp://127.0.0.1:0");
    let first = program().args(&["--identity", key, "--join", &addr]).start();
    first.out("ready");
    let second = program().args(&["--identity", key, "--join", &addr]).start();
    second.out("ready");
    let first = first.finish();
    assert_eq!(first.code, Some(1), "{first:?}");
    let told = "error: another process has started with the key of node1";
    assert!(first.messages.contains(told), "{first:?}");
}

#[test]
fn a_reader_who_has_gone_stops_nothing() {
    let (alice, addr) = listening("alice", "tcp://127.0.0.1:0");
    let bob = program().args(&["--name", "bob", "--join", &addr]).without_reader().start();
    alice.out_with(|line| line.starts_with("joined "));
    bob.err_with(|line| line.starts_with("standard output is closed"));
    bob.signal(Signal::TERM);
    alice.out_with(|line| line.starts_with("left "));
    assert_eq!(bob.finish().code, Some(0));
}
