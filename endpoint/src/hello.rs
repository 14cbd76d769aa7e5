//! How two nodes meet: the only messages that are not sealed.
//!
//! A [`Hello`] tells who the dialer claims to be and which session it is in, an [`Answer`] the same
//! of the other side. Both are claims. They prove nothing and change nothing that is known of a
//! peer, until a frame that names both sessions verifies.
//!
//! On datagrams the source of a Hello may be made up. So it is answered by a [`Challenge`], which is
//! shorter and costs no memory; only a Hello that brings its cookie back is answered, and is padded
//! to be no shorter than its answer.

use std::net::IpAddr;

use bytes::{BufMut, Bytes, BytesMut};
use rumormill_transport_api::NodeId;

use crate::{
    frame::{Frame, Malformed, Rest, Tag, VERSION},
    seal::{Cluster, Party},
};

/// What the two sides of a conn say to each other before they seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// The dialer's.
    Hello(Hello),
    /// "Show that you can hear me."
    Challenge(Challenge),
    /// The listener's.
    Answer(Answer),
    /// "I do not know this session; say Hello again."
    Stale(Stale),
}

/// What a dialer says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Who it claims to be.
    pub claim: Claim,
    /// Drawn at random, to know the answer by.
    pub nonce: Nonce,
    /// What a [`Challenge`] asked to bring back.
    pub cookie: Option<Cookie>,
}

/// What a listener says to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who it claims to be.
    pub claim: Claim,
    /// That of the Hello.
    pub nonce: Nonce,
    /// Drawn at random, to be signed by the dialer in its first frame.
    pub challenge: Nonce,
}

/// What a node says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// [`Cluster::mark`] of its cluster.
    pub cluster: Tag,
    /// Which node, and which session of it.
    pub party: Party,
    /// The longest frame that it takes, in bytes.
    pub max_frame: u32,
    /// Why it may be a member; empty where nobody asks.
    pub ticket: Bytes,
}

/// The answer to a Hello whose source has not shown that it can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// That of the Hello.
    pub nonce: Nonce,
    /// To be brought back in the next Hello.
    pub cookie: Cookie,
}

/// The answer to a frame for a session that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stale {
    /// That of the frame.
    pub tag: Tag,
    /// The last bytes of the frame, so that only who saw it can say this.
    pub echo: Echo,
}

/// What ties an answer to its question.
pub type Nonce = [u8; 16];
/// What only the owner of a [`CookieKey`] can make.
pub type Cookie = [u8; 16];

/// The end of a frame, which is half of its signature and not to be guessed.
pub type Echo = [u8; 16];

/// Bytes of the longest [`Claim::ticket`].
pub const MAX_TICKET: usize = 512;
/// Bytes of the longest greeting, and what a Hello over datagrams is padded to.
pub const MAX_GREETING: usize = 640;

const HELLO: u8 = 1;
const CHALLENGE: u8 = 2;
const ANSWER: u8 = 3;
const STALE: u8 = 4;

impl Greeting {
    /// The bytes to send; a Hello of at least `padded` bytes, at most [`MAX_GREETING`].
    pub fn encode(&self, padded: usize) -> Bytes {
        let mut into = BytesMut::with_capacity(MAX_GREETING);
        into.put_u8(VERSION);
        match self {
            Self::Hello(Hello { claim, nonce, cookie }) => {
                into.put_u8(HELLO);
                claim.put(nonce, &mut into);
                into.put_u8(u8::from(cookie.is_some()));
                into.put_slice(cookie.as_ref().map_or(&[][..], |cookie| cookie));
                let padded = padded.clamp(into.len(), MAX_GREETING);
                into.resize(padded, 0);
            }
            Self::Challenge(Challenge { nonce, cookie }) => {
                into.put_u8(CHALLENGE);
                into.put_slice(nonce);
                into.put_slice(cookie);
            }
            Self::Answer(Answer { claim, nonce, challenge }) => {
                into.put_u8(ANSWER);
                claim.put(nonce, &mut into);
                into.put_slice(challenge);
            }
            Self::Stale(Stale { tag, echo }) => {
                into.put_u8(STALE);
                into.put_slice(tag);
                into.put_slice(echo);
            }
        }
        into.freeze()
    }

