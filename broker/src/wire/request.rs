//! What a client says.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rumormill_identity::SIGNATURE;
use rumormill_transport_api::NodeId;

use super::{
    Block, MAGIC, Malformed, NONCE,
    rest::{array, end, name, take},
};

/// A frame from a client. Names are borrowed from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// The first frame of a conn.
    Hello(Hello),
    /// The second, if the Hello named a node that the carrier has not proven.
    Prove {
        /// Of [`proof`](crate::proof).
        signature: [u8; SIGNATURE],
    },
    /// Messages for a topic.
    Publish(Publish<'a>),
    /// The conn wants a topic's messages.
    Subscribe(Subscribe<'a>),
    /// The conn wants no more of them.
    Unsubscribe {
        /// Of which topic.
        topic: &'a str,
    },
    /// The user of a fanout subscription has everything through this message, so that as much more may
    /// be sent.
    Seen {
        /// Of which topic.
        topic: &'a str,
        /// The number of the last message.
        through: u64,
    },
    /// A taker of a queue has finished with messages.
    Settle {
        /// Of which topic.
        topic: &'a str,
        /// How they ended.
        verdict: Verdict,
        /// First and count of each run; at most [`Request::MOST_RUNS`].
        runs: Vec<(u64, u32)>,
    },
    /// Says that the client lives; answered by a Pong with the same token.
    Ping {
        /// Anything.
        token: u64,
    },
}

/// How a client begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Drawn at random; the broker signs it, if it has a key.
    pub nonce: [u8; NONCE],
    /// Who the client claims to be; `None`: whoever the carrier proves, or nobody.
    pub node: Option<NodeId>,
}

/// Messages for a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Which topic.
    pub topic: &'a str,
    /// The number by which the client knows the receipt that it wants; `None`: it wants none.
    pub receipt: Option<u64>,
    /// The messages.
    pub block: Block,
}

/// That a conn wants a topic's messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe<'a> {
    /// Which topic.
    pub topic: &'a str,
    /// Bytes of blocks that may be on their way, or with a user that has not finished with them.
    pub window: u32,
    /// Where an earlier subscription ended, so that the broker tells what was missed.
    pub resume: Option<Resume>,
}

/// Where an earlier subscription ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// [`Subscribed::epoch`](super::Subscribed::epoch) of it.
    pub epoch: u64,
    /// The number of the last message that arrived; that of the one before the first, if none did.
    pub after: u64,
}

/// How a message of a queue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is dealt with.
    Done,
    /// It shall go to somebody else.
    GiveBack,
}

impl<'a> Request<'a> {
    /// Runs that one [`Settle`](Self::Settle) can hold.
    pub const MOST_RUNS: usize = 4_096;

    /// Reads a frame. Nothing of it is copied but runs and fixed fields.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(frame: &'a Bytes) -> Result<Self, Malformed> {
        let mut rest = frame.clone();
        let rest = &mut rest;
        let request = match rest.try_get_u8()? {
            HELLO => Self::Hello(Hello::decode(rest)?),
            PROVE => Self::Prove { signature: array(rest)? },
            PUBLISH => Self::Publish(Publish::decode(frame, rest)?),
            SUBSCRIBE => Self::Subscribe(Subscribe::decode(frame, rest)?),
            UNSUBSCRIBE => Self::Unsubscribe { topic: name(frame, rest)? },
            SEEN => Self::Seen { topic: name(frame, rest)?, through: rest.try_get_u64()? },
            SETTLE => {
                let (topic, verdict) = (name(frame, rest)?, Verdict::of(rest.try_get_u8()?)?);
                Self::Settle { topic, verdict, runs: runs(rest)? }
            }
            PING => Self::Ping { token: rest.try_get_u64()? },
            value => return Err(Malformed::Value { what: KIND, value }),
        };
        end(request, rest)
    }

    /// The frame. A name longer than 255 bytes is cut, which no [`TopicName`](crate::TopicName) is.
    pub fn encode(&self) -> Bytes {
        let mut into = BytesMut::new();
        match self {
            Self::Hello(hello) => hello.encode(&mut into),
            Self::Prove { signature } => {
                into.put_u8(PROVE);
                into.put_slice(signature);
            }
            Self::Publish(publish) => {
                Publish::head(publish.topic, publish.receipt, &mut into);
                into.put_slice(publish.block.bytes());
            }
            Self::Subscribe(subscribe) => subscribe.encode(&mut into),
            Self::Unsubscribe { topic } => named(UNSUBSCRIBE, topic, &mut into),
            Self::Seen { topic, through } => {
                named(SEEN, topic, &mut into);
                into.put_u64(*through);
            }
            Self::Settle { topic, verdict, runs } => {
                named(SETTLE, topic, &mut into);
                into.put_u8(*verdict as u8);
                for (first, count) in runs.iter().take(Self::MOST_RUNS) {
                    into.put_u64(*first);
                    into.put_u32(*count);
                }
            }
            Self::Ping { token } => {
                into.put_u8(PING);
                into.put_u64(*token);
            }
        }
        into.freeze()
    }
}

