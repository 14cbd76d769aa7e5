//! Partitions, and that they heal by themselves.

use rumormill_gossip::{Config, Event};

use rumormill_simulator::cores::{Net, SECOND};

fn part(net: &mut Net, size: usize) {
    net.hosts.iter_mut().skip(size).for_each(|host| host.island = 1);
}

fn mend(net: &mut Net) {
    net.hosts.iter_mut().for_each(|host| host.island = 0);
}

fn check(seed: u64, size: usize, minority: usize, parted: u32) {
    let mut net = Net::settled(seed, size, Config::lan());
    part(&mut net, size - minority);
    net.run(parted * SECOND);
    assert!(0 < net.count(|event| matches!(event, Event::Failed { .. })), "they were not parted");
    mend(&mut net);
    let time = net.run_until(30 * SECOND, Net::is_converged);
    assert!(time.is_some(), "seed {seed}: {size} are not one again");
    net.run(60 * SECOND);
    assert!(net.is_converged(), "seed {seed}: not for long");
}

#[test]
fn halves_find_each_other_again() {
    (0..20).for_each(|seed| check(seed, 10, 5, 120));
    (0..2).for_each(|seed| check(seed, 60, 30, 240));
}

#[test]
fn one_that_was_alone_finds_the_others_again() {
    (0..20).for_each(|seed| check(seed, 10, 1, 120));
}

#[test]
fn who_joins_one_half_is_known_to_both() {
    for seed in 0..10 {
        let mut net = Net::settled(seed, 10, Config::lan());
        part(&mut net, 5);
        net.run(60 * SECOND);
        let joiner = net.add();
        net.join(joiner, 0);
        net.run(90 * SECOND);
        mend(&mut net);
        assert!(net.run_until(30 * SECOND, Net::is_converged).is_some(), "seed {seed}");
    }
}
