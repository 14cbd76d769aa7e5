//! The examples `chat` and `embedded` in two terminals, and `presence` and `rpc` in one.
#![cfg(all(unix, feature = "quic", feature = "tcp", feature = "udp"))]

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// A running example, which is killed when this is dropped.
struct Example {
    child: Child,
    typed: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
}

impl Example {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the example starts");
        let said = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { typed: child.stdin.take(), child, said }
    }

    /// Skips lines until one has this in it.
    fn says(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            let count = self.said.read_line(&mut line).expect("a line");
            assert_ne!(count, 0, "it ended without saying '{part}'");
            if line.contains(part) {
                return line.trim_end().into();
            }
        }
    }

    fn types(&mut self, line: &str) {
        writeln!(self.typed.as_mut().expect("it still reads"), "{line}").expect("it reads");
    }

    /// Waits for its end.
    fn ends(mut self) {
        drop(self.typed.take());
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The address in a line, without what stands around it.
fn addr(line: &str) -> String {
    let is_end = |letter: char| letter.is_whitespace() || letter == ')' || letter == ',';
    let begin = line.find("tcp://").unwrap_or_else(|| panic!("no address in {line:?}"));
    line[begin..].split(is_end).next().expect("it has a beginning").into()
}

#[test]
fn people_chat_over_different_transports() {
    let chat = env!("CARGO_BIN_EXE_chat");
    let mut alice = Example::start(chat, &["alice", "tcp://127.0.0.1:0"]);
    let at = addr(&alice.says("listening"));
    let mut bob = Example::start(chat, &["bob", "quic://127.0.0.1:0", "--join", &at]);
    bob.says("* alice is here");
    alice.says("* bob is here");
    bob.types("hello \u{1b}[2J");
    assert_eq!(alice.says("bob:"), "bob: hello \\u{1b}[2J");
    alice.types("hi");
    bob.says("alice: hi");
    bob.ends();
    alice.says("* bob has left");
    alice.ends();
}

#[test]
fn what_is_embedded_says_hello() {
    let embedded = env!("CARGO_BIN_EXE_embedded");
    let mut one = Example::start(embedded, &[]);
    let at = addr(&one.says("listening"));
    let mut other = Example::start(embedded, &[&at]);
    one.says("hello, all");
    other.says("hello, all");
    one.ends();
    other.ends();
}

#[test]
fn presence_is_seen_by_all() {
    let mut presence = Example::start(env!("CARGO_BIN_EXE_presence"), &[]);
    for change in ["alice is in a meeting", "bob is typing", "alice is back", "carol is away"] {
        presence.says(change);
    }
    presence.says("carol sees:");
    presence.ends();
}

#[test]
fn questions_are_answered_over_each_transport() {
    let mut rpc =
        Example::start(env!("CARGO_BIN_EXE_rpc"), &["tcp://127.0.0.1:0", "quic://127.0.0.1:0"]);
    for scheme in ["tcp", "quic"] {
        assert!(rpc.says("40 2 -> 42").starts_with(scheme));
        rpc.says("one and one -> numbers, please: 1 2 3");
    }
    rpc.ends();
}

#[test]
fn wrong_command_lines_say_what_is_right() {
    let check = |program: &str, arguments: &[&str], told: &str| {
        let output = Command::new(program).args(arguments).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(told), "{said}");
    };
    check(env!("CARGO_BIN_EXE_chat"), &[], "usage: chat NAME ADDR");
    check(env!("CARGO_BIN_EXE_chat"), &["bob"], "usage: chat NAME ADDR");
    check(env!("CARGO_BIN_EXE_chat"), &["bob", "tpc://127.0.0.1:0"], "did you mean 'tcp'");
    check(env!("CARGO_BIN_EXE_rpc"), &["--dorp", "15"], "drop");
}
