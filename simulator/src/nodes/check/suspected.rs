//! Nobody fails whom nobody suspected.

use std::{collections::BTreeMap, time::Duration};

use rumormill_gossip::Event;
use rumormill_transport_api::NodeId;

use crate::nodes::{
    check::Check,
    log::{Entry, Life, What},
    truth::Truth,
};

/// A node holds a member for failed only after it has suspected it, without a break, for the shortest
/// time, whoever says that it failed.
#[derive(Debug, Default)]
pub(crate) struct SuspectedFirst(BTreeMap<(Life, NodeId), Duration>);

impl Check for SuspectedFirst {
    fn name(&self) -> &'static str {
        "suspected first"
    }

    fn see(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        let What::Told { life, event } = &entry.what else { return Ok(()) };
        match event {
            Event::Suspected { node, .. } => _ = self.0.insert((*life, *node), entry.at),
            Event::Cleared(node) | Event::Left(node) => _ = self.0.remove(&(*life, *node)),
            Event::Failed { node, .. } => {
                let Some(since) = self.0.remove(&(*life, *node)) else {
                    return Err(format!("{life:?} tells {event:?} and never suspected it"));
                };
                let (took, least) = (entry.at - since, truth.shortest_suspicion());
                if took + TIMER < least {
                    return Err(format!("{life:?} tells {event:?} after {took:?}, not {least:?}"));
                }
            }
            _ => (),
        }
        Ok(())
    }
}

/// Timers tick in milliseconds.
const TIMER: Duration = Duration::from_millis(2);
