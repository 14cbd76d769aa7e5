//! Peers that cannot be dialled, and conns that only one side uses.

use std::time::Duration;

use rumormill_endpoint::{Class, Event};
use rumormill_transport_mem::Network;

use crate::node::{CLASSES, Node, balance, pause};

/// A peer that has only dialled is answered, and sent everything, by the conns that it has.
async fn only_dialled(schemes: &'static [&'static str], first: Class, len: usize, most: usize) {
    let network = Network::new(7);
    let client = Node::start(&network, "a", 1, schemes).await;
    let server = Node::start(&network, "b", 2, schemes).await;
    client.learn(&server);
    client.send_long(&server, first, "hello", len);
    server.gets(&client, "hello").await;
    for class in CLASSES {
        let (small, long) = (format!("small {class:?}"), format!("long {class:?}"));
        server.send(&client, class, &small);
        server.send_long(&client, class, &long, most);
        client.gets(&server, &small).await;
        assert_eq!(client.gets(&server, &long).await.len, most, "{schemes:?} {first:?}");
    }
    client.ask(&server, "a question").await;
    server.ask(&client, "one back").await;
    balance(client, server).await;
}

#[tokio::test(start_paused = true)]
async fn who_only_dials_gets_everything() {
    for first in CLASSES {
        only_dialled(&["udp", "tcp"], first, 100 << 10, 1 << 20).await;
        only_dialled(&["tcp"], first, 100, 1 << 20).await;
        only_dialled(&["udp"], first, 100, 60 << 10).await;
        only_dialled(&["udp", "tcp", "unix"], first, 100, 60 << 10).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_conn_that_one_side_uses_stays_open_for_both() {
    for schemes in [&["udp", "tcp"], &["tcp", "unix"]] {
        let network = Network::new(7);
        let a = Node::start(&network, "a", 1, schemes).await;
        let b = Node::start(&network, "b", 2, schemes).await;
        a.learn(&b);
        let (mut events, classes) = (b.endpoint.events(), [Class::Gossip, Class::Bulk]);
        // Who has not shown where it is has no conn that is kept.
        a.send(&b, Class::Gossip, "first");
        a.ask(&b, "first, too").await;
        b.gets(&a, "first").await;
        let ended = || [&a, &b].map(|node| node.endpoint.snapshot().links.ended);
        let before = ended();
        for number in 0..100 {
            for class in classes {
                a.send(&b, class, &format!("{class:?} {number}"));
            }
            pause(Duration::from_secs(10)).await;
        }
        for class in classes {
            b.gets(&a, &format!("{class:?} 99")).await;
        }
        let is_end = |event| matches!(event, Event::Disconnected(_));
        assert!(!std::iter::from_fn(|| events.try_recv().ok()).any(is_end));
        assert_eq!(ended(), before, "{schemes:?}");
        // And when nobody uses it any more, it goes on both sides.
        pause(Duration::from_secs(100)).await;
        for node in [&a, &b] {
            let info = node.endpoint.peers();
            assert!(info.iter().all(|peer| !peer.is_connected), "{schemes:?} {}", node.name);
        }
        balance(a, b).await;
    }
}
