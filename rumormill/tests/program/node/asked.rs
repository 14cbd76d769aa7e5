//! A running node that is asked and told things, where nobody has said where.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Command,
};

use rustix::process::Signal;
use serde_json::Value;

use super::{daemon::Program, folder};

/// What a command says that finds its node by itself.
fn ask(runtime: &str, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rumormill"));
    command.args(args).env("XDG_RUNTIME_DIR", runtime);
    let output = command.env_remove("RUMORMILL_CONFIG").env_remove("RUMORMILL_ADMIN").output();
    let output = output.expect("the program runs");
    let told = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&told).into_owned())
}

#[test]
fn the_usual_socket_is_the_first_ones_and_the_next_goes_without() {
    let folder = folder();
    let runtime = folder.path().to_str().unwrap();
    let start = |name: &str| {
        let args = ["--cluster", "c", "--open", "--preset", "local", "--name", name];
        // Which the next one closes and opens again before it goes without.
        let listen = format!("unix://{runtime}/{name}.sock");
        let node = Program::new().args(&args).args(&["--listen", &listen]);
        let node = node.env("XDG_RUNTIME_DIR", runtime).start();
        node.out("ready");
        node
    };
    let first = start("first");
    let second = start("second");
    second.err_with(|line| line.starts_with("this node has no administration: "));
    let (code, members) = ask(runtime, &["members", "--json"]);
    assert_eq!(code, Some(0), "{members}");
    let members: Value = serde_json::from_str(&members).unwrap();
    assert_eq!(members[0]["name"], "first");
    for node in [first, second] {
        node.signal(Signal::TERM);
        assert_eq!(node.finish().code, Some(0));
    }
    assert!(!folder.path().join("rumormill/admin.sock").exists());
    // Its own directory stays, for the next one.
    let third = start("third");
    let (code, told) = ask(runtime, &["leave"]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(third.finish().code, Some(0));
}

#[test]
fn whoever_asks_for_a_reload_is_told_what_comes_of_it() {
    let folder = folder();
    let (runtime, file) = (folder.path().to_str().unwrap(), folder.path().join("node.toml"));
    let write = |more: &str| {
        let text = "admission = 'open'\nnode.cluster = 'c'\nnode.preset = 'local'\n";
        fs::write(&file, format!("{text}{more}")).unwrap();
    };
    write("");
    let args = ["--config", file.to_str().unwrap()];
    let node = Program::new().args(&args).env("XDG_RUNTIME_DIR", runtime).start();
    node.out("ready");
    write("node.name = 'new'\n");
    let (code, told) = ask(runtime, &["reload", "--dry-run"]);
    assert!(code == Some(0) && told.contains("node.name"), "{told}");
    let (code, told) = ask(runtime, &["reload"]);
    assert!(code == Some(0), "{told}");
    node.err_with(|line| line == "reloaded: node.name: \"\" -> \"new\"");
    write("gossip.packet = 1\n");
    let (code, told) = ask(runtime, &["reload"]);
    assert!(
        code == Some(1) && told.contains("gossip.packet is 1, which is out of range"),
        "{told}"
    );
    write("node.name = 'new'\nadmin.socket = '/nowhere/else'\n");
    let (code, told) = ask(runtime, &["members", "--config", "/nowhere"]);
    assert!(code == Some(2) && told.starts_with("error: /nowhere: cannot be read"), "{told}");
    let (code, told) = ask(runtime, &["reload", "--dry-run"]);
    assert!(code == Some(1) && told.contains("admin.socket can change only with"), "{told}");
}

#[test]
fn a_socket_that_the_manager_has_opened_is_the_administrations() {
    let activate = "/usr/bin/systemd-socket-activate";
    if !std::path::Path::new(activate).exists() {
        eprintln!("left out: there is no {activate}");
        return;
    }
    let folder = folder();
    let (runtime, socket) = (folder.path().to_str().unwrap(), folder.path().join("given.sock"));
    let socket = socket.to_str().unwrap();
    let start = |mode, admin: &[&str]| {
        let mut activated = Command::new(activate);
        activated.args(["-l", socket, env!("CARGO_BIN_EXE_rumormill"), "node"]);
        let node = Program::of(activated).args(&["--cluster", "c", "--open", "--name", "given"]);
        let node = node.args(admin).env("XDG_RUNTIME_DIR", runtime).start();
        node.err_with(|line| line.starts_with("Listening on "));
        fs::set_permissions(socket, Permissions::from_mode(mode)).expect("a mode");
        node
    };
    let node = start(0o600, &[]);
    // Whoever asks first has it started.
    let (code, members) = ask(runtime, &["members", "--json", "--admin", socket]);
    assert!(code == Some(0) && members.contains("\"given\""), "{members}");
    node.signal(Signal::TERM);
    assert_eq!(node.finish().code, Some(0));
    assert!(!folder.path().join("rumormill").exists());
    fs::remove_file(socket).unwrap();

    for (mode, admin, why) in [
        (0o660, [].as_slice(), "is open to others"),
        (0o600, &["--admin", "off"], "says another one or none"),
    ] {
        let node = start(mode, admin);
        drop(std::os::unix::net::UnixStream::connect(socket).unwrap());
        node.err_with(|line| line.contains("is not used: ") && line.contains(why));
        drop(node);
        fs::remove_file(socket).unwrap();
    }
}