    /// Reads a greeting; `Ok(None)` if it is something else, a frame perhaps.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn parse(whole: &Bytes) -> Result<Option<Self>, Malformed> {
        if MAX_GREETING < whole.len() {
            return Ok(None);
        }
        let mut rest = Rest(whole);
        if rest.byte()? != VERSION {
            return Err(Malformed::Version);
        }
        let greeting = match rest.byte()? {
            HELLO => Self::Hello(Hello::read(&mut rest)?),
            CHALLENGE => {
                Self::Challenge(Challenge { nonce: *rest.chunk()?, cookie: *rest.chunk()? })
            }
            ANSWER => {
                let (claim, nonce) = Claim::read(&mut rest)?;
                Self::Answer(Answer { claim, nonce, challenge: *rest.chunk()? })
            }
            STALE => Self::Stale(Stale { tag: *rest.chunk()?, echo: *rest.chunk()? }),
            _ => return Ok(None),
        };
        // Padding belongs to a Hello, and says nothing.
        match rest.0.iter().all(|byte| *byte == 0) && (rest.0.is_empty() || greeting.is_hello()) {
            true => Ok(Some(greeting)),
            false => Err(Malformed::Unknown),
        }
    }

    fn is_hello(&self) -> bool {
        matches!(self, Self::Hello(_))
    }
}

impl Stale {
    /// What to answer to a frame; `None` if it is too short to be one.
    pub fn to(frame: &Frame) -> Option<Self> {
        Some(Self { tag: frame.tag, echo: echo(frame.whole())? })
    }
}

/// What is repeated of a frame, to show that one has seen it.
pub(crate) fn echo(frame: &[u8]) -> Option<Echo> {
    frame.last_chunk().copied()
}

impl Hello {
    fn read(rest: &mut Rest<'_>) -> Result<Self, Malformed> {
        let (claim, nonce) = Claim::read(rest)?;
        let cookie = match rest.byte()? {
            0 => None,
            1 => Some(*rest.chunk()?),
            _ => return Err(Malformed::Unknown),
        };
        Ok(Self { claim, nonce, cookie })
    }
}

impl Claim {
    fn put(&self, nonce: &Nonce, into: &mut BytesMut) {
        into.put_slice(&self.cluster);
        into.put_slice(&self.party.node.0);
        into.put_u64(self.party.session);
        into.put_u32(self.max_frame);
        into.put_slice(nonce);
        let ticket = self.ticket.get(..MAX_TICKET).unwrap_or(&self.ticket);
        into.put_u16(ticket.len() as u16);
        into.put_slice(ticket);
    }

    fn read(rest: &mut Rest<'_>) -> Result<(Self, Nonce), Malformed> {
        let cluster = *rest.chunk()?;
        let party = Party { node: NodeId(*rest.chunk()?), session: rest.number()? };
        let max_frame = u32::from_be_bytes(*rest.chunk()?);
        let nonce = *rest.chunk()?;
        let len = usize::from(u16::from_be_bytes(*rest.chunk()?));
        if MAX_TICKET < len {
            return Err(Malformed::Unknown);
        }
        let ticket = Bytes::copy_from_slice(rest.slice(len)?);
        Ok((Self { cluster, party, max_frame, ticket }, nonce))
    }
}

/// Makes cookies and knows them again, without remembering any.
pub struct CookieKey([u8; 32]);

impl CookieKey {
    /// A key, drawn at random; with another, all cookies are worthless.
    pub fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// The cookie for a dialer at this place, in the time that `second` is in.
    pub fn make(&self, from: (IpAddr, u16), node: NodeId, second: u64) -> Cookie {
        self.of(from, node, second / LIFETIME)
    }

    /// Whether it was made for that dialer, and not long ago: at least [`LIFETIME`] seconds, and at
    /// most twice that.
    #[must_use]
    pub fn knows(&self, cookie: &Cookie, from: (IpAddr, u16), node: NodeId, second: u64) -> bool {
        let now = second / LIFETIME;
        [Some(now), now.checked_sub(1)]
            .into_iter()
            .flatten()
            // Compared as hashes, which takes the same time wherever they differ.
            .any(|slot| blake3::hash(&self.of(from, node, slot)) == blake3::hash(cookie))
    }

