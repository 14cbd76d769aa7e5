//! No node is dead, or anything else, in its own eyes.

use rumormill_gossip::Event;
use rumormill_transport_api::NodeId;

use crate::nodes::{
    check::Check,
    log::{Entry, What},
    truth::Truth,
};

/// No node tells or shows anything of itself as of another.
#[derive(Debug)]
pub(crate) struct NeverItself;

impl Check for NeverItself {
    fn name(&self) -> &'static str {
        "never dead in its own eyes"
    }

    fn see(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        let (life, node) = match &entry.what {
            What::Told { life, event } => (life, subject(event)),
            What::Seen { life, member } => (life, Some(member.node)),
            _ => return Ok(()),
        };
        let own = truth.fate(*life).map(|fate| fate.node);
        match own.is_some() && own == node {
            true => Err(format!("{:?}", entry.what)),
            false => Ok(()),
        }
    }
}

/// Whom an event is about.
pub(crate) fn subject(event: &Event) -> Option<NodeId> {
    match event {
        Event::Joined(node)
        | Event::Cleared(node)
        | Event::Returned(node)
        | Event::Updated(node)
        | Event::Described(node)
        | Event::Left(node)
        | Event::Suspected { node, .. }
        | Event::Failed { node, .. } => Some(*node),
        Event::NameConflict { .. } | Event::IdentityConflict { .. } => None,
    }
}
