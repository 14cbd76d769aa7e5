//! Everything at once: churn, losses and pauses, and then calm.

use std::time::Duration;

use rand::RngExt;
use rumormill_gossip::{Config, Input};

use crate::model::{Net, SECOND};

/// One random thing happens. Nodes 0 and 1 stay, so that there is somebody to come back to.
fn disturb(net: &mut Net, size: usize) {
    let at = net.rng.random_range(2..size);
    match (net.rng.random_range(0..6), net.hosts[at].is_up) {
        (0, true) => net.crash(at),
        (1, true) => net.input(at, Input::Leave(SECOND)),
        (2, true) if net.is_running(at) => net.pause(at),
        (_, true) if !net.is_running(at) => net.resume(at),
        (_, true) => net.loss = net.rng.random_range(0.0..0.3),
        (_, false) => {
            net.restart(at);
            net.join(at, at % 2);
        }
    }
}

#[test]
fn after_all_the_trouble_there_is_one_view() {
    for seed in 0..100 {
        let size = 6 + seed as usize % 7;
        let mut net = Net::settled(seed, size, Config::lan());
        for _ in 0..30 {
            disturb(&mut net, size);
            let gap = net.rng.random_range(10..2000);
            net.run(Duration::from_millis(gap));
        }
        net.loss = 0.0;
        (0..size).filter(|at| net.hosts[*at].is_up).collect::<Vec<_>>().into_iter().for_each(
            |at| {
                if !net.is_running(at) {
                    net.resume(at);
                }
            },
        );
        let time = net.run_until(60 * SECOND, Net::is_converged);
        assert!(time.is_some(), "seed {seed}");
        net.run(30 * SECOND);
        assert!(net.is_converged(), "seed {seed}: not for long");
    }
}
