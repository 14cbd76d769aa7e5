//! What nodes say to each other about members, as bytes.
//!
//! Whoever carries a message has proven its sender and that it is new; what is signed here besides is
//! what is passed on.

use bytes::{BufMut, Bytes, BytesMut};
use rumormill_transport_api::NodeId;

use crate::{
    accusation::{Accusation, Claim},
    output::Via,
    record::{MAX_METADATA, MAX_RECORD, Record, Version},
    rest::{Malformed, Rest},
    rumor::{ANNOUNCED, Announced, FRAME, Hearsay, MAX_RUMOR, RUMOR},
    rumors::words::{Line, Mark, Want, put_all, read_all},
};

/// A message as it arrived: nothing in its updates is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) body: Body,
    pub(crate) updates: Vec<Update>,
}

/// What a message wants of its receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// An answer with the same number, on the way that it came.
    Ping { number: u32, via: Via },
    /// That the sender of a ping is heard; with a digest of the members that the answerer knows.
    Ack { number: u32, digest: u64 },
    /// A ping to `target`, and its answer passed on.
    PingRequest { number: u32, target: NodeId },
    /// That whoever was asked to ping lives, and has no answer yet.
    Nack { number: u32 },
    /// Nothing but the updates.
    Gossip,
    /// An answer with the version of the sender's record, which is the update.
    Farewell,
    /// That a farewell was heard.
    FarewellHeard { version: Version },
    /// What the receiver knows and the sender does not.
    Ask(Ask),
    /// The updates, and what the receiver is to tell of what it has shown in its question.
    State { want: Vec<u64> },
    /// The metadata of a member that have this hash.
    AskMetadata { about: NodeId, hash: [u8; 16] },
    /// The metadata of a member.
    Metadata { about: NodeId, bytes: Bytes },
    /// What the sender has heard of rumors; an answer with what the receiver knows more.
    Digest(Vec<Line>),
    /// What the sender has heard of rumors, as an answer.
    Heard(Vec<Line>),
    /// These rumors, as far as the receiver has them.
    Fetch(Vec<Want>),
    /// Nothing but the updates, which are rumors. It may be longer than others.
    Rumors,
    /// How far each origin has come.
    AskMarks,
    /// How far each origin has come, and how many more pages of that follow.
    Marks { marks: Vec<Mark>, left: u16 },
}

/// Fingerprints of all that the sender knows of the members in a range of ids, both ends included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) first: NodeId,
    pub(crate) last: NodeId,
    pub(crate) prints: Vec<u64>,
}

/// News of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Update {
    Record(Record),
    Claim(Claim),
    Rumor(Hearsay),
    Announced(Announced),
}

/// Bytes of a message, at most. Only one that answers a question for rumors may have [`MAX_RUMORS`].
pub const MAX_MESSAGE: usize = 64 << 10;
/// Bytes up to which several records or rumors share a message. Sealed, it fits into a datagram: where there
/// is nothing but UDP, what is longer never arrives, however often it is asked for.
pub(crate) const PAGE: usize = 60 << 10;
/// Bytes of a message with rumors, at most: it has room for any one.
pub const MAX_RUMORS: usize = 2 + FRAME + MAX_RUMOR;
/// Fingerprints of one message, at most.
pub(crate) const MAX_PRINTS: usize = 4096;

const FORMAT: u8 = 1;
const RECORD: u8 = 1;
const ACCUSATION: u8 = 2;

/// Writes a message without updates; they are appended.
pub(crate) fn begin(body: &Body) -> BytesMut {
    let mut into = BytesMut::with_capacity(64);
    into.put_u8(FORMAT);
    match body {
        Body::Ping { number, via: Via::Packet } => put(&mut into, 1, *number),
        Body::Ping { number, .. } => put(&mut into, 10, *number),
        Body::Ack { number, digest } => {
            put(&mut into, 2, *number);
            into.put_u64(*digest);
        }
        Body::PingRequest { number, target } => {
            put(&mut into, 3, *number);
            into.put_slice(&target.0);
        }
        Body::Nack { number } => put(&mut into, 4, *number),
        Body::Gossip => into.put_u8(5),
        Body::Farewell => into.put_u8(6),
        Body::FarewellHeard { version } => {
            into.put_u8(7);
            into.put_u64(version.epoch);
            into.put_u32(version.n);
        }
        Body::Ask(Ask { first, last, prints }) => {
            into.put_u8(8);
            into.put_slice(&first.0);
            into.put_slice(&last.0);
            put_prints(&mut into, prints);
        }
        Body::State { want } => {
            into.put_u8(9);
            put_prints(&mut into, want);
        }
        Body::AskMetadata { about, hash } => {
            into.put_u8(11);
            into.put_slice(&about.0);
            into.put_slice(hash);
        }
        Body::Metadata { about, bytes } => {
            into.put_u8(12);
            into.put_slice(&about.0);
            into.put_u16(bytes.len() as u16);
            into.put_slice(bytes);
        }
        _ => put_of_rumors(&mut into, body),
    }
    into
}

