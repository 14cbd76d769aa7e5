//! Who may be a member: a list, a ticket, or anybody.

use std::{collections::BTreeSet, sync::Arc};

use bytes::{BufMut, Bytes, BytesMut};
use rumormill_identity::{PublicKey, Purpose, SIGNATURE, SecretKey};
use rumormill_transport_api::NodeId;

use crate::{
    frame::{Malformed, Rest, VERSION},
    hello::MAX_TICKET,
    seal::Cluster,
};

/// Whom a node talks to. It is asked before anything of a peer enters a table.
#[derive(Clone, Debug)]
pub enum Admission {
    /// Anybody who knows the cluster's name. For tests, and networks that nobody else reaches.
    Open,
    /// These nodes and no others.
    Nodes(Arc<BTreeSet<NodeId>>),
    /// Whoever holds a ticket.
    Tickets(Arc<Tickets>),
}

/// Whose tickets count, and which of them no more.
#[derive(Clone, Debug)]
pub struct Tickets {
    /// The cluster's keys. More than one, while the next replaces the last.
    issuers: Vec<PublicKey>,
    revoked: Vec<Revocations>,
}

/// A cluster key's word that a node may be a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Who may.
    pub node: NodeId,
    /// What people call it, at most 64 bytes; a name belongs to the holder of the ticket.
    pub name: Box<str>,
    /// Until when, in seconds since 1970 (Unix time).
    pub not_after: u64,
    /// By which it can be revoked.
    pub serial: u64,
}

/// A cluster key's word that some of its tickets count no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocations {
    /// Whose tickets.
    pub issuer: NodeId,
    /// The list with the higher number replaces the other.
    pub version: u64,
    /// The tickets' numbers, at most [`MAX_REVOKED`].
    pub serials: BTreeSet<u64>,
}

/// Why a node is not admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Denied {
    /// The ticket's time is over.
    #[error("its ticket has expired")]
    Expired,
    /// Its signature is not by a key of this cluster, or the ticket is another node's.
    #[error("its ticket is not by a key of this cluster for this node")]
    Foreign,
    /// It is no ticket.
    #[error("its ticket cannot be read")]
    Malformed,
    /// It is not on the list.
    #[error("it is not on the list of nodes")]
    NotListed,
    /// It showed none, and must.
    #[error("it has no ticket")]
    NoTicket,
    /// The ticket was revoked.
    #[error("its ticket was revoked")]
    Revoked,
}

/// Bytes of the longest [`Ticket::name`].
pub const MAX_NAME: usize = 64;
/// Tickets of one key that can be revoked at a time; to revoke more, change the key.
pub const MAX_REVOKED: usize = 1024;

impl Admission {
    /// Whether `node`, which shows `ticket`, may be a member of `cluster` at `now`, in seconds since
    /// 1970. With tickets, what the ticket says.
    ///
    /// It verifies at most one signature, and that only when all else is right.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn admit(
        &self,
        cluster: &Cluster,
        node: NodeId,
        ticket: &[u8],
        now: u64,
    ) -> Result<Option<Ticket>, Denied> {
        match self {
            Self::Open => Ok(None),
            Self::Nodes(nodes) if nodes.contains(&node) => Ok(None),
            Self::Nodes(_) => Err(Denied::NotListed),
            Self::Tickets(tickets) => tickets.admit(cluster, node, ticket, now).map(Some),
        }
    }
}

impl Tickets {
    /// Those that one of `issuers` has signed.
    pub fn by(issuers: impl IntoIterator<Item = PublicKey>) -> Self {
        Self { issuers: issuers.into_iter().collect(), revoked: Vec::new() }
    }

    /// Takes a list of revocations, signed by one of the issuers, unless a newer one is known; tells
    /// whether it did.
    ///
    /// # Errors
    /// [`Denied::Malformed`], [`Denied::Foreign`].
    pub fn revoke(&mut self, cluster: &Cluster, signed: &[u8]) -> Result<bool, Denied> {
        let list = Revocations::open(cluster, signed, &self.issuers)?;
        let known = self.revoked.iter_mut().find(|known| known.issuer == list.issuer);
        match known {
            Some(known) if list.version <= known.version => return Ok(false),
            Some(known) => *known = list,
            // As many as there are issuers, at most.
            None => self.revoked.push(list),
        }
        Ok(true)
    }

