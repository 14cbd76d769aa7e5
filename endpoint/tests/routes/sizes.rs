//! What is too long for packets goes another way by itself, and what is too long for all is refused.

use std::time::Duration;

use rumormill_endpoint::{Class, Dropped, SendError};
use rumormill_transport_conformance::Road;
use rumormill_transport_mem::Network;

use crate::node::{CLASSES, Node, balance, millis, pause, until};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

async fn two(schemes: &[&'static str]) -> (Node, Node) {
    let network = Network::new(7);
    let a = Node::start(&network, "a", 1, schemes).await;
    let b = Node::start(&network, "b", 2, schemes).await;
    a.learn(&b);
    (a, b)
}

#[tokio::test(start_paused = true)]
async fn long_messages_go_by_stream_and_small_ones_by_packet() {
    let (a, b) = two(&["udp", "tcp"]).await;
    for round in 0..3 {
        a.send_long(&b, Class::Control, &format!("long {round}"), 60 * KIB);
        a.send_long(&b, Class::Gossip, &format!("longer {round}"), 5 * MIB);
        a.send_long(&b, Class::Bulk, &format!("bulk {round}"), 5 * MIB);
        for class in [Class::Control, Class::Gossip] {
            a.send(&b, class, &format!("small {round} {class:?}"));
        }
        for (label, len, scheme) in [
            (format!("long {round}"), 60 * KIB, "tcp"),
            (format!("longer {round}"), 5 * MIB, "tcp"),
            (format!("bulk {round}"), 5 * MIB, "tcp"),
            (format!("small {round} Control"), 15, "udp"),
            (format!("small {round} Gossip"), 14, "udp"),
        ] {
            let arrival = b.gets(&a, &label).await;
            assert_eq!((arrival.len, &*arrival.scheme), (len, scheme), "{label}");
        }
    }
    balance(a, b).await;
}

#[tokio::test(start_paused = true)]
async fn what_no_route_carries_is_refused_at_the_call() {
    let (a, b) = two(&["udp", "tcp", "unix"]).await;
    for class in CLASSES {
        let refused = a.endpoint.send(b.id(), class, vec![0; 11 * MIB]);
        assert!(matches!(refused, Err(SendError::TooLarge { len, max })
            if len == 11 * MIB && (9 * MIB..=10 * MIB).contains(&max)));
    }
    balance(a, b).await;
    let (a, b) = two(&["udp"]).await;
    let refused = a.endpoint.send(b.id(), Class::Control, vec![0; 66_000]);
    let Err(SendError::TooLarge { max, .. }) = refused else { panic!("{refused:?}") };
    assert!((65_000..65_507).contains(&max), "{max}");
    for class in CLASSES {
        a.send_long(&b, class, &format!("{class:?}"), max);
        assert_eq!(b.gets(&a, &format!("{class:?}")).await.len, max);
    }
    a.ask(&b, "by packets").await;
    balance(a, b).await;
}

/// The longest message is what *some* route carries: while that one is down, it waits, and is
/// dropped and counted if that takes too long, or arrives.
#[tokio::test(start_paused = true)]
async fn what_only_a_route_that_is_down_carries_is_counted() {
    let (a, b) = two(&["udp", "tcp"]).await;
    a.send(&b, Class::Control, "small");
    b.gets(&a, "small").await;
    for node in [&a, &b] {
        node.set_road("tcp", Road::Refused);
    }
    for class in CLASSES {
        a.send_long(&b, class, &format!("down {class:?}"), MIB);
        a.send_long(&b, class, &format!("fits {class:?}"), 30 * KIB);
    }
    for class in CLASSES {
        assert_eq!(b.gets(&a, &format!("fits {class:?}")).await.scheme, "udp");
        let dropped = || a.endpoint.snapshot().class(class).dropped(Dropped::TooLarge);
        until("a count", || dropped() == 1).await;
    }
    for node in [&a, &b] {
        node.set_road("tcp", Road::Open);
    }
    pause(Duration::from_secs(5)).await;
    for class in CLASSES {
        a.send_long(&b, class, &format!("up {class:?}"), MIB);
        assert_eq!(b.gets(&a, &format!("up {class:?}")).await.scheme, "tcp");
    }
    balance(a, b).await;
}

#[tokio::test(start_paused = true)]
async fn a_long_message_does_not_hold_up_what_is_urgent() {
    let (a, b) = two(&["udp", "tcp"]).await;
    for number in 0..20 {
        a.send_long(&b, Class::Bulk, &format!("bulk {number}"), MIB);
        let label = format!("urgent {number}");
        a.send(&b, Class::Control, &label);
        b.gets(&a, &label).await;
        pause(millis(10)).await;
    }
    b.gets(&a, "bulk 19").await;
    balance(a, b).await;
}
