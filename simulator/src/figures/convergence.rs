//! How soon all know a new member, and what that costs: scalecube's published grid.

use std::time::Duration;

use rand::RngExt;
use rumormill_gossip::{Config, Event, Input};

use crate::{
    cores::{Law, Net, SECOND, Traffic, id},
    figures::{Options, Report, sample::Sample},
};

/// Size, milliseconds and bytes a second and node, as in the wiki of scalecube-cluster (2018).
const SCALECUBE: [(usize, u32, u32); 8] = [
    (5, 2154, 821),
    (10, 2990, 1136),
    (20, 2716, 870),
    (30, 2859, 656),
    (50, 3483, 588),
    (100, 3177, 661),
    (150, 3734, 584),
    (200, 3617, 582),
];
/// Joins in each network, one after another.
const JOINS: u64 = 10;
/// For how long the cost of a join is counted.
const WINDOW: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Figures {
    times: Sample,
    late: u64,
    /// Bytes that the joins cost, a node.
    bytes: f64,
    signatures: f64,
    /// Bytes a second and node at rest.
    rest: f64,
}

pub(super) fn table(options: &Options) -> Report {
    let title = "until all know a new member (1 % loss, 2 ms mean delay, 300 ms x 3)";
    let mut report = Report::new("convergence", title);
    report.say("");
    report.say("The delay is exponential. A node joins by a random member; seconds until every member has reported it, over all joins (the one before has left). Expected: 1.5 at most on average, 2.5 at worst. Sealed bytes that a join costs each node above rest, what of that are signatures, and bytes a second and node at rest; scalecube's mean and bytes a second beside them.");
    report.head(&["N", "mean", "worst", "", "bytes", "signed", "rest", "scalecube", "bytes/s"]);
    let joins = options.seeds(100, 10);
    for (size, millis, bytes) in SCALECUBE {
        if options.is_quick && ![5, 20, 50].contains(&size) {
            continue;
        }
        let figures = figures(size, joins);
        let (mean, worst) = (figures.times.mean(), figures.times.max());
        let holds = figures.late == 0 && mean <= 1.5 && worst <= 2.5;
        let verdict = report.verdict(holds);
        report.row(vec![
            size.to_string(),
            format!("{mean:.2}"),
            format!("{worst:.2}"),
            verdict,
            format!("{:.0}", figures.bytes / joins as f64),
            format!("{:.0}", figures.signatures / joins as f64),
            format!("{:.0}", figures.rest / joins as f64),
            format!("{:.2}", f64::from(millis) / 1000.0),
            bytes.to_string(),
        ]);
    }
    report
}

fn figures(size: usize, joins: u64) -> Figures {
    let mut figures = Figures::default();
    let config = Config { gossip_interval: Some(Duration::from_millis(300)), ..Config::lan() };
    for seed in 0..joins.div_ceil(JOINS) {
        let mut net = Net::settled(seed, size, config.clone());
        (net.link.loss, net.link.law) = (0.01, Law::Exponential);
        // Until what they said of each other at the beginning is spread to the end.
        net.run(Duration::from_secs(10 + size as u64 / 2));
        (0..JOINS.min(joins - seed * JOINS)).for_each(|_| join(&mut net, size, &mut figures));
    }
    figures
}

/// One joins, is counted, and leaves.
fn join(net: &mut Net, size: usize, figures: &mut Figures) {
    let offset = net.rng.random_range(0..1000);
    net.run(Duration::from_millis(offset));
    let rest = traffic(net, WINDOW, |net| net.run(WINDOW));
    let joiner = net.add();
    let by = net.rng.random_range(0..size);
    let cost = traffic(net, WINDOW, |net| {
        net.join(joiner, by);
        let is_it = |event: &Event| *event == Event::Joined(id(joiner));
        match net.run_until_noted(WINDOW, size, |note| is_it(&note.event)) {
            Some(time) => figures.times.add_time(time),
            None => figures.late += 1,
        }
    });
    let a_node = |bytes: u64| bytes as f64 / size as f64;
    figures.bytes += a_node(cost.bytes) - a_node(rest.bytes);
    figures.signatures += a_node(cost.signatures) - a_node(rest.signatures);
    figures.rest += a_node(rest.bytes) / WINDOW.as_secs_f64();
    net.input(joiner, Input::Leave(5 * SECOND));
    net.run(25 * SECOND);
    net.log.clear();
}

/// What is sent within a span in which something is done.
fn traffic(net: &mut Net, span: Duration, act: impl FnOnce(&mut Net)) -> Traffic {
    let (before, end) = (net.traffic, net.now + span);
    act(net);
    net.run(end.since(net.now));
    net.traffic - before
}
