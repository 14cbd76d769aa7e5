//! What a member says of another: that it suspects it, or holds it for failed.
//!
//! An accusation is signed by its accuser, about one version of its subject's record; a higher version
//! refutes it, and nothing else does. It names both by the first eight bytes of their ids, which whoever
//! receives it knows in full; the signature covers all of both ids. So a dozen fit a packet.

use bytes::{BufMut, BytesMut};
use rumormill_identity::{Purpose, SIGNATURE};
use rumormill_transport_api::NodeId;

use crate::{
    record::Version,
    rest::{Malformed, Rest},
    signer::{Notary, Signer},
};

/// A member's word about another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Accusation {
    pub(crate) verdict: Verdict,
    pub(crate) about: NodeId,
    pub(crate) version: Version,
    pub(crate) by: NodeId,
    signature: [u8; SIGNATURE],
}

/// An accusation as it arrived, whose parties have yet to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) verdict: Verdict,
    pub(crate) about: Brief,
    pub(crate) version: Version,
    pub(crate) by: Brief,
    signature: [u8; SIGNATURE],
}

/// What an accuser holds its subject for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Verdict {
    Suspect,
    Failed,
}

/// The first bytes of a node id.
pub(crate) type Brief = [u8; 8];

/// Bytes of an accusation.
pub(crate) const ACCUSATION: usize = 1 + 8 + 8 + 4 + 8 + SIGNATURE;

const FORMAT: u8 = 1;

pub(crate) fn brief(node: NodeId) -> Brief {
    *node.0.first_chunk().expect("invariant: 8 is less than 32")
}

impl Verdict {
    fn byte(self) -> u8 {
        match self {
            Self::Suspect => 1,
            Self::Failed => 2,
        }
    }
}

impl Accusation {
    pub(crate) fn sign(
        verdict: Verdict,
        about: NodeId,
        version: Version,
        notary: &Notary<impl Signer>,
    ) -> Self {
        let signed = signed(verdict, about, version, notary.node());
        let signature = notary.sign(Purpose::Accusation, &signed);
        Self { verdict, about, version, by: notary.node(), signature }
    }

    pub(crate) fn is_genuine(&self, notary: &Notary<impl Signer>) -> bool {
        let signed = signed(self.verdict, self.about, self.version, self.by);
        notary.verifies(self.by, Purpose::Accusation, &signed, &self.signature)
    }

    pub(crate) fn put(&self, into: &mut BytesMut) {
        into.put_u8(self.verdict.byte());
        into.put_slice(&brief(self.about));
        into.put_u64(self.version.epoch);
        into.put_u32(self.version.n);
        into.put_slice(&brief(self.by));
        into.put_slice(&self.signature);
    }
}

impl Claim {
    pub(crate) fn read(rest: &mut Rest<'_>) -> Result<Self, Malformed> {
        let verdict = match rest.byte()? {
            1 => Verdict::Suspect,
            2 => Verdict::Failed,
            _ => return Err(Malformed::Unknown),
        };
        let about = rest.chunk()?;
        let version = Version { epoch: rest.u64()?, n: rest.u32()? };
        Ok(Self { verdict, about, version, by: rest.chunk()?, signature: rest.chunk()? })
    }

    /// The accusation, if these are its parties.
    pub(crate) fn between(&self, about: NodeId, by: NodeId) -> Accusation {
        let Self { verdict, version, signature, .. } = *self;
        Accusation { verdict, about, version, by, signature }
    }
}

fn signed(verdict: Verdict, about: NodeId, version: Version, by: NodeId) -> BytesMut {
    let mut signed = BytesMut::with_capacity(78);
    signed.put_u8(FORMAT);
    signed.put_u8(verdict.byte());
    signed.put_slice(&about.0);
    signed.put_u64(version.epoch);
    signed.put_u32(version.n);
    signed.put_slice(&by.0);
    signed
}

#[cfg(test)]
mod tests {
    use rumormill_identity::SecretKey;

    use super::*;
    use crate::rest::tests::hostile;

    const ABOUT: NodeId = NodeId([9; 32]);
    const VERSION: Version = Version { epoch: 0x0102, n: 3 };

    fn notary(seed: u8) -> Notary<SecretKey> {
        Notary::new(SecretKey::from_bytes(&[seed; 32]), "test")
    }

    fn whole(accusation: &Accusation) -> BytesMut {
        let mut into = BytesMut::new();
        accusation.put(&mut into);
        into
    }

    #[test]
    fn an_accusation_is_these_bytes() {
        let accusation = Accusation::sign(Verdict::Failed, ABOUT, VERSION, &notary(1));
        let whole = whole(&accusation);
        let hex: String = whole.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            (whole.len(), hex.as_str()),
            (ACCUSATION, include_str!("../tests/accusation.hex").trim())
        );
        let claim = Claim::read(&mut Rest(&whole)).unwrap();
        assert_eq!(claim.between(ABOUT, notary(1).node()), accusation);
    }

    #[test]
    fn no_bit_of_an_accusation_can_change() {
        let by = notary(1).node();
        let accusation = Accusation::sign(Verdict::Suspect, ABOUT, VERSION, &notary(1));
        assert!(accusation.is_genuine(&notary(2)));
        let is_same = |claim: &Claim| (claim.about, claim.by) == (brief(ABOUT), brief(by));
        hostile(&whole(&accusation), |bytes| {
            let claim = Claim::read(&mut Rest(bytes)).ok().filter(is_same);
            let genuine =
                claim.is_some_and(|claim| claim.between(ABOUT, by).is_genuine(&notary(2)));
            assert!(!genuine || bytes.len() == ACCUSATION + 1, "{bytes:?}");
        });
    }

    #[test]
    fn the_signature_covers_all_of_both_ids() {
        let accusation = Accusation::sign(Verdict::Suspect, ABOUT, VERSION, &notary(1));
        let mut twin = ABOUT;
        twin.0[31] ^= 1;
        let claim = Claim::read(&mut Rest(&whole(&accusation))).unwrap();
        assert!(!claim.between(twin, notary(1).node()).is_genuine(&notary(2)));
        assert!(!claim.between(ABOUT, notary(2).node()).is_genuine(&notary(2)));
    }
}
