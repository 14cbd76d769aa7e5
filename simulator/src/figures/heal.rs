//! How soon halves that were parted are one again, with nobody's help.

use std::time::Duration;

use rumormill_gossip::{Config, Event};

use crate::{
    cores::Net,
    figures::{Options, Report, sample::Sample},
};

const PARTED: Duration = Duration::from_secs(600);
const EXPECTED: Duration = Duration::from_secs(30);
/// How long it is looked for.
const MOST: Duration = Duration::from_secs(120);

pub(super) fn table(options: &Options) -> Report {
    let title = "halves that were parted for ten minutes are one again (lan)";
    let mut report = Report::new("heal", title);
    report.say("");
    report.say("Seconds from the end of the partition until everybody takes exactly those that are there for members; expected: 30 at most. Failures reported a member while they were parted: as many as there are on the other side, if it was noticed by all.");
    report.head(&["N", "networks", "mean", "worst", "failures", ""]);
    let sizes: &[(usize, u64)] =
        options.pick(&[(10, 20), (100, 5), (1000, 1)], &[(10, 5), (100, 1)]);
    for (size, seeds) in sizes {
        let seeds = options.seeds(*seeds, *seeds);
        let (times, failures) = heal(*size, seeds);
        let holds = times.len() as u64 == seeds && times.max() <= EXPECTED.as_secs_f64();
        let cells = vec![
            size.to_string(),
            seeds.to_string(),
            format!("{:.2}", times.mean()),
            format!("{:.2}", times.max()),
            format!("{:.1}", failures as f64 / (seeds as f64 * *size as f64)),
        ];
        report.check(cells, holds);
    }
    report
}

fn heal(size: usize, seeds: u64) -> (Sample, usize) {
    let (mut times, mut failures) = (Sample::default(), 0);
    for seed in 0..seeds {
        let mut net = Net::settled(seed, size, Config::lan());
        net.hosts.iter_mut().step_by(2).for_each(|host| host.island = 1);
        net.run(PARTED);
        failures += net.count(|event| matches!(event, Event::Failed { .. }));
        net.log.clear();
        net.hosts.iter_mut().for_each(|host| host.island = 0);
        if let Some(time) = net.run_until(MOST, Net::is_converged) {
            times.add_time(time);
        }
    }
    (times, failures)
}
