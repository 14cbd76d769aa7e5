//! What a member says to all, signed by itself: whoever passes it on can change nothing of it.
//!
//! On the wire a rumor names its origin by the first eight bytes of its id, which whoever receives it
//! knows in full; the signature covers all of the id.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use rumormill_identity::{Purpose, SIGNATURE};
use rumormill_transport_api::NodeId;

use crate::{
    accusation::{Brief, brief},
    rest::{Malformed, Rest},
    signer::{Notary, Signer},
};

/// What a member has said to all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rumor {
    /// Who.
    pub origin: NodeId,
    /// In which start of it: milliseconds since 1970 at that start.
    pub epoch: u64,
    /// As which of that start, counted from 1.
    pub number: u64,
    /// What.
    pub bytes: Bytes,
    /// All of it as an update of a message, signature included.
    whole: Bytes,
}

/// Which rumor it is: there is one with these three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RumorId {
    /// Who has said it.
    pub origin: NodeId,
    /// In which start of it.
    pub epoch: u64,
    /// As which of that start, counted from 1.
    pub number: u64,
}

/// Rumors of one origin that are there and will never be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Gap {
    /// Whose.
    pub origin: NodeId,
    /// Of which start of it.
    pub epoch: u64,
    /// The first of them.
    pub from: u64,
    /// The last of them.
    pub to: u64,
}

/// Why something was not broadcast. Nothing of it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BroadcastError {
    /// This node has broadcast as much as [`Dissemination`](crate::Dissemination) allows.
    #[error("this node has broadcast its share; try again in {wait:?}")]
    Full {
        /// When there is room for it, if nothing else is broadcast before.
        wait: Duration,
    },
    /// Membership has ended, or is about to: this node leaves, or another process has its key.
    #[error("membership has ended; start anew")]
    Over,
    /// It is longer than allowed.
    #[error("a rumor of {len} bytes, {most} are the limit; send it in pieces, or say where it is")]
    TooLong {
        /// Its bytes.
        len: usize,
        /// How many are allowed.
        most: usize,
    },
}

/// A rumor as it arrived, whose origin has yet to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hearsay {
    pub(crate) by: Brief,
    pub(crate) epoch: u64,
    pub(crate) number: u64,
    whole: Bytes,
}

/// That whoever says so has a rumor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) by: Brief,
    pub(crate) epoch: u64,
    pub(crate) number: u64,
}

/// Bytes of what a rumor says, at most.
pub const MAX_RUMOR: usize = 256 << 10;
/// Bytes of an update with a rumor, besides what the rumor says.
pub(crate) const FRAME: usize = HEAD + SIGNATURE;

/// The update's kind, the origin's brief id, epoch, number and length.
const HEAD: usize = 1 + 8 + 8 + 8 + 4;
const FORMAT: u8 = 1;
pub(crate) const RUMOR: u8 = 3;
pub(crate) const ANNOUNCED: u8 = 4;

impl Rumor {
    pub(crate) fn sign(
        epoch: u64,
        number: u64,
        bytes: &[u8],
        notary: &Notary<impl Signer>,
    ) -> Self {
        let id = RumorId { origin: notary.node(), epoch, number };
        let signature = notary.sign(Purpose::Rumor, &signed(id, bytes));
        let mut whole = BytesMut::with_capacity(FRAME + bytes.len());
        whole.put_u8(RUMOR);
        whole.put_slice(&brief(id.origin));
        whole.put_u64(epoch);
        whole.put_u64(number);
        whole.put_u32(bytes.len() as u32);
        whole.put_slice(bytes);
        whole.put_slice(&signature);
        Self::of(id, whole.freeze())
    }

    /// Which one it is.
    #[must_use]
    pub fn id(&self) -> RumorId {
        RumorId { origin: self.origin, epoch: self.epoch, number: self.number }
    }

    pub(crate) fn is_genuine(&self, notary: &Notary<impl Signer>) -> bool {
        let Some(signature) = self.whole.last_chunk() else { return false };
        notary.verifies(self.origin, Purpose::Rumor, &signed(self.id(), &self.bytes), signature)
    }

    /// The update that carries it.
    pub(crate) fn whole(&self) -> &Bytes {
        &self.whole
    }

    /// The update that tells that there is such a rumor.
    pub(crate) fn announced(&self) -> Bytes {
        let mut into = BytesMut::with_capacity(HEAD);
        into.put_u8(ANNOUNCED);
        into.put_slice(&brief(self.origin));
        into.put_u64(self.epoch);
        into.put_u64(self.number);
        into.freeze()
    }

    fn of(RumorId { origin, epoch, number }: RumorId, whole: Bytes) -> Self {
        let end = whole.len().saturating_sub(SIGNATURE).max(HEAD);
        Self { origin, epoch, number, bytes: whole.slice(HEAD..end), whole }
    }
}

