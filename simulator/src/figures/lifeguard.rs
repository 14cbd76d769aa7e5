//! What members that pause do to the healthy, with and without the parts of Lifeguard.

use std::{ops::AddAssign, time::Duration};

use rand::RngExt;
use rumormill_gossip::{Config, Event, Lifeguard};

use crate::{
    cores::{Net, Noted, SECOND, id, place},
    figures::{Options, Report, sample::Sample},
};

const SIZE: usize = 100;
/// How long members pause and run on by turns.
const SPAN: Duration = Duration::from_secs(150);
const PART: Duration = Duration::from_secs(20);

/// One of the configurations that are compared.
struct Row {
    name: &'static str,
    config: Config,
    /// The paper's false positives, those at healthy members, messages and bytes, in percent of its SWIM.
    paper: Option<[f64; 4]>,
}

/// What became of some runs.
#[derive(Clone, Copy, Default)]
struct Tally {
    /// Failures that were reported of members that never paused.
    false_ones: u64,
    /// Those of them that were reported by members that never paused.
    by_healthy: u64,
    messages: u64,
    bytes: u64,
}

/// Which members pause, for how long, and how long they run in between.
#[derive(Clone, Copy)]
struct Anomaly {
    members: usize,
    duration: Duration,
    interval: Duration,
}

fn rows() -> Vec<Row> {
    let published = |probe, suspicion, buddy| {
        let lifeguard = Lifeguard { probe, suspicion, buddy, pause: false, haste: false };
        let config = Config { lifeguard, second_opinion: false, ..Config::lan() };
        Config { stream_probe: false, suspicion_mult: 5.0, suspicion_max_mult: 6.0, ..config }
    };
    let row = |name, config, paper| Row { name, config, paper: Some(paper) };
    let all = published(true, true, true);
    let ours = Config { lifeguard: Lifeguard::ON, second_opinion: true, ..all.clone() };
    vec![
        row("SWIM", published(false, false, false), [100.0; 4]),
        row("LHA-Probe", published(true, false, false), [67.72, 32.88, 98.46, 90.03]),
        row("LHA-Suspicion", published(false, true, false), [3.00, 6.71, 111.31, 106.52]),
        row("Buddy System", published(false, false, true), [94.08, 44.57, 100.07, 99.01]),
        row("Lifeguard", all, [1.53, 1.89, 110.59, 97.97]),
        Row { name: "as by default", config: ours, paper: None },
    ]
}

pub(super) fn table(options: &Options) -> Report {
    let title = "100 members, some of which pause again and again (alpha 5, beta 6)";
    let mut report = Report::new("lifeguard", title);
    let (rows, anomalies) = (rows(), anomalies(options));
    report.say("");
    report.say(&format!("{} runs of {} s for each row: 1 to 32 members pause at once for 12 or 33 s and run for 1 or 4 ms in between, again and again (the grid is ours; the paper varies the same three). What arrives meanwhile waits in a socket of 2048, and timers fire before it is read. Streams do not stand in for packets. The first five rows are the paper's: a second opinion and the pause rule, which are ours, are off there. Shorter pauses, or 64 ms and more in between, bring hardly any false positive even to plain SWIM: news go out at once here where there were none before, and not with the next tick, so a refutation is back within some 20 ms.", anomalies.len(), SPAN.as_secs()));
    let tallies: Vec<Tally> = rows
        .iter()
        .map(|row| {
            let mut tally = Tally::default();
            anomalies.iter().for_each(|anomaly| tally += run(&row.config, *anomaly));
            tally
        })
        .collect();
    shares(&mut report, &rows, &tallies);
    expectations(&mut report, options.pick(1000, 100), &tallies);
    latencies(&mut report, &rows, options);
    report
}

/// Every way to pause that is tried.
fn anomalies(options: &Options) -> Vec<Anomaly> {
    let members: &[usize] = options.pick(&[1, 2, 4, 8, 16, 32], &[8, 32]);
    let durations: &[u64] = options.pick(&[12_288, 32_768], &[12_288]);
    let intervals: &[u64] = options.pick(&[1, 4], &[1]);
    let mut all = Vec::new();
    for &members in members {
        for duration in durations.iter().copied().map(Duration::from_millis) {
            let anomaly = |interval| Anomaly { members, duration, interval };
            all.extend(intervals.iter().copied().map(Duration::from_millis).map(anomaly));
        }
    }
    all
}

