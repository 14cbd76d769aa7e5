//! What a broker says.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use rumormill_identity::SIGNATURE;
use rumormill_transport_api::NodeId;

use super::{
    Block, EndReason, GapReason, LONGEST_TEXT, Malformed, NONCE, RefusedWhy,
    request::{KIND, cut, flag, named, put_name},
    rest::{array, end, name, take, text},
};
use crate::Routing;

/// A frame from a broker. Names are borrowed from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// To a Hello.
    Welcome(Welcome),
    /// Messages for a subscriber.
    Deliver(Deliver<'a>),
    /// To a Publish that wanted one: its messages are queued for everybody who was subscribed.
    Receipt {
        /// Its number.
        receipt: u64,
        /// The number of its first message in the topic; the others follow without a gap, unless some
        /// of another publisher stand between them, which happens only in a topic that blocks.
        first: u64,
        /// How many messages.
        count: u32,
        /// For how many subscribers they were queued; in a queue, how many there were.
        subscribers: u32,
    },
    /// Something was not done.
    Refused {
        /// Why not.
        why: RefusedWhy,
        /// What it was about, if a topic; else empty.
        topic: &'a str,
        /// The receipt that was wanted, if one was.
        receipt: Option<u64>,
        /// How many messages are lost by it; 0 if none were published.
        messages: u32,
        /// For people.
        text: Box<str>,
    },
    /// Messages that a subscriber does not get.
    Gap {
        /// Of which topic.
        topic: &'a str,
        /// The first that is missing.
        from: u64,
        /// The last that is missing.
        to: u64,
        /// Why.
        reason: GapReason,
    },
    /// To a Subscribe.
    Subscribed(Subscribed<'a>),
    /// The subscription has ended.
    Ended {
        /// To which topic.
        topic: &'a str,
        /// Why.
        reason: EndReason,
    },
    /// Bytes of blocks that this conn may have published to the topic in all, since it was opened.
    Credit {
        /// Which topic.
        topic: &'a str,
        /// Never less than before.
        through: u64,
    },
    /// To a Ping.
    Pong {
        /// That of the Ping.
        token: u64,
    },
}

/// How a broker answers a Hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Drawn at random; the client signs it, if its Hello named a node.
    pub nonce: [u8; NONCE],
    /// The longest frame that the broker takes, in bytes.
    pub max_frame: u32,
    /// Bytes of blocks that the conn may publish to each topic before it gets a Credit.
    pub publish_window: u32,
    /// How long the conn may say nothing, in milliseconds.
    pub idle_ms: u32,
    /// Who the broker is, and its signature of [`proof`](crate::proof).
    pub broker: Option<(NodeId, [u8; SIGNATURE])>,
}

/// Messages for a subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deliver<'a> {
    /// Of which topic.
    pub topic: &'a str,
    /// The number of the first; the others follow without a gap.
    pub first: u64,
    /// How often they were delivered before, to anybody; always 0 in a fanout topic.
    pub redelivered: u8,
    /// The messages.
    pub block: Block,
}

/// How a broker answers a Subscribe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed<'a> {
    /// To which topic.
    pub topic: &'a str,
    /// Another one each time that the topic begins to count anew.
    pub epoch: u64,
    /// The number of the next message that is published.
    pub next: u64,
    /// Who gets a message.
    pub routing: Routing,
    /// Bytes of the longest message.
    pub max_message: u32,
}

