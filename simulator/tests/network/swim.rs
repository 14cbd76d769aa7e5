//! The figures of SWIM (Das, Gupta, Motivala 2002), without what was added to it since.

use std::time::Duration;

use rand::RngExt;
use rumormill_gossip::{Config, Event, Lifeguard};

use rumormill_simulator::cores::{Net, SECOND, id};

fn plain() -> Config {
    Config {
        lifeguard: Lifeguard::OFF,
        gossip_interval: None,
        exchange_interval: None,
        heal_interval: None,
        stream_probe: false,
        ..Config::lan()
    }
}

#[test]
fn two_messages_a_member_and_period_at_every_size() {
    for size in [2, 8, 32, 128] {
        let mut net = Net::settled(1, size, plain());
        let before = net.traffic;
        net.run(50 * SECOND);
        let traffic = net.traffic - before;
        let rate = traffic.messages() as f64 / size as f64 / 50.0;
        assert!((1.95..=2.05).contains(&rate), "{rate} of {size}");
        let [_, pings, acks, ..] = traffic.kinds;
        assert_eq!(pings + acks, traffic.messages(), "only pings and acks");
    }
}

/// Periods from a failure to the first suspicion: as the paper counts them, which is up to the one in
/// which somebody probes, and as they pass.
fn periods(net: &mut Net, size: usize) -> (f64, f64) {
    let offset = net.rng.random_range(3000..6000);
    net.run(Duration::from_millis(offset));
    let (victim, start) = (net.rng.random_range(0..size), net.now);
    net.log.clear();
    net.hosts[victim].island = 1;
    let is_suspected = |net: &Net| {
        net.count(|event| matches!(event, Event::Suspected { node, .. } if *node == id(victim)))
            != 0
    };
    net.run_until(60 * SECOND, is_suspected).expect("somebody notices");
    net.hosts[victim].island = 0;
    let elapsed = net.now.since(start).as_secs_f64();
    let is_cleared = |net: &Net| net.hosts.iter().all(|host| host.trusts(victim));
    net.run_until(60 * SECOND, is_cleared).expect("it is refuted");
    ((elapsed - 1.0).ceil().max(1.0), elapsed)
}

#[test]
fn the_first_suspicion_comes_as_early_in_large_clusters() {
    for (size, seeds, failures) in [(8, 4, 50), (32, 5, 40), (128, 2, 60)] {
        let periods: Vec<_> = (0..seeds)
            .flat_map(|seed| {
                // Suspicions are refuted, so that the cluster is as it was before the next; a suspected
                // member learns of it with the next probe, or some would never.
                let lifeguard = Lifeguard { buddy: true, ..Lifeguard::OFF };
                let config = Config { suspicion_mult: 20.0, lifeguard, ..plain() };
                let mut net = Net::settled(seed, size, config);
                (0..failures).map(|_| periods(&mut net, size)).collect::<Vec<_>>()
            })
            .collect();
        let mean =
            |of: fn(&(f64, f64)) -> f64| periods.iter().map(of).sum::<f64>() / periods.len() as f64;
        let (counted, elapsed) = (mean(|(counted, _)| *counted), mean(|(_, elapsed)| *elapsed));
        assert!((1.4..=1.7).contains(&counted), "{counted} counted of {size}");
        assert!((1.8..=2.1).contains(&elapsed), "{elapsed} elapsed of {size}");
    }
}
