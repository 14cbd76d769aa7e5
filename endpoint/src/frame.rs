//! Frames as bytes: where what stands, and nothing about what it means.
//!
//! docs/wire.md has the layout with test vectors. Everything is big-endian. Nothing is allocated on
//! the word of a length, and payloads are slices of the frame that arrived.

use bytes::{BufMut, Bytes, BytesMut};
use rumormill_identity::SIGNATURE;
use rumormill_transport_api::NodeId;

/// The first byte of everything that an endpoint sends.
pub const VERSION: u8 = 1;

/// A frame that is meant for one node in one of its sessions, as it arrived: nothing is verified.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Which order it belongs to.
    pub lane: Lane,
    /// Which session of which node, in which cluster, it is for.
    pub tag: Tag,
    /// Who claims to have sent it.
    pub from: NodeId,
    /// Its number in its lane.
    pub counter: u64,
    /// Who signed it, if anybody did.
    pub signature: Option<[u8; SIGNATURE]>,
    whole: Bytes,
}

/// What keeps the order of some messages: each lane has counters of its own, and no message of one
/// waits for another lane's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Small messages that must not wait: [`Class::Control`] and [`Class::Gossip`].
    Urgent,
    /// Everything else.
    Bulk,
    /// Those of the urgent ones that do not fit a packet, where packets carry the others.
    Heavy,
}

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Probes: small, urgent, and worth nothing when they are late.
    Control,
    /// What a gossip protocol spreads.
    Gossip,
    /// State exchange, and the messages of applications.
    Bulk,
}

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A message.
    Message,
    /// A question; the number comes back with its answer.
    Request(u64),
    /// The answer to the question with this number.
    Reply(u64),
    /// Nothing for anybody above: the nonce that the peer drew for this conn, which shows that
    /// whoever signed the frame is here now.
    Confirm,
    /// Nothing for anybody above: which frames of this conn have arrived, as an [`Echo`](crate::echo::Echo).
    Echo,
    /// Nothing for anybody above: whoever hears it says so at once.
    Probe,
}

/// One of the payloads of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// What kind of message it is.
    pub class: Class,
    /// Whether it asks or answers.
    pub kind: Kind,
    /// What was sent.
    pub bytes: Bytes,
}

impl Payload {
    /// Whether it is anything for somebody above.
    pub(crate) fn is_message(&self) -> bool {
        matches!(self.kind, Kind::Message | Kind::Request(_) | Kind::Reply(_))
    }
}

/// Eight bytes of a hash of cluster, node and session: a name, not a secret.
pub type Tag = [u8; 8];

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// It has more than [`MAX_PAYLOADS`].
    #[error("a frame has too many payloads")]
    Crowded,
    /// It ends too early.
    #[error("a frame is cut short")]
    Short,
    /// A field has a value that means nothing.
    #[error("a frame has a field without a meaning")]
    Unknown,
    /// It is of a version that this side does not speak.
    #[error("a frame is of another version")]
    Version,
}

/// Bytes before the payloads.
pub const HEAD: usize = 51;
/// Bytes before each payload, at most.
pub const PAYLOAD_HEAD: usize = 13;
/// Payloads of one frame, at most: empty ones cost a receiver more than they cost their sender.
pub const MAX_PAYLOADS: usize = 4096;

const SEALED: u8 = 0x10;
const PLAIN: u8 = 0x11;

impl Class {
    /// The lane that it travels in, unless it is too long for that.
    pub fn lane(self) -> Lane {
        match self {
            Self::Control | Self::Gossip => Lane::Urgent,
            Self::Bulk => Lane::Bulk,
        }
    }
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Urgent, Self::Bulk, Self::Heavy];

    /// What travels in it, the most urgent first.
    pub fn classes(self) -> &'static [Class] {
        match self {
            Self::Urgent | Self::Heavy => &[Class::Control, Class::Gossip],
            Self::Bulk => &[Class::Bulk],
        }
    }

    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Urgent => 0,
            Self::Bulk => 1,
            Self::Heavy => 2,
        }
    }

    pub(crate) fn of(byte: u8) -> Result<Self, Malformed> {
        match byte {
            0 => Ok(Self::Urgent),
            1 => Ok(Self::Bulk),
            2 => Ok(Self::Heavy),
            _ => Err(Malformed::Unknown),
        }
    }
}

/// The head of a frame, as it is written.
pub struct Head {
    /// See [`Frame::lane`].
    pub lane: Lane,
    /// See [`Frame::tag`].
    pub tag: Tag,
    /// See [`Frame::from`].
    pub from: NodeId,
    /// See [`Frame::counter`].
    pub counter: u64,
    /// Whether a signature stands at the end.
    pub is_signed: bool,
}

impl Head {
    /// Writes it.
    pub fn put(&self, into: &mut BytesMut) {
        into.put_u8(VERSION);
        into.put_u8(if self.is_signed { SEALED } else { PLAIN });
        into.put_u8(self.lane.byte());
        into.put_slice(&self.tag);
        into.put_slice(&self.from.0);
        into.put_u64(self.counter);
    }
}

