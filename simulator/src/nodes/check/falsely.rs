//! Nobody is held for failed who is there.

use rumormill_gossip::Event;

use crate::nodes::{
    check::Check,
    log::{Entry, What},
    truth::Truth,
};

/// While all links have been good for long enough, nobody who has been there for as long is held for
/// failed by anybody who has been, too.
#[derive(Debug)]
pub(crate) struct NobodyFalsely;

impl Check for NobodyFalsely {
    fn name(&self) -> &'static str {
        "no false failure in calm"
    }

    fn see(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        let What::Told { life, event: event @ Event::Failed { node, .. } } = &entry.what else {
            return Ok(());
        };
        let settled = |since| since + truth.settling() <= entry.at;
        let is_calm = truth.calm_since().is_some_and(settled) && !truth.is_over();
        let by = truth.fate(*life).is_some_and(|fate| settled(fate.from));
        let about = truth.latest(*node);
        let is_there = about.is_some_and(|(_, fate)| fate.is_running() && settled(fate.from));
        match is_calm && by && is_there {
            true => Err(format!("{life:?} tells {event:?}")),
            false => Ok(()),
        }
    }
}