impl Hearsay {
    /// Reads one, behind its kind; nothing is verified.
    pub(crate) fn read(rest: &mut Rest<'_>) -> Result<Self, Malformed> {
        let start = rest.0;
        let (by, epoch, number) = (rest.chunk()?, rest.u64()?, rest.u64()?);
        let len = usize::try_from(rest.u32()?).unwrap_or(usize::MAX);
        if MAX_RUMOR < len {
            return Err(Malformed::Long);
        }
        rest.slice(len + SIGNATURE)?;
        let read = start.len() - rest.0.len();
        let mut whole = BytesMut::with_capacity(1 + read);
        whole.put_u8(RUMOR);
        whole.put_slice(start.get(..read).ok_or(Malformed::Short)?);
        Ok(Self { by, epoch, number, whole: whole.freeze() })
    }

    /// Bytes of what it says.
    pub(crate) fn len(&self) -> usize {
        self.whole.len().saturating_sub(FRAME)
    }

    pub(crate) fn id(&self, origin: NodeId) -> RumorId {
        RumorId { origin, epoch: self.epoch, number: self.number }
    }

    /// The rumor, if this is its origin.
    pub(crate) fn of(&self, origin: NodeId) -> Rumor {
        Rumor::of(self.id(origin), self.whole.clone())
    }
}

impl Announced {
    /// Reads one, behind its kind.
    pub(crate) fn read(rest: &mut Rest<'_>) -> Result<Self, Malformed> {
        Ok(Self { by: rest.chunk()?, epoch: rest.u64()?, number: rest.u64()? })
    }

    pub(crate) fn id(&self, origin: NodeId) -> RumorId {
        RumorId { origin, epoch: self.epoch, number: self.number }
    }
}

fn signed(id: RumorId, bytes: &[u8]) -> BytesMut {
    let mut signed = BytesMut::with_capacity(49 + bytes.len());
    signed.put_u8(FORMAT);
    signed.put_slice(&id.origin.0);
    signed.put_u64(id.epoch);
    signed.put_u64(id.number);
    signed.put_slice(bytes);
    signed
}

#[cfg(test)]
pub(crate) mod tests {
    use rumormill_identity::SecretKey;

    use super::*;
    use crate::{rest::tests::hostile, signer::StandIn};

    /// A rumor of node `by`, by the stand-in signer.
    pub(crate) fn rumor(by: u8, epoch: u64, number: u64, bytes: &[u8]) -> Rumor {
        Rumor::sign(epoch, number, bytes, &Notary::new(StandIn(NodeId([by; 32])), "test"))
    }

    fn notary(seed: u8) -> Notary<SecretKey> {
        Notary::new(SecretKey::from_bytes(&[seed; 32]), "test")
    }

    fn read(whole: &[u8]) -> Result<Hearsay, Malformed> {
        let mut rest = Rest(whole);
        rest.byte()?;
        let hearsay = Hearsay::read(&mut rest)?;
        rest.end().map(|()| hearsay)
    }

    #[test]
    fn a_rumor_is_these_bytes() {
        let rumor = Rumor::sign(0x0102, 3, b"rumor", &notary(1));
        let hex: String = rumor.whole()[1..].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, include_str!("../tests/rumor.hex").trim());
        assert_eq!((&rumor.bytes[..], rumor.whole().len()), (&b"rumor"[..], FRAME + 5));
        let hearsay = read(rumor.whole()).unwrap();
        assert_eq!((hearsay.of(notary(1).node()), hearsay.len()), (rumor, 5));
    }

    #[test]
    fn no_bit_of_a_rumor_can_change() {
        let (by, rumor) = (notary(1).node(), Rumor::sign(1, 2, b"a", &notary(1)));
        assert!(rumor.is_genuine(&notary(2)));
        hostile(rumor.whole(), |bytes| {
            let hearsay = read(bytes).ok().filter(|hearsay| hearsay.by == brief(by));
            let is_genuine = hearsay.is_some_and(|hearsay| hearsay.of(by).is_genuine(&notary(2)));
            assert!(!is_genuine || bytes[1..] == rumor.whole()[1..], "{bytes:?}");
        });
    }

    #[test]
    fn the_signature_covers_all_of_the_origin_and_the_cluster() {
        let (rumor, mut twin) = (Rumor::sign(1, 2, b"", &notary(1)), notary(1).node());
        twin.0[31] ^= 1;
        let hearsay = read(rumor.whole()).unwrap();
        assert!(!hearsay.of(twin).is_genuine(&notary(2)));
        let elsewhere = Notary::new(SecretKey::from_bytes(&[2; 32]), "elsewhere");
        assert!(rumor.is_genuine(&notary(2)) && !rumor.is_genuine(&elsewhere));
    }

    #[test]
    fn what_is_longer_than_allowed_is_refused_unread() {
        let mut whole = rumor(1, 1, 1, b"").whole().to_vec();
        whole[25..29].copy_from_slice(&(MAX_RUMOR as u32 + 1).to_be_bytes());
        assert_eq!(read(&whole), Err(Malformed::Long));
        whole[25..29].copy_from_slice(&(MAX_RUMOR as u32).to_be_bytes());
        assert_eq!(read(&whole), Err(Malformed::Short));
    }

    #[test]
    fn an_announcement_comes_back_as_it_was() {
        let rumor = rumor(1, 5, 6, b"long");
        let bytes = rumor.announced();
        let announced = Announced::read(&mut Rest(&bytes[1..])).unwrap();
        assert_eq!((bytes[0], announced.id(rumor.origin)), (ANNOUNCED, rumor.id()));
    }
}