/// Kinds of messages about rumors.
const DIGEST: u8 = 13;
const HEARD: u8 = 14;
const FETCH: u8 = 15;
const RUMORS: u8 = 16;
const ASK_MARKS: u8 = 17;
const MARKS: u8 = 18;

fn put_of_rumors(into: &mut BytesMut, body: &Body) {
    match body {
        Body::Digest(lines) => {
            into.put_u8(DIGEST);
            put_all(into, lines);
        }
        Body::Heard(lines) => {
            into.put_u8(HEARD);
            put_all(into, lines);
        }
        Body::Fetch(wants) => {
            into.put_u8(FETCH);
            put_all(into, wants);
        }
        Body::Rumors => into.put_u8(RUMORS),
        Body::AskMarks => into.put_u8(ASK_MARKS),
        Body::Marks { marks, left } => {
            into.put_u8(MARKS);
            into.put_u16(*left);
            put_all(into, marks);
        }
        _ => (),
    }
}

fn put(into: &mut BytesMut, kind: u8, number: u32) {
    into.put_u8(kind);
    into.put_u32(number);
}

fn put_prints(into: &mut BytesMut, prints: &[u64]) {
    let prints = &prints[..prints.len().min(MAX_PRINTS)];
    into.put_u16(prints.len() as u16);
    prints.iter().for_each(|print| into.put_u64(*print));
}

/// An update as a message carries it.
pub(crate) fn of_record(record: &Record) -> Bytes {
    let mut into = BytesMut::with_capacity(3 + record.whole().len());
    into.put_u8(RECORD);
    into.put_u16(record.whole().len() as u16);
    into.put_slice(record.whole());
    into.freeze()
}

/// An update as a message carries it.
pub(crate) fn of_accusation(accusation: &Accusation) -> Bytes {
    let mut into = BytesMut::with_capacity(1 + crate::accusation::ACCUSATION);
    into.put_u8(ACCUSATION);
    accusation.put(&mut into);
    into.freeze()
}

impl Message {
    pub(crate) fn read(whole: &[u8]) -> Result<Self, Malformed> {
        let most = if whole.get(1) == Some(&RUMORS) { MAX_RUMORS } else { MAX_MESSAGE };
        if most < whole.len() {
            return Err(Malformed::Long);
        }
        let mut rest = Rest(whole);
        if rest.byte()? != FORMAT {
            return Err(Malformed::Version);
        }
        let body = Body::read(&mut rest)?;
        let mut updates = Vec::new();
        while !rest.0.is_empty() {
            updates.push(Update::read(&mut rest)?);
        }
        Ok(Self { body, updates })
    }
}

impl Body {
    fn read(rest: &mut Rest<'_>) -> Result<Self, Malformed> {
        Ok(match rest.byte()? {
            1 => Self::Ping { number: rest.u32()?, via: Via::Packet },
            2 => Self::Ack { number: rest.u32()?, digest: rest.u64()? },
            3 => Self::PingRequest { number: rest.u32()?, target: NodeId(rest.chunk()?) },
            4 => Self::Nack { number: rest.u32()? },
            5 => Self::Gossip,
            6 => Self::Farewell,
            7 => Self::FarewellHeard { version: Version { epoch: rest.u64()?, n: rest.u32()? } },
            8 => Self::Ask(Ask {
                first: NodeId(rest.chunk()?),
                last: NodeId(rest.chunk()?),
                prints: read_prints(rest)?,
            }),
            9 => Self::State { want: read_prints(rest)? },
            10 => Self::Ping { number: rest.u32()?, via: Via::Stream },
            11 => Self::AskMetadata { about: NodeId(rest.chunk()?), hash: rest.chunk()? },
            12 => Self::Metadata { about: NodeId(rest.chunk()?), bytes: read_metadata(rest)? },
            DIGEST => Self::Digest(read_all(rest)?),
            HEARD => Self::Heard(read_all(rest)?),
            FETCH => Self::Fetch(read_all(rest)?),
            RUMORS => Self::Rumors,
            ASK_MARKS => Self::AskMarks,
            MARKS => {
                let left = rest.u16()?;
                Self::Marks { marks: read_all(rest)?, left }
            }
            _ => return Err(Malformed::Unknown),
        })
    }
}

fn read_prints(rest: &mut Rest<'_>) -> Result<Vec<u64>, Malformed> {
    let count = usize::from(rest.u16()?);
    if MAX_PRINTS < count {
        return Err(Malformed::Long);
    }
    let (prints, []) = rest.slice(8 * count)?.as_chunks() else { return Err(Malformed::Short) };
    Ok(prints.iter().map(|print| u64::from_be_bytes(*print)).collect())
}

fn read_metadata(rest: &mut Rest<'_>) -> Result<Bytes, Malformed> {
    let len = usize::from(rest.u16()?);
    match len <= MAX_METADATA {
        true => rest.slice(len).map(Bytes::copy_from_slice),
        false => Err(Malformed::Long),
    }
}

