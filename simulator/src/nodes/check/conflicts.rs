//! Two with one key, or one name, are told of.

use std::collections::{BTreeMap, BTreeSet};

use rumormill_gossip::Event;
use rumormill_transport_api::NodeId;

use crate::nodes::{
    check::Check,
    log::{Entry, Life, What},
    scenario::Step,
    truth::Truth,
};

/// A process whose key another one has learns of it, and nobody else thinks so; that one has taken the name
/// of another, all learn, whoever else claims it.
#[derive(Debug, Default)]
pub(crate) struct Conflicts {
    /// Processes whose key a younger one has, or had.
    doubled: BTreeSet<Life>,
    /// Names that were taken: by whom, from whom.
    taken: Vec<(Life, Life)>,
    /// Of which names each process has told that these claim them.
    told: BTreeMap<(Life, Box<str>), BTreeSet<NodeId>>,
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
            What::Told { life, event: Event::NameConflict { name, holder, rival } } => {
                self.told.entry((*life, name.clone())).or_default().extend([*holder, *rival]);
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
        self.names(truth)
    }

    fn names(&self, truth: &Truth) -> Result<(), String> {
        // Of twins whom nobody can tell, others may have met but one.
        let twins = truth.twins();
        let is_twin = |life: &Life| twins.iter().any(|(one, other)| life == one || life == other);
        let runs =
            |life: &Life| truth.fate(*life).is_some_and(|fate| fate.is_running() && !is_twin(life));
        // Who has taken another name since claims this one no more.
        let last = |taken: &&(Life, Life)| {
            let of_them = |(one, _): &&(Life, Life)| *one == taken.0 || *one == taken.1;
            self.taken.iter().filter(of_them).count() == 1
        };
        // Whoever has not met one of them has nothing to tell; that it has, is another check's concern.
        let knows = |by: &Life, of: &Life| {
            truth.fate(*of).is_some_and(|fate| truth.view(*by, fate.node).is_some())
        };
        let stands = self.taken.iter().filter(last).filter(|(one, other)| runs(one) && runs(other));
        for (rival, holder) in stands {
            let is_met = |by: &Life, of: &Life| by == of || knows(by, of);
            let all = truth.running().map(|(life, _)| life);
            let mut met = all.filter(|life| is_met(life, rival) && is_met(life, holder));
            if let Some(life) = met.find(|life| !self.has_told(*life, *rival, *holder, truth)) {
                return Err(format!(
                    "{life:?} does not tell that {rival:?} took a name of {holder:?}"
                ));
            }
        }
        Ok(())
    }

    /// Of a name that more than two claim, who claims it is told of together with whose it is.
    fn has_told(&self, by: Life, one: Life, other: Life, truth: &Truth) -> bool {
        let node = |life| truth.fate(life).map(|fate| fate.node);
        let Some((one, other)) = node(one).zip(node(other)) else { return false };
        let mut names = self.told.iter().filter(|((life, _), _)| *life == by);
        names.any(|(_, claimants)| claimants.contains(&one) && claimants.contains(&other))
    }
}
