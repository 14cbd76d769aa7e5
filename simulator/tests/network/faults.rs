//! Crashes, losses and pauses: what is reported, and what is not.

use std::time::Duration;

use rand::RngExt;
use rumormill_gossip::{Config, Event, Lifeguard};

use rumormill_simulator::cores::{Net, SECOND, id};

fn is_suspicion(event: &Event) -> bool {
    matches!(event, Event::Suspected { .. })
}

fn is_failure(event: &Event) -> bool {
    matches!(event, Event::Failed { .. })
}

#[test]
fn a_crashed_member_is_reported_by_all() {
    let mut times = Vec::new();
    for seed in 0..100 {
        let mut net = Net::settled(seed, 10, Config::lan());
        let offset = net.rng.random_range(0..1000);
        net.run(Duration::from_millis(offset));
        let victim = net.rng.random_range(0..10);
        net.crash(victim);
        // The longest suspicion, and the probe before it, where no confirmation comes.
        let time = net.run_until(26 * SECOND, |net| net.is_gone(victim));
        times.push(time.unwrap_or_else(|| panic!("seed {seed}: not reported")));
        assert!(net.is_converged());
        let accused = |event: &Event| {
            is_failure(event) && !matches!(event, Event::Failed { node, .. } if *node == id(victim))
        };
        assert_eq!(net.count(accused), 0, "seed {seed}: others were taken for failed");
    }
    times.sort();
    let mean = times.iter().sum::<Duration>() / 100;
    assert!(mean < Duration::from_millis(6700), "{mean:?} on average");
    assert!(times[97] < 10 * SECOND, "{:?}", &times[90..]);
}

#[test]
fn every_preset_notices_a_crash_and_nothing_else() {
    for (config, most) in [(Config::lan(), 30), (Config::wan(), 200), (Config::local(), 20)] {
        let mut net = Net::settled(1, 8, config);
        net.crash(5);
        assert!(net.run_until(most * SECOND, |net| net.is_gone(5)).is_some(), "{:?}", net.config);
        net.run(60 * SECOND);
        assert!(net.is_converged(), "{:?}", net.config);
    }
}

#[test]
fn in_calm_nobody_is_suspected() {
    for seed in 0..20 {
        let mut net = Net::settled(seed, 5 + seed as usize, Config::lan());
        net.run(60 * SECOND);
        assert_eq!((net.count(is_suspicion), net.stray), (0, 0), "seed {seed}");
    }
}

#[test]
fn a_settled_cluster_is_quiet() {
    let mut net = Net::settled(1, 32, Config::lan());
    net.run(30 * SECOND);
    net.wakes = 0;
    let before = net.traffic;
    net.run(100 * SECOND);
    let per_node_and_second = |count: u64| count as f64 / 32.0 / 100.0;
    let traffic = net.traffic - before;
    assert!(per_node_and_second(traffic.messages()) < 2.2, "{traffic:?}");
    assert!(per_node_and_second(net.wakes) < 2.2, "{}", net.wakes);
}

#[test]
fn losses_alone_remove_nobody() {
    let mut suspected = 0;
    for seed in 0..100 {
        let mut net = Net::settled(seed, 17, Config { stream_probe: false, ..Config::lan() });
        net.link.loss = 0.1;
        net.run(60 * SECOND);
        assert_eq!(net.count(is_failure), 0, "seed {seed}");
        suspected += net.count(is_suspicion);
    }
    assert!(0 < suspected, "nobody had anything to refute");
}

#[test]
fn refutation_saves_who_is_wrongly_accused() {
    let (mut suspected, mut cleared) = (0, 0);
    for seed in 0..15 {
        // Without help from others, losses make for many wrong suspicions.
        let config = Config { indirect_probes: 0, stream_probe: false, ..Config::lan() };
        let mut net = Net::settled(seed, 17, config);
        net.link.loss = 0.1;
        net.run(60 * SECOND);
        assert_eq!(net.count(is_failure), 0, "seed {seed}");
        net.link.loss = 0.0;
        net.run(20 * SECOND);
        suspected += net.count(is_suspicion);
        cleared += net.count(|event| matches!(event, Event::Cleared(_)));
    }
    assert!(1000 < suspected, "{suspected}");
    assert_eq!(suspected, cleared, "all suspicions ended well");
}

#[test]
fn a_member_that_pauses_is_not_reported_and_reports_nobody() {
    for seed in 0..50 {
        let mut net = Net::settled(seed, 12, Config::lan());
        for _ in 0..5 {
            let at = net.rng.random_range(0..12);
            net.pause(at);
            net.run(3 * SECOND);
            net.resume(at);
            let gap = net.rng.random_range(100..3000);
            net.run(Duration::from_millis(gap));
        }
        assert_eq!(net.count(is_failure), 0, "seed {seed}");
    }
}

/// Failures of healthy members, some of whose fellows run a tenth of a second in every eight.
fn false_failures(config: &Config) -> usize {
    let mut failures = 0;
    for seed in 0..5 {
        let mut net = Net::settled(seed, 20, config.clone());
        net.link.delay = Duration::from_millis(60);
        for _ in 0..8 {
            (0..4).for_each(|slow| net.pause(slow));
            net.run(8 * SECOND);
            (0..4).for_each(|slow| net.resume(slow));
            net.run(SECOND / 10);
        }
        let slow = [0, 1, 2, 3].map(id);
        failures +=
            net.count(|event| matches!(event, Event::Failed { node, .. } if !slow.contains(node)));
    }
    failures
}

#[test]
fn the_healthy_are_protected_from_the_slow() {
    let config = Config { stream_probe: false, ..Config::lan() };
    let plain = Config { lifeguard: Lifeguard::OFF, second_opinion: false, ..config.clone() };
    let paper = Lifeguard { pause: false, haste: false, ..Lifeguard::ON };
    let paper = Config { lifeguard: paper, second_opinion: false, ..config.clone() };
    let [plain, paper, all] = [plain, paper, config].map(|config| false_failures(&config));
    assert!(100 < plain, "nothing was put to the test: {plain}");
    assert!(paper * 10 < plain, "{paper} of {plain}");
    assert_eq!(all, 0);
}

#[test]
fn one_seed_has_one_outcome() {
    let outcome = |seed| {
        let mut net = Net::settled(seed, 9, Config::lan());
        net.link.loss = 0.2;
        net.crash(2);
        net.run(20 * SECOND);
        (net.log, net.traffic, net.stray)
    };
    assert!(outcome(1) == outcome(1));
    assert!(outcome(1) != outcome(2));
}
