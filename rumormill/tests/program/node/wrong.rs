//! What is said of a wrong configuration, and that nothing is started with one.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use super::{daemon::Program, folder, listening};
use crate::config::{Case, Folder, WRONG};

#[test]
fn each_wrong_configuration_is_refused_with_its_lines_and_leaves_nothing() {
    let folder = Folder::new();
    let cases: Vec<_> = WRONG.split("---\n").map(Case::of).collect();
    let files: Vec<_> = (0..cases.len())
        .map(|at| folder.write(&format!("{at}.toml"), folder.named(&cases[at].text)))
        .collect();
    let before = everything(Path::new(&folder.path("")));
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Relaxed)) {
                    let at = cases.iter().position(|it| std::ptr::eq(it, case)).unwrap();
                    check(case, &files[at], &folder);
                }
            });
        }
    });
    assert_eq!(everything(Path::new(&folder.path(""))), before);
}

fn check(case: &Case, file: &str, folder: &Folder) {
    let mut node = Program::new().args(&["--config", file]);
    // Where an administration would be by default.
    node = node.env("XDG_RUNTIME_DIR", &folder.path(""));
    for (name, text) in &case.environment {
        node = node.env(name, text);
    }
    for flag in &case.flags {
        node = node.args(&["--set", flag]);
    }
    let finished = node.start().finish();
    assert_eq!((finished.code, finished.lines.len()), (Some(2), 0), "{}: {finished:?}", case.text);
    let told = finished.messages.replace(file, "node.toml").replace(&folder.path(""), "FOLDER");
    let told: Vec<_> = told.lines().map(String::from).collect();
    let expected: Vec<_> = case.expected.iter().map(|line| format!("error: {line}")).collect();
    assert_eq!(told, expected, "{}", case.text);
}

/// All that is there, by name.
fn everything(folder: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("a folder").map_while(Result::ok) {
        names.insert(entry.path().display().to_string());
        if entry.path().is_dir() {
            names.extend(everything(&entry.path()));
        }
    }
    names
}

#[test]
fn options_are_checked_like_keys_and_told_by_their_names() {
    let check = |args: &[&str], expected: &str| {
        let finished =
            Program::new().args(args).env("XDG_RUNTIME_DIR", "/nowhere").start().finish();
        assert_eq!((finished.code, finished.lines.len()), (Some(2), 0), "{args:?}: {finished:?}");
        assert!(finished.messages.starts_with(expected), "{args:?}: {finished:?}");
    };
    check(&[], "error: node.cluster is not set; give the cluster a name that no other has\n");
    check(&["--cluster", "c"], "error: admission is not set; choose who may be a member: ");
    check(&["--cluster", "", "--open"], "error: --cluster: node.cluster is \"\"; write text of ");
    let open = |args: &[&'static str], expected: &str| {
        check(&[&["--cluster", "c", "--open"], args].concat(), expected);
    };
    open(&["--preset", "moon"], "error: --preset: node.preset is \"moon\"; write one of ");
    open(&["--listen", "quik://x"], "error: --listen: listen is \"quik://x\": no transport 'quik'");
    open(&["--listen", "here"], "error: invalid value 'here' for '--listen <ADDR>': ");
    open(&["--identity", "/nowhere/x"], "error: --identity: node.identity is \"/nowhere/x\": ");
    open(
        &["--admin-tcp", "127.0.0.1:1"],
        "error: --admin-tcp: admin.tcp is \"127.0.0.1:1\", where ",
    );
    open(&["--advertise", "tcp://192.0.2.1:1"], "error: --advertise: advertise is a list, but ");
    open(&["--name", "a", "--set", "node.name=b"], "error: --name: node.name is set twice; ");
    open(&["--log-format", "xml"], "error: --log-format: log.format is \"xml\"; write one of ");
    open(&["--allow", "node1qqq"], "error: invalid value 'node1qqq' for '--allow <NODEID>': ");
    open(&["--config", "/nowhere"], "error: /nowhere: cannot be read: No such file or directory");
    open(&["--set", "gossip.paket=1"], "error: --set: gossip.paket is not known; did you mean ");
    open(&["--join", "mem://x,y", "--log", "loud"], "error: invalid value 'loud' for '--log ");
}

#[test]
fn what_cannot_listen_everywhere_leaves_no_socket() {
    let (_alice, taken) = listening("alice", "tcp://127.0.0.1:0");
    let folder = folder();
    let socket = format!("unix://{}/node.sock", folder.path().display());
    let admin = folder.path().join("admin.sock");
    let check = |addr: &str, code, expected: &str| {
        let args = ["--listen", &socket, "--listen", addr];
        let node = program_without_admin().args(&args).args(&["--admin", admin.to_str().unwrap()]);
        let finished = node.start().finish();
        assert_eq!((finished.code, finished.lines.len()), (Some(code), 0), "{finished:?}");
        assert!(finished.messages.starts_with(expected), "{finished:?}");
        assert_eq!(everything(folder.path()), BTreeSet::new());
    };
    check(&taken, 1, &format!("error: cannot listen at {taken}: "));
    check("tls://localhost", 2, "error: cannot listen at tls://localhost: address ");
}

fn program_without_admin() -> Program {
    Program::new().args(&["--cluster", "c", "--open", "--preset", "local"])
}
