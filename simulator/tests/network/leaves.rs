//! Leaving: all learn it as that, and the leaver knows how far it came.

use rumormill_gossip::{Config, Event, Input, LeaveReport};

use rumormill_simulator::cores::{Net, SECOND, id};

fn has_left(net: &Net, at: usize) -> bool {
    net.hosts[at].left.is_some() && net.is_gone(at)
}

#[test]
fn leaving_is_confirmed_and_seen_by_all() {
    for seed in 0..50 {
        let mut net = Net::settled(seed, 30, Config::lan());
        net.link.loss = if seed % 2 == 0 { 0.0 } else { 0.2 };
        let leavers = [3, 7, 11];
        leavers.iter().for_each(|at| net.input(*at, Input::Leave(10 * SECOND)));
        let all_left = |net: &Net| leavers.iter().all(|at| has_left(net, *at));
        assert!(net.run_until(12 * SECOND, all_left).is_some(), "seed {seed}");
        net.run(30 * SECOND);
        assert!(net.is_converged(), "seed {seed}");
        for at in leavers {
            let report = net.hosts[at].left.unwrap();
            let LeaveReport { asked, confirmed, live } = report;
            // Those that leave, too, do not count where they were asked.
            let is_true = confirmed <= asked && (14..=16).contains(&asked) && 27 <= live;
            assert!(report.is_success() && is_true, "seed {seed}: {report:?}");
            let told = net.count(|event| *event == Event::Left(id(at)));
            let failed =
                net.count(|event| matches!(event, Event::Failed { node, .. } if *node == id(at)));
            assert!(27 <= told && failed == 0, "seed {seed}: {told} left, {failed} failed");
        }
    }
}

#[test]
fn who_is_alone_leaves_at_once() {
    let mut net = Net::new(1, 1, Config::lan());
    net.input(0, Input::Leave(SECOND));
    let report = net.hosts[0].left.unwrap();
    assert_eq!(report, LeaveReport { asked: 0, confirmed: 0, live: 0 });
    assert!(report.is_success() && net.hosts[0].swim.is_over());
}

#[test]
fn who_is_not_heard_leaves_in_time_and_says_so() {
    let mut net = Net::settled(1, 5, Config::lan());
    net.hosts[2].island = 1;
    net.input(2, Input::Leave(3 * SECOND));
    let time = net.run_until(9 * SECOND, |net| net.hosts[2].left.is_some());
    assert_eq!(time, Some(3 * SECOND));
    let report = net.hosts[2].left.unwrap();
    assert_eq!(
        (report, report.is_success()),
        (LeaveReport { asked: 4, confirmed: 0, live: 4 }, false)
    );
}

#[test]
fn who_has_left_may_come_again() {
    let mut net = Net::settled(1, 5, Config::lan());
    net.input(2, Input::Leave(3 * SECOND));
    assert!(net.run_until(9 * SECOND, |net| has_left(net, 2)).is_some());
    net.restart(2);
    net.join(2, 0);
    assert!(net.run_until(5 * SECOND, Net::is_converged).is_some());
    assert_eq!(net.count(|event| *event == Event::Returned(id(2))), 4);
}

#[test]
fn leaving_during_a_suspicion_beats_the_failure() {
    for seed in 0..20 {
        let mut net = Net::settled(seed, 10, Config::lan());
        net.pause(4);
        net.run(3 * SECOND);
        net.resume(4);
        net.input(4, Input::Leave(5 * SECOND));
        assert!(net.run_until(9 * SECOND, |net| has_left(net, 4)).is_some(), "seed {seed}");
        net.run(30 * SECOND);
        assert_eq!(net.count(|event| *event == Event::Left(id(4))), 9, "seed {seed}");
    }
}