/// Writes what stands before a payload of `len` bytes.
///
/// # Panics
/// If the payload is longer than 4 GiB − 1; limits are far below.
pub fn put_payload_head(class: Class, kind: Kind, len: usize, into: &mut BytesMut) {
    let class = match class {
        Class::Control => 0,
        Class::Gossip => 1,
        Class::Bulk => 2,
    };
    let (kind, number) = match kind {
        Kind::Message => (0, None),
        Kind::Request(number) => (1, Some(number)),
        Kind::Reply(number) => (2, Some(number)),
        Kind::Confirm => (3, None),
        Kind::Echo => (4, None),
        Kind::Probe => (5, None),
    };
    into.put_u8(kind << 4 | class);
    if let Some(number) = number {
        into.put_u64(number);
    }
    into.put_u32(u32::try_from(len).expect("invariant: payloads are bounded far below 4 GiB"));
}

impl Frame {
    /// Reads what stands before and behind the payloads, which are not looked at.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(whole: Bytes) -> Result<Self, Malformed> {
        let mut rest = Rest(&whole);
        if rest.byte()? != VERSION {
            return Err(Malformed::Version);
        }
        let is_signed = match rest.byte()? {
            SEALED => true,
            PLAIN => false,
            _ => return Err(Malformed::Unknown),
        };
        let lane = Lane::of(rest.byte()?)?;
        let (tag, from) = (*rest.chunk()?, NodeId(*rest.chunk()?));
        let counter = u64::from_be_bytes(*rest.chunk()?);
        let signature = match is_signed {
            true => Some(*rest.0.last_chunk::<SIGNATURE>().ok_or(Malformed::Short)?),
            false => None,
        };
        Ok(Self { lane, tag, from, counter, signature, whole })
    }

    /// What the signature is about: everything before it.
    pub fn signed(&self) -> &[u8] {
        let signature = self.signature.map_or(0, |signature| signature.len());
        self.whole.get(..self.whole.len() - signature).unwrap_or_default()
    }

    /// All of it, as it arrived.
    pub fn whole(&self) -> &Bytes {
        &self.whole
    }

    /// The payloads, in order.
    ///
    /// The iterator ends after the first error, and a frame without payloads is one.
    pub fn payloads(&self) -> Payloads {
        let end = self.signed().len();
        Payloads { body: self.whole.slice(..end), at: HEAD.min(end), lane: self.lane, split: 0 }
    }
}

/// The payloads of a [`Frame`].
#[derive(Debug)]
pub struct Payloads {
    /// Everything up to the end of the last one.
    body: Bytes,
    /// Where the next one begins.
    at: usize,
    lane: Lane,
    /// How many there were so far.
    split: usize,
}

impl Iterator for Payloads {
    type Item = Result<Payload, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest().is_empty() && 0 < self.split {
            return None;
        }
        self.split += 1;
        let payload = match self.split <= MAX_PAYLOADS {
            true => self.split(),
            false => Err(Malformed::Crowded),
        };
        if payload.is_err() {
            self.at = self.body.len();
        }
        Some(payload)
    }
}

impl Payloads {
    fn rest(&self) -> &[u8] {
        self.body.get(self.at..).unwrap_or_default()
    }

    fn split(&mut self) -> Result<Payload, Malformed> {
        let mut rest = Rest(self.rest());
        let first = rest.byte()?;
        let class = match first & 0xf {
            0 => Class::Control,
            1 => Class::Gossip,
            2 => Class::Bulk,
            _ => return Err(Malformed::Unknown),
        };
        let kind = match first >> 4 {
            0 => Kind::Message,
            1 => Kind::Request(rest.number()?),
            2 => Kind::Reply(rest.number()?),
            3 => Kind::Confirm,
            4 => Kind::Echo,
            5 => Kind::Probe,
            _ => return Err(Malformed::Unknown),
        };
        if !self.lane.classes().contains(&class) {
            return Err(Malformed::Unknown);
        }
        let len = u32::from_be_bytes(*rest.chunk()?) as usize;
        if rest.0.len() < len {
            return Err(Malformed::Short);
        }
        let begin = self.body.len() - rest.0.len();
        self.at = begin + len;
        Ok(Payload { class, kind, bytes: self.body.slice(begin..self.at) })
    }
}

/// What has not been read yet.
pub(crate) struct Rest<'a>(pub(crate) &'a [u8]);

impl<'a> Rest<'a> {
    pub(crate) fn chunk<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (chunk, rest) = self.0.split_first_chunk().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(chunk)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        self.chunk::<1>().map(|[byte]| *byte)
    }

    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        self.chunk().map(|bytes| u64::from_be_bytes(*bytes))
    }

    pub(crate) fn slice(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (slice, rest) = self.0.split_at_checked(len).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(slice)
    }
}
