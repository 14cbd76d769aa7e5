//! `--cluster`: nodes that ask and answer in signed messages.

use std::net::{TcpListener, TcpStream};

use crate::{
    keys::Key,
    running::{Running, run},
};

/// A node of the cluster `test` with a key, over transports of every kind.
fn serve(key: &Key) -> (Running, Vec<String>) {
    let cluster = ["--cluster", "test", "--identity", &key.file];
    Running::serve(&[&ADDRS[..], &cluster].concat())
}

fn check_refused(args: &[&str], code: i32, expected: &str) {
    let refused = run(&[&["ping", "-c", "1"], args].concat());
    assert_eq!((refused.code, refused.lines.len()), (Some(code), 0), "{refused:?}");
    let last = refused.messages.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.contains(expected), "{refused:?}");
}

#[test]
fn the_node_that_is_named_answers() {
    let (alice, bob) = (Key::generate(), Key::generate());
    let (_server, addrs) = serve(&alice);
    for addr in addrs {
        let place = format!("{}@{addr}", alice.node);
        let args = ["ping", &place, "--cluster", "test", "--identity", &bob.file];
        let ping = run(&[&args[..], &["-c", "3", "-i", "1ms", "-s", "1KiB"]].concat());
        assert_eq!((ping.code, ping.lines.len()), (Some(0), 6), "{ping:?}");
        assert_eq!(ping.messages, format!("node {}\n", bob.node));
        for number in 1..=3 {
            let expected = format!("1024 bytes from {place}: seq={number} time=");
            assert!(ping.lines[number - 1].starts_with(&expected), "{ping:?}");
        }
        assert_eq!(ping.lines[3], format!("--- {place} ---"));
        assert_eq!(ping.lines[4], "3 sent, 3 received, 0.0% lost");
    }
}

#[test]
fn who_names_no_node_is_told_who_answered() {
    let alice = Key::generate();
    let (_server, addrs) = serve(&alice);
    let ping = run(&["ping", &addrs[0], "--cluster", "test", "-c", "1"]);
    assert_eq!(ping.code, Some(0), "{ping:?}");
    assert!(ping.messages.ends_with(&format!("{} is {}\n", addrs[0], alice.node)), "{ping:?}");
}

#[test]
fn another_node_is_refused_and_named() {
    let (alice, bob) = (Key::generate(), Key::generate());
    let (_server, addrs) = serve(&alice);
    for addr in addrs {
        let expected = format!("is not {}: it proved to be {}", bob.node, alice.node);
        let place = format!("{}@{addr}", bob.node);
        check_refused(&[&place, "--cluster", "test"], 1, &expected);
    }
}

#[test]
fn another_cluster_is_nobody() {
    let alice = Key::generate();
    let (_server, addrs) = serve(&alice);
    let place = format!("{}@{}", alice.node, addrs[0]);
    check_refused(&[&place, "--cluster", "other"], 1, "no node of cluster 'other'; run ");
}

#[test]
fn an_echo_is_no_node() {
    let (_server, addrs) = Running::serve(&["tcp://127.0.0.1:0"]);
    check_refused(&[&addrs[0], "--cluster", "test"], 1, "no node of cluster 'test'; run ");
}

#[test]
fn nobody_there_is_told_with_the_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // The port of a dialer: taken, so that no other test gets it, and nobody listens there.
    let taken = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let addr = format!("tcp://{}", taken.local_addr().unwrap());
    check_refused(&[&addr, "--cluster", "test"], 1, &format!("nobody answers at {addr}: "));
}

#[test]
fn what_has_to_change_on_the_command_line_exits_with_2() {
    let alice = Key::generate();
    let place = format!("{}@tcp://127.0.0.1:1", alice.node);
    check_refused(&[&place], 2, "is a node of a cluster; say of which by --cluster NAME");
    check_refused(&[&place, "--cluster", ""], 2, "cluster is empty; give the cluster a name");
    let unknown = format!("{}@carrier-pigeon://roof", alice.node);
    check_refused(&[&unknown, "--cluster", "test"], 2, "no transport 'carrier-pigeon'; linked: ");
    let refused = run(&["serve", "tcp://127.0.0.1:0", "--cluster", ""]);
    assert_eq!((refused.code, refused.lines.len()), (Some(2), 0), "{refused:?}");
}

#[cfg(unix)]
#[test]
fn sigterm_stops_a_node_that_says_what_it_did() {
    let alice = Key::generate();
    let (server, addrs) = serve(&alice);
    for addr in &addrs {
        let ping = ["ping", addr, "--cluster", "test", "-c", "2", "-i", "1ms"];
        assert_eq!(run(&ping).code, Some(0));
    }
    server.signal(rustix::process::Signal::TERM);
    let finished = server.finish();
    let last = finished.messages.lines().last().unwrap_or_default();
    assert!(last.starts_with("stopped; conns of nodes: "), "{finished:?}");
    let answered = format!("questions answered: {}, answers not sent: 0", 2 * addrs.len());
    assert!(last.ends_with(&answered), "{finished:?}");
    assert_eq!(finished.code, Some(0), "{finished:?}");
}

const ADDRS: [&str; 4] =
    ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "tls://127.0.0.1:0", "quic://127.0.0.1:0"];