impl Hello {
    fn decode(rest: &mut Bytes) -> Result<Self, Malformed> {
        if array(rest)? != MAGIC {
            return Err(Malformed::Value { what: "the magic of a Hello", value: 0 });
        }
        let has_node = flag(rest, "the flags of a Hello")?;
        let nonce = array(rest)?;
        let node = if has_node { Some(NodeId(array(rest)?)) } else { None };
        Ok(Self { nonce, node })
    }

    fn encode(&self, into: &mut BytesMut) {
        into.put_u8(HELLO);
        into.put_slice(&MAGIC);
        into.put_u8(self.node.is_some().into());
        into.put_slice(&self.nonce);
        if let Some(node) = self.node {
            into.put_slice(&node.0);
        }
    }
}

impl<'a> Publish<'a> {
    fn decode(frame: &'a Bytes, rest: &mut Bytes) -> Result<Self, Malformed> {
        let wants_receipt = flag(rest, "the flags of a Publish")?;
        let topic = name(frame, rest)?;
        let receipt = if wants_receipt { Some(rest.try_get_u64()?) } else { None };
        let len = rest.len();
        Ok(Self { topic, receipt, block: Block::parse(take(rest, len)?)? })
    }

    /// Puts everything of the frame before its block into `into`.
    pub fn head(topic: &str, receipt: Option<u64>, into: &mut BytesMut) {
        into.put_u8(PUBLISH);
        into.put_u8(receipt.is_some().into());
        put_name(topic, into);
        if let Some(receipt) = receipt {
            into.put_u64(receipt);
        }
    }
}

impl<'a> Subscribe<'a> {
    fn decode(frame: &'a Bytes, rest: &mut Bytes) -> Result<Self, Malformed> {
        let resumes = flag(rest, "the flags of a Subscribe")?;
        let (topic, window) = (name(frame, rest)?, rest.try_get_u32()?);
        let resume = match resumes {
            true => Some(Resume { epoch: rest.try_get_u64()?, after: rest.try_get_u64()? }),
            false => None,
        };
        Ok(Self { topic, window, resume })
    }

    fn encode(&self, into: &mut BytesMut) {
        into.put_u8(SUBSCRIBE);
        into.put_u8(self.resume.is_some().into());
        put_name(self.topic, into);
        into.put_u32(self.window);
        if let Some(Resume { epoch, after }) = self.resume {
            into.put_u64(epoch);
            into.put_u64(after);
        }
    }
}

impl Verdict {
    fn of(byte: u8) -> Result<Self, Malformed> {
        match byte {
            0 => Ok(Self::Done),
            1 => Ok(Self::GiveBack),
            value => Err(Malformed::Value { what: "a verdict", value }),
        }
    }
}

/// At least one run, and no more than [`Request::MOST_RUNS`].
fn runs(rest: &mut Bytes) -> Result<Vec<(u64, u32)>, Malformed> {
    let count = rest.len() / RUN;
    if count == 0 || !rest.len().is_multiple_of(RUN) {
        return Err(Malformed::Short);
    }
    if Request::MOST_RUNS < count {
        return Err(Malformed::Long);
    }
    (0..count).map(|_| Ok((rest.try_get_u64()?, rest.try_get_u32()?))).collect()
}

pub(super) fn flag(rest: &mut Bytes, what: &'static str) -> Result<bool, Malformed> {
    match rest.try_get_u8()? {
        0 => Ok(false),
        1 => Ok(true),
        value => Err(Malformed::Value { what, value }),
    }
}

pub(super) fn named(kind: u8, topic: &str, into: &mut BytesMut) {
    into.put_u8(kind);
    put_name(topic, into);
}

pub(super) fn put_name(name: &str, into: &mut BytesMut) {
    let name = cut(name, u8::MAX.into());
    into.put_u8(name.len() as u8);
    into.put_slice(name.as_bytes());
}

/// The beginning of a text, of at most `most` bytes.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let ends = (0..=most.min(text.len())).rev();
    ends.filter_map(|end| text.get(..end)).next().unwrap_or_default()
}

pub(super) const KIND: &str = "the kind of a frame";
const RUN: usize = 12;

const HELLO: u8 = 0x01;
const PROVE: u8 = 0x02;
const PUBLISH: u8 = 0x03;
const SUBSCRIBE: u8 = 0x04;
const UNSUBSCRIBE: u8 = 0x05;
const SEEN: u8 = 0x06;
const SETTLE: u8 = 0x07;
const PING: u8 = 0x08;
