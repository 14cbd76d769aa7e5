//! Coming, and coming back.

use std::time::Duration;

use rumormill_gossip::{Config, Event, Input, Profile};

use rumormill_simulator::cores::{Net, SECOND, id};

#[test]
fn joiners_and_members_know_each_other_within_seconds() {
    let mut times = Vec::new();
    for seed in 0..100 {
        let size = 2 + seed as usize % 31;
        let mut net = Net::new(seed, size, Config::lan());
        net.link.loss = 0.01;
        for at in 1..size {
            net.join(at, 0);
            net.run(Duration::from_millis(50));
        }
        let time = net.run_until(10 * SECOND, Net::is_converged);
        times.push(time.unwrap_or_else(|| panic!("seed {seed}: {size} do not know each other")));
        assert_eq!(net.count(|event| matches!(event, Event::Suspected { .. })), 0, "seed {seed}");
    }
    let mean = times.iter().sum::<Duration>() / 100;
    assert!(mean < SECOND, "{mean:?} on average");
}

#[test]
fn all_join_at_once() {
    for seed in 0..5 {
        let mut net = Net::new(seed, 60, Config::lan());
        net.link.loss = 0.01;
        (1..60).for_each(|at| net.join(at, at - 1));
        let time = net.run_until(10 * SECOND, Net::is_converged);
        assert!(time.is_some(), "seed {seed}");
    }
}

#[test]
fn a_new_member_is_known_to_all_soon_at_every_size() {
    for (size, seeds) in [(5, 20), (20, 20), (50, 5), (100, 2)] {
        let interval = Some(Duration::from_millis(300));
        let config = Config { gossip_interval: interval, ..Config::lan() };
        let mut times = Vec::new();
        for seed in 0..seeds {
            let mut net = Net::settled(seed, size, config.clone());
            net.link.loss = 0.01;
            let joiner = net.add();
            net.join(joiner, seed as usize % size);
            times.extend(net.run_until(5 * SECOND, Net::is_converged));
        }
        assert_eq!(times.len() as u64, seeds, "{size}");
        let mean = times.iter().sum::<Duration>() / times.len() as u32;
        assert!(mean < 3 * SECOND / 2, "{mean:?} of {size} on average");
        assert!(times.iter().all(|time| *time < 5 * SECOND / 2), "{times:?} of {size}");
    }
}

#[test]
fn who_crashed_comes_back_as_itself() {
    for seed in 0..20 {
        let mut net = Net::settled(seed, 8, Config::lan());
        net.crash(3);
        assert!(net.run_until(60 * SECOND, |net| net.is_gone(3)).is_some(), "seed {seed}");
        net.restart(3);
        net.join(3, 5);
        assert!(net.run_until(5 * SECOND, Net::is_converged).is_some(), "seed {seed}");
        assert_eq!(net.count(|event| *event == Event::Returned(id(3))), 7, "seed {seed}");
    }
}

#[test]
fn a_quick_restart_is_an_update() {
    for seed in 0..20 {
        let mut net = Net::settled(seed, 8, Config::lan());
        net.crash(3);
        net.run(SECOND / 2);
        net.restart(3);
        net.join(3, 5);
        assert!(net.run_until(5 * SECOND, Net::is_converged).is_some(), "seed {seed}");
        assert_eq!(net.count(|event| matches!(event, Event::Failed { .. })), 0, "seed {seed}");
    }
}

#[test]
fn what_a_member_says_of_itself_reaches_all() {
    for seed in 0..20 {
        let mut net = Net::settled(seed, 12, Config::lan());
        net.link.loss = 0.1;
        let profile = Profile { name: "new".into(), metadata: "new".into(), ..Profile::default() };
        net.input(4, Input::Changed(profile));
        let is_known = |net: &Net| {
            let others = net.hosts.iter().filter(|host| host.swim.node() != id(4));
            others.into_iter().all(|host| host.swim.named("new") == Some(id(4)))
        };
        assert!(net.run_until(5 * SECOND, is_known).is_some(), "seed {seed}");
    }
}
