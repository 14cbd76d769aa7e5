//! Which member a name belongs to.

use std::collections::{BTreeMap, BTreeSet};

use rumormill_transport_api::NodeId;

/// The names of members that are there, and who claims each.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<Box<str>, BTreeSet<(u64, NodeId)>>);

impl Names {
    pub(crate) fn add(&mut self, name: &str, epoch: u64, node: NodeId) {
        if !name.is_empty() {
            self.0.entry(name.into()).or_default().insert((epoch, node));
        }
    }

    pub(crate) fn remove(&mut self, name: &str, epoch: u64, node: NodeId) {
        let Some(claims) = self.0.get_mut(name) else { return };
        claims.remove(&(epoch, node));
        if claims.is_empty() {
            self.0.remove(name);
        }
    }

    /// Whose it is: the one's who has been there longest, by what the claimants say; the lower id decides
    /// between two.
    pub(crate) fn holder(&self, name: &str) -> Option<NodeId> {
        self.0.get(name)?.first().map(|(_, node)| *node)
    }

    /// Another one who claims it.
    pub(crate) fn rival(&self, name: &str, node: NodeId) -> Option<NodeId> {
        self.0.get(name)?.iter().map(|(_, claimant)| *claimant).find(|claimant| *claimant != node)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_oldest_claimants() {
        let node = |byte| NodeId([byte; 32]);
        let mut names = Names::default();
        names.add("ant", 7, node(1));
        assert_eq!(names.rival("ant", node(1)), None);
        names.add("ant", 7, node(0));
        names.add("ant", 6, node(9));
        assert_eq!(
            (names.holder("ant"), names.rival("ant", node(9))),
            (Some(node(9)), Some(node(0)))
        );
        names.remove("ant", 6, node(9));
        assert_eq!(names.holder("ant"), Some(node(0)));
        names.remove("ant", 7, node(0));
        names.remove("ant", 7, node(1));
        assert!(names.0.is_empty());
        names.add("", 1, node(1));
        assert_eq!(names.holder(""), None, "no name is no conflict");
    }
}