fn run(config: &Config, anomaly: Anomaly) -> Tally {
    let seed = anomaly.members as u64 + anomaly.duration.as_secs() * 100;
    let mut net = Net::settled(seed, SIZE, config.clone());
    net.run(PART);
    net.log.clear();
    let (before, end) = (net.traffic, net.now + SPAN);
    while net.now < end {
        (0..anomaly.members).for_each(|at| net.pause(at));
        net.run(anomaly.duration);
        (0..anomaly.members).for_each(|at| net.resume(at));
        net.run(anomaly.interval);
    }
    net.run(PART);
    let is_healthy = |at: usize| anomaly.members <= at;
    let is_false = |note: &&Noted| match note.event {
        Event::Failed { node, .. } => place(node).is_some_and(is_healthy),
        _ => false,
    };
    let traffic = net.traffic - before;
    let false_ones = net.log.iter().filter(is_false);
    Tally {
        false_ones: false_ones.clone().count() as u64,
        by_healthy: false_ones.filter(|note| is_healthy(note.host)).count() as u64,
        messages: traffic.messages(),
        bytes: traffic.bytes,
    }
}

fn shares(report: &mut Report, rows: &[Row], tallies: &[Tally]) {
    report.say("");
    report.say("False positives: failures reported of members that never paused (FP), and those reported by such members (FP-). Messages and sealed bytes of all. In percent of SWIM; the paper's in brackets.");
    report.head(&["", "FP", "FP-", "FP %", "FP- %", "messages %", "bytes %"]);
    let [false_ones, by_healthy, messages, bytes] = tallies[0].values();
    for (row, tally) in rows.iter().zip(tallies) {
        let values = tally.values();
        let share = |place: usize, of: f64, digits: usize| {
            let paper = row.paper.map(|paper| format!(" ({:.digits$})", paper[place]));
            let share = 100.0 * values[place] / of;
            let is = if 0.0 < of { format!("{share:.digits$}") } else { "-".into() };
            format!("{is}{}", paper.unwrap_or_default())
        };
        report.row(vec![
            row.name.into(),
            tally.false_ones.to_string(),
            tally.by_healthy.to_string(),
            share(0, false_ones, 1),
            share(1, by_healthy, 1),
            share(2, messages, 0),
            share(3, bytes, 0),
        ]);
    }
}

fn expectations(report: &mut Report, least: u64, tallies: &[Tally]) {
    report.head(&["expected", "is", ""]);
    let count = tallies[0].false_ones;
    report.check(vec![format!("SWIM: at least {least} FP"), count.to_string()], least <= count);
    for (name, place) in [("Lifeguard", 4), ("as by default", 5)] {
        let share = 100.0 * tallies[place].false_ones as f64 / count as f64;
        report.check(
            vec![format!("{name}: FP at most 2 % of SWIM's"), format!("{share:.2} %")],
            share <= 2.0,
        );
    }
}

fn latencies(report: &mut Report, rows: &[Row], options: &Options) {
    let nets = options.seeds(8, 2);
    report.say("");
    report.say(&format!("Seconds from a crash to the first report, and until all have reported it: median of {} crashes, nobody pauses. Expected: in all no more than 1.1 of SWIM's.", nets * CRASHES));
    report.head(&["", "first", "all", "of SWIM's", ""]);
    let mut plain = f64::NAN;
    for (place, row) in rows.iter().enumerate().filter(|(place, _)| [0, 4, 5].contains(place)) {
        let (first, all) = detection(&row.config, nets);
        let (first, all) = (first.median(), all.median());
        plain = if place == 0 { all } else { plain };
        let share = all / plain;
        let cells = vec![
            row.name.into(),
            format!("{first:.2}"),
            format!("{all:.2}"),
            format!("{share:.2}"),
        ];
        report.check(cells, share <= 1.1);
    }
}

/// Crashes in each network, one after another.
const CRASHES: u64 = 5;

fn detection(config: &Config, nets: u64) -> (Sample, Sample) {
    let (mut first, mut all) = (Sample::default(), Sample::default());
    for seed in 0..nets {
        let mut net = Net::settled(seed, SIZE, config.clone());
        for victim in 0..CRASHES as usize {
            let offset = net.rng.random_range(5000..6000);
            net.run(Duration::from_millis(offset));
            let left = net.hosts.iter().filter(|host| host.is_up).count() - 1;
            net.crash(victim);
            let is_it = |note: &Noted| matches!(note.event, Event::Failed { node, .. } if node == id(victim));
            let soonest = net.run_until_noted(200 * SECOND, 1, is_it);
            let rest = net.run_until_noted(200 * SECOND, left - 1, is_it);
            if let Some((soonest, rest)) = soonest.zip(rest) {
                first.add_time(soonest);
                all.add_time(soonest + rest);
            }
        }
    }
    (first, all)
}

impl Tally {
    fn values(&self) -> [f64; 4] {
        [self.false_ones, self.by_healthy, self.messages, self.bytes].map(|count| count as f64)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.false_ones += other.false_ones;
        self.by_healthy += other.by_healthy;
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}
