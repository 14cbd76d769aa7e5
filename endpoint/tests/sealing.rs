//! Frames between two nodes, and everything that a frame must not be taken for.

use bytes::Bytes;
use rumormill_endpoint::{
    frame::{Class, Frame, Kind, Lane, MAX_PAYLOADS, Malformed, Payload},
    seal::{Cluster, Opener, Party, Refused, Require, Sealer},
};
use rumormill_identity::{PublicKey, SecretKey};

fn key(seed: u8) -> SecretKey {
    SecretKey::from_bytes(&[seed; 32])
}

fn party(seed: u8, session: u64) -> Party {
    Party { node: key(seed).node(), session }
}

/// Two nodes of one cluster, each in a session: what the first seals, the second opens.
struct Pair {
    cluster: Cluster,
    from: Party,
    to: Party,
}

impl Pair {
    fn new() -> Self {
        Self { cluster: Cluster::named("test"), from: party(1, 11), to: party(2, 22) }
    }

    fn sealer(&self) -> Sealer {
        Sealer::new(&self.cluster, self.from, self.to)
    }

    fn opener(&self) -> Opener {
        let peer = PublicKey::of(self.from.node).expect("a key");
        Opener::new(&self.cluster, self.from, peer, self.to)
    }
}

fn gossip(text: &'static str) -> Payload {
    Payload::message(Class::Gossip, text)
}

fn seal(sealer: &Sealer, payloads: &[Payload]) -> Bytes {
    let lane = payloads[0].class.lane();
    sealer.seal(lane, payloads.iter(), Some(&key(1)))
}

fn open(opener: &Opener, frame: impl Into<Bytes>) -> Result<Vec<Payload>, Refused> {
    opener.open(&Frame::parse(frame.into())?, Require::Signature)
}

#[test]
fn what_is_sealed_is_opened() {
    let pair = Pair::new();
    let (sealer, opener) = (pair.sealer(), pair.opener());
    let urgent = [
        gossip("rumor"),
        Payload { class: Class::Control, kind: Kind::Request(7), bytes: Bytes::new() },
        Payload { class: Class::Control, kind: Kind::Reply(u64::MAX), bytes: "yes".into() },
    ];
    let bulk = [Payload::message(Class::Bulk, vec![9; 100_000])];
    for payloads in [&urgent[..], &bulk] {
        let frame = seal(&sealer, payloads);
        assert_eq!(open(&opener, frame).unwrap(), payloads);
    }
}

#[test]
fn every_bit_counts() {
    let pair = Pair::new();
    let frame = seal(&pair.sealer(), &[gossip("rumor")]);
    for bit in 0..8 * frame.len() {
        let mut bent = frame.to_vec();
        bent[bit / 8] ^= 1 << (bit % 8);
        let opener = pair.opener();
        assert!(open(&opener, bent).is_err(), "bit {bit}");
        assert!(open(&opener, frame.clone()).is_ok(), "the window stayed where it was");
    }
}

#[test]
fn a_piece_of_a_frame_is_none() {
    let pair = Pair::new();
    let frame = seal(&pair.sealer(), &[gossip("rumor"), gossip("")]);
    let opener = pair.opener();
    for len in 0..frame.len() {
        assert!(open(&opener, frame.slice(..len)).is_err(), "{len} bytes");
    }
    let mut longer = frame.to_vec();
    longer.push(0);
    assert!(open(&opener, longer).is_err());
    assert!(open(&opener, frame).is_ok());
}

#[test]
fn a_frame_is_opened_once_in_any_order_within_the_window() {
    let pair = Pair::new();
    let (sealer, opener) = (pair.sealer(), pair.opener());
    let frames: Vec<Bytes> = (0..1100).map(|_| seal(&sealer, &[gossip("x")])).collect();
    for at in [100, 99, 0, 50] {
        assert!(open(&opener, frames[at].clone()).is_ok());
        assert_eq!(open(&opener, frames[at].clone()), Err(Refused::Replayed));
    }
    assert!(open(&opener, frames[1099].clone()).is_ok());
    assert_eq!(open(&opener, frames[75].clone()), Err(Refused::Old));
    assert!(open(&opener, frames[76].clone()).is_ok());
}

