//! The wire is what docs/wire.md says it is, and no bytes of a stranger do harm.

use std::{fs, path::Path};

use bytes::Bytes;
use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};
use rumormill_broker::{
    Routing, Side, proof,
    wire::{
        Answer, Block, Deliver, EndReason, GapReason, Hello, MAGIC, Malformed, NONCE, Publish,
        RefusedWhy, Request, Resume, Subscribe, Subscribed, Verdict, Welcome,
    },
};
use rumormill_identity::{Purpose, SIGNATURE, SecretKey};

/// A frame of either side.
#[derive(Debug, PartialEq)]
enum Frame<'a> {
    Request(Request<'a>),
    Answer(Answer<'a>),
}

impl<'a> Frame<'a> {
    fn encode(&self) -> Bytes {
        match self {
            Self::Request(request) => request.encode(),
            Self::Answer(answer) => answer.encode(),
        }
    }

    /// As the side reads it that gets such a frame.
    fn decode_as(&self, bytes: &'a Bytes) -> Result<Self, Malformed> {
        match self {
            Self::Request(_) => Request::decode(bytes).map(Self::Request),
            Self::Answer(_) => Answer::decode(bytes).map(Self::Answer),
        }
    }
}

/// The frames of the document, by the names that they have there.
fn frames() -> Vec<(&'static str, Frame<'static>)> {
    let requests = requests().into_iter().map(|(name, request)| (name, Frame::Request(request)));
    requests.chain(answers().into_iter().map(|(name, it)| (name, Frame::Answer(it)))).collect()
}

fn requests() -> Vec<(&'static str, Request<'static>)> {
    let (client, nonce, topic) = (client().node(), [3; NONCE], "t");
    let resume = Some(Resume { epoch: 5, after: 6 });
    let runs = vec![(7, 2), (10, 1)];
    let (window, block) = (1 << 20, block());
    vec![
        ("Hello", Request::Hello(Hello { nonce, node: None })),
        ("Hello of a node", Request::Hello(Hello { nonce, node: Some(client) })),
        ("Prove", Request::Prove { signature: signature(Side::Client) }),
        ("Publish", Request::Publish(Publish { topic, receipt: None, block: block.clone() })),
        ("Publish for a receipt", Request::Publish(Publish { topic, receipt: Some(8), block })),
        ("Subscribe", Request::Subscribe(Subscribe { topic, window, resume: None })),
        ("Subscribe again", Request::Subscribe(Subscribe { topic, window, resume })),
        ("Unsubscribe", Request::Unsubscribe { topic }),
        ("Seen", Request::Seen { topic, through: 9 }),
        ("Settle", Request::Settle { topic, verdict: Verdict::Done, runs: runs.clone() }),
        ("Settle back", Request::Settle { topic, verdict: Verdict::GiveBack, runs }),
        ("Ping", Request::Ping { token: 11 }),
    ]
}

fn answers() -> Vec<(&'static str, Answer<'static>)> {
    let (broker, topic, block) = (broker().node(), "t", block());
    let welcome = Welcome {
        nonce: [4; NONCE],
        max_frame: 10 << 20,
        publish_window: 1 << 20,
        idle_ms: 30_000,
        broker: None,
    };
    let proven = Welcome { broker: Some((broker, signature(Side::Broker))), ..welcome.clone() };
    let subscribed =
        Subscribed { topic, epoch: 5, next: 6, routing: Routing::Fanout, max_message: 1024 };
    let queue = Subscribed { routing: Routing::Queue, ..subscribed.clone() };
    let refused = |why, topic, receipt, messages, text: &str| {
        let text = text.into();
        Answer::Refused { why, topic, receipt, messages, text }
    };
    vec![
        ("Welcome", Answer::Welcome(welcome)),
        ("Welcome of a node", Answer::Welcome(proven)),
        (
            "Deliver",
            Answer::Deliver(Deliver { topic, first: 7, redelivered: 0, block: block.clone() }),
        ),
        ("Deliver again", Answer::Deliver(Deliver { topic, first: 7, redelivered: 2, block })),
        ("Receipt", Answer::Receipt { receipt: 8, first: 7, count: 3, subscribers: 2 }),
        ("Refused", refused(RefusedWhy::UnknownTopic, "t", Some(8), 3, "no topic 't'")),
        ("Refused conn", refused(RefusedWhy::TooManyConns, "", None, 0, "")),
        ("Gap", Answer::Gap { topic, from: 7, to: 9, reason: GapReason::Away }),
        ("Subscribed", Answer::Subscribed(subscribed)),
        ("Subscribed to a queue", Answer::Subscribed(queue)),
        ("Ended", Answer::Ended { topic, reason: EndReason::Stopping }),
        ("Credit", Answer::Credit { topic, through: 1 << 21 }),
        ("Pong", Answer::Pong { token: 11 }),
    ]
}

fn client() -> SecretKey {
    SecretKey::from_bytes(&[1; 32])
}

fn broker() -> SecretKey {
    SecretKey::from_bytes(&[2; 32])
}

fn signature(side: Side) -> [u8; SIGNATURE] {
    let (client, broker) = (client(), broker());
    let nodes = (Some(client.node()), Some(broker.node()));
    let digest = proof(side, nodes.0, &[3; NONCE], nodes.1, &[4; NONCE]);
    let key = if side == Side::Client { client } else { broker };
    key.sign(Purpose::Broker, &digest)
}

/// Messages `a`, nothing, and `rumor`.
fn block() -> Block {
    let bytes = b"\0\0\0\x01a\0\0\0\0\0\0\0\x05rumor";
    Block::parse(Bytes::from_static(bytes)).expect("three messages")
}

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/wire.md");
    fs::read_to_string(path).expect("the document is there")
}

