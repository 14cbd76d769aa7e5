//! What came of a run.

use std::{collections::BTreeMap, time::Duration};

use rumormill_gossip::Standing;
use rumormill_transport_api::NodeId;

use crate::nodes::{
    log::{Entry, Life, What},
    node::name,
    scenario::{Scenario, Slot},
    tally::Tally,
};

/// What came of a run: all that happened, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What was to happen.
    pub scenario: Scenario,
    /// What did.
    pub log: Vec<Entry>,
    /// What the network counted.
    pub tally: Tally,
}

/// What one process held of one member: since when, what; `None`: nothing.
pub type Course = Vec<(Duration, Option<Standing>)>;

impl Report {
    /// How long it took, in virtual time.
    #[must_use]
    pub fn span(&self) -> Duration {
        let over = self.log.iter().find(|entry| entry.what == What::Over);
        over.or_else(|| self.log.last()).map(|entry| entry.at).unwrap_or_default()
    }

    /// What each process held of each member over time.
    #[must_use]
    pub fn timeline(&self) -> BTreeMap<(Life, NodeId), Course> {
        let mut courses: BTreeMap<(Life, NodeId), Course> = BTreeMap::new();
        for entry in &self.log {
            let (key, standing) = match &entry.what {
                What::Seen { life, member } => ((*life, member.node), Some(member.standing)),
                What::Unseen { life, node } => ((*life, *node), None),
                _ => continue,
            };
            let course = courses.entry(key).or_default();
            if course.last().map(|(_, last)| *last) != Some(standing) {
                course.push((entry.at, standing));
            }
        }
        courses
    }

    /// The slot that a key belongs to; that of its first holder, where there are copies.
    #[must_use]
    pub fn cast(&self) -> BTreeMap<NodeId, Slot> {
        let mut cast = BTreeMap::new();
        for entry in &self.log {
            if let What::Started { life, node, .. } = &entry.what {
                cast.entry(*node).or_insert(life.slot);
            }
        }
        cast
    }

    /// What to call each node.
    #[must_use]
    pub fn names(&self) -> BTreeMap<NodeId, String> {
        self.cast().into_iter().map(|(node, slot)| (node, name(slot))).collect()
    }
}
