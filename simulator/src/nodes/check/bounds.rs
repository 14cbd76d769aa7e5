//! Nothing grows beyond what the cluster needs, and nothing is left behind.

use std::collections::BTreeSet;

use rumormill_transport_api::NodeId;

use crate::nodes::{
    check::Check,
    log::{Entry, Gauge, Life, What},
    truth::Truth,
};

/// Tables hold no more than there is to know, a node has few conns for each other one, few messages wait,
/// and when all have ended no task is left.
#[derive(Debug, Default)]
pub(crate) struct Bounds {
    keys: BTreeSet<NodeId>,
    starts: u64,
}

impl Check for Bounds {
    fn name(&self) -> &'static str {
        "within bounds"
    }

    fn see(&mut self, entry: &Entry, _: &Truth) -> Result<(), String> {
        match &entry.what {
            What::Started { node, .. } => {
                self.keys.insert(*node);
                self.starts += 1;
            }
            What::Measured { life, gauge } => return self.fits(*life, *gauge),
            What::Left { tasks } if 0 < *tasks => return Err(format!("{tasks} tasks are left")),
            _ => (),
        }
        Ok(())
    }
}

impl Bounds {
    fn fits(&self, life: Life, gauge: Gauge) -> Result<(), String> {
        let others = self.keys.len().saturating_sub(1) as u64;
        let limits = [
            ("members", gauge.members, others),
            ("peers", gauge.peers, others),
            ("conns", gauge.conns, CONNS * self.starts),
            ("waiting messages", gauge.waiting, WAITING * self.starts),
        ];
        match limits.into_iter().find(|(_, count, limit)| limit < count) {
            Some((what, count, limit)) => {
                Err(format!("{life:?} has {count} {what}, {limit} at most"))
            }
            None => Ok(()),
        }
    }
}

/// Conns of a node for each other one that ever started: three lanes, by two kinds of routes, dialled from
/// both sides.
const CONNS: u64 = 12;
/// Messages that wait at a node for each other one.
const WAITING: u64 = 200;
