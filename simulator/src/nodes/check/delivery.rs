//! Nothing arrives twice, and nothing that nobody sent.

use std::collections::BTreeSet;

use crate::nodes::{
    check::Check,
    log::{Entry, Label, What},
    truth::Truth,
};

/// A message arrives at most once, at the node that it was sent to, from the node that sent it.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    sent: BTreeSet<Label>,
    arrived: BTreeSet<Label>,
}

impl Check for Delivery {
    fn name(&self) -> &'static str {
        "at most once"
    }

    fn see(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        match &entry.what {
            What::Sent(label) if !self.sent.insert(*label) => Err(format!("two {label:?}")),
            What::Answered { life, is_right: Some(false) } => {
                Err(format!("{life:?} got the answer to something else"))
            }
            What::Arrived { life, from, label } => {
                let node = |life| truth.fate(life).map(|fate| fate.node);
                let is_genuine = node(label.from) == Some(*from) && node(*life) == Some(label.to);
                match () {
                    () if !self.sent.contains(label) => Err(format!("nobody sent {label:?}")),
                    () if !is_genuine => Err(format!("{life:?} got {label:?} from {from:?}")),
                    () if !self.arrived.insert(*label) => Err(format!("{label:?} came twice")),
                    () => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}
