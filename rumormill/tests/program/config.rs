//! `rumormill config`, and what is said of wrong configurations.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    process::Command,
};

use rumormill::{
    config::{Error, Loaded, Sources},
    endpoint::{Revocations, Ticket, seal::Cluster},
    identity::SecretKey,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{keys::path, running::run};

/// A wrong configuration, and what is said of it.
pub(crate) struct Case {
    pub(crate) text: String,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) flags: Vec<String>,
    pub(crate) expected: Vec<String>,
}

impl Case {
    /// Lines of a file; then `$` for variables, `>` for flags, `!` for what is said.
    pub(crate) fn of(text: &str) -> Self {
        let marked = |mark: &str| {
            let lines = text.lines().filter_map(|line| line.strip_prefix(mark));
            lines.map(String::from).collect::<Vec<_>>()
        };
        let is_file = |line: &&str| !["$ ", "> ", "! ", "% "].iter().any(|it| line.starts_with(it));
        let file: Vec<_> = text.lines().filter(is_file).collect();
        let mut environment: Vec<_> = marked("$ ");
        if marked("% ").is_empty() {
            environment.push("RUMORMILL__ADMISSION=open".into());
            environment.push("RUMORMILL__NODE__CLUSTER=c".into());
        }
        let pair = |line: String| line.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()));
        Self {
            text: file.join("\n"),
            environment: environment.into_iter().filter_map(pair).collect(),
            flags: marked("> "),
            expected: marked("! "),
        }
    }

    fn load(&self, folder: &Folder) -> Result<Loaded, Error> {
        let environment = self.environment.iter();
        let sources = Sources {
            file: Some(folder.write("node.toml", folder.named(&self.text)).into()),
            environment: environment.map(|(name, text)| (name.into(), text.into())).collect(),
            flags: self.flags.clone(),
        };
        sources.load(&rumormill::registry().expect("transports"))
    }
}

/// A folder with files that configurations name.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        let cluster = Cluster::named("c");
        let ticket = |not_after| {
            let ticket = Ticket { node: alice().node(), name: "a".into(), not_after, serial: 1 };
            ticket.sign(&cluster, &alice())
        };
        let list = |issuer: SecretKey| {
            let list = Revocations { issuer: issuer.node(), version: 1, serials: [2].into() };
            list.sign(&cluster, &issuer)
        };
        alice().save(folder.path("alice.key")).expect("a key");
        alice().save(folder.path("exposed.key")).expect("a key");
        folder.set_mode("exposed.key", 0o644);
        folder.write("ticket", ticket(u64::MAX));
        folder.write("expired", ticket(1));
        folder.write("long", [0; 225]);
        folder.write("list", list(alice()));
        folder.write("foreign-list", list(SecretKey::from_bytes(&[9; 32])));
        folder.write("token", "0123456789abcdef\n");
        folder.set_mode("token", 0o600);
        folder.write("open-token", "0123456789abcdef\n");
        folder.set_mode("open-token", 0o640);
        folder.write("short", "0123456789abcde");
        folder
    }

    pub(crate) fn path(&self, name: &str) -> String {
        path(&self.0, name).trim_end_matches('/').into()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).expect("a file");
        self.path(name)
    }

    /// What a case says, with the names of this folder.
    pub(crate) fn named(&self, text: &str) -> String {
        text.replace("FOLDER", &self.path("")).replace("ALICE", &alice().node().to_string())
    }

    fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), Permissions::from_mode(mode)).expect("a mode");
    }
}

pub(crate) const WRONG: &str = include_str!("wrong.txt");

fn alice() -> SecretKey {
    SecretKey::from_bytes(&[7; 32])
}

#[test]
fn whatever_is_wrong_is_said_in_a_line_each() {
    let folder = Folder::new();
    assert!(50 <= WRONG.split("---\n").count());
    for text in WRONG.split("---\n") {
        let case = Case::of(text);
        let error = case.load(&folder).expect_err(text).to_string();
        let told =
            error.replace(&folder.path(""), "FOLDER").replace("FOLDER/node.toml", "node.toml");
        assert_eq!(told.lines().collect::<Vec<_>>(), case.expected, "{text}");
    }
}

