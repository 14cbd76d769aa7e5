//! Two with one key, or one name, are told of.

use std::collections::BTreeSet;

use rumormill_gossip::Event;
use rumormill_transport_api::NodeId;

use crate::nodes::{
    check::Check,
    log::{Entry, Life, What},
    scenario::Step,
    truth::Truth,
};

/// A process whose key another one has learns of it, and nobody else thinks so; who had a name before
/// another one took it, and who took it, learn of that.
#[derive(Debug, Default)]
pub(crate) struct Conflicts {
    /// Processes whose key a younger one has, or had.
    doubled: BTreeSet<Life>,
    /// Names that were taken: by whom, from whom.
    taken: Vec<(Life, Life)>,
    told: Vec<(Life, NodeId, NodeId)>,
}

impl Check for Conflicts {
    fn name(&self) -> &'static str {
        "conflicts are told"
    }

    fn see(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String> {
        match &entry.what {
            What::Started { .. } => {
                self.doubled.extend(truth.twins().into_iter().map(|(older, _)| older));
            }
            What::Done(Step::Rename { rival, holder }) => {
                let life = |slot| truth.running().find(|(life, _)| life.slot == slot);
                let both = life(*rival).zip(life(*holder));
                self.taken.extend(both.map(|((rival, _), (holder, _))| (rival, holder)));
            }
            What::Told { life, event: Event::IdentityConflict { .. } }
                if !self.doubled.contains(life) =>
            {
                return Err(format!("{life:?} takes another for itself, and there is none"));
            }
            What::Told { life, event: Event::NameConflict { holder, rival, .. } } => {
                self.told.push((*life, *holder, *rival));
            }
            What::Over => return self.over(truth),
            _ => (),
        }
        Ok(())
    }
}

impl Conflicts {
    fn over(&self, truth: &Truth) -> Result<(), String> {
        if let Some((life, other)) = truth.unaware() {
            return Err(format!("{life:?} does not know that {other:?} has its key"));
        }
        let runs = |life: &Life| truth.fate(*life).is_some_and(|fate| fate.is_running());
        let last = |taken: &&(Life, Life)| {
            let of_them = |(one, other): &&(Life, Life)| {
                *one == taken.0 || *other == taken.0 || *one == taken.1
            };
            self.taken.iter().filter(of_them).count() == 1
        };
        // Whoever has not met the other has nothing to tell; that it has, is another check's concern.
        let knows = |by: &Life, of: &Life| {
            truth.fate(*of).is_some_and(|fate| truth.view(*by, fate.node).is_some())
        };
        let stands = self.taken.iter().filter(last).filter(|(one, other)| {
            runs(one) && runs(other) && knows(one, other) && knows(other, one)
        });
        for (rival, holder) in stands {
            for life in [rival, holder] {
                if !self.has_told(*life, *rival, *holder, truth) {
                    return Err(format!(
                        "{life:?} does not tell that {rival:?} took a name of {holder:?}"
                    ));
                }
            }
        }
        Ok(())
    }

    fn has_told(&self, by: Life, one: Life, other: Life, truth: &Truth) -> bool {
        let node = |life| truth.fate(life).map(|fate| fate.node);
        let (one, other) = (node(one), node(other));
        self.told.iter().any(|(life, holder, rival)| {
            let (holder, rival) = (Some(*holder), Some(*rival));
            *life == by && ((holder, rival) == (one, other) || (holder, rival) == (other, one))
        })
    }
}
