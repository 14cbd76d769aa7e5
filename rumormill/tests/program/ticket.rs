//! `rumormill ticket`: issued, shown, revoked, and believed by a configuration.

use std::fs;

use rumormill::{
    endpoint::{MAX_REVOKED, Revocations, Ticket, seal::Cluster},
    identity::{PublicKey, SecretKey},
};
use serde_json::{Value, json};

use crate::{
    keys::Key,
    running::{Finished, run},
};

/// An issuer, a node, and the files between them.
struct Office {
    issuer: Key,
    node: Key,
    ticket: String,
    list: String,
}

impl Office {
    fn new() -> Self {
        let (issuer, node) = (Key::generate(), Key::generate());
        let (ticket, list) = (node.beside("node.ticket"), node.beside("revoked"));
        Self { issuer, node, ticket, list }
    }

    fn issue(&self, more: &[&str]) -> Finished {
        let args = ["ticket", "issue", "--cluster", "c", "--key", &self.issuer.file];
        run(&[&args[..], &["--node", &self.node.node], more].concat())
    }

    /// A ticket in its file, and its serial.
    fn issued(&self) -> String {
        let issued = self.issue(&["--name", "alice", "--out", &self.ticket]);
        assert_eq!((issued.code, issued.lines.len()), (Some(0), 1), "{issued:?}");
        issued.lines.concat()
    }

    fn revoke(&self, key: &Key, serials: &[&str]) -> Finished {
        let args = ["ticket", "revoke", "--cluster", "c", "--key", &key.file, "--list", &self.list];
        run(&[&args[..], serials].concat())
    }

    fn show(&self, file: &str, more: &[&str]) -> (Option<i32>, Value) {
        let shown = run(&[&["ticket", "show", file, "--json"], more].concat());
        (shown.code, serde_json::from_str(&shown.lines.concat()).unwrap_or_default())
    }

    fn check(&self) -> Finished {
        let config = format!(
            "node.cluster = 'c'\nnode.identity = '{}'\nnode.ticket = '{}'\n\
             [admission]\nissuers = ['{}']\nrevocations = ['{}']\n",
            self.node.file, self.ticket, self.issuer.node, self.list
        );
        let file = self.node.beside("node.toml");
        fs::write(&file, config).expect("a file");
        run(&["config", "check", &file])
    }
}

fn check_refused(finished: &Finished, code: i32, expected: &str) {
    assert_eq!((finished.code, finished.lines.len()), (Some(code), 0), "{finished:?}");
    assert!(finished.messages.contains(expected), "{finished:?}");
}