#[test]
fn lanes_have_counters_of_their_own() {
    let pair = Pair::new();
    let (sealer, opener) = (pair.sealer(), pair.opener());
    let bulk = Payload::message(Class::Bulk, "x");
    let first = seal(&sealer, &[gossip("x")]);
    for _ in 0..2000 {
        seal(&sealer, std::slice::from_ref(&bulk));
    }
    let late = seal(&sealer, &[bulk]);
    assert!(open(&opener, late.clone()).is_ok());
    assert!(open(&opener, first.clone()).is_ok());
    let mut moved = first.to_vec();
    moved[2] = 1;
    assert_eq!(open(&opener, moved), Err(Refused::Old));
}

#[test]
fn a_frame_means_nothing_anywhere_else() {
    let pair = Pair::new();
    let frame = seal(&pair.sealer(), &[gossip("rumor")]);
    let elsewhere = |change: fn(&mut Pair)| {
        let mut pair = Pair::new();
        change(&mut pair);
        open(&pair.opener(), frame.clone())
    };
    for (what, refused, expected) in [
        ("another cluster", elsewhere(|p| p.cluster = Cluster::named("t")), Refused::Elsewhere),
        ("another node", elsewhere(|p| p.to = party(3, 22)), Refused::Elsewhere),
        ("the receiver started again", elsewhere(|p| p.to.session = 23), Refused::Elsewhere),
        ("another sender", elsewhere(|p| p.from = party(3, 11)), Refused::Elsewhere),
        ("the sender started again", elsewhere(|p| p.from.session = 12), Refused::Forged),
        ("back to its sender", elsewhere(|p| (p.from, p.to) = (p.to, p.from)), Refused::Elsewhere),
    ] {
        assert_eq!(refused, Err(expected), "{what}");
    }
}

#[test]
fn only_the_sender_can_sign() {
    let pair = Pair::new();
    let frame = pair.sealer().seal(Lane::Urgent, [gossip("x")].iter(), Some(&key(3)));
    assert_eq!(open(&pair.opener(), frame), Err(Refused::Forged));
}

#[test]
fn unsigned_frames_need_a_carrier_that_proves() {
    let pair = Pair::new();
    let (sealer, opener) = (pair.sealer(), pair.opener());
    let frame = sealer.seal(Lane::Urgent, [gossip("x")].iter(), None);
    assert_eq!(open(&opener, frame.clone()), Err(Refused::Unsigned));
    let frame = Frame::parse(frame).unwrap();
    assert_eq!(opener.open(&frame, Require::Nothing).unwrap(), [gossip("x")]);
    assert_eq!(opener.open(&frame, Require::Nothing), Err(Refused::Replayed));
}

#[test]
fn counters_at_their_ends() {
    let pair = Pair::new();
    let whole = seal(&pair.sealer(), &[gossip("x")]);
    for (counter, expected) in [(0, Refused::Old), (u64::MAX, Refused::Forged)] {
        let mut bent = whole.to_vec();
        bent[43..51].copy_from_slice(&u64::to_be_bytes(counter));
        assert_eq!(open(&pair.opener(), bent), Err(expected), "{counter}");
    }
}

#[test]
fn a_frame_has_payloads_of_its_lane_and_not_too_many() {
    let pair = Pair::new();
    let (sealer, opener) = (pair.sealer(), pair.opener());
    let sealed = |lane, payloads: &[Payload]| sealer.seal(lane, payloads.iter(), Some(&key(1)));
    let none = sealed(Lane::Urgent, &[]);
    assert_eq!(open(&opener, none), Err(Refused::Malformed(Malformed::Short)));
    let mixed = sealed(Lane::Bulk, &[gossip("x")]);
    assert_eq!(open(&opener, mixed), Err(Refused::Malformed(Malformed::Unknown)));
    let most = sealed(Lane::Urgent, &vec![gossip(""); MAX_PAYLOADS]);
    assert_eq!(open(&opener, most).unwrap().len(), MAX_PAYLOADS);
    let crowded = sealed(Lane::Urgent, &vec![gossip(""); MAX_PAYLOADS + 1]);
    assert_eq!(open(&opener, crowded), Err(Refused::Malformed(Malformed::Crowded)));
}

#[test]
fn noise_is_an_error() {
    let opener = Pair::new().opener();
    let mut state = 1_u64;
    for len in (0..400).cycle().take(20_000) {
        let noise: Vec<u8> = (0..len)
            .map(|at| {
                // xorshift64 (Marsaglia 2003); the first bytes are right half of the time.
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                if at < 3 && state & 1 == 0 { [1, 16, 0][at] } else { state as u8 }
            })
            .collect();
        assert!(open(&opener, noise).is_err());
    }
}
