//! Nobody runs hot.

use std::{collections::BTreeMap, time::Duration};

use crate::nodes::{
    check::Check,
    log::{Entry, Life, What},
    truth::Truth,
};

/// In a second, the whole cluster is awake at so many moments, a node tells so many events, and sends so
/// many messages; a multiple of what probing and the news of one change take.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    told: BTreeMap<Life, u64>,
    sent: BTreeMap<Life, (Duration, u64)>,
}

impl Check for Pace {
    fn name(&self) -> &'static str {
        "a bounded pace"
    }

    fn see(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        let nodes = truth.identities() as u64;
        let over = |what, count, limit| match count <= limit {
            true => Ok(()),
            false => Err(format!("{count} {what} in a second, {limit} at most")),
        };
        match &entry.what {
            What::Turns(turns) => {
                self.told.clear();
                over("turns", *turns, TURNS * nodes)
            }
            What::Told { life, .. } => {
                let told = self.told.entry(*life).or_default();
                *told += 1;
                over("events", *told, EVENTS * nodes)
            }
            What::Measured { life, gauge } => {
                let before = self.sent.insert(*life, (entry.at, gauge.sent));
                let (since, sent) = before.unwrap_or((entry.at, gauge.sent));
                let seconds = (entry.at - since).as_secs().max(1);
                over("messages", gauge.sent.saturating_sub(sent) / seconds, MESSAGES * nodes)
            }
            _ => Ok(()),
        }
    }
}

/// Moments at which anything is awake, for each node.
const TURNS: u64 = 600;
/// Events that one node tells, for each node.
const EVENTS: u64 = 10;
/// Messages that one node sends, for each node.
const MESSAGES: u64 = 60;
