//! What becomes of a goodbye.

use rumormill_gossip::{Config, Event, Input};

use crate::{
    cores::{Net, SECOND, id},
    figures::{Options, Report, sample::Sample},
};

const SIZE: usize = 100;
const LEAVERS: usize = 10;

#[derive(Default)]
struct Figures {
    /// Seconds until all that stay have reported all that leave.
    times: Sample,
    late: u64,
    /// Failures reported of those that left.
    failed: usize,
    confirmed: Sample,
    /// Reports of success.
    successes: usize,
    /// Reports that claim success with fewer than three, or do not with three.
    wrong: usize,
}

pub(super) fn table(options: &Options) -> Report {
    let title = "10 of 100 members leave at once (lan)";
    let mut report = Report::new("leave", title);
    let seeds = options.seeds(100, 5);
    report.say("");
    report.say(&format!("{seeds} networks each. Seconds until all that stay have reported all that left; failures that anybody reported of them; confirmations of those asked (16), and reports of success. Expected: all within 10 s, no failure, success where three have confirmed. That a leaver counts no more confirmations than members that knew is checked at every report."));
    report.head(&["loss", "mean", "worst", "failed", "confirmed", "least", "success", ""]);
    for loss in [0.0, 0.2] {
        let figures = figures(loss, seeds);
        let worst = figures.times.max();
        let holds = figures.late == 0 && worst <= 10.0 && figures.failed + figures.wrong == 0;
        let cells = vec![
            format!("{:.0} %", 100.0 * loss),
            format!("{:.2}", figures.times.mean()),
            format!("{worst:.2}"),
            figures.failed.to_string(),
            format!("{:.1}", figures.confirmed.mean()),
            format!("{:.0}", figures.confirmed.min()),
            format!("{} of {}", figures.successes, figures.confirmed.len()),
        ];
        report.check(cells, holds);
    }
    report
}

fn figures(loss: f64, seeds: u64) -> Figures {
    let mut figures = Figures::default();
    for seed in 0..seeds {
        let mut net = Net::settled(seed, SIZE, Config::lan());
        net.link.loss = loss;
        (0..LEAVERS).for_each(|at| net.input(at, Input::Leave(10 * SECOND)));
        let is_leaver = |event: &Event| matches!(event, Event::Left(node) if leavers().any(|at| id(at) == *node));
        let is_it = |host: usize, event: &Event| LEAVERS <= host && is_leaver(event);
        let wanted = LEAVERS * (SIZE - LEAVERS);
        match net.run_until_noted(60 * SECOND, wanted, |note| is_it(note.host, &note.event)) {
            Some(time) => figures.times.add_time(time),
            None => figures.late += 1,
        }
        net.run(30 * SECOND);
        figures.failed += net.count(|event| {
            matches!(event, Event::Failed { node, .. } if leavers().any(|at| id(at) == *node))
        });
        leavers().for_each(|at| note(&net, at, &mut figures));
    }
    figures
}

fn leavers() -> impl Iterator<Item = usize> {
    0..LEAVERS
}

fn note(net: &Net, at: usize, figures: &mut Figures) {
    let Some(report) = net.hosts[at].left else {
        figures.late += 1;
        return;
    };
    figures.confirmed.add(report.confirmed as f64);
    figures.successes += usize::from(report.is_success());
    figures.wrong += usize::from(report.is_success() != (3 <= report.confirmed));
}
