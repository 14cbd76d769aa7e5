//! Load, time to the first suspicion, and dissemination, at every size: SWIM, without what was added since.

use std::time::Duration;

use rand::RngExt;
use rumormill_gossip::{Config, Event, Input, Lifeguard, Profile};

use crate::{
    cores::{Net, SECOND, id},
    figures::{
        Options, Report,
        sample::{Sample, slope},
    },
};

/// What is measured of one size.
struct Figures {
    rate: f64,
    counted: Sample,
    elapsed: Sample,
    /// Periods until half of the members know.
    half: Sample,
    /// Periods until all know that ever will by dissemination alone.
    last: Sample,
    /// The part of members that never learn of it in this way.
    missed: f64,
}

/// Plain SWIM, except that a suspected member learns of it with the next probe: where nothing else mends
/// it, some would never refute, and the cluster would not be the same for the next failure.
fn config() -> Config {
    Config {
        lifeguard: Lifeguard { buddy: true, ..Lifeguard::OFF },
        gossip_interval: None,
        exchange_interval: None,
        heal_interval: None,
        stream_probe: false,
        suspicion_mult: 40.0,
        ..Config::lan()
    }
}

pub(super) fn table(options: &Options) -> Report {
    let title = "plain SWIM at every size (a period is 1 s; piggybacked news only)";
    let mut report = Report::new("swim", title);
    let sizes: &[usize] = options.pick(&[8, 16, 32, 64, 128, 256, 512], &[8, 32, 128]);
    let all: Vec<(usize, Figures)> = sizes
        .iter()
        .map(|size| {
            (
                *size,
                figures(
                    *size,
                    options.seeds(failures(*size), failures(*size) / 3),
                    options.pick(40, 20),
                ),
            )
        })
        .collect();
    report.say("");
    report.say("Pings and acks a member and period; expected: 1.95 to 2.05. Periods from a failure to the first suspicion, as the paper counts them (1.4 to 1.7) and as they pass (1.8 to 2.1): mean.");
    report.head(&["N", "messages", "", "counted", "", "elapsed", "", "failures"]);
    for (size, figures) in &all {
        load(&mut report, *size, figures);
    }
    report.say("");
    report.say("Periods until an update is known to half and to the last of those that hear of it by piggyback alone (mean), the part that does not, and how much later the last one is than at half the size. Expected: O(log N), so at most 1.5 periods more with each doubling.");
    report.head(&["N", "half", "last", "missed", "per doubling", ""]);
    let last = |figures: &Figures| figures.last.mean();
    for (place, (size, figures)) in all.iter().enumerate() {
        let before = place.checked_sub(1).map(|place| &all[place]);
        let growth = before.map(|(smaller, before)| {
            (last(figures) - last(before)) / (*size as f64 / *smaller as f64).log2()
        });
        spread(&mut report, *size, figures, growth);
    }
    let points: Vec<(f64, f64)> =
        all.iter().map(|(size, figures)| ((*size as f64).log2(), last(figures))).collect();
    let fit = slope(&points);
    report.head(&["fit: the last one, periods per doubling", "", ""]);
    report.check(vec![String::new(), format!("{fit:.2}")], fit <= 1.5);
    report
}

/// How many failures make the mean of a size sure enough: the larger, the less do single ones vary.
fn failures(size: usize) -> u64 {
    (64_000 / size as u64).clamp(200, 1000)
}

fn load(report: &mut Report, size: usize, figures: &Figures) {
    let (counted, elapsed) = (figures.counted.mean(), figures.elapsed.mean());
    let rate = report.verdict((1.95..=2.05).contains(&figures.rate));
    let is_counted = report.verdict((1.4..=1.7).contains(&counted));
    let is_elapsed = report.verdict((1.8..=2.1).contains(&elapsed));
    report.row(vec![
        size.to_string(),
        format!("{:.3}", figures.rate),
        rate,
        format!("{counted:.2}"),
        is_counted,
        format!("{elapsed:.2}"),
        is_elapsed,
        figures.counted.len().to_string(),
    ]);
}

fn spread(report: &mut Report, size: usize, figures: &Figures, growth: Option<f64>) {
    let cells = vec![
        size.to_string(),
        format!("{:.2}", figures.half.mean()),
        format!("{:.2}", figures.last.mean()),
        format!("{:.2} %", 100.0 * figures.missed),
    ];
    match growth {
        None => report.row(cells),
        Some(growth) => {
            let cells = cells.into_iter().chain([format!("{growth:+.2}")]).collect();
            report.check(cells, growth <= 1.5);
        }
    }
}

fn figures(size: usize, failures: u64, updates: u64) -> Figures {
    let mut net = Net::settled(size as u64, size, config());
    let (before, periods) = (net.traffic, 50);
    net.run(periods * SECOND);
    let sent = (net.traffic - before).messages();
    let mut figures = Figures {
        rate: sent as f64 / size as f64 / f64::from(periods),
        counted: Sample::default(),
        elapsed: Sample::default(),
        half: Sample::default(),
        last: Sample::default(),
        missed: 0.0,
    };
    (0..failures).for_each(|_| fail(&mut net, &mut figures));
    // What is left of the news of the beginning has to be out of the way.
    net.run(Duration::from_secs(size as u64 * 2));
    let missed: f64 = (0..updates).map(|_| update(&mut net, &mut figures)).sum();
    figures.missed = missed / updates as f64;
    figures
}

/// One crashes, is suspected for the first time, and comes back.
fn fail(net: &mut Net, figures: &mut Figures) {
    let offset = net.rng.random_range(1000..2000);
    net.run(Duration::from_millis(offset));
    let victim = net.rng.random_range(1..net.hosts.len());
    net.crash(victim);
    let is_it =
        |event: &Event| matches!(event, Event::Suspected { node, .. } if *node == id(victim));
    let elapsed = net.run_until_noted(60 * SECOND, 1, |note| is_it(&note.event));
    let elapsed = elapsed.expect("invariant: a round of probes finds everybody").as_secs_f64();
    // A period goes by between the probe and the suspicion.
    figures.counted.add((elapsed - 1.0).ceil().max(1.0));
    figures.elapsed.add(elapsed);
    net.restart(victim);
    net.join(victim, 0);
    let is_mended = |net: &Net| net.hosts.iter().all(|host| host.trusts(victim));
    net.run_until(600 * SECOND, is_mended).expect("invariant: who is suspected learns of it");
    net.log.clear();
}

/// One says something new; the part of the others that never hears of it.
fn update(net: &mut Net, figures: &mut Figures) -> f64 {
    let at = net.rng.random_range(0..net.hosts.len());
    let name = format!("node-{at}.{}", net.rng.random::<u32>()).into();
    net.log.clear();
    let start = net.now;
    net.input(at, Input::Changed(Profile { name, ..Profile::default() }));
    net.run_until_noted(60 * SECOND, net.hosts.len() - 1, |note| {
        note.event == Event::Updated(id(at))
    });
    let heard = net.log.iter().filter(|note| note.event == Event::Updated(id(at)));
    let times: Vec<f64> = heard.map(|note| note.time.since(start).as_secs_f64()).collect();
    let others = net.hosts.len() - 1;
    figures.half.add(times.get(others / 2).copied().unwrap_or(f64::INFINITY));
    figures.last.add(times.last().copied().unwrap_or(f64::INFINITY));
    1.0 - times.len() as f64 / others as f64
}