    fn of(&self, (ip, port): (IpAddr, u16), node: NodeId, slot: u64) -> Cookie {
        let ip = match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&ip.octets()).update(&port.to_be_bytes());
        hasher.update(&node.0).update(&slot.to_be_bytes());
        let mut cookie = Cookie::default();
        hasher.finalize_xof().fill(&mut cookie);
        cookie
    }
}

/// Seconds for which a cookie is good at least.
pub const LIFETIME: u64 = 10;

impl Cluster {
    /// What a greeting names the cluster by: a name, not a secret.
    pub fn mark(&self) -> Tag {
        let mut mark = Tag::default();
        mark.copy_from_slice(&self.id()[..8]);
        mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(ticket: usize) -> Claim {
        Claim {
            cluster: Cluster::named("test").mark(),
            party: Party { node: NodeId([7; 32]), session: 9 },
            max_frame: 1 << 20,
            ticket: vec![5; ticket].into(),
        }
    }

    fn all() -> Vec<Greeting> {
        let (nonce, cookie) = ([3; 16], [4; 16]);
        vec![
            Greeting::Hello(Hello { claim: claim(0), nonce, cookie: None }),
            Greeting::Hello(Hello { claim: claim(MAX_TICKET), nonce, cookie: Some(cookie) }),
            Greeting::Challenge(Challenge { nonce, cookie }),
            Greeting::Answer(Answer { claim: claim(MAX_TICKET), nonce, challenge: [6; 16] }),
            Greeting::Stale(Stale { tag: [1; 8], echo: [2; 16] }),
        ]
    }

    #[test]
    fn greetings_are_read_as_they_were_written() {
        for greeting in all() {
            for padded in [0, 300, MAX_GREETING, usize::MAX] {
                let bytes = greeting.encode(padded);
                assert!(bytes.len() <= MAX_GREETING);
                assert_eq!(Greeting::parse(&bytes), Ok(Some(greeting.clone())));
            }
        }
    }

    #[test]
    fn pieces_and_noise_are_errors() {
        for greeting in all() {
            let bytes = greeting.encode(0);
            for len in 0..bytes.len() {
                assert!(Greeting::parse(&bytes.slice(..len)).is_err(), "{len} of {greeting:?}");
            }
            let mut longer = bytes.to_vec();
            longer.push(1);
            assert!(Greeting::parse(&longer.into()).is_err());
        }
        let mut long = all()[0].encode(0).to_vec();
        long[70..72].copy_from_slice(&[0xff; 2]);
        assert_eq!(Greeting::parse(&long.into()), Err(Malformed::Unknown));
    }

    #[test]
    fn frames_are_no_greetings() {
        assert_eq!(Greeting::parse(&Bytes::from_static(&[VERSION, 0x10, 0])), Ok(None));
        assert_eq!(Greeting::parse(&vec![VERSION; 4096].into()), Ok(None));
    }

    #[test]
    fn nobody_gets_more_than_they_sent() {
        let hello = all().remove(0).encode(MAX_GREETING);
        for answer in all().iter().filter(|greeting| !greeting.is_hello()) {
            assert!(answer.encode(0).len() <= hello.len());
        }
        let least = all().remove(0).encode(0).len();
        let challenge = all().remove(2).encode(0);
        assert!(challenge.len() <= least, "a challenge answers any Hello");
    }

    #[test]
    fn cookies_are_for_one_dialer_and_a_short_time() {
        let (key, other) = (CookieKey::new([1; 32]), CookieKey::new([2; 32]));
        let (from, node) = (("10.0.0.1".parse().unwrap(), 5), NodeId([7; 32]));
        let cookie = key.make(from, node, 1000);
        for (knows, from, node, second) in [
            (true, from, node, 1000),
            (true, from, node, 1010),
            (true, from, node, 1019),
            (false, from, node, 1020),
            (false, from, node, 999),
            (false, (from.0, 6), node, 1000),
            (false, ("10.0.0.2".parse().unwrap(), 5), node, 1000),
            (false, from, NodeId([8; 32]), 1000),
        ] {
            assert_eq!(key.knows(&cookie, from, node, second), knows, "{from:?} {second}");
        }
        assert!(!other.knows(&cookie, from, node, 1000));
        assert!(key.knows(&key.make(from, node, 0), from, node, 3));
    }
}
