//! The test vectors of docs/wire.md are what this code makes.

use std::{collections::BTreeSet, fmt::Write as _};

use bytes::Bytes;
use rumormill_endpoint::{
    Class, Revocations, Ticket,
    frame::{Frame, Kind, Lane, Payload},
    hello::{Answer, Challenge, Claim, Greeting, Hello, Stale},
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

fn vectors() -> Vec<(&'static str, Bytes)> {
    let (cluster, one, two) = (Cluster::named("test"), party(1, 11), party(2, 22));
    let sealer = Sealer::new(&cluster, one, two);
    let payloads = [
        Payload { class: Class::Control, kind: Kind::Request(7), bytes: Bytes::new() },
        Payload::message(Class::Gossip, "rumor"),
    ];
    let sealed = sealer.seal(Lane::Urgent, payloads.iter(), Some(&key(1)));
    let bulk = [Payload::message(Class::Bulk, "rumor")];
    let plain = sealer.seal(Lane::Bulk, bulk.iter(), None);
    let (nonce, cookie, challenge) = ([3; 16], [4; 16], [5; 16]);
    let claim =
        |party| Claim { cluster: cluster.mark(), party, max_frame: 65_507, ticket: Bytes::new() };
    let hello = Hello { claim: claim(one), nonce, cookie: Some(cookie) };
    let answer = Answer { claim: claim(two), nonce, challenge };
    let stale = Frame::parse(sealed.clone()).ok().and_then(|frame| Stale::to(&frame));
    let ticket = Ticket { node: one.node, name: "one".into(), not_after: 2_000_000_000, serial: 5 };
    let serials = BTreeSet::from([5, 6]);
    let revocations = Revocations { issuer: key(9).node(), version: 1, serials };
    let greeting = |greeting: Greeting| greeting.encode(0);
    vec![
        ("node 1", Bytes::copy_from_slice(&one.node.0)),
        ("node 2", Bytes::copy_from_slice(&two.node.0)),
        ("mark", Bytes::copy_from_slice(&cluster.mark())),
        ("tag of node 2", Bytes::copy_from_slice(&cluster.tag(two))),
        ("Hello", greeting(Greeting::Hello(hello))),
        ("Challenge", greeting(Greeting::Challenge(Challenge { nonce, cookie }))),
        ("Answer", greeting(Greeting::Answer(answer))),
        ("Stale", greeting(Greeting::Stale(stale.expect("it is long enough")))),
        ("sealed frame", sealed),
        ("plain frame", plain),
        ("ticket", ticket.sign(&cluster, &key(9))),
        ("revocations", revocations.sign(&cluster, &key(9))),
    ]
}

#[test]
fn the_page_has_the_vectors_that_this_code_makes() {
    let page = include_str!("../../docs/wire.md");
    let rows: String =
        vectors().iter().map(|(name, bytes)| format!("{name}: {}\n", hex(bytes))).collect();
    let missing = rows.lines().filter(|row| !page.contains(*row)).count();
    assert_eq!(missing, 0, "docs/wire.md should say:\n{rows}");
}
