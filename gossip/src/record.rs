//! What a member says of itself, signed by itself: nobody else can forge, move or resurrect it.

use bytes::{BufMut, Bytes, BytesMut};
use rumormill_identity::{Purpose, SIGNATURE};
use rumormill_transport_api::NodeId;

use crate::{
    address::MAX_ADDRESS,
    rest::{Malformed, Rest},
    signer::{Notary, Signer},
};

/// A member's word about itself, as it was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose.
    pub node: NodeId,
    /// Which start of the node it is from, as its frames are sealed for.
    pub session: u64,
    /// What makes one record newer than another.
    pub version: Version,
    /// Whether the member stays.
    pub state: State,
    /// When it was signed, in seconds since 1970.
    pub issued: u64,
    /// What people call it.
    pub name: Box<str>,
    /// Where it can be reached, in the form of [`pack`](crate::pack), the best first.
    pub addresses: Vec<Bytes>,
    /// What its metadata are told by, which are fetched apart; zeros if there are none.
    pub metadata: [u8; 16],
    /// What it shows to those who admit by tickets; may be empty.
    pub ticket: Bytes,
    /// All of it as it travels, signature included.
    whole: Bytes,
}

/// What the user of a node decides about its record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// A name for people, of at most [`MAX_NAME`] bytes without control characters; may be empty.
    pub name: Box<str>,
    /// Where it can be reached, at most [`MAX_ADDRESSES`] in the form of [`pack`](crate::pack), the best
    /// first.
    pub addresses: Vec<Bytes>,
    /// Whatever applications want known of it, at most [`MAX_METADATA`] bytes. Other members fetch it
    /// when it has changed.
    pub metadata: Bytes,
}

/// The age of a record among all of its member: by start first, then by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// Higher with every start of the node: milliseconds since 1970 at that start.
    pub epoch: u64,
    /// Higher with every record of that start.
    pub n: u32,
}

/// Whether a member stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It does.
    Alive,
    /// It has left, or is about to. Final for this epoch.
    Leaving,
}

/// A profile that no record can hold. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ProfileError {
    /// An address is longer than allowed.
    #[error("an address takes {0} bytes, {MAX_ADDRESS} are the limit; leave it out")]
    Address(usize),
    /// There are too many addresses.
    #[error("{0} addresses, {MAX_ADDRESSES} are the limit; list the best ones")]
    Addresses(usize),
    /// The metadata are too long.
    #[error("metadata of {0} bytes, {MAX_METADATA} are the limit; tell where to find the rest")]
    Metadata(usize),
    /// The name is too long.
    #[error("a name of {0} bytes, {MAX_NAME} are the limit; shorten it")]
    Name(usize),
    /// The name cannot be shown.
    #[error("a name has a control character; leave it out")]
    Unprintable,
    /// All addresses together are too long.
    #[error("the addresses take {0} bytes, {MAX_PLACES} are the limit; list fewer")]
    Places(usize),
    /// The ticket of the node is longer than a record can show.
    #[error("a ticket of {0} bytes, {MAX_TICKET} are the limit; have a shorter one issued")]
    Ticket(usize),
}

/// Bytes of a name, at most.
pub const MAX_NAME: usize = 64;
/// Addresses of one record, at most.
pub const MAX_ADDRESSES: usize = 8;
/// Bytes of all addresses of one record with their lengths, at most.
pub const MAX_PLACES: usize = 320;
/// Bytes of metadata, at most.
pub const MAX_METADATA: usize = 512;
/// Bytes of the ticket in a record, at most: one with a name of 64 bytes has 210.
pub const MAX_TICKET: usize = 224;
/// Bytes of a record, at most. Every packet has room for one.
pub const MAX_RECORD: usize = FIXED + MAX_NAME + MAX_PLACES + MAX_TICKET;

const FORMAT: u8 = 1;
const FIXED: usize = 1 + 1 + 32 + 8 + 8 + 4 + 8 + 16 + 1 + 1 + 1 + SIGNATURE;

impl Profile {
    /// That a record can hold it.
    ///
    /// # Errors
    /// [`ProfileError`] for the first limit that it exceeds.
    pub fn check(&self) -> Result<(), ProfileError> {
        let longest = self.addresses.iter().map(Bytes::len).max().unwrap_or_default();
        let all: usize = self.addresses.iter().map(|address| 1 + address.len()).sum();
        match () {
            () if MAX_NAME < self.name.len() => Err(ProfileError::Name(self.name.len())),
            () if self.name.contains(char::is_control) => Err(ProfileError::Unprintable),
            () if MAX_ADDRESSES < self.addresses.len() => {
                Err(ProfileError::Addresses(self.addresses.len()))
            }
            () if MAX_ADDRESS < longest => Err(ProfileError::Address(longest)),
            () if MAX_PLACES < all => Err(ProfileError::Places(all)),
            () if MAX_METADATA < self.metadata.len() => {
                Err(ProfileError::Metadata(self.metadata.len()))
            }
            () => Ok(()),
        }
    }

