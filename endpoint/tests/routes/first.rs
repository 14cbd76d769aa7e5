//! Routes that are bad from the start, and what happens where there is no other.

use std::time::Duration;

use rumormill_endpoint::Class;
use rumormill_transport_api::Timeouts;
use rumormill_transport_conformance::Road;
use rumormill_transport_mem::{Link, Network};
use tokio::time::Instant;

use crate::{
    carrier::{ALL, host},
    node::{Node, balance, millis, pause},
};

const SECOND: Duration = Duration::from_secs(1);

/// A message in each direction every tenth of a second, for so long; which carrier took the last.
async fn chatter(a: &Node, b: &Node, class: Class, round: u32, seconds: u32) -> [String; 2] {
    let label = |number: u32| format!("{round}: {class:?} {number}");
    for number in 0..10 * seconds {
        a.send(b, class, &label(number));
        b.send(a, class, &label(number));
        pause(millis(100)).await;
    }
    let last = label(10 * seconds - 1);
    [b.gets(a, &last).await.scheme, a.gets(b, &last).await.scheme]
}

/// `down` is blocked from the start, and opened later: then it is used, by both sides.
async fn starts_blocked(
    schemes: &'static [&'static str],
    down: &[&'static str],
    class: Class,
    expected: [&str; 2],
) {
    let network = Network::new(7);
    let (a, b) = (
        Node::start(&network, "a", 1, schemes).await,
        Node::start(&network, "b", 2, schemes).await,
    );
    for scheme in down {
        network.partition_both(&host("a", scheme), &host("b", scheme));
    }
    a.learn(&b);
    b.learn(&a);
    let since = Instant::now();
    a.send(&b, class, "first");
    let took = b.gets(&a, "first").await.at - since;
    let bound = Timeouts::lan().dial * down.len() as u32 + millis(100);
    assert!(took <= bound, "{schemes:?} without {down:?}: {took:?}");
    let via = chatter(&a, &b, class, 1, 5).await;
    assert_eq!(via, [expected[0]; 2], "{schemes:?} without {down:?}");
    for scheme in down {
        network.heal_both(&host("a", scheme), &host("b", scheme));
    }
    pause(5 * SECOND).await;
    let via = chatter(&a, &b, class, 2, 1).await;
    assert_eq!(via, [expected[1]; 2], "{schemes:?} with {down:?} again");
    balance(a, b).await;
}

#[tokio::test(start_paused = true)]
async fn datagrams_that_are_blocked_at_first_are_found_later() {
    starts_blocked(&["udp", "tcp"], &["udp"], Class::Gossip, ["tcp", "udp"]).await;
    starts_blocked(&["udp", "tcp", "quic"], &["udp", "tcp"], Class::Gossip, ["quic", "udp"]).await;
}

#[tokio::test(start_paused = true)]
async fn streams_that_are_blocked_at_first_are_found_later() {
    starts_blocked(&["udp", "tcp"], &["tcp"], Class::Bulk, ["udp", "tcp"]).await;
    starts_blocked(&["tcp", "quic"], &["tcp"], Class::Bulk, ["quic", "tcp"]).await;
    starts_blocked(&["tcp", "quic"], &["tcp"], Class::Control, ["quic", "tcp"]).await;
}

#[tokio::test(start_paused = true)]
async fn what_stays_on_the_machine_comes_first_wherever_it_stands() {
    starts_blocked(&ALL, &["unix"], Class::Bulk, ["tcp", "unix"]).await;
}

