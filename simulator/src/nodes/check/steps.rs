//! Events follow each other as they may, and say what is shown.

use std::collections::{BTreeMap, btree_map::Entry as Place};

use rumormill_gossip::{Event, Standing};
use rumormill_transport_api::NodeId;

use crate::nodes::{
    check::{Check, itself::subject},
    log::{Entry, Known, Life, What},
    truth::Truth,
};

/// Each event is a legal step from the one before about the same member, and what a node shows of a
/// member is what its events told last.
#[derive(Debug, Default)]
pub(crate) struct LegalSteps(BTreeMap<(Life, NodeId), Standing>);

impl Check for LegalSteps {
    fn name(&self) -> &'static str {
        "legal steps"
    }

    fn see(&mut self, entry: &Entry, _: &Truth) -> Result<(), String> {
        match &entry.what {
            What::Told { life, event } => self.told(*life, event),
            What::Seen { life, member } => self.seen(*life, member),
            What::Unseen { life, node } => self.unseen(*life, *node),
            _ => Ok(()),
        }
    }
}

impl LegalSteps {
    fn told(&mut self, life: Life, event: &Event) -> Result<(), String> {
        let (Some(node), Some((before, after))) = (subject(event), step(event)) else {
            return Ok(());
        };
        let known = self.0.insert((life, node), after);
        match before.contains(&known) {
            true => Ok(()),
            false => Err(format!("{life:?} tells {event:?} after {known:?}")),
        }
    }

    /// Those that had failed or left before this node came are known silently.
    fn seen(&mut self, life: Life, member: &Known) -> Result<(), String> {
        let shown = member.standing;
        match self.0.entry((life, member.node)) {
            Place::Occupied(told) if *told.get() == shown => Ok(()),
            Place::Occupied(told) => {
                Err(format!("{life:?} told {:?} and shows {member:?}", told.get()))
            }
            Place::Vacant(_) if !shown.is_here() => Ok(()),
            Place::Vacant(_) => Err(format!("{life:?} shows {member:?}, of whom it told nothing")),
        }
    }

    fn unseen(&mut self, life: Life, node: NodeId) -> Result<(), String> {
        match self.0.remove(&(life, node)) {
            Some(known) if known.is_here() => {
                Err(format!("{life:?} forgets {node:?}, which is {known:?}"))
            }
            _ => Ok(()),
        }
    }
}

/// What may have been told before an event, and what it tells.
fn step(event: &Event) -> Option<(&'static [Option<Standing>], Standing)> {
    use Standing::{Alive, Failed, Left, Suspected};
    Some(match event {
        Event::Joined(_) => (&[None], Alive),
        Event::Suspected { .. } => (&[Some(Alive)], Suspected),
        Event::Cleared(_) => (&[Some(Suspected)], Alive),
        Event::Failed { .. } => (&[Some(Suspected)], Failed),
        Event::Returned(_) => (&[Some(Failed), Some(Left)], Alive),
        Event::Updated(_) => (&[Some(Alive)], Alive),
        Event::Left(_) => (&[Some(Alive), Some(Suspected), Some(Failed)], Left),
        Event::Described(_) | Event::NameConflict { .. } | Event::IdentityConflict { .. } => {
            return None;
        }
    })
}
