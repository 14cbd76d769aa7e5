//! What must never happen, and what must: readers of a run's log.

mod bounds;
mod clusters;
mod conflicts;
mod convergence;
mod delivery;
mod detection;
mod falsely;
mod itself;
mod leaving;
mod ledgers;
mod pace;
pub(crate) mod rumors;
mod steps;
mod suspected;
mod versions;

use std::{fmt, time::Duration};

use crate::nodes::{log::Entry, report::Report, truth::Truth};

/// Something that must hold of every run.
///
/// It sees each entry once, in order, with what is so after it.
pub trait Check {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Looks at the next entry.
    ///
    /// # Errors
    /// What is wrong.
    fn see(&mut self, entry: &Entry, truth: &Truth) -> Result<(), String>;

    /// Looks back when nothing more comes.
    ///
    /// # Errors
    /// What is wrong.
    fn finish(&mut self, _truth: &Truth) -> Result<(), String> {
        Ok(())
    }
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which check found it.
    pub check: &'static str,
    /// When.
    pub at: Duration,
    /// What is wrong.
    pub wrong: String,
}

/// All checks, before they have seen anything.
#[must_use]
pub fn checks() -> Vec<Box<dyn Check>> {
    vec![
        Box::new(bounds::Bounds::default()),
        Box::new(clusters::Clusters),
        Box::new(conflicts::Conflicts::default()),
        Box::new(convergence::Convergence),
        Box::new(delivery::Delivery::default()),
        Box::new(detection::Detection::default()),
        Box::new(falsely::NobodyFalsely),
        Box::new(itself::NeverItself),
        Box::new(leaving::Leaving),
        Box::new(ledgers::Ledgers::default()),
        Box::new(pace::Pace::default()),
        Box::new(rumors::Rumors::default()),
        Box::new(steps::LegalSteps::default()),
        Box::new(suspected::SuspectedFirst::default()),
        Box::new(versions::Versions::default()),
    ]
}

/// What does not hold of a run: the first breach that each check finds.
#[must_use]
pub fn verdict(report: &Report) -> Vec<Breach> {
    checks().into_iter().filter_map(|mut check| judge(check.as_mut(), report)).collect()
}

fn judge(check: &mut dyn Check, report: &Report) -> Option<Breach> {
    let (mut truth, name) = (Truth::new(&report.scenario), check.name());
    for entry in &report.log {
        truth.follow(entry);
        if let Err(wrong) = check.see(entry, &truth) {
            return Some(Breach { check: name, at: entry.at, wrong });
        }
    }
    let wrong = check.finish(&truth).err()?;
    Some(Breach { check: name, at: truth.now(), wrong })
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, at, wrong } = self;
        write!(f, "{check}, at {:.3} s: {wrong}", at.as_secs_f64())
    }
}
