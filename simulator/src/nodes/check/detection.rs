//! Who crashes is missed.

use std::{collections::BTreeMap, time::Duration};

use rumormill_transport_api::NodeId;

use crate::nodes::{
    check::Check,
    log::{End, Entry, Life, What},
    truth::{Fate, Truth},
};

/// Of a node that ended without a word, everybody who knew it and to whom nothing else happens holds, soon
/// enough, that it is gone.
#[derive(Debug, Default)]
pub(crate) struct Detection {
    /// Those to be missed, and since when nothing has kept others from noticing.
    missing: BTreeMap<Life, Duration>,
    /// Since when a process knows this start of a member.
    known: BTreeMap<(Life, NodeId), (Duration, u64)>,
}

impl Check for Detection {
    fn name(&self) -> &'static str {
        "a crash is noticed by all"
    }

    fn see(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        if truth.is_over() {
            return Ok(());
        }
        match &entry.what {
            What::Ended { life, how: End::Crashed(_) } => {
                self.missing.insert(*life, entry.at);
            }
            What::Seen { life, member } => {
                let start = (entry.at, member.version.epoch);
                let known = self.known.entry((*life, member.node)).or_insert(start);
                if known.1 != start.1 {
                    *known = start;
                }
            }
            What::Unseen { life, node } => _ = self.known.remove(&(*life, *node)),
            _ => (),
        }
        match truth.calm_since() {
            Some(since) => {
                self.missing.values_mut().for_each(|from| *from = since.max(*from));
            }
            None => self.missing.values_mut().for_each(|from| *from = entry.at),
        }
        // Taking stock comes once a second.
        match entry.what {
            What::Turns(_) => self.overdue(truth),
            _ => Ok(()),
        }
    }
}

impl Detection {
    fn overdue(&mut self, truth: &Truth) -> Result<(), String> {
        let (now, bound) = (truth.now(), truth.detection());
        let is_due = |life: &Life, from: &Duration| {
            let is_latest = |fate: &Fate| truth.latest(fate.node).is_some_and(|it| it.0 == *life);
            *from + bound <= now && truth.fate(*life).is_some_and(is_latest)
        };
        let due: Vec<(Life, Duration)> = self
            .missing
            .iter()
            .filter(|(life, from)| is_due(life, from))
            .map(|(life, from)| (*life, *from))
            .collect();
        for (life, from) in due {
            self.missing.remove(&life);
            let Some(fate) = truth.fate(life) else { continue };
            let blind = truth.running().find(|(by, watcher)| {
                let is_here = truth.view(*by, fate.node).is_some_and(|it| it.standing.is_here());
                // That it was there may have come late, from somebody who had met it.
                let known = self.known.get(&(*by, fate.node)).map(|known| known.0);
                known.unwrap_or(watcher.from) + bound <= now && is_here
            });
            if let Some((by, _)) = blind {
                return Err(format!("{by:?} holds {life:?} to be there, {:?} on", now - from));
            }
        }
        Ok(())
    }
}
