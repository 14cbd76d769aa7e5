//! `demo`: what it shows comes true, wherever it is shown, and nothing is left of it.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, sync_channel},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::running::{DEADLINE, run};

/// A demo, and a folder in which alone it may leave anything.
struct Demo {
    child: Child,
    lines: Receiver<String>,
    /// Standard error, once every process that has it is gone.
    messages: Receiver<String>,
    folder: TempDir,
}

/// What is left of one.
#[derive(Debug)]
struct Over {
    code: Option<i32>,
    lines: Vec<String>,
    messages: String,
}

impl Demo {
    fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_rumormill"));
        command.arg("demo").args(args).env("TMPDIR", folder.path()).env_remove("COLUMNS");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let mut stderr = child.stderr.take().expect("standard error is a pipe");
        let (to, lines) = sync_channel(10_000);
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| to.send(line))
        });
        let (to, messages) = sync_channel(1);
        thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).expect("messages are UTF-8");
            to.send(text)
        });
        Self { child, lines, messages, folder }
    }

    /// Waits for a line of JSON that says something.
    fn wait_for(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self.lines.recv_timeout(DEADLINE).expect("a line in time");
            let value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"));
            if is_it(&value) {
                return value;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program runs");
    }

    /// Waits for the end of all its processes, and sees that no file is left.
    fn finish(mut self) -> Over {
        let mut lines = Vec::new();
        while let Ok(line) = self.lines.recv_timeout(DEADLINE) {
            lines.push(line);
        }
        let messages = self.messages.recv_timeout(DEADLINE);
        let messages = messages.unwrap_or_else(|_| panic!("a process goes on after {lines:?}"));
        let code = self.child.wait().expect("the program can be waited for").code();
        let left: Vec<_> = self.folder.path().read_dir().expect("the folder is there").collect();
        assert!(left.is_empty(), "{left:?}");
        Over { code, lines, messages }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

fn is_claim(value: &Value, name: &str) -> bool {
    value["what"] == "claim" && value["claim"] == name
}

fn check_refused(args: &[&str], expected: &str) {
    let refused = run(&[&["demo"], args].concat());
    assert_eq!((refused.code, refused.lines.len()), (Some(2), 0), "{args:?}: {refused:?}");
    assert!(refused.messages.contains(expected), "{args:?}: {}", refused.messages);
}

#[test]
fn in_a_pipe_all_comes_true_in_plain_lines() {
    let over = Demo::start(&["--nodes", "4", "--seconds", "12"]).finish();
    assert_eq!((over.code, &*over.messages), (Some(0), ""), "{over:#?}");
    assert_eq!(over.lines.iter().filter(|line| line.starts_with("ok ")).count(), 9, "{over:#?}");
    let last = over.lines.last().map(String::as_str).unwrap_or_default();
    assert!(last.starts_with("all of it came true, in "), "{over:#?}");
    for line in &over.lines {
        assert!(line.chars().count() <= 80, "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
    }
}

#[test]
fn programs_get_an_object_in_each_line() {
    let args = ["--json", "--nodes", "3", "--seconds", "12", "--transports", "tcp,udp"];
    let over = Demo::start(&[&args[..], &["--chaos", "loss=5,delay=5ms"]].concat()).finish();
    assert_eq!((over.code, &*over.messages), (Some(0), ""), "{over:#?}");
    let values: Vec<Value> =
        over.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(values.iter().all(|it| it["what"].is_string() && it["at"].is_number()), "{over:#?}");
    let claims = values.iter().filter(|it| it["what"] == "claim");
    assert!(claims.clone().all(|it| it["ok"] == true) && claims.count() == 9, "{over:#?}");
    let (first, end) = (&values[0], values.last().unwrap());
    assert_eq!(first["transports"], serde_json::json!(["tcp", "udp"]));
    assert!(end["what"] == "end" && end["ok"] == true && end["claims"] == 9, "{end}");
}

#[test]
fn what_did_not_come_true_makes_it_fail() {
    let demo = Demo::start(&["--json", "--nodes", "3"]);
    let bob = demo.wait_for(|it| it["what"] == "started" && it["node"] == "bob");
    demo.wait_for(|it| is_claim(it, "everybody sees everybody"));
    let pid = bob["pid"].as_i64().and_then(|pid| Pid::from_raw(pid as i32));
    kill_process(pid.expect("a process"), Signal::KILL).expect("bob runs");
    let broken = demo.wait_for(|it| is_claim(it, "broadcasts reach all, once"));
    assert_eq!(broken["ok"], false, "{broken}");
    let unseen = demo.wait_for(|it| is_claim(it, "a goodbye is no failure"));
    assert_eq!(unseen["ok"], false, "{unseen}");
    let why = unseen["detail"].as_str().unwrap_or_default();
    assert!(why.starts_with("bob (process ") && why.ends_with(" has ended by itself"), "{unseen}");
    let over = demo.finish();
    assert_eq!(over.code, Some(1), "{over:#?}");
}

#[test]
fn killed_or_interrupted_it_leaves_no_process_and_no_file() {
    let check = |signal, code, message: &str| {
        let demo = Demo::start(&["--json", "--nodes", "5"]);
        demo.wait_for(|it| is_claim(it, "everybody sees everybody"));
        demo.signal(signal);
        let over = demo.finish();
        assert_eq!((over.code, &*over.messages), (code, message), "{over:#?}");
    };
    check(Signal::KILL, None, "");
    let interrupted = "error: interrupted; its processes and their files are gone\n";
    check(Signal::INT, Some(1), interrupted);
    check(Signal::TERM, Some(1), interrupted);
}

#[test]
fn what_has_to_change_on_the_command_line_exits_with_2() {
    check_refused(&["--nodes", "2"], "write 3 to 26");
    check_refused(&["--nodes", "27"], "write 3 to 26");
    check_refused(&["--seconds", "5"], "write 12 to 3600");
    check_refused(&["--transports", "mem"], "mem connects nodes within one process");
    check_refused(&["--transports", "tcp,quik"], "no transport 'quik'; linked: ");
    check_refused(&["--transports", ""], "no transport ''");
    check_refused(&["--chaos", "loss=99"], "write loss=PERCENT");
    check_refused(&["--chaos", "delay=1h"], "a delay is at most 200ms");
    check_refused(&["--chaos", "loss=1", "--transports", "tcp,unix"], "add udp");
    let alone = run(&["demo-member"]);
    assert_eq!((alone.code, alone.lines.len()), (Some(2), 0), "{alone:?}");
    assert!(alone.messages.contains("run `rumormill demo`"), "{alone:?}");
}