/// The lines of the vectors of the section about brokers.
fn vectors() -> Vec<(String, String)> {
    let document = document();
    let section = document.split("\n## Broker\n").nth(1).expect("there is such a section");
    let text = section.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    let lines = text.expect("it has vectors").lines().map(|line| line.split_once(": "));
    let parts = lines.map(|parts| parts.expect("a name and bytes"));
    parts.map(|(name, hex)| (name.to_owned(), hex.to_owned())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn frames_are_those_of_the_document() {
    let ours = frames().into_iter().map(|(name, frame)| (name.to_owned(), hex(&frame.encode())));
    let ours: Vec<(String, String)> = ours.collect();
    let show = |vectors: &[(String, String)]| -> String {
        vectors.iter().map(|(name, hex)| format!("{name}: {hex}\n")).collect()
    };
    let theirs = vectors();
    assert!(ours == theirs, "ours:\n{}\ndocs/wire.md:\n{}", show(&ours), show(&theirs));
    for (name, frame) in frames() {
        assert_eq!(frame.decode_as(&frame.encode()).as_ref(), Ok(&frame), "{name}");
    }
}

#[test]
fn the_document_knows_every_reason() {
    let document = document();
    let row = |kind: &str| {
        let section = document.split("\n## Broker\n").nth(1).expect("there is such a section");
        let row = section.lines().find(|row| row.starts_with(&format!("| {kind} | 1 ")));
        row.expect("there is such a row").to_owned()
    };
    let check = |kind: &str, codes: &[u8]| {
        let row = row(kind);
        for code in codes {
            assert!(row.contains(&format!(" {code} ")), "{kind} {code}: {row}");
        }
    };
    check("Refused", &RefusedWhy::ALL.iter().map(|why| why.code()).collect::<Vec<_>>());
    check("Gap", &GapReason::ALL.iter().map(|why| why.code()).collect::<Vec<_>>());
    check("Ended", &EndReason::ALL.iter().map(|why| why.code()).collect::<Vec<_>>());
}

#[test]
fn the_magic_is_that_of_the_document() {
    let hello = Request::Hello(Hello { nonce: [3; NONCE], node: None }).encode();
    assert_eq!(hello.get(1..5), Some(&MAGIC[..]));
    assert!(document().contains("| Hello | `01` | `rmb1`, "));
}

/// What is cut is malformed, unless the cut is between the messages of a block or the runs of a Settle.
#[test]
fn a_frame_that_is_cut_is_malformed() {
    for (name, frame) in frames() {
        let whole = frame.encode();
        for end in 0..whole.len() {
            let cut = whole.slice(..end);
            if let Ok(less) = frame.decode_as(&cut) {
                let may_be_shorter = ["Publish", "Deliver", "Settle"];
                assert!(may_be_shorter.iter().any(|kind| name.starts_with(kind)), "{name} {end}");
                assert_eq!(less.encode(), cut, "{name} {end}");
            }
        }
        let longer: Bytes = [&*whole, &[0]].concat().into();
        assert!(frame.decode_as(&longer).is_err(), "{name}");
    }
}

/// Whatever arrives is refused, or is the very frame that its bytes say.
#[test]
fn random_bytes_do_no_harm() {
    let mut rng = StdRng::seed_from_u64(5);
    let frames = frames();
    for round in 0..200_000 {
        let bytes: Bytes = match round % 2 {
            0 => {
                let mut bytes = vec![0; rng.random_range(0..80)];
                rng.fill_bytes(&mut bytes);
                if let Some(kind) = bytes.first_mut() {
                    *kind &= 0x8f;
                }
                bytes.into()
            }
            _ => {
                let (_, frame) = &frames[rng.random_range(0..frames.len())];
                let mut bytes = frame.encode().to_vec();
                for _ in 0..rng.random_range(1..4) {
                    let at = rng.random_range(0..bytes.len());
                    bytes[at] = rng.random();
                }
                bytes.into()
            }
        };
        if let Ok(request) = Request::decode(&bytes) {
            assert_eq!(request.encode(), bytes);
        }
        if let Ok(answer) = Answer::decode(&bytes) {
            // A receipt that its flag denies is not kept, and a text longer than ours is cut.
            let again = answer.encode();
            assert_eq!(Answer::decode(&again).as_ref(), Ok(&answer));
        }
    }
}

#[test]
fn a_settle_has_a_bounded_number_of_runs() {
    let runs = vec![(1, 1); Request::MOST_RUNS];
    let most = Request::Settle { topic: "t", verdict: Verdict::Done, runs };
    let whole = most.encode();
    assert_eq!(Request::decode(&whole).as_ref(), Ok(&most));
    let longer: Bytes = [&*whole, &[0; 12]].concat().into();
    assert_eq!(Request::decode(&longer), Err(Malformed::Long));
}