#[test]
fn a_file_that_is_no_configuration_is_refused() {
    let folder = Folder::new();
    let check = |file: &str, expected: &str| {
        let finished = run(&["config", "check", file]);
        assert_eq!((finished.code, finished.lines.len()), (Some(1), 0), "{finished:?}");
        assert_eq!(finished.messages, format!("error: {file}{expected}\n"));
    };
    check(&folder.path(""), ": is a directory; name a file in it");
    check(&folder.path("no.toml"), ": cannot be read: No such file or directory (os error 2)");
    check("/dev/null", ": is no file; copy what it holds into one");
    let long = folder.write("long.toml", "# long\n".repeat(1_500_000));
    check(&long, ": is longer than 1MiB; name the right file");
    let bytes = folder.write("bytes.toml", b"a = 1\nb = \"\xff\"\n");
    check(&bytes, ":2: this is not UTF-8; save the file as UTF-8");
}

#[test]
fn exit_codes_tell_what_has_to_change() {
    let folder = Folder::new();
    let file = folder.write("node.toml", "node.cluster = 'c'\nadmission = 'open'\n");
    let check = |args: &[&str], code, expected: &str| {
        let finished = run(&[&["config", "check"], args].concat());
        assert_eq!((finished.code, finished.lines.len()), (Some(code), 0), "{finished:?}");
        assert_eq!(finished.messages, expected);
    };
    check(&[&file], 0, "the configuration is valid\n");
    check(&["--config", &file], 0, "the configuration is valid\n");
    let flags = ["--set", "node.cluster=c", "--set", "admission=open"];
    check(&flags, 0, "the configuration is valid\n");
    let wrong = folder.write("wrong.toml", "admission = 'open'\n[node]\n");
    let told = "error: node.cluster is not set; give the cluster a name that no other has\n";
    check(&[&wrong], 1, told);
    let told = "error: --set: gossip.paket is not known; did you mean gossip.packet?\n";
    check(&[&file, "--set", "gossip.paket=1"], 2, told);
    assert_eq!(run(&["config", "check", &file, "--config", &file]).code, Some(2));
    assert_eq!(run(&["config"]).code, Some(2));
    let nothing = run(&["config", "print"]);
    assert_eq!((nothing.code, nothing.messages.lines().count()), (Some(1), 3));
    assert!(nothing.messages.ends_with("name one, or set RUMORMILL_CONFIG\n"), "{nothing:?}");
}

#[test]
fn the_environment_names_the_file_and_overrides_it() {
    let folder = Folder::new();
    let file = folder.write("node.toml", "node.cluster = 'c'\nadmission = 'open'\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_rumormill"));
    command.args(["config", "print"]).env("RUMORMILL_CONFIG", &file);
    command.env("RUMORMILL__NODE__CLUSTER", "d").env("RUMORMILL__LISTEN", "mem://a,mem://b");
    let output = command.output().expect("the program runs");
    let printed = String::from_utf8(output.stdout).expect("text");
    for line in [
        "node.cluster = \"d\"  # RUMORMILL__NODE__CLUSTER",
        "listen = [\"mem://a\", \"mem://b\"]  # RUMORMILL__LISTEN",
        &format!("admission = \"open\"  # {file}:2"),
        "gossip.packet = 1200  # default",
        "# transports.tcp.nodelay = \"true\"",
    ] {
        assert!(printed.lines().any(|it| it == line), "{line} is not in {printed}");
    }
}

