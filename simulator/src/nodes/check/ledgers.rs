//! The books balance.

use std::collections::BTreeMap;

use rumormill_endpoint::{Class, Snapshot};

use crate::nodes::{
    check::Check,
    log::{Entry, Life, What},
    truth::Truth,
};

/// Of what an endpoint was given nothing is missing when it is closed; it was given, and handed over, as
/// much as was seen; and if all gave account, no more arrived than left.
#[derive(Debug, Default)]
pub(crate) struct Ledgers {
    given: BTreeMap<Life, u64>,
    handed: BTreeMap<Life, u64>,
    started: usize,
    closed: usize,
    left: [u64; 3],
    arrived: [u64; 3],
}

impl Check for Ledgers {
    fn name(&self) -> &'static str {
        "ledgers balance"
    }

    fn see(&mut self, entry: &Entry, _: &Truth) -> Result<(), String> {
        match &entry.what {
            What::Started { .. } => self.started += 1,
            What::Sent(label) => *self.given.entry(label.from).or_default() += 1,
            What::Replied(life) => *self.given.entry(*life).or_default() += 1,
            What::Arrived { life, .. } => *self.handed.entry(*life).or_default() += 1,
            What::Closed { life, ledger } => return self.audit(*life, ledger),
            _ => (),
        }
        Ok(())
    }

    fn finish(&mut self, _: &Truth) -> Result<(), String> {
        let has_all = self.closed == self.started;
        match self.left.iter().zip(&self.arrived).any(|(left, arrived)| left < arrived) && has_all {
            true => Err(format!("{:?} arrived, and {:?} left, by class", self.arrived, self.left)),
            false => Ok(()),
        }
    }
}

impl Ledgers {
    fn audit(&mut self, life: Life, ledger: &Snapshot) -> Result<(), String> {
        self.closed += 1;
        for class in [Class::Control, Class::Gossip, Class::Bulk] {
            let of_class = ledger.class(class);
            if of_class.in_flight() != 0 {
                return Err(format!("{life:?} has lost sight of some: {of_class:?}"));
            }
            self.left[class as usize] += of_class.carried + of_class.uncertain;
            self.arrived[class as usize] += of_class.delivered + of_class.overflowed;
        }
        let bulk = ledger.class(Class::Bulk);
        let count = |of: &BTreeMap<Life, u64>| of.get(&life).copied().unwrap_or_default();
        let (given, handed) = (count(&self.given), count(&self.handed));
        match (bulk.sent, bulk.delivered) == (given, handed) {
            true => Ok(()),
            false => Err(format!("{life:?} took {given} and handed over {handed}: {bulk:?}")),
        }
    }
}