/// Two better ways are looked at one after the other, and each takes its time to fail.
#[tokio::test(start_paused = true)]
async fn the_best_of_several_is_found_in_time() {
    starts_blocked(&["tcp", "quic", "unix"], &["unix", "tcp"], Class::Bulk, ["quic", "unix"]).await;
    let network = Network::new(7);
    let schemes = ["tcp", "quic", "unix"];
    let a = Node::start(&network, "a", 1, &schemes).await;
    let b = Node::start(&network, "b", 2, &schemes).await;
    a.learn(&b);
    for scheme in ["unix", "tcp"] {
        network.partition_both(&host("a", scheme), &host("b", scheme));
    }
    a.ask(&b, "first").await;
    assert_eq!(b.gets(&a, "first").await.scheme, "quic");
    // Whenever one of them is back, it is found.
    for round in 0..20_u64 {
        pause(millis(1000 + 370 * round)).await;
        network.heal_both("a-tcp", "b-tcp");
        pause(5 * SECOND).await;
        let label = format!("round {round}");
        assert!(a.ask(&b, &label).await < millis(50));
        assert_eq!(b.gets(&a, &label).await.scheme, "tcp");
        network.partition_both("a-tcp", "b-tcp");
        a.ask(&b, &format!("{label}, and away")).await;
    }
    network.heal_both("a-tcp", "b-tcp");
    balance(a, b).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_costs_no_time() {
    let network = Network::new(7);
    let schemes = ["udp", "tcp", "quic"];
    let a = Node::start(&network, "a", 1, &schemes).await;
    let b = Node::start(&network, "b", 2, &schemes).await;
    a.learn(&b);
    for scheme in ["udp", "tcp"] {
        b.set_road(scheme, Road::Refused);
        a.set_road(scheme, Road::Refused);
    }
    assert!(a.ask(&b, "at once").await < millis(50));
    let since = Instant::now();
    a.send(&b, Class::Control, "at once, too");
    assert!(b.gets(&a, "at once, too").await.at - since < millis(50));
    balance(a, b).await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_in_flight_is_sent_again_whole() {
    let network = Network::new(7);
    // So that something waits already when the next conn is there.
    network.set_default_link(Link { latency: millis(20), ..Link::default() });
    let schemes = ["tcp", "quic"];
    let a = Node::start(&network, "a", 1, &schemes).await;
    let b = Node::start(&network, "b", 2, &schemes).await;
    a.learn(&b);
    a.ask(&b, "first").await;
    network.partition_both("a-tcp", "b-tcp");
    // More frames than are sent again at once, and then newer ones.
    let count = 700;
    for number in 0..count {
        a.send(&b, Class::Bulk, &format!("{number}"));
        pause(millis(10)).await;
    }
    let arrivals: Vec<_> = {
        b.gets(&a, &format!("{}", count - 1)).await;
        (0..count).map(|number| b.got(&a, &format!("{number}"))).collect()
    };
    assert!(arrivals.iter().all(Option::is_some), "all of them");
    let snapshot = a.endpoint.snapshot();
    assert_eq!(snapshot.class(Class::Bulk).uncertain, 0, "{snapshot:?}");
    network.heal_both("a-tcp", "b-tcp");
    balance(a, b).await;
}

/// What was given up a moment ago is tried again once there is nothing else.
#[tokio::test(start_paused = true)]
async fn what_was_down_is_better_than_nothing() {
    let network = Network::new(7);
    let schemes = ["udp", "tcp"];
    let a = Node::start(&network, "a", 1, &schemes).await;
    let b = Node::start(&network, "b", 2, &schemes).await;
    a.learn(&b);
    a.send(&b, Class::Control, "by udp");
    assert_eq!(b.gets(&a, "by udp").await.scheme, "udp");
    for round in 0..10_u64 {
        network.partition_both("a-udp", "b-udp");
        let label = format!("{round}, by tcp");
        a.send(&b, Class::Control, &label);
        assert_eq!(b.gets(&a, &label).await.scheme, "tcp");
        a.ask(&b, &label.replace("tcp", "a stream")).await;
        pause(millis(1000 + 700 * round)).await;
        network.heal_both("a-udp", "b-udp");
        a.set_road("tcp", Road::Refused);
        let label = format!("{round}, by packets");
        assert!(a.ask(&b, &label).await < 3 * SECOND + millis(100));
        assert_eq!(b.gets(&a, &label).await.scheme, "udp");
        a.set_road("tcp", Road::Open);
        pause(5 * SECOND).await;
    }
    balance(a, b).await;
}

#[tokio::test(start_paused = true)]
async fn who_alone_knows_the_way_finds_it_again() {
    let network = Network::new(7);
    let schemes = ["udp", "tcp"];
    let a = Node::start(&network, "a", 1, &schemes).await;
    let b = Node::start(&network, "b", 2, &schemes).await;
    a.learn(&b);
    network.partition_both("a-udp", "b-udp");
    a.send(&b, Class::Gossip, "by stream");
    assert_eq!(b.gets(&a, "by stream").await.scheme, "tcp");
    network.heal_both("a-udp", "b-udp");
    pause(5 * SECOND).await;
    a.send(&b, Class::Gossip, "by packet");
    assert_eq!(b.gets(&a, "by packet").await.scheme, "udp");
    balance(a, b).await;
}

/// Only `b` knows a way that stays on the machine, and `a` dials another one when that fails.
async fn only_one_knows(keys: (u8, u8)) {
    let (network, schemes) = (Network::new(7), ["quic", "unix"]);
    let a = Node::start(&network, "a", keys.0, &schemes).await;
    let b = Node::start(&network, "b", keys.1, &schemes).await;
    let known = b.at.iter().filter(|addr| addr.scheme() == "quic").cloned().collect();
    a.endpoint.learn(b.id(), known).expect("room");
    b.learn(&a);
    b.ask(&a, "first").await;
    assert_eq!(a.gets(&b, "first").await.scheme, "unix");
    for round in 0..5 {
        network.partition_both("a-unix", "b-unix");
        let label = format!("{round}: who is there?");
        a.ask(&b, &label).await;
        assert_eq!(b.gets(&a, &label).await.scheme, "quic", "{keys:?}");
        assert_eq!(chatter(&a, &b, Class::Bulk, 2 * round, 3).await, ["quic"; 2], "{keys:?}");
        network.heal_both("a-unix", "b-unix");
        pause(5 * SECOND).await;
        assert_eq!(chatter(&a, &b, Class::Bulk, 2 * round + 1, 1).await, ["unix"; 2], "{keys:?}");
        let dialled = || [&a, &b].map(|node| node.endpoint.snapshot().links.dialled);
        let before = dialled();
        pause(20 * SECOND).await;
        assert_eq!(dialled(), before, "{keys:?}: and there it stays");
    }
    balance(a, b).await;
}

#[tokio::test(start_paused = true)]
async fn what_stays_on_the_machine_is_used_again_whoever_has_dialled_meanwhile() {
    only_one_knows((1, 2)).await;
    only_one_knows((2, 1)).await;
}

#[tokio::test(start_paused = true)]
async fn who_prefer_different_ways_do_not_take_turns() {
    let (network, schemes) = (Network::new(7), ["tcp", "quic"]);
    let a = Node::start(&network, "a", 1, &schemes).await;
    let b = Node::start(&network, "b", 2, &schemes).await;
    a.learn(&b);
    b.endpoint.learn(a.id(), a.at.iter().rev().cloned().collect()).expect("room");
    chatter(&a, &b, Class::Bulk, 1, 1).await;
    let dialled = || [&a, &b].map(|node| node.endpoint.snapshot().links.dialled);
    let before = dialled();
    chatter(&a, &b, Class::Bulk, 2, 30).await;
    assert_eq!(dialled(), before);
    balance(a, b).await;
}
