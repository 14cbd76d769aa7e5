//! What is wrong on the command line, and what it can be asked.

use std::process::{Command, Stdio};

use crate::running::run;

fn check(args: &[&str], expected: &str) {
    let finished = run(args);
    assert_eq!((finished.code, finished.lines.len()), (Some(2), 0), "{args:?}: {finished:?}");
    assert!(finished.messages.contains(expected), "{args:?}: {}", finished.messages);
}

#[test]
fn what_has_to_change_on_the_command_line_exits_with_2() {
    check(&[], "Usage: ");
    check(&["pong"], "'ping'");
    check(&["ping"], "<ADDR>");
    check(&["serve"], "<ADDR>...");
    check(&["ping", "127.0.0.1:1"], "write scheme://…, for example tcp://127.0.0.1:1");
    check(&["ping", "carrier-pigeon://roof"], "error: no transport 'carrier-pigeon'; linked: ");
    check(&["ping", "x://y", "--size", "7"], "a message carries a number of 8 bytes");
    check(&["ping", "x://y", "--interval", "5"], "write a duration such as 250ms");
    check(&["ping", "x://y", "--count", "0"], "1..");
    check(&["ping", "x://y", "--timeouts", "moon"], "satellite");
    check(&["bench", "x://y", "--seconds", "0"], "write 0.1 to 86400 seconds");
    check(&["bench", "x://y", "--batch", "0"], "1..");
    check(&["serve", "x://y", "--max-conns", "0"], "write a whole number from 1");
    check(&["ping", "x://y", "--log", "loud"], "write one of off, error, warn, info, debug, trace");
    check(&["ping", "x://y", "--expect", "node1qqq"], "is not 63 characters long");
    let mistyped = NODE.replace("np6", "np7");
    check(&["bench", "x://y", "--expect", &mistyped], "its checksum is wrong; copy it again");
    check(&["ping", "x://y", "--expect", NODE, "--expect-name", "y"], "cannot be used with");
}

#[cfg(all(feature = "tcp", feature = "udp"))]
#[test]
fn what_a_transport_cannot_read_or_carry_exits_with_2() {
    check(&["ping", "tcp://127.0.0.1:1?nodelai=true"], "error: option 'nodelai' is not known; did");
    check(&["serve", "tcp://nowhere"], "error: address 'tcp://nowhere' ");
    check(&["ping", "udp://127.0.0.1:9", "--size", "64KiB"], "error: messages of 65536 bytes are");
}

#[cfg(all(feature = "tcp", feature = "udp"))]
#[test]
fn an_expectation_that_a_transport_cannot_prove_exits_with_2() {
    for command in ["ping", "bench"] {
        for scheme in ["tcp", "udp"] {
            let addr = format!("{scheme}://127.0.0.1:9");
            let expected = format!("error: proving who answers at {scheme}:// is not supported; ");
            check(&[command, &addr, "--expect", NODE], &expected);
            check(&[command, &addr, "--expect-name", "localhost"], &expected);
        }
    }
}

#[test]
fn help_is_data_and_has_an_example() {
    let keys: &[_] = if cfg!(feature = "identity") { &["id", "keygen"] } else { &[] };
    let node: &[_] = if cfg!(feature = "node") { &["node", "ticket"] } else { &[] };
    let always = ["bench", "completions", "ping", "serve", "transports"];
    for command in always.iter().chain(keys).chain(node) {
        let help = run(&[command, "--help"]);
        assert_eq!((help.code, &*help.messages), (Some(0), ""));
        let example = format!("Example: rumormill {command} ");
        assert!(help.lines.iter().any(|line| line.starts_with(&example)), "{help:?}");
    }
    assert_eq!(run(&["-V"]).lines, [concat!("rumormill ", env!("CARGO_PKG_VERSION"))]);
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rumormill"));
    command.arg("transports").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

/// Of a node that nobody is.
const NODE: &str = "node1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqsnp67e9";