    fn admit(
        &self,
        cluster: &Cluster,
        node: NodeId,
        signed: &[u8],
        now: u64,
    ) -> Result<Ticket, Denied> {
        if signed.is_empty() {
            return Err(Denied::NoTicket);
        }
        let (ticket, envelope) = Ticket::read(signed).map_err(|_| Denied::Malformed)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.node() == envelope.issuer);
        let issuer = issuer.filter(|_| ticket.node == node).ok_or(Denied::Foreign)?;
        let is_of_issuer = |list: &&Revocations| list.issuer == envelope.issuer;
        if self
            .revoked
            .iter()
            .filter(is_of_issuer)
            .any(|list| list.serials.contains(&ticket.serial))
        {
            return Err(Denied::Revoked);
        }
        if ticket.not_after < now {
            return Err(Denied::Expired);
        }
        envelope.check(cluster, Purpose::Ticket, issuer)?;
        Ok(ticket)
    }
}

impl Ticket {
    /// The ticket as the node shows it, signed with a key of the cluster; at most
    /// [`MAX_TICKET`] bytes. A name that is too long is cut.
    pub fn sign(&self, cluster: &Cluster, key: &SecretKey) -> Bytes {
        let mut into = BytesMut::with_capacity(MAX_TICKET);
        into.put_u8(VERSION);
        into.put_slice(&self.node.0);
        into.put_u64(self.not_after);
        into.put_u64(self.serial);
        let whole = (0..=MAX_NAME.min(self.name.len())).rev();
        let end = whole.into_iter().find(|end| self.name.is_char_boundary(*end)).unwrap_or(0);
        let name = &self.name[..end];
        into.put_u8(name.len() as u8);
        into.put_slice(name.as_bytes());
        seal(into, cluster, Purpose::Ticket, key)
    }

    /// What a ticket says, and whose it claims to be. Nobody has looked at its signature: this is for
    /// showing, and [`Admission::admit`] for deciding.
    ///
    /// # Errors
    /// [`Denied::Malformed`].
    pub fn unverified(signed: &[u8]) -> Result<(Self, NodeId), Denied> {
        let (ticket, envelope) = Self::read(signed).map_err(|_| Denied::Malformed)?;
        Ok((ticket, envelope.issuer))
    }

    fn read(signed: &[u8]) -> Result<(Self, Envelope<'_>), Malformed> {
        let (envelope, mut rest) = Envelope::read(signed)?;
        let node = NodeId(*rest.chunk()?);
        let (not_after, serial) = (rest.number()?, rest.number()?);
        let len = usize::from(rest.byte()?);
        let name = rest.slice(len).ok().filter(|name| name.len() <= MAX_NAME);
        let name =
            name.and_then(|name| std::str::from_utf8(name).ok()).ok_or(Malformed::Unknown)?;
        match rest.0.is_empty() {
            true => Ok((Self { node, name: name.into(), not_after, serial }, envelope)),
            false => Err(Malformed::Unknown),
        }
    }
}

impl Revocations {
    /// The list as it is passed on, signed with the key whose tickets it is about.
    pub fn sign(&self, cluster: &Cluster, key: &SecretKey) -> Bytes {
        let mut into = BytesMut::new();
        into.put_u8(VERSION);
        into.put_u64(self.version);
        for serial in self.serials.iter().take(MAX_REVOKED) {
            into.put_u64(*serial);
        }
        seal(into, cluster, Purpose::Revocation, key)
    }

    /// What a list says, and whose it claims to be. Nobody has looked at its signature.
    ///
    /// # Errors
    /// [`Denied::Malformed`].
    pub fn unverified(signed: &[u8]) -> Result<Self, Denied> {
        Self::read(signed).map(|(list, _)| list).map_err(|_| Denied::Malformed)
    }