#[test]
fn what_is_printed_is_a_configuration() {
    let folder = Folder::new();
    let text = "node.cluster = 'c'\nadmission = 'open'\nnode.preset = 'local'\n\
                [transports.tcp]\nkeepalive = '10s'\nnodelay = false\n";
    let file = folder.write("node.toml", text);
    let settings = |file: &str| {
        let print = run(&["config", "print", file, "--json", "--set", "gossip.packet=1400"]);
        assert_eq!((print.code, &*print.messages), (Some(0), ""));
        serde_json::from_str::<Value>(&print.lines.concat()).expect("JSON")
    };
    let print = run(&["config", "print", &file, "--set", "gossip.packet=1400"]);
    let again = folder.write("again.toml", print.lines.join("\n"));
    let (first, second) = (settings(&file), settings(&again));
    let values = |settings: &Value| {
        let all = settings.as_array().expect("an array").iter();
        all.map(|it| (it["key"].to_string(), it["value"].to_string())).collect::<Vec<_>>()
    };
    assert_eq!(values(&first), values(&second));
    let find = |key: &str| {
        let all = first.as_array().and_then(|all| all.iter().find(|it| it["key"] == key));
        all.unwrap_or_else(|| panic!("{key} is not printed")).clone()
    };
    assert_eq!(
        find("gossip.packet"),
        json!({"key": "gossip.packet", "value": 1400, "origin": "--set"})
    );
    assert_eq!(find("reach.loopback")["origin"], "preset local");
    assert_eq!(find("gossip.suspicion_mult")["value"], json!(3.0));
    assert_eq!(find("transports.tcp.nodelay")["origin"], format!("{file}:6"));
}

#[test]
fn a_configuration_to_begin_with_is_valid_and_like_no_other() {
    let folder = Folder::new();
    let begin = |args: &[&str]| {
        let default = run(&[&["config", "default"], args].concat());
        assert_eq!((default.code, &*default.messages), (Some(0), ""));
        default.lines.join("\n")
    };
    for preset in ["lan", "wan", "satellite", "local"] {
        let file = folder.write("node.toml", begin(&["--preset", preset]));
        let check = run(&["config", "check", &file]);
        assert_eq!((check.code, &*check.messages), (Some(0), "the configuration is valid\n"));
    }
    assert_ne!(begin(&[]), begin(&[]), "two clusters have one name");
    assert_eq!(begin(&["--cluster", "c"]), begin(&["--cluster", "c"]));
}

#[test]
fn what_a_running_node_takes_over_is_told_beforehand() {
    let folder = Folder::new();
    let base = "node.cluster = 'c'\nadmission = 'open'\n";
    let old = folder.write("old.toml", base);
    let check = |more: &str, code, lines: &[&str], messages: &str| {
        let new = folder.write("new.toml", format!("{base}{more}"));
        let finished = run(&["config", "check", &new, "--against", &old]);
        assert_eq!((finished.code, &*finished.messages), (Some(code), messages));
        assert_eq!(finished.lines, lines);
    };
    check("# other words", 0, &[], "nothing is different\n");
    check("node.name = 'a'", 0, &["live    node.name: \"\" -> \"a\""], "");
    check(
        "node.name = 'a'\ngossip.packet = 1000\ntransports.tcp.nodelay = true",
        1,
        &[
            "live    node.name: \"\" -> \"a\"",
            "restart gossip.packet: 1200 -> 1000",
            "restart transports.tcp.nodelay: none -> \"true\"",
        ],
        "a reload would be refused: nothing was changed: gossip.packet, transports.tcp.nodelay can \
         change only with a restart\n",
    );
    let told = format!("error: {}:3: log.level is \"x\"; write one of ", folder.path("new.toml"));
    folder.write("new.toml", format!("{base}log.level = 'x'"));
    let finished = run(&["config", "check", &folder.path("new.toml"), "--against", &old]);
    assert_eq!(finished.code, Some(1));
    assert!(finished.messages.starts_with(&told), "{finished:?}");
}

#[test]
fn the_reference_is_the_page_in_docs() {
    let reference = run(&["config", "reference"]);
    assert_eq!(reference.code, Some(0));
    assert!(reference.lines.iter().eq(include_str!("../../../docs/configuration.md").lines()));
}
