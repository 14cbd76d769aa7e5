//! Each example runs, and says what its page and the README say.

use std::process::{Command, Output};

fn hello(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hello")).args(args).output().expect("the example starts")
}

fn check(scheme: &str, addr: &str) {
    let output = hello(&[addr]);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{err}");
    let greeting = r#" received [b"hello", b"world"] from "#;
    let (local, remote) = out.trim_end().split_once(greeting).unwrap_or_else(|| panic!("{out}"));
    assert!(local.starts_with(scheme) && remote.starts_with(scheme), "{out}");
}

fn check_bad_network(addr: &str) {
    let output = hello(&[addr, "--drop", "60", "--delay", "5ms"]);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{err}");
    assert!(out.contains(r#" received {b"hello", b"world"} from "#), "{out}");
    let lost = out.trim_end().strip_suffix(" were lost").and_then(|out| out.rsplit(' ').next());
    assert!(lost.is_some_and(|lost| lost.parse::<u64>().is_ok_and(|lost| 0 < lost)), "{out}");
}

fn check_refused(args: &[&str], expected: &str) {
    let output = hello(args);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    assert!(output.stdout.is_empty() && err.starts_with(expected), "{err}");
}

#[cfg(feature = "mem")]
#[test]
fn hello_over_mem() {
    check("mem://", "mem://hello");
    check_bad_network("mem://hello");
}

#[cfg(feature = "quic")]
#[test]
fn hello_over_quic() {
    check("quic://", "quic://127.0.0.1:0");
    check_bad_network("quic://127.0.0.1:0");
}

#[cfg(feature = "tcp")]
#[test]
fn hello_over_tcp() {
    check("tcp://", "tcp://127.0.0.1:0");
    check_bad_network("tcp://127.0.0.1:0");
}

#[cfg(feature = "tls")]
#[test]
fn hello_over_tls() {
    check("tls://", "tls://127.0.0.1:0");
    check_bad_network("tls://127.0.0.1:0");
}

#[cfg(feature = "udp")]
#[test]
fn hello_over_udp() {
    check("udp://", "udp://127.0.0.1:0");
    check_bad_network("udp://127.0.0.1:0");
}

/// Both ends play, and both ledgers balance.
fn check_ping_pong(first: &str, second: &str) {
    let output = ping_pong(&[first, second]);
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{err}");
    let lines: Vec<_> = out.lines().collect();
    let [alice, bob, one, other, ledgers @ ..] = &lines[..] else { panic!("{out}") };
    assert!(alice.starts_with("alice is node1") && bob.starts_with("bob   is node1"), "{out}");
    let at = |line: &str| line.split_once(", at ").expect("an address").1.to_owned();
    assert!(one.contains(&format!("10 round trips over {}, the first ", at(bob))), "{out}");
    assert!(other.contains(&format!("10 round trips over {}, the first ", at(alice))), "{out}");
    assert_eq!(ledgers.len(), 2, "{out}");
    // Of what was said last before a peer is forgotten, nobody tells that it has arrived.
    let balanced = [(20, 0), (19, 1)].map(|(carried, uncertain)| {
        format!("20 sent = {carried} carried + {uncertain} uncertain + 0 dropped; 10 delivered")
    });
    let is_balanced = |ledger: &&str| balanced.iter().any(|balanced| ledger.contains(balanced));
    assert!(ledgers.iter().all(is_balanced), "{out}");
}

fn ping_pong(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ping-pong")).args(args).output().expect("the example starts")
}

#[cfg(all(feature = "mem", feature = "quic", feature = "tcp", feature = "tls"))]
#[test]
fn ping_pong_over_any_two() {
    check_ping_pong("tcp://127.0.0.1:0", "quic://127.0.0.1:0");
    check_ping_pong("tls://127.0.0.1:0", "tcp://127.0.0.1:0");
    check_ping_pong("mem://alice", "mem://bob");
}

#[test]
fn ping_pong_needs_two() {
    let output = ping_pong(&["tcp://127.0.0.1:0"]);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(err.starts_with("give two addresses, such as tcp://127.0.0.1:0 quic://"), "{err}");
}

#[test]
fn hello_over_something_unknown() {
    check_refused(&["carrier-pigeon://roof"], "no transport 'carrier-pigeon'; linked: ");
}

#[cfg(feature = "mem")]
#[test]
fn hello_gives_up_where_nothing_arrives() {
    let expected = "gave up after 50 attempts: 1";
    check_refused(&["mem://hello", "--drop", "100"], expected);
}

#[test]
fn faults_that_make_no_sense_are_refused() {
    check_refused(&["--dorp", "5"], "option 'dorp' is not known; did you mean 'drop'?");
    check_refused(&["--drop", "101"], "option 'drop' is '101'");
    check_refused(&["--delay", "5"], "option 'delay' is '5', not a duration");
    check_refused(&["--delay"], "--delay lacks a value");
}
