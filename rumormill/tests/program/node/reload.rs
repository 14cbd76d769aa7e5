//! A running node that reads its configuration again.

use std::{fs, path::PathBuf};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::{
    daemon::{Daemon, Program},
    folder, listening,
};
use crate::{keys::Key, running::run};

/// A node with a file.
struct Filed {
    _folder: TempDir,
    file: PathBuf,
}

impl Filed {
    fn new() -> Self {
        let folder = folder();
        let file = folder.path().join("node.toml");
        let filed = Self { _folder: folder, file };
        filed.write("bob", "");
        filed
    }

    fn write(&self, name: &str, more: &str) {
        let text = format!(
            "admission = 'open'\nadmin.socket = 'off'\nnode.cluster = 'c'\nnode.preset = 'local'\n\
             node.name = '{name}'\n{more}"
        );
        fs::write(&self.file, text).expect("a file");
    }

    fn start(&self, args: &[&str]) -> Daemon {
        let file = self.file.to_str().expect("a path in UTF-8");
        let node = Program::new().args(&["--config", file]).args(args).start();
        node.out("ready");
        node
    }
}

#[test]
fn a_file_that_changes_is_read_again_by_itself() {
    let (alice, addr) = listening("alice", "tcp://127.0.0.1:0");
    let filed = Filed::new();
    let bob = filed.start(&["--join", &addr]);
    alice.out_with(|line| line.starts_with("joined ") && line.ends_with(" \"bob\""));
    filed.write("rob", "log.level = 'info'\n");
    bob.err_with(|line| line == "reloaded: node.name: \"bob\" -> \"rob\"");
    bob.err_with(|line| line == "reloaded: log.level: \"warn\" -> \"info\"");
    alice.out_with(|line| line.starts_with("updated ") && line.ends_with(" \"rob\""));
}

#[test]
fn a_signal_has_it_read_again_and_what_is_wrong_changes_nothing() {
    let filed = Filed::new();
    let bob = filed.start(&["--listen", "tcp://127.0.0.1:0"]);
    bob.signal(Signal::HUP);
    bob.err_with(|line| line.starts_with("reloaded: no key is different, "));
    filed.write("rob", "gossip.packet = 1\n");
    let told = format!("error: {}:6: gossip.packet is 1, which is ", filed.file.display());
    bob.signal(Signal::HUP);
    bob.err_with(|line| line.starts_with(&told));
    bob.err_with(|line| line == "error: nothing was changed");
    filed.write("rob", "gossip.packet = 1300\n");
    bob.signal(Signal::HUP);
    let needs = "error: nothing was changed: gossip.packet can change only with a restart";
    bob.err_with(|line| line == needs);
    filed.write("rob", "");
    bob.signal(Signal::HUP);
    bob.err_with(|line| line == "reloaded: node.name: \"bob\" -> \"rob\"");
    bob.signal(Signal::TERM);
    assert_eq!(bob.finish().code, Some(0));
}

#[test]
fn a_list_of_revocations_that_changes_is_read_again() {
    let (issuer, bob) = (Key::generate(), Key::generate());
    let (ticket, list) = (bob.beside("ticket"), bob.beside("revoked"));
    let issue = ["ticket", "issue", "--cluster", "c", "--key", &issuer.file, "--node", &bob.node];
    assert_eq!(run(&[&issue[..], &["--out", &ticket]].concat()).code, Some(0));
    let revoke = |serial: &str| {
        let args = ["--cluster", "c", "--key", &issuer.file, "--list", &list, serial];
        assert_eq!(run(&[&["ticket", "revoke"], &args[..]].concat()).code, Some(0));
    };
    revoke("1");
    let args = ["--cluster", "c", "--identity", &bob.file, "--ticket", &ticket, "--admin", "off"];
    let lists = format!("admission.revocations={list}");
    let node = Program::new().args(&args).args(&["--issuer", &issuer.node, "--set", &lists]);
    let node = node.start();
    node.out("ready");
    revoke("2");
    node.err_with(|line| line.starts_with("reloaded: no key is different, "));
    fs::write(&list, "half of a l").unwrap();
    node.err_with(|line| line.contains("holds no list of revocations; have an issuer sign one"));
    node.err_with(|line| line == "error: nothing was changed");
}

#[test]
fn reports_are_objects_where_that_is_chosen() {
    let filed = Filed::new();
    let bob = filed.start(&["--log-format", "json", "--log", "debug"]);
    filed.write("rob", "gossip.packet = 1\n");
    bob.signal(Signal::HUP);
    bob.err_with(|line| line.contains("nothing was changed"));
    bob.signal(Signal::TERM);
    let bob = bob.finish();
    let mut levels = Vec::new();
    for line in bob.messages.lines() {
        let report: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(report["time"].as_str().unwrap().ends_with('Z'), "{line}");
        assert!(report["message"].is_string(), "{line}");
        levels.push(report["level"].as_str().unwrap().to_owned());
    }
    for level in ["error", "info"] {
        assert!(levels.iter().any(|it| it == level), "{level}: {bob:?}");
    }
}