    fn put(&self, into: &mut BytesMut) {
        into.put_slice(&told_by(&self.metadata));
        put_short(into, self.name.as_bytes());
        into.put_u8(self.addresses.len() as u8);
        self.addresses.iter().for_each(|address| put_short(into, address));
    }

    /// One without its metadata, and what those are told by.
    fn read(rest: &mut Rest<'_>) -> Result<(Self, [u8; 16]), Malformed> {
        let metadata = rest.chunk()?;
        let name = rest.short_slice(MAX_NAME)?;
        let name = std::str::from_utf8(name).map_err(|_| Malformed::Unknown)?.into();
        let count = usize::from(rest.byte()?);
        if MAX_ADDRESSES < count {
            return Err(Malformed::Long);
        }
        let mut address = || rest.short_slice(MAX_ADDRESS).map(Bytes::copy_from_slice);
        let addresses = (0..count).map(|_| address()).collect::<Result<_, _>>()?;
        let profile = Self { name, addresses, metadata: Bytes::new() };
        profile.check().map_err(|_| Malformed::Long)?;
        Ok((profile, metadata))
    }
}

/// What metadata are told by in a record: a hash; zeros if there are none.
pub(crate) fn told_by(metadata: &[u8]) -> [u8; 16] {
    match metadata {
        [] => [0; 16],
        _ => {
            *blake3::hash(metadata).as_bytes().first_chunk().expect("invariant: 16 is less than 32")
        }
    }
}

fn put_short(into: &mut BytesMut, slice: &[u8]) {
    into.put_u8(slice.len() as u8);
    into.put_slice(slice);
}

/// What a record says besides its profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Issue {
    pub(crate) session: u64,
    pub(crate) version: Version,
    pub(crate) state: State,
    pub(crate) issued: u64,
}

impl Record {
    /// Signs one. The profile and the notary's ticket have been checked.
    pub(crate) fn sign(issue: Issue, profile: Profile, notary: &Notary<impl Signer>) -> Self {
        let (node, ticket) = (notary.node(), notary.ticket());
        let Issue { session, version, state, issued } = issue;
        let mut into = BytesMut::with_capacity(FIXED + 128);
        into.put_u8(FORMAT);
        into.put_u8(match state {
            State::Alive => 1,
            State::Leaving => 2,
        });
        into.put_slice(&node.0);
        into.put_u64(session);
        into.put_u64(version.epoch);
        into.put_u32(version.n);
        into.put_u64(issued);
        profile.put(&mut into);
        put_short(&mut into, &ticket);
        let signature = notary.sign(Purpose::Record, &into);
        into.put_slice(&signature);
        let (whole, Profile { name, addresses, metadata }) = (into.freeze(), profile);
        let metadata = told_by(&metadata);
        Self { node, session, version, state, issued, name, addresses, metadata, ticket, whole }
    }