#[test]
fn a_ticket_admits_its_node_until_it_is_revoked() {
    let office = Office::new();
    let serial = office.issued();
    let made = office.revoke(&office.issuer, &["1", "2"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let valid = office.check();
    assert_eq!(valid.code, Some(0), "{valid:?}");
    let revoked = office.revoke(&office.issuer, &[&serial, "1"]);
    assert!(revoked.messages.ends_with(" is version 2 and holds 3 of 1024 tickets\n"));
    check_refused(&office.check(), 1, "members will refuse this node: its ticket was revoked");
    let again = office.revoke(&office.issuer, &[&serial]);
    assert!(again.messages.ends_with(" holds them already, and is as before\n"), "{again:?}");
}

#[test]
fn what_a_ticket_says_is_shown_and_whether_it_holds() {
    let office = Office::new();
    let serial = office.issued();
    let (code, shown) = office.show(&office.ticket, &[]);
    assert_eq!(code, Some(0), "{shown}");
    for (name, expected) in [
        ("kind", json!("ticket")),
        ("node", json!(office.node.node)),
        ("name", json!("alice")),
        ("issuer", json!(office.issuer.node)),
        ("serial", json!(serial.parse::<u64>().unwrap())),
        ("verified", Value::Null),
    ] {
        assert_eq!(shown[name], expected, "{name}");
    }
    let verified = |cluster: &str, issuers: &[&str]| {
        let issuers: Vec<_> = issuers.iter().flat_map(|it| ["--issuer", it]).collect();
        let (code, shown) =
            office.show(&office.ticket, &[&["--cluster", cluster], &issuers[..]].concat());
        (code, shown["verified"].clone())
    };
    assert_eq!(verified("c", &[&office.issuer.node]), (Some(0), json!(true)));
    let two = [&*office.node.node, &*office.issuer.node];
    assert_eq!(verified("c", &two), (Some(0), json!(true)));
    assert_eq!(verified("d", &[&office.issuer.node]), (Some(1), json!(false)));
    assert_eq!(verified("c", &[&office.node.node]), (Some(1), json!(false)));
    let text = run(&["ticket", "show", &office.ticket]);
    assert!(
        text.lines
            .iter()
            .any(|line| line.ends_with("Z (in 364 days)") || line.ends_with("Z (in 365 days)")),
        "{text:?}"
    );
}

#[test]
fn a_ticket_that_has_expired_is_told() {
    let office = Office::new();
    let issuer = SecretKey::load(&office.issuer.file).unwrap();
    let node = SecretKey::load(&office.node.file).unwrap().node();
    let ticket = Ticket { node, name: "\u{1b}[2J".into(), not_after: 1, serial: 1 };
    fs::write(&office.ticket, ticket.sign(&Cluster::named("c"), &issuer)).unwrap();
    let shown = run(&["ticket", "show", &office.ticket]);
    assert_eq!(shown.code, Some(1), "{shown:?}");
    let expected = "expires   1970-01-01T00:00:01Z (it has expired)";
    assert!(shown.lines.iter().any(|line| line == expected), "{shown:?}");
    assert!(shown.lines.iter().any(|line| line == "name      \"\\u{1b}[2J\""), "{shown:?}");
}

#[test]
fn without_a_file_a_ticket_goes_to_standard_output() {
    let office = Office::new();
    let args = ["ticket", "issue", "--cluster", "c", "--key", &office.issuer.file];
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rumormill"));
    command.args(args).args(["--node", &office.node.node, "--days", "1"]);
    let output = command.output().expect("the program runs");
    let (ticket, issuer) = Ticket::unverified(&output.stdout).unwrap();
    assert_eq!(ticket.node.to_string(), office.node.node);
    assert_eq!(issuer.to_string(), office.issuer.node);
}

#[test]
fn a_list_is_of_one_issuer_and_bounded() {
    let office = Office::new();
    assert_eq!(office.revoke(&office.issuer, &["5"]).code, Some(0));
    let before = fs::read(&office.list).unwrap();
    check_refused(&office.revoke(&office.node, &["6"]), 1, "is not signed by this key for cluster");
    let serials: Vec<_> = (10..10 + MAX_REVOKED as u64).map(|it| it.to_string()).collect();
    let serials: Vec<_> = serials.iter().map(String::as_str).collect();
    check_refused(&office.revoke(&office.issuer, &serials), 1, "and 1024 are the limit");
    assert_eq!(fs::read(&office.list).unwrap(), before);
    assert_eq!(office.revoke(&office.issuer, &serials[1..]).code, Some(0));
    let issuer = PublicKey::of(SecretKey::load(&office.issuer.file).unwrap().node()).unwrap();
    let signed = fs::read(&office.list).unwrap();
    let list = Revocations::open(&Cluster::named("c"), &signed, &[issuer]).unwrap();
    assert_eq!((list.version, list.serials.len()), (2, MAX_REVOKED));
    let (code, shown) = office.show(&office.list, &[]);
    assert_eq!(
        (code, &shown["kind"], &shown["version"]),
        (Some(0), &json!("revocations"), &json!(2))
    );
}

#[test]
fn what_is_no_ticket_is_refused_and_stays() {
    let office = Office::new();
    fs::write(&office.list, "no list").unwrap();
    check_refused(&office.revoke(&office.issuer, &["1"]), 1, "holds no list of revocations");
    assert_eq!(fs::read(&office.list).unwrap(), b"no list");
    check_refused(&run(&["ticket", "show", &office.list]), 1, "holds neither a ticket nor a list");
    check_refused(&run(&["ticket", "show", "/dev/zero"]), 1, "holds neither a ticket nor a list");
    check_refused(&run(&["ticket", "show", &office.ticket]), 1, "reading ");
    let nowhere = office.node.beside("no/ticket");
    check_refused(&office.issue(&["--out", &nowhere]), 1, "writing ");
    check_refused(&office.issue(&["--days", "0"]), 2, "--days");
    check_refused(&office.issue(&["--name", &"x".repeat(65)]), 2, "write text of up to 64 bytes");
    check_refused(&run(&["ticket", "show", "x", "--cluster", "c"]), 2, "--issuer");
}

#[test]
fn shells_are_told_of_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&["completions", shell]);
        assert_eq!((script.code, &*script.messages), (Some(0), ""), "{shell}");
        for command in ["bench", "completions", "keygen", "ticket", "transports"] {
            assert!(script.lines.iter().any(|line| line.contains(command)), "{shell}: {command}");
        }
    }
    check_refused(&run(&["completions", "cmd"]), 2, "possible values: bash, elvish, fish");
}
