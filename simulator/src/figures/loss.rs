//! What packets that are lost do: nothing, with helpers and time to refute; else as SWIM's paper says.

use std::time::Duration;

use rumormill_gossip::{Config, Event, Lifeguard};

use crate::{
    cores::{Net, place},
    figures::{Options, Report, sample::Sample},
};

const SIZE: usize = 17;
const PERIODS: u32 = 500;

/// What packets alone do: no streams, once all have joined.
fn packets_only() -> Config {
    Config { stream_probe: false, exchange_interval: None, heal_interval: None, ..Config::lan() }
}

/// The paper's: one helper, a period of 2 s, and 3⌈log(N + 1)⌉ both times that a piggybacked update is sent
/// and periods that a suspicion lasts.
fn of_the_paper(suspicion: f64, sent: u32) -> Config {
    Config {
        probe_interval: Duration::from_secs(2),
        indirect_probes: 1,
        suspicion_mult: suspicion / (SIZE as f64).log10(),
        // Times the decimal logarithm, rounded up to 2.
        retransmit_mult: sent / 2,
        gossip_interval: None,
        second_opinion: false,
        lifeguard: Lifeguard::OFF,
        ..packets_only()
    }
}

pub(super) fn table(options: &Options) -> Report {
    let title = "17 members, 10 % of packets lost, 500 periods";
    let mut report = Report::new("loss", title);
    let seeds = options.seeds(100, 10);
    report.say("");
    report.say("Three helpers, and no probe over streams. Failures that anybody reported of anybody at any time, members that anybody holds for failed at the end, and suspicions that each reports in a period: over all seeds. With all else that is on by default, and with Lifeguard as published, nobody may be removed. Without exchanges, which are what reaches a member that a refutation has missed, and with plain SWIM: to compare.");
    report.head(&["", "failures", "held failed", "suspicions", ""]);
    let paper = Lifeguard { pause: false, haste: false, ..Lifeguard::ON };
    let all = Config { stream_probe: false, ..Config::lan() };
    let published = Config { lifeguard: paper, second_opinion: false, ..all.clone() };
    let plain = Config { lifeguard: Lifeguard::OFF, second_opinion: false, ..packets_only() };
    for (name, config, is_promised) in [
        ("as by default", all, true),
        ("Lifeguard as published", published, true),
        ("as by default, no exchanges", packets_only(), false),
        ("plain SWIM, no exchanges", plain, false),
    ] {
        let (failures, held, suspicions) = removals(&config, seeds);
        let cells =
            vec![name.into(), failures.to_string(), held.to_string(), format!("{suspicions:.4}")];
        match is_promised {
            true => report.check(cells, failures == 0 && held == 0),
            false => report.row(cells),
        }
    }
    report.say("");
    report.say("One helper, a period of 2 s, and a suspicion of 3*ceil(log(N+1)) periods, as in SWIM's paper (section 5), and updates sent as often (6, 10 or 16 times); which logarithm is meant was not found. Whoever is declared failed by anybody is stopped and stays out. Members left: mean, least and most; expected: as many as in the paper with suspicion by the natural logarithm, as few without.");
    report.head(&["", "left", "least", "most", "paper", ""]);
    let readings = [
        ("suspicion, log10: 6", 6.0, 6),
        ("suspicion, ln: 9", 9.0, 10),
        ("suspicion, log2: 15", 15.0, 16),
    ];
    for (place, (name, periods, sent)) in readings.into_iter().enumerate() {
        let with = members_left(&of_the_paper(periods, sent), seeds);
        match place == 1 {
            true => report.check(left(name, &with, "12"), 12.0 <= with.mean()),
            false => report.row(left(name, &with, "12")),
        }
    }
    let without = members_left(&of_the_paper(0.0, 6), seeds);
    report.check(left("no suspicion, piggybacked", &without, "4"), without.mean() <= 4.0);
    report.say("The paper's third row (2 left: failures multicast instead of piggybacked) differs in how news spread only, which makes no difference where whoever is declared failed stops at once.");
    report
}

fn left(name: &str, sample: &Sample, paper: &str) -> Vec<String> {
    let [mean, least, most] = [sample.mean(), sample.min(), sample.max()];
    vec![name.into(), format!("{mean:.1}"), least.to_string(), most.to_string(), paper.into()]
}

/// Failures ever, members held failed at the end, and suspicions a member and period.
fn removals(config: &Config, seeds: u64) -> (usize, usize, f64) {
    let (mut failures, mut held, mut suspicions) = (0, 0, 0);
    for seed in 0..seeds {
        let mut net = joined(seed, config);
        net.run(config.probe_interval * PERIODS);
        failures += net.count(|event| matches!(event, Event::Failed { .. }));
        suspicions += net.count(|event| matches!(event, Event::Suspected { .. }));
        let all = net.hosts.iter().flat_map(|host| host.swim.members());
        held += all.filter(|member| !member.standing().is_here()).count();
    }
    let periods = seeds * u64::from(PERIODS) * SIZE as u64;
    (failures, held, suspicions as f64 / periods as f64)
}

/// Seventeen that join while packets are lost.
fn joined(seed: u64, config: &Config) -> Net {
    let mut net = Net::new(seed, SIZE, config.clone());
    net.link.loss = 0.1;
    for at in (1..SIZE).chain(1..SIZE) {
        net.join(at, 0);
        net.run(Duration::from_millis(10));
    }
    net
}

fn members_left(config: &Config, seeds: u64) -> Sample {
    let mut sample = Sample::default();
    for seed in 0..seeds {
        let mut net = joined(seed, config);
        let end = net.now + config.probe_interval * PERIODS;
        while net.now < end {
            net.run_until_noted(end.since(net.now), 1, |note| {
                matches!(note.event, Event::Failed { .. })
            });
            stop_failed(&mut net);
        }
        sample.add(net.hosts.iter().filter(|host| host.is_up).count() as f64);
    }
    sample
}

/// Whoever somebody that is still there holds for failed is out.
fn stop_failed(net: &mut Net) {
    for note in std::mem::take(&mut net.log) {
        let Event::Failed { node, .. } = note.event else { continue };
        let Some(at) = place(node) else { continue };
        if net.hosts[note.host].is_up && net.hosts[at].is_up {
            net.crash(at);
        }
    }
}
