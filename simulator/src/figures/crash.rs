//! How soon all know that one has crashed.

use std::time::Duration;

use rand::RngExt;
use rumormill_gossip::{Config, Event};

use crate::{
    cores::{Net, Noted, SECOND, id},
    figures::{Options, Report, sample::Sample},
};

pub(super) fn table(options: &Options) -> Report {
    let mut report = Report::new("crash", "until all have reported that one has crashed (lan)");
    let seeds = options.seeds(100, 10);
    report.say("");
    report.say(&format!("Seconds, {seeds} networks each. No failure of anybody else may be reported. Expected at most: ten periods for the first suspicion and those that confirm it, and the shortest time that one lasts (4 s times log10 N). For comparison: serf on this machine, 10 nodes, 5.2 to 8.1, mean 6.1."));
    report.head(&["N", "mean", "p50", "p99", "max", "expected", "others failed", ""]);
    for size in [10, 100] {
        let (times, late, others) = crashes(size, seeds);
        let most = bound(size);
        let cells = vec![
            size.to_string(),
            format!("{:.2}", times.mean()),
            format!("{:.2}", times.median()),
            format!("{:.2}", times.quantile(0.99)),
            format!("{:.2}", times.max()),
            format!("{most:.0}"),
            others.to_string(),
        ];
        report.check(cells, late == 0 && others == 0 && times.max() <= most);
    }
    report
}

fn bound(size: usize) -> f64 {
    10.0 + 4.0 * (size as f64).log10()
}

/// Seconds until all know, crashes that somebody never reported, and failures reported of others.
fn crashes(size: usize, seeds: u64) -> (Sample, u64, usize) {
    let (mut times, mut late, mut others) = (Sample::default(), 0, 0);
    for seed in 0..seeds {
        let mut net = Net::settled(seed, size, Config::lan());
        let offset = net.rng.random_range(0..1000);
        net.run(Duration::from_millis(offset));
        let victim = net.rng.random_range(0..size);
        net.crash(victim);
        let is_it =
            |event: &Event| matches!(event, Event::Failed { node, .. } if *node == id(victim));
        match net.run_until_noted(200 * SECOND, size - 1, |note: &Noted| is_it(&note.event)) {
            Some(time) => times.add_time(time),
            None => late += 1,
        }
        others += net.count(|event| matches!(event, Event::Failed { .. }) && !is_it(event));
    }
    (times, late, others)
}
