//! Replays, forgeries, and a key that two processes use.

use bytes::Bytes;
use rand::RngExt;
use rumormill_gossip::{Config, Event, Input, Profile};

use rumormill_simulator::cores::{Net, Noted, SECOND, Signing, id};

#[test]
fn replays_bring_nobody_back() {
    for seed in 0..20 {
        let mut net = Net::new(seed, 8, Config::lan());
        (1..8).for_each(|at| net.join(at, 0));
        net.run(10 * SECOND);
        net.crash(3);
        net.input(5, Input::Leave(SECOND));
        net.run(40 * SECOND);
        assert!(net.is_converged(), "seed {seed}");
        let heard = std::mem::take(&mut net.heard);
        for (from, bytes) in heard {
            let at = net.rng.random_range(0..8);
            if net.hosts[at].is_running() && at != from {
                net.receive(at, from, bytes);
            }
        }
        assert!(net.is_gone(3) && net.is_gone(5), "seed {seed}");
        let returned = net.count(|event| matches!(event, Event::Returned(_)));
        assert_eq!(returned, 0, "seed {seed}");
    }
}

#[test]
fn bent_messages_change_nothing_and_end_nothing() {
    for seed in 0..10 {
        let mut net = Net::new(seed, 6, Config::lan());
        (1..6).for_each(|at| net.join(at, 0));
        net.run(10 * SECOND);
        let heard = std::mem::take(&mut net.heard);
        let (mut refused, mut bent) = (0, 0);
        for (from, bytes) in heard.into_iter().take(2000) {
            let (mut bytes, at) = (bytes.to_vec(), net.rng.random_range(0..6));
            let bit = net.rng.random_range(0..8 * bytes.len());
            bytes[bit / 8] ^= 1 << (bit % 8);
            if net.rng.random_bool(0.2) {
                bytes.truncate(bit / 8);
            }
            net.receive(at, from, Bytes::from(bytes));
            bent += 1;
        }
        for host in &net.hosts {
            let counters = host.swim.counters();
            refused += counters.malformed + counters.forged;
        }
        assert!(0 < refused && 100 < bent, "seed {seed}: {refused} of {bent}");
        net.run(10 * SECOND);
        assert!(net.is_converged(), "seed {seed}");
        assert_eq!(net.count(|event| matches!(event, Event::Failed { .. })), 0, "seed {seed}");
    }
}

#[test]
fn of_two_processes_with_one_key_the_older_stops() {
    let mut net = Net::settled(1, 6, Config::lan());
    // The process that is replaced in the model runs on elsewhere: its last words reach the others, and
    // the newer one's record reaches it.
    let mut older = Net::settled(1, 6, Config::lan());
    net.crash(2);
    net.run(SECOND);
    net.restart(2);
    net.join(2, 0);
    net.run(2 * SECOND);
    let heard = std::mem::take(&mut net.heard);
    for (from, bytes) in heard {
        older.receive(2, from.min(1), bytes);
    }
    let conflict = |note: &&Noted| matches!(note.event, Event::IdentityConflict { .. });
    assert_eq!(older.log.iter().find(conflict).map(|note| note.host), Some(2));
    assert!(older.hosts[2].swim.is_over() && older.hosts[2].swim.deadline().is_none());
    assert!(!net.hosts[2].swim.is_over(), "the newer one goes on");
}

#[test]
fn two_with_one_name_are_told_apart() {
    let mut net = Net::settled(1, 4, Config::lan());
    let profile = Profile { name: "node-1".into(), ..Profile::default() };
    net.input(2, Input::Changed(profile));
    net.run(5 * SECOND);
    let holder = id(1).min(id(2));
    let rival = id(1).max(id(2));
    let conflict = Event::NameConflict { name: "node-1".into(), holder, rival };
    assert_eq!(net.count(|event| *event == conflict), 4, "all learn of it");
    assert_eq!(net.hosts[0].swim.named("node-1"), Some(holder));
}

#[test]
fn real_signatures_do_the_same() {
    for seed in 0..3 {
        let mut net = Net::signed(seed, 8, Config::lan(), Signing::Real);
        (1..8).for_each(|at| net.join(at, 0));
        assert!(net.run_until(5 * SECOND, Net::is_converged).is_some(), "seed {seed}");
        net.crash(3);
        net.input(5, Input::Leave(5 * SECOND));
        assert!(net.run_until(30 * SECOND, Net::is_converged).is_some(), "seed {seed}");
        net.restart(3);
        net.join(3, 1);
        assert!(net.run_until(5 * SECOND, Net::is_converged).is_some(), "seed {seed}");
        let forged: u64 = net.hosts.iter().map(|host| host.swim.counters().forged).sum();
        assert_eq!(forged, 0, "seed {seed}");
    }
}

#[test]
fn forged_words_convince_nobody() {
    // One cluster signs with hashes, which anybody can make, the other verifies curves.
    let mut forgers = Net::new(1, 6, Config::lan());
    (1..6).for_each(|at| forgers.join(at, 0));
    forgers.run(10 * SECOND);
    forgers.crash(3);
    forgers.run(40 * SECOND);
    let mut net = Net::signed(2, 6, Config::lan(), Signing::Real);
    (1..6).for_each(|at| net.join(at, 0));
    net.run(60 * SECOND);
    let before = net.count(|_| true);
    for (from, bytes) in std::mem::take(&mut forgers.heard) {
        let at = (from + 1) % 6;
        net.receive(at, from, bytes);
    }
    net.run(10 * SECOND);
    assert_eq!(net.count(|_| true), before, "nothing was believed");
}
