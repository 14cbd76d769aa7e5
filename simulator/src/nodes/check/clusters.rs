//! Two clusters never exchange a member.

use crate::nodes::{
    check::{Check, itself::subject},
    log::{Entry, What},
    truth::Truth,
};

/// No node knows, or gets a message of, one of another cluster.
#[derive(Debug)]
pub(crate) struct Clusters;

impl Check for Clusters {
    fn name(&self) -> &'static str {
        "clusters apart"
    }

    fn see(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        let (life, node) = match &entry.what {
            What::Told { life, event } => (life, subject(event)),
            What::Seen { life, member } => (life, Some(member.node)),
            What::Arrived { life, from, .. } => (life, Some(*from)),
            _ => return Ok(()),
        };
        let own = truth.fate(*life).map(|fate| fate.cluster);
        let Some((_, other)) = node.and_then(|node| truth.latest(node)) else { return Ok(()) };
        match own.is_some_and(|own| own != other.cluster) {
            true => Err(format!("{:?}, of {:?}", entry.what, other.cluster)),
            false => Ok(()),
        }
    }
}