impl<'a> Answer<'a> {
    /// Reads a frame. Messages are not copied.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn decode(frame: &'a Bytes) -> Result<Self, Malformed> {
        let mut rest = frame.clone();
        let rest = &mut rest;
        let answer = match rest.try_get_u8()? {
            WELCOME => Self::Welcome(Welcome::decode(rest)?),
            DELIVER => Self::Deliver(Deliver::decode(frame, rest)?),
            RECEIPT => Self::Receipt {
                receipt: rest.try_get_u64()?,
                first: rest.try_get_u64()?,
                count: rest.try_get_u32()?,
                subscribers: rest.try_get_u32()?,
            },
            REFUSED => Self::refused(frame, rest)?,
            GAP => Self::Gap {
                topic: name(frame, rest)?,
                from: rest.try_get_u64()?,
                to: rest.try_get_u64()?,
                reason: GapReason::of(rest.try_get_u8()?)?,
            },
            SUBSCRIBED => Self::Subscribed(Subscribed::decode(frame, rest)?),
            ENDED => Self::Ended {
                topic: name(frame, rest)?,
                reason: EndReason::of(rest.try_get_u8()?)?,
            },
            CREDIT => Self::Credit { topic: name(frame, rest)?, through: rest.try_get_u64()? },
            PONG => Self::Pong { token: rest.try_get_u64()? },
            value => return Err(Malformed::Value { what: KIND, value }),
        };
        end(answer, rest)
    }

    fn refused(frame: &'a Bytes, rest: &mut Bytes) -> Result<Self, Malformed> {
        let why = RefusedWhy::of(rest.try_get_u8()?)?;
        let topic = name(frame, rest)?;
        let (has_receipt, receipt) = (flag(rest, "a flag of a Refused")?, rest.try_get_u64()?);
        let receipt = has_receipt.then_some(receipt);
        Ok(Self::Refused { why, topic, receipt, messages: rest.try_get_u32()?, text: text(rest)? })
    }

    /// The frame.
    pub fn encode(&self) -> Bytes {
        let mut into = BytesMut::new();
        match self {
            Self::Welcome(welcome) => welcome.encode(&mut into),
            Self::Deliver(deliver) => {
                Deliver::head(deliver.topic, deliver.first, deliver.redelivered, &mut into);
                into.put_slice(deliver.block.bytes());
            }
            Self::Receipt { receipt, first, count, subscribers } => {
                into.put_u8(RECEIPT);
                into.put_u64(*receipt);
                into.put_u64(*first);
                into.put_u32(*count);
                into.put_u32(*subscribers);
            }
            Self::Refused { why, topic, receipt, messages, text } => {
                into.put_u8(REFUSED);
                into.put_u8(why.code());
                put_name(topic, &mut into);
                into.put_u8(receipt.is_some().into());
                into.put_u64(receipt.unwrap_or(0));
                into.put_u32(*messages);
                put_text(text, &mut into);
            }
            Self::Gap { topic, from, to, reason } => {
                named(GAP, topic, &mut into);
                into.put_u64(*from);
                into.put_u64(*to);
                into.put_u8(reason.code());
            }
            Self::Subscribed(subscribed) => subscribed.encode(&mut into),
            Self::Ended { topic, reason } => {
                named(ENDED, topic, &mut into);
                into.put_u8(reason.code());
            }
            Self::Credit { topic, through } => {
                named(CREDIT, topic, &mut into);
                into.put_u64(*through);
            }
            Self::Pong { token } => {
                into.put_u8(PONG);
                into.put_u64(*token);
            }
        }
        into.freeze()
    }
}

impl Welcome {
    fn decode(rest: &mut Bytes) -> Result<Self, Malformed> {
        let has_broker = flag(rest, "the flags of a Welcome")?;
        let nonce = array(rest)?;
        let (max_frame, publish_window, idle_ms) =
            (rest.try_get_u32()?, rest.try_get_u32()?, rest.try_get_u32()?);
        let broker = match has_broker {
            true => Some((NodeId(array(rest)?), array(rest)?)),
            false => None,
        };
        Ok(Self { nonce, max_frame, publish_window, idle_ms, broker })
    }

    fn encode(&self, into: &mut BytesMut) {
        into.put_u8(WELCOME);
        into.put_u8(self.broker.is_some().into());
        into.put_slice(&self.nonce);
        into.put_u32(self.max_frame);
        into.put_u32(self.publish_window);
        into.put_u32(self.idle_ms);
        if let Some((node, signature)) = &self.broker {
            into.put_slice(&node.0);
            into.put_slice(signature);
        }
    }
}

impl<'a> Deliver<'a> {
    fn decode(frame: &'a Bytes, rest: &mut Bytes) -> Result<Self, Malformed> {
        let redelivered = rest.try_get_u8()?;
        let (topic, first) = (name(frame, rest)?, rest.try_get_u64()?);
        let len = rest.len();
        Ok(Self { topic, first, redelivered, block: Block::parse(take(rest, len)?)? })
    }

    /// Puts everything of the frame before its block into `into`.
    pub fn head(topic: &str, first: u64, redelivered: u8, into: &mut BytesMut) {
        into.put_u8(DELIVER);
        into.put_u8(redelivered);
        put_name(topic, into);
        into.put_u64(first);
    }

    /// Bytes of [`head`](Self::head).
    pub fn head_len(topic: &str) -> usize {
        11 + topic.len()
    }
}

impl<'a> Subscribed<'a> {
    fn decode(frame: &'a Bytes, rest: &mut Bytes) -> Result<Self, Malformed> {
        let routing = match rest.try_get_u8()? {
            0 => Routing::Fanout,
            1 => Routing::Queue,
            value => return Err(Malformed::Value { what: "a routing", value }),
        };
        let topic = name(frame, rest)?;
        let (epoch, next) = (rest.try_get_u64()?, rest.try_get_u64()?);
        Ok(Self { topic, epoch, next, routing, max_message: rest.try_get_u32()? })
    }

    fn encode(&self, into: &mut BytesMut) {
        into.put_u8(SUBSCRIBED);
        into.put_u8(self.routing as u8);
        put_name(self.topic, into);
        into.put_u64(self.epoch);
        into.put_u64(self.next);
        into.put_u32(self.max_message);
    }
}

fn put_text(text: &str, into: &mut BytesMut) {
    let text = cut(text, LONGEST_TEXT);
    into.put_u16(text.len() as u16);
    into.put_slice(text.as_bytes());
}

const WELCOME: u8 = 0x81;
const DELIVER: u8 = 0x82;
const RECEIPT: u8 = 0x83;
const REFUSED: u8 = 0x84;
const GAP: u8 = 0x85;
const SUBSCRIBED: u8 = 0x86;
const ENDED: u8 = 0x87;
const CREDIT: u8 = 0x88;
const PONG: u8 = 0x89;
