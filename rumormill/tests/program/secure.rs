//! Transports that encrypt, and prove both sides to each other.

use serde_json::Value;

use crate::{
    keys::Key,
    running::{Running, run},
};

/// An address of each transport here that is secure.
fn addrs() -> Vec<&'static str> {
    let all = [
        (cfg!(feature = "quic"), "quic://127.0.0.1:0"),
        (cfg!(feature = "tls"), "tls://127.0.0.1:0"),
    ];
    all.iter().filter(|(on, _)| *on).map(|(_, addr)| *addr).collect()
}

/// A `serve` with a key, at each address of [`addrs`].
fn serve(key: &Key) -> (Running, Vec<String>) {
    Running::serve(&[&addrs()[..], &["--identity", &key.file]].concat())
}

#[test]
fn they_are_listed_as_secure() {
    let registry = rumormill::registry().unwrap();
    let secure = registry.factories().filter(|factory| factory.caps.secure);
    let secure: Vec<_> =
        secure.map(|factory| format!("{}://127.0.0.1:0", factory.scheme)).collect();
    assert_eq!(secure, addrs());
}

#[test]
fn who_is_expected_answers_and_nothing_is_said_of_it() {
    let (alice, bob) = (Key::generate(), Key::generate());
    let (_server, addrs) = serve(&alice);
    for addr in addrs {
        let expect = ["--identity", &bob.file, "--expect", &alice.node];
        let ping = run(&[&["ping", &addr, "-c", "3", "-i", "1ms"], &expect[..]].concat());
        assert_eq!((ping.code, &*ping.messages, ping.lines.len()), (Some(0), "", 6), "{ping:?}");
        assert_eq!(ping.lines[4], "3 sent, 3 received, 0.0% lost");

        let bench = ["bench", &addr, "--seconds", "0.2", "--json"];
        let bench = run(&[&bench[..], &expect].concat());
        assert_eq!((bench.code, &*bench.messages, bench.lines.len()), (Some(0), "", 1));
        let value: Value = serde_json::from_str(&bench.lines[0]).unwrap();
        assert_eq!(value["addr"], addr);
    }
}

#[test]
fn somebody_else_is_refused_and_named() {
    let (alice, bob) = (Key::generate(), Key::generate());
    let (_server, addrs) = serve(&alice);
    for addr in addrs {
        for command in ["ping", "bench"] {
            let refused = run(&[command, &addr, "--identity", &bob.file, "--expect", &bob.node]);
            assert_eq!((refused.code, refused.lines.len()), (Some(1), 0), "{refused:?}");
            let expected = format!(
                "error: the peer at {addr} is not the one expected: it proved to be {}\n",
                alice.node
            );
            assert_eq!(refused.messages, expected);
        }
    }
}

#[test]
fn who_expects_nobody_is_told_who_answered_and_by_which_key() {
    let alice = Key::generate();
    let (_server, addrs) = serve(&alice);
    for addr in addrs {
        for args in [["ping", &addr, "-c", "1"], ["bench", &addr, "--seconds", "0.1"]] {
            let finished = run(&args);
            assert_eq!(finished.code, Some(0), "{finished:?}");
            let messages: Vec<_> = finished.messages.lines().collect();
            let [fresh, proved] = messages[..] else { panic!("{messages:?}") };
            check_fresh(fresh);
            assert_eq!(proved, format!("{addr} proved to be {}", alice.node));
        }
    }
}

/// The line about a key that lasts as long as the run.
fn check_fresh(line: &str) -> String {
    let (node, remark) = line.strip_prefix("node ").and_then(|l| l.split_once(' ')).expect(line);
    assert!(node.parse::<rumormill::transport::NodeId>().is_ok(), "{line}");
    assert_eq!(remark, "(a fresh key, for this run only; `rumormill keygen` makes one to keep)");
    node.to_owned()
}

#[test]
fn each_run_without_a_key_is_another_node() {
    for addr in addrs() {
        let (server, bound) = Running::serve(&[addr]);
        let ping = || run(&["ping", &bound[0], "-c", "1"]).messages;
        let (first, second) = (ping(), ping());
        let node = |messages: &str| check_fresh(messages.lines().next().expect("two lines"));
        assert_ne!(node(&first), node(&second));
        #[cfg(unix)]
        {
            server.signal(rustix::process::Signal::TERM);
            let messages = server.finish().messages;
            let told = check_fresh(messages.lines().next().expect("its node"));
            assert!(first.ends_with(&format!("{addr} proved to be {told}\n", addr = bound[0])));
        }
        #[cfg(not(unix))]
        drop(server);
    }
}

#[cfg(unix)]
#[test]
fn serve_says_once_what_peers_have_to_expect_and_no_peer_keeps_it_waiting() {
    let alice = Key::generate();
    let (server, addrs) = serve(&alice);
    for addr in &addrs {
        assert_eq!(run(&["ping", addr, "-c", "1"]).code, Some(0));
    }
    server.signal(rustix::process::Signal::TERM);
    let (node, count, finished) = (alice.node, addrs.len(), server.finish());
    let expected = format!("node {node}\nstopped; conns: {count}, messages echoed: {count}\n");
    assert_eq!((finished.code, finished.messages), (Some(0), expected));
}

#[cfg(feature = "quic")]
#[test]
fn what_a_transport_reports_is_shown_to_whoever_asks() {
    let (_server, addrs) = Running::serve(&["quic://127.0.0.1:0"]);
    let ping = |log| run(&["ping", &addrs[0], "-c", "1", "--log", log]).messages;
    assert!(ping("trace").contains("\nTRACE from quinn"));
    assert!(!ping("warn").contains(" from "));
}

#[test]
fn a_key_that_cannot_be_read_is_named_before_anything_is_opened() {
    let alice = Key::generate();
    let missing = alice.beside("missing.key");
    for addr in addrs() {
        for command in ["serve", "ping", "bench"] {
            let refused = run(&[command, addr, "--identity", &missing]);
            assert_eq!((refused.code, refused.lines.len()), (Some(1), 0), "{refused:?}");
            let expected = format!("error: reading {missing} failed: ");
            assert!(refused.messages.starts_with(&expected), "{refused:?}");
        }
    }
}
