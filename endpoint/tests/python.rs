//! Frames that are sealed here and opened by another implementation, in Python.

use std::{
    fmt::Write as _,
    io::{ErrorKind, Write as _},
    process::{Command, Stdio},
};

use bytes::Bytes;
use rumormill_endpoint::{
    Class,
    echo::Echo,
    frame::{Kind, Lane, Payload},
    seal::{Cluster, Party, Sealer},
};
use rumormill_identity::SecretKey;

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

fn party(seed: u8, session: u64) -> Party {
    Party { node: key(seed).node(), session }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("strings take everything");
        text
    })
}

fn line(cluster: &str, session: u64, to: Party, frame: &[u8]) -> String {
    format!("{cluster} {session} {} {} {}\n", hex(&to.node.0), to.session, hex(frame))
}

/// What the other implementation says to these lines; `None` where there is no Python.
fn opened(lines: &str) -> Option<Vec<String>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/open.py");
    let mut command = Command::new("python3");
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = match command.spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: there is no python3");
            return None;
        }
        python => python.expect("python3 starts"),
    };
    let (mut input, lines) = (python.stdin.take().expect("it is piped"), lines.to_owned());
    // Neither side may wait for the other to read.
    let writing = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = python.wait_with_output().expect("it ends");
    writing.join().expect("no panic").expect("it reads everything");
    assert!(output.status.success(), "{:?}", output.status);
    Some(String::from_utf8(output.stdout).expect("text").lines().map(String::from).collect())
}

#[test]
fn another_implementation_opens_what_is_sealed_here() {
    let (from, to, cluster) = (party(1, 11), party(2, 22), Cluster::named("test"));
    let sealer = Sealer::new(&cluster, from, to);
    let urgent = vec![
        Payload::message(Class::Gossip, "rumor"),
        Payload { class: Class::Control, kind: Kind::Request(7), bytes: Bytes::new() },
        Payload { class: Class::Control, kind: Kind::Reply(u64::MAX), bytes: "yes".into() },
    ];
    let (mut lines, mut expected) = (String::new(), Vec::new());
    let mut add = |lane: Lane, payloads: &[Payload]| {
        let frame = sealer.seal(lane, payloads.iter(), Some(&key(1)));
        lines += &line("test", 11, to, &frame);
        let payloads = payloads.iter().map(|Payload { class, kind, bytes }| {
            let kind = match kind {
                Kind::Message => "message".into(),
                Kind::Request(number) => format!("request{number}"),
                Kind::Reply(number) => format!("reply{number}"),
                Kind::Confirm => "confirm".into(),
                Kind::Echo => "echo".into(),
                Kind::Probe => "probe".into(),
            };
            format!(" {kind}:{}:{}", *class as u8, hex(bytes))
        });
        expected.push(format!("opened{}", payloads.collect::<String>()));
    };
    add(Lane::Urgent, &urgent);
    add(Lane::Heavy, &urgent);
    let echo = Echo { lane: Lane::Bulk, highest: 5, seen: 3 }.encode();
    let aside = [(Kind::Echo, echo), (Kind::Probe, Bytes::new())];
    add(Lane::Urgent, &aside.map(|(kind, bytes)| Payload { class: Class::Control, kind, bytes }));
    // Lengths at which the tree of BLAKE3 changes its shape.
    for len in [0, 1, 800, 960, 970, 1024, 2048, 3000, 5000, 20_000] {
        add(Lane::Bulk, &[Payload::message(Class::Bulk, vec![len as u8; len])]);
    }
    if let Some(opened) = opened(&lines) {
        assert_eq!(opened, expected);
    }
}

#[test]
fn another_implementation_refuses_what_was_changed() {
    let (from, to) = (party(1, 11), party(2, 22));
    let sealer = Sealer::new(&Cluster::named("test"), from, to);
    let payload = Payload::message(Class::Gossip, "rumor");
    let frame = sealer.seal(Lane::Urgent, [payload].iter(), Some(&key(1)));
    let mut lines = String::new();
    for bit in (0..8 * frame.len()).step_by(5) {
        let mut bent = frame.to_vec();
        bent[bit / 8] ^= 1 << (bit % 8);
        lines += &line("test", 11, to, &bent);
    }
    lines += &line("other", 11, to, &frame);
    lines += &line("test", 12, to, &frame);
    lines += &line("test", 11, party(2, 23), &frame);
    lines += &line("test", 11, party(3, 22), &frame);
    for len in [0, 50, frame.len() - 1] {
        lines += &line("test", 11, to, &[&frame[..len], &[][..]].concat()).replace(" \n", " 00\n");
    }
    if let Some(opened) = opened(&lines) {
        assert_eq!(opened.len(), lines.lines().count());
        assert!(opened.iter().all(|answer| answer.starts_with("refused")), "{opened:?}");
    }
}