    /// Reads one; nothing is verified. Memory is taken for what arrived, never for what it claims.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn read(whole: &[u8]) -> Result<Self, Malformed> {
        let (signed, _) = whole.split_last_chunk::<SIGNATURE>().ok_or(Malformed::Short)?;
        let mut rest = Rest(signed);
        if rest.byte()? != FORMAT {
            return Err(Malformed::Version);
        }
        let state = match rest.byte()? {
            1 => State::Alive,
            2 => State::Leaving,
            _ => return Err(Malformed::Unknown),
        };
        let (node, session) = (NodeId(rest.chunk()?), rest.u64()?);
        let version = Version { epoch: rest.u64()?, n: rest.u32()? };
        let issued = rest.u64()?;
        let (Profile { name, addresses, .. }, metadata) = Profile::read(&mut rest)?;
        let ticket = Bytes::copy_from_slice(rest.short_slice(MAX_TICKET)?);
        rest.end()?;
        let whole = Bytes::copy_from_slice(whole);
        Ok(Self { node, session, version, state, issued, name, addresses, metadata, ticket, whole })
    }

    /// Whether its subject has signed it, in this cluster.
    pub(crate) fn is_genuine(&self, notary: &Notary<impl Signer>) -> bool {
        self.whole.split_last_chunk().is_some_and(|(signed, signature)| {
            notary.verifies(self.node, Purpose::Record, signed, signature)
        })
    }

    /// Whether both say the same, but for their age.
    pub(crate) fn says_as_much_as(&self, other: &Self) -> bool {
        let said = |of: &Self| (of.session, of.state, of.metadata);
        said(self) == said(other) && self.name == other.name && self.addresses == other.addresses
    }

    /// All of it as it travels.
    pub fn whole(&self) -> &Bytes {
        &self.whole
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rumormill_identity::SecretKey;

    use super::*;
    use crate::{rest::tests::hostile, signer::StandIn};

    pub(crate) fn issue(epoch: u64, n: u32) -> Issue {
        Issue {
            session: epoch,
            version: Version { epoch, n },
            state: State::Alive,
            issued: 1_000_000,
        }
    }

    pub(crate) fn record(node: u8, epoch: u64, n: u32) -> Record {
        let profile = Profile { name: format!("n{node}").into(), ..Profile::default() };
        let notary = Notary::new(StandIn(NodeId([node; 32])), "test");
        Record::sign(issue(epoch, n), profile, &notary)
    }

    fn notary(seed: u8) -> Notary<SecretKey> {
        Notary::new(SecretKey::from_bytes(&[seed; 32]), "test")
    }

    fn profile() -> Profile {
        let addresses = ["tcp://10.0.0.1:7946", "udp://[fd00::1]:7946"];
        let pack = |text: &&str| crate::pack(&text.parse().unwrap()).unwrap();
        let addresses = addresses.iter().map(pack).collect();
        Profile { name: "ant".into(), addresses, metadata: vec![7; 9].into() }
    }

    /// One with a ticket.
    struct Holder(Vec<u8>);

    impl Signer for Holder {
        fn node(&self) -> NodeId {
            NodeId([1; 32])
        }

        fn sign(&self, purpose: Purpose, digest: &[u8; 32]) -> [u8; SIGNATURE] {
            StandIn(self.node()).sign(purpose, digest)
        }

        fn ticket(&self) -> Bytes {
            self.0.clone().into()
        }
    }

    #[test]
    fn a_record_is_these_bytes() {
        let record = Record::sign(issue(0x0102, 3), profile(), &notary(1));
        let hex: String = record.whole().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, include_str!("../tests/record.hex").trim());
        let read = Record::read(record.whole()).unwrap();
        assert_eq!(read, record);
        assert!(read.is_genuine(&notary(2)), "anybody can verify it");
        assert!(!read.is_genuine(&Notary::new(SecretKey::from_bytes(&[1; 32]), "other")));
        assert!(record.whole().len() <= 200, "five fit a packet");
    }

    #[test]
    fn no_bit_of_a_record_can_change() {
        let (record, notary) = (Record::sign(issue(1, 1), profile(), &notary(1)), notary(2));
        hostile(record.whole(), |bytes| {
            let is_fine = Record::read(bytes).is_ok_and(|record| record.is_genuine(&notary));
            assert!(!is_fine, "{bytes:?}");
        });
    }

    #[test]
    fn limits_hold_for_both_sides() {
        let check = |profile: Profile, expected| assert_eq!(profile.check(), expected);
        let address = Bytes::from(vec![1; 64]);
        let of = |count| Profile { addresses: vec![address.clone(); count], ..Profile::default() };
        check(
            Profile { name: "a".repeat(65).into(), ..Profile::default() },
            Err(ProfileError::Name(65)),
        );
        check(Profile { name: "a\n".into(), ..Profile::default() }, Err(ProfileError::Unprintable));
        check(of(9), Err(ProfileError::Addresses(9)));
        check(of(5), Err(ProfileError::Places(325)));
        check(of(4), Ok(()));
        let metadata = Bytes::from(vec![1; MAX_METADATA + 1]);
        check(Profile { metadata, ..Profile::default() }, Err(ProfileError::Metadata(513)));
        let notary = Notary::new(StandIn(NodeId([1; 32])), "test");
        let crowded = Record::sign(issue(1, 1), of(9), &notary);
        assert_eq!(Record::read(crowded.whole()), Err(Malformed::Long));
        let largest = Profile {
            name: "a".repeat(64).into(),
            addresses: vec![vec![1; 79].into(); 4],
            ..of(0)
        };
        let holder = Notary::new(Holder(vec![1; MAX_TICKET]), "test");
        let record = Record::sign(issue(1, 1), largest, &holder);
        assert_eq!(record.whole().len(), MAX_RECORD);
        assert_eq!(Record::read(record.whole()), Ok(record));
        assert_eq!((holder.check(), notary.check()), (Ok(()), Ok(())));
        let crammed = Notary::new(Holder(vec![1; MAX_TICKET + 1]), "test");
        assert_eq!(crammed.check(), Err(ProfileError::Ticket(225)));
    }

    #[test]
    fn a_later_start_beats_every_number() {
        assert!(Version { epoch: 1, n: u32::MAX } < Version { epoch: 2, n: 0 });
        assert!(Version { epoch: 2, n: 0 } < Version { epoch: 2, n: 1 });
    }
}
