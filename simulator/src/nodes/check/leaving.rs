//! Who said goodbye is not missed.

use rumormill_gossip::Event;

use crate::nodes::{
    check::Check,
    log::{End, Entry, What},
    truth::Truth,
};

/// Nobody holds for failed who has said goodbye with success while all links were good.
#[derive(Debug)]
pub(crate) struct Leaving;

impl Check for Leaving {
    fn name(&self) -> &'static str {
        "a goodbye is heard"
    }

    fn see(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        let What::Told { life, event: event @ Event::Failed { node, .. } } = &entry.what else {
            return Ok(());
        };
        let Some((_, fate)) = truth.latest(*node) else { return Ok(()) };
        let (Some(leaving), Some((_, End::Departed(Some(report))))) = (fate.leaving, fate.ended)
        else {
            return Ok(());
        };
        let settled = |since| since + 2 * truth.shortest_suspicion() <= leaving;
        let was_calm = truth.calm_since().is_some_and(settled);
        let by = truth.fate(*life).is_some_and(|fate| settled(fate.from));
        match was_calm && by && settled(fate.from) && report.is_success() {
            true => {
                Err(format!("{life:?} tells {event:?}, which left {:?} ago", entry.at - leaving))
            }
            false => Ok(()),
        }
    }
}
