//! How often which thing happened: a test of faults is worth nothing if there are none.

use std::collections::BTreeMap;

use rumormill_gossip::Event;
use rumormill_simulator::nodes::{Crash, End, Place, Report, Step, What};

/// Counts of what happened in any number of runs.
#[derive(Debug, Default)]
pub(crate) struct Coverage(BTreeMap<&'static str, u64>);

/// What has to have happened in a run of the ordinary number of seeds.
const EXPECTED: &[&str] = &[
    "answers",
    "cleared",
    "clones",
    "conflicts of keys",
    "conflicts of names",
    "crashes of machines",
    "crashes of processes",
    "datagrams duplicated",
    "datagrams lost",
    "datagrams unwanted",
    "dials refused",
    "failed",
    "goodbyes",
    "joins",
    "left",
    "messages arrived",
    "messages delayed",
    "partitions",
    "pauses",
    "restarts",
    "restarts elsewhere",
    "returned",
    "rumors heard",
    "rumors said",
    "silences",
    "strangers",
    "streams cut",
    "streams held",
    "suspected",
    "updated",
];

impl Coverage {
    pub(crate) fn of(report: &Report) -> Self {
        let mut coverage = Self::default();
        report
            .log
            .iter()
            .filter_map(|entry| told(&entry.what))
            .for_each(|what| coverage.add(what, 1));
        report.tally.numbers().into_iter().for_each(|(what, count)| coverage.add(what, count));
        coverage
    }

    pub(crate) fn absorb(&mut self, other: Self) {
        other.0.into_iter().for_each(|(what, count)| self.add(what, count));
    }

    fn add(&mut self, what: &'static str, count: u64) {
        *self.0.entry(what).or_default() += count;
    }

    /// Fails if anything that was to be tested did not happen often.
    pub(crate) fn check(&self, seeds: u64) {
        eprintln!("{:#?}", self.0);
        let least = (seeds / 50).max(1);
        for what in EXPECTED {
            let count = self.0.get(what).copied().unwrap_or_default();
            assert!(least <= count, "{what}: {count} in {seeds} seeds, {least} at least");
        }
        assert_eq!(self.0.get("events missed"), Some(&0));
    }
}

fn told(what: &What) -> Option<&'static str> {
    Some(match what {
        What::Done(Step::Part(_)) => "partitions",
        What::Done(Step::Silence { .. }) => "silences",
        What::Done(Step::Pause(_)) => "pauses",
        What::Done(Step::Restart(_, Place::Same)) => "restarts",
        What::Done(Step::Restart(_, Place::New)) => "restarts elsewhere",
        What::Done(Step::Join) => "joins",
        What::Done(Step::Clone(_)) => "clones",
        What::Done(Step::Stranger(_)) => "strangers",
        What::Skipped(_) => "steps skipped",
        What::Ended { how: End::Crashed(Crash::Machine), .. } => "crashes of machines",
        What::Ended { how: End::Crashed(Crash::Process), .. } => "crashes of processes",
        What::Ended { how: End::Departed(Some(report)), .. } if report.is_success() => "goodbyes",
        What::Answered { is_right: Some(true), .. } => "answers",
        What::Arrived { .. } => "messages arrived",
        What::Heard { .. } => "rumors heard",
        What::Said { .. } => "rumors said",
        What::Told { event, .. } => named(event),
        _ => return None,
    })
}

fn named(event: &Event) -> &'static str {
    match event {
        Event::Joined(_) => "joined",
        Event::Suspected { .. } => "suspected",
        Event::Cleared(_) => "cleared",
        Event::Failed { .. } => "failed",
        Event::Returned(_) => "returned",
        Event::Updated(_) => "updated",
        Event::Described(_) => "described",
        Event::Left(_) => "left",
        Event::NameConflict { .. } => "conflicts of names",
        Event::IdentityConflict { .. } => "conflicts of keys",
    }
}