    /// The list, if one of `issuers` has signed it for this cluster.
    ///
    /// # Errors
    /// [`Denied::Malformed`], [`Denied::Foreign`].
    pub fn open(cluster: &Cluster, signed: &[u8], issuers: &[PublicKey]) -> Result<Self, Denied> {
        let (list, envelope) = Self::read(signed).map_err(|_| Denied::Malformed)?;
        let issuer = issuers.iter().find(|issuer| issuer.node() == envelope.issuer);
        envelope.check(cluster, Purpose::Revocation, issuer.ok_or(Denied::Foreign)?)?;
        Ok(list)
    }

    fn read(signed: &[u8]) -> Result<(Self, Envelope<'_>), Malformed> {
        let (envelope, mut rest) = Envelope::read(signed)?;
        let version = rest.number()?;
        if 8 * MAX_REVOKED < rest.0.len() {
            return Err(Malformed::Crowded);
        }
        let mut serials = BTreeSet::new();
        while !rest.0.is_empty() {
            serials.insert(rest.number()?);
        }
        Ok((Self { issuer: envelope.issuer, version, serials }, envelope))
    }
}

/// What stands around what a cluster key signs: a version before it; issuer and signature behind.
struct Envelope<'a> {
    issuer: NodeId,
    signed: &'a [u8],
    signature: &'a [u8; SIGNATURE],
}

impl<'a> Envelope<'a> {
    fn read(whole: &'a [u8]) -> Result<(Self, Rest<'a>), Malformed> {
        let (signed, signature) = whole.split_last_chunk().ok_or(Malformed::Short)?;
        let (body, issuer) = signed.split_last_chunk().ok_or(Malformed::Short)?;
        let mut rest = Rest(body);
        match rest.byte()? {
            VERSION => Ok((Self { issuer: NodeId(*issuer), signed, signature }, rest)),
            _ => Err(Malformed::Version),
        }
    }

    fn check(&self, cluster: &Cluster, purpose: Purpose, issuer: &PublicKey) -> Result<(), Denied> {
        match issuer.verifies(purpose, &digest(cluster, self.signed), self.signature) {
            true => Ok(()),
            false => Err(Denied::Foreign),
        }
    }
}

fn seal(mut body: BytesMut, cluster: &Cluster, purpose: Purpose, key: &SecretKey) -> Bytes {
    body.put_slice(&key.node().0);
    let signature = key.sign(purpose, &digest(cluster, &body));
    body.put_slice(&signature);
    body.freeze()
}

