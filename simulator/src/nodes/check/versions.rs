//! Versions only rise, the dead of one do not return in it, and one version says one thing.

use std::collections::BTreeMap;

use rumormill_gossip::Version;
use rumormill_transport_api::NodeId;

use crate::nodes::{
    check::Check,
    log::{Entry, Known, Life, What},
    truth::Truth,
};

/// What a node shows of a member is never older than before; who is gone comes back only in a higher
/// version, a suspicion ends well only with one; and all see the same in the same version.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    held: BTreeMap<(Life, NodeId), Known>,
    said: BTreeMap<(NodeId, Version), u64>,
}

impl Check for Versions {
    fn name(&self) -> &'static str {
        "versions"
    }

    fn see(&mut self, entry: &Entry, _: &Truth) -> Result<(), String> {
        let What::Seen { life, member } = &entry.what else { return Ok(()) };
        let says = *self.said.entry((member.node, member.version)).or_insert(member.says);
        if says != member.says {
            return Err(format!("{life:?} shows another {member:?} than was seen before"));
        }
        let Some(before) = self.held.insert((*life, member.node), *member) else { return Ok(()) };
        let is_better = rank(before) < rank(*member);
        match () {
            () if member.version < before.version => {
                Err(format!("{life:?} shows {member:?} after {before:?}, which is newer"))
            }
            () if is_better && member.version == before.version => {
                Err(format!("{life:?} shows {member:?} after {before:?}, in one version"))
            }
            () => Ok(()),
        }
    }
}

/// How well a member is held to be.
fn rank(known: Known) -> u8 {
    use rumormill_gossip::Standing::{Alive, Failed, Left, Suspected};
    match known.standing {
        Alive => 3,
        Suspected => 2,
        Failed => 1,
        Left => 0,
    }
}
