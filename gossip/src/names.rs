//! Which member a name belongs to.

use std::collections::{BTreeMap, BTreeSet};

use rumormill_transport_api::NodeId;

use crate::signer::Grant;

/// The names of members that are there, and who claims each.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<Box<str>, BTreeSet<Rank>>);

/// What decides between two that claim one name: whose it is by a ticket comes first, then who has been
/// there longest, by what the claimants say; the lower id decides between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    pub(crate) right: Right,
    pub(crate) epoch: u64,
    pub(crate) node: NodeId,
}

/// By what a member has its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    Ticket,
    Claim,
}

impl Right {
    pub(crate) fn to(name: &str, grant: &Grant) -> Self {
        match grant {
            Grant::Named(theirs) if &**theirs == name => Self::Ticket,
            _ => Self::Claim,
        }
    }
}

impl Names {
    pub(crate) fn add(&mut self, name: &str, rank: Rank) {
        if !name.is_empty() {
            self.0.entry(name.into()).or_default().insert(rank);
        }
    }

    pub(crate) fn remove(&mut self, name: &str, rank: Rank) {
        let Some(claims) = self.0.get_mut(name) else { return };
        claims.remove(&rank);
        if claims.is_empty() {
            self.0.remove(name);
        }
    }

    /// All that claim it, whose it is before all others.
    pub(crate) fn claims(&self, name: &str) -> impl Iterator<Item = Rank> {
        self.0.get(name).into_iter().flatten().copied()
    }

    /// Whose it is.
    pub(crate) fn holder(&self, name: &str) -> Option<NodeId> {
        self.claims(name).next().map(|rank| rank.node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_oldest_claimants() {
        let node = |byte| NodeId([byte; 32]);
        let mut names = Names::default();
        let rank = |epoch, byte| Rank { right: Right::Claim, epoch, node: node(byte) };
        names.add("ant", rank(7, 1));
        names.add("ant", rank(7, 0));
        names.add("ant", rank(6, 9));
        assert_eq!(names.holder("ant"), Some(node(9)));
        assert!(names.claims("ant").eq([rank(6, 9), rank(7, 0), rank(7, 1)]));
        names.remove("ant", rank(6, 9));
        assert_eq!(names.holder("ant"), Some(node(0)));
        let by_ticket = Rank { right: Right::to("ant", &Grant::Named("ant".into())), ..rank(9, 5) };
        names.add("ant", by_ticket);
        assert_eq!(names.holder("ant"), Some(node(5)), "a ticket counts more than age");
        names.remove("ant", by_ticket);
        assert_eq!(Right::to("ant", &Grant::Named("bee".into())), Right::Claim);
        names.remove("ant", rank(7, 0));
        names.remove("ant", rank(7, 1));
        assert!(names.0.is_empty());
        names.add("", rank(1, 1));
        assert_eq!(names.holder(""), None, "no name is no conflict");
    }
}