fn digest(cluster: &Cluster, signed: &[u8]) -> [u8; 32] {
    *blake3::keyed_hash(cluster.id(), signed).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000_000;

    fn key(seed: u8) -> SecretKey {
        SecretKey::from_bytes(&[seed; 32])
    }

    fn cluster() -> Cluster {
        Cluster::named("test")
    }

    fn ticket() -> Ticket {
        Ticket { node: key(1).node(), name: "föö".into(), not_after: NOW, serial: 5 }
    }

    fn tickets(issuers: &[u8]) -> Tickets {
        Tickets::by(issuers.iter().map(|seed| PublicKey::of(key(*seed).node()).unwrap()))
    }

    fn admit(tickets: &Tickets, ticket: &[u8]) -> Result<Option<Ticket>, Denied> {
        let admission = Admission::Tickets(tickets.clone().into());
        admission.admit(&cluster(), key(1).node(), ticket, NOW)
    }

    #[test]
    fn a_ticket_admits_its_holder() {
        let signed = ticket().sign(&cluster(), &key(9));
        assert_eq!(admit(&tickets(&[8, 9]), &signed), Ok(Some(ticket())));
        assert_eq!(admit(&tickets(&[8]), &signed), Err(Denied::Foreign));
        assert_eq!(admit(&tickets(&[9]), b""), Err(Denied::NoTicket));
        let longest = Ticket { name: "ö".repeat(40).into(), ..ticket() };
        let signed = longest.sign(&cluster(), &key(9));
        assert!(signed.len() <= MAX_TICKET);
        assert_eq!(admit(&tickets(&[9]), &signed).unwrap().unwrap().name.len(), MAX_NAME);
    }

    #[test]
    fn what_is_signed_can_be_shown_without_being_believed() {
        let signed = ticket().sign(&Cluster::named("any"), &key(9));
        assert_eq!(Ticket::unverified(&signed), Ok((ticket(), key(9).node())));
        assert_eq!(Ticket::unverified(&signed[1..]), Err(Denied::Malformed));
        let list = Revocations { issuer: key(9).node(), version: 3, serials: [1, 5].into() };
        let signed = list.sign(&cluster(), &key(9));
        assert_eq!(Revocations::unverified(&signed), Ok(list.clone()));
        let open = |by| Revocations::open(&cluster(), &signed, &[PublicKey::of(by).unwrap()]);
        assert_eq!(open(key(9).node()), Ok(list));
        assert_eq!(open(key(8).node()), Err(Denied::Foreign));
        assert_eq!(Revocations::unverified(b"no list"), Err(Denied::Malformed));
    }

    #[test]
    fn a_ticket_is_worth_nothing_to_others() {
        let trusted = tickets(&[9]);
        let admitted =
            |ticket: Ticket, cluster: &Cluster| admit(&trusted, &ticket.sign(cluster, &key(9)));
        let other_node = Ticket { node: key(2).node(), ..ticket() };
        let expired = Ticket { not_after: NOW - 1, ..ticket() };
        assert_eq!(admitted(other_node, &cluster()), Err(Denied::Foreign));
        assert_eq!(admitted(expired, &cluster()), Err(Denied::Expired));
        assert_eq!(admitted(ticket(), &Cluster::named("other")), Err(Denied::Foreign));
    }

    #[test]
    fn no_bit_of_a_ticket_can_change() {
        let (trusted, signed) = (tickets(&[9]), ticket().sign(&cluster(), &key(9)));
        for bit in 0..8 * signed.len() {
            let mut bent = signed.to_vec();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(admit(&trusted, &bent).is_err(), "bit {bit}");
        }
        for len in 0..signed.len() {
            assert!(admit(&trusted, &signed[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn revoked_tickets_count_no_more() {
        let (mut trusted, signed) = (tickets(&[8, 9]), ticket().sign(&cluster(), &key(9)));
        let list = |version, serials: &[u64], by| {
            let (issuer, serials) = (key(by).node(), serials.iter().copied().collect());
            Revocations { issuer, version, serials }.sign(&cluster(), &key(by))
        };
        assert_eq!(trusted.revoke(&cluster(), &list(1, &[5], 8)), Ok(true));
        assert!(admit(&trusted, &signed).is_ok(), "another key's serial");
        assert_eq!(trusted.revoke(&cluster(), &list(2, &[4, 5], 9)), Ok(true));
        assert_eq!(admit(&trusted, &signed), Err(Denied::Revoked));
        assert_eq!(trusted.revoke(&cluster(), &list(1, &[], 9)), Ok(false), "an older list");
        assert_eq!(admit(&trusted, &signed), Err(Denied::Revoked));
        assert_eq!(trusted.revoke(&cluster(), &list(3, &[], 7)), Err(Denied::Foreign));
        assert_eq!(trusted.revoke(&Cluster::named("x"), &list(3, &[], 9)), Err(Denied::Foreign));
        assert_eq!(trusted.revoke(&cluster(), &list(3, &[], 9)), Ok(true));
        assert!(admit(&trusted, &signed).is_ok());
        let ticket_as_list = trusted.revoke(&cluster(), &signed);
        assert!(ticket_as_list.is_err(), "a ticket is no list");
    }

    #[test]
    fn lists_admit_who_is_on_them() {
        let listed = Admission::Nodes(Arc::new([key(1).node()].into()));
        let admit = |node| listed.admit(&cluster(), node, b"", NOW);
        assert_eq!(admit(key(1).node()), Ok(None));
        assert_eq!(admit(key(2).node()), Err(Denied::NotListed));
        assert_eq!(Admission::Open.admit(&cluster(), key(2).node(), b"", NOW), Ok(None));
    }
}