impl Update {
    fn read(rest: &mut Rest<'_>) -> Result<Self, Malformed> {
        match rest.byte()? {
            RECORD => {
                let len = usize::from(rest.u16()?);
                if MAX_RECORD < len {
                    return Err(Malformed::Long);
                }
                Record::read(rest.slice(len)?).map(Self::Record)
            }
            ACCUSATION => Claim::read(rest).map(Self::Claim),
            RUMOR => Hearsay::read(rest).map(Self::Rumor),
            ANNOUNCED => Announced::read(rest).map(Self::Announced),
            _ => Err(Malformed::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        accusation::Verdict,
        record::tests::record,
        rest::tests::hostile,
        rumor::tests::rumor,
        signer::{Notary, StandIn},
    };

    fn updates() -> Vec<Bytes> {
        let notary = Notary::new(StandIn(NodeId([1; 32])), "test");
        let version = Version { epoch: 5, n: 6 };
        let accusation = Accusation::sign(Verdict::Suspect, NodeId([2; 32]), version, &notary);
        let rumor = rumor(3, 4, 5, b"rumor");
        let announced = rumor.announced();
        vec![
            of_record(&record(1, 2, 3)),
            of_accusation(&accusation),
            rumor.whole().clone(),
            announced,
        ]
    }

    fn check(body: Body) {
        let mut whole = begin(&body);
        let bare = Message::read(&whole).unwrap();
        assert_eq!(bare, Message { body: body.clone(), updates: vec![] });
        updates().iter().for_each(|update| whole.put_slice(update));
        let message = Message::read(&whole).unwrap();
        assert_eq!((&message.body, message.updates.len()), (&body, 4));
        hostile(&whole, |bytes| drop(Message::read(bytes)));
    }

    #[test]
    fn messages_come_back_as_they_were() {
        let version = Version { epoch: 1, n: 2 };
        let (first, last) = (NodeId([0; 32]), NodeId([255; 32]));
        check(Body::Ping { number: 7, via: Via::Packet });
        check(Body::Ping { number: 7, via: Via::Stream });
        check(Body::Ack { number: 7, digest: u64::MAX });
        check(Body::PingRequest { number: 7, target: last });
        check(Body::Nack { number: 7 });
        check(Body::Gossip);
        check(Body::Farewell);
        check(Body::FarewellHeard { version });
        check(Body::Ask(Ask { first, last, prints: vec![1, 2] }));
        check(Body::State { want: vec![3] });
        check(Body::AskMetadata { about: first, hash: [7; 16] });
        check(Body::Metadata { about: last, bytes: vec![1; MAX_METADATA].into() });
        let (by, epoch, highest) = ([1; 8], 2, 4);
        check(Body::Digest(vec![Line { by, epoch, prefix: 3, highest }]));
        check(Body::Heard(vec![Line { by, epoch, prefix: 3, highest }; 64]));
        check(Body::Fetch(vec![Want { by, epoch, first: 5, map: 6 }; 2]));
        check(Body::Rumors);
        check(Body::AskMarks);
        check(Body::Marks { marks: vec![Mark { by, epoch, highest }; 2], left: 7 });
    }

    #[test]
    fn a_list_has_no_more_than_it_may() {
        for (kind, most) in [(DIGEST, 64), (HEARD, 64), (FETCH, 64)] {
            let mut whole = vec![FORMAT, kind, 0, most + 1];
            whole.resize(4 + 32 * 65, 0);
            assert_eq!(Message::read(&whole), Err(Malformed::Long), "{kind}");
        }
        assert_eq!(Message::read(&[FORMAT, MARKS, 0, 0, 0xff, 0xff]), Err(Malformed::Long));
    }

    #[test]
    fn only_rumors_take_long_messages() {
        let longest = rumor(1, 1, 1, &vec![7; MAX_RUMOR]);
        let whole = [&begin(&Body::Rumors), &longest.whole()[..]].concat();
        assert_eq!((whole.len(), Message::read(&whole).unwrap().updates.len()), (MAX_RUMORS, 1));
        let whole = [&begin(&Body::Gossip), &longest.whole()[..]].concat();
        assert_eq!(Message::read(&whole), Err(Malformed::Long));
        assert_eq!(
            Message::read(&[&[FORMAT, RUMORS], &[0; MAX_RUMORS][..]].concat()),
            Err(Malformed::Long)
        );
    }

    #[test]
    fn what_is_longer_than_allowed_is_refused_unread() {
        assert_eq!(Message::read(&vec![FORMAT; MAX_MESSAGE + 1]), Err(Malformed::Long));
        assert_eq!(Message::read(&[FORMAT, 9, 0xff, 0xff]), Err(Malformed::Long));
        let metadata = [&[FORMAT, 12][..], &[0; 32], &[0xff, 0xff]].concat();
        assert_eq!(Message::read(&metadata), Err(Malformed::Long));
        assert_eq!(Message::read(&[FORMAT, 5, RECORD, 0xff, 0xff]), Err(Malformed::Long));
        assert_eq!(Message::read(&[2, 5]), Err(Malformed::Version));
    }
}
