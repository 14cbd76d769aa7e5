//! The example `member` is a node that others join, and says what becomes of them.
#![cfg(all(unix, feature = "tcp", feature = "udp"))]

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// A running member, which is killed when this is dropped.
struct Member {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Member {
    /// Starts one; tells where it listens, too.
    fn start(args: &[&str]) -> (Self, Vec<String>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_member"));
        let mut child =
            command.args(args).stdout(Stdio::piped()).spawn().expect("the example starts");
        let said = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut member = Self { child, said };
        let listening = member.line();
        let addrs = listening.strip_prefix("listening ").expect("where it listens");
        let addrs = addrs.split(' ').map(Into::into).collect();
        (member, addrs)
    }

    /// The next line, without its time.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("a line");
        let (time, line) = line.trim_end().split_once(' ').unwrap_or_else(|| panic!("{line:?}"));
        let form: String =
            time.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
        assert_eq!(form, "00:00:00.000Z", "{time}");
        line.into()
    }

    /// Skips lines until one begins like this.
    fn says(&mut self, begin: &str) -> String {
        loop {
            let line = self.line();
            if line.starts_with(begin) {
                return line;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn members_see_who_comes_and_goes() {
    let (mut alice, at) =
        Member::start(&["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "--name", "alice"]);
    assert!(at[0].starts_with("tcp://127.0.0.1:") && at[1].starts_with("udp://127.0.0.1:"));
    let (mut bob, at_bob) =
        Member::start(&["udp://127.0.0.1:0", "--name", "bob", "--join", &at[1]]);
    assert!(alice.says("joined bob node1").ends_with(&at_bob[0]));
    assert!(bob.says("joined alice node1").ends_with(&at.join(" ")));

    bob.signal(Signal::TERM);
    let report = "leaving: LeaveReport { asked: 1, confirmed: 1, live: 1 }";
    assert_eq!(bob.says("leaving"), report);
    assert!(bob.child.wait().expect("it ends").success());
    alice.says("left bob node1");

    let (mut carol, _) = Member::start(&["tcp://127.0.0.1:0", "--name", "carol", "--join", &at[0]]);
    carol.says("joined alice node1");
    carol.signal(Signal::KILL);
    alice.says("failed carol node1");
    alice.signal(Signal::INT);
    assert!(alice.child.wait().expect("it ends").success());
}

#[test]
fn what_it_cannot_do_it_says() {
    let check = |args: &[&str], expected: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_member")).args(args).output();
        let output = output.expect("the example starts");
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(err.starts_with(expected), "{err}");
    };
    let addr = "tcp://127.0.0.1:0";
    check(&[], "give an address to listen at; usage: member ADDR...");
    check(&[addr, "--name"], "--name lacks a value");
    check(&[addr, "--preset", "fast"], "no preset 'fast': lan, local or wan");
    check(&[addr, "--jion", "tcp://127.0.0.1:1"], "option 'jion' is not known");
    check(&["tpc://127.0.0.1:0"], "no transport 'tpc'; linked: ");
    check(&[addr, "--join", "tcp://127.0.0.1:1"], "");
}
