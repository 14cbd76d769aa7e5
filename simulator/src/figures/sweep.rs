//! Random stories of faults, as many as one likes: each ends in calm, or ends the program with its seed.

use rand::random;

use crate::{
    cores::{Coverage, play},
    figures::{Options, Report},
};

pub(super) fn table(options: &Options) -> Report {
    let (stories, first) = (options.seeds(20_000, 500), random::<u64>());
    let mut report = Report::new("sweep", &format!("{stories} stories from seed {first}"));
    let mut coverage = Coverage::default();
    (0..stories).for_each(|count| coverage += play(first.wrapping_add(count)));
    report.say("");
    report.say("What has happened in them; nothing did that must not.");
    report.head(&["", "times", "a story"]);
    for (what, count) in coverage.counts() {
        let share = format!("{:.1}", count as f64 / stories as f64);
        report.row(vec![what.into(), count.to_string(), share]);
    }
    report
}
