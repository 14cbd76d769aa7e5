//! Handshakes that are begun and never finished.

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use quinn::{ClientConfig, Endpoint, crypto::rustls::QuicClientConfig};
use rumormill_identity::tls::{Sessions, Tls};
use rumormill_transport_api::{Addr, Context, Target};
use rumormill_transport_quic::{Quic, Settings};
use tokio::{net::UdpSocket, time::Instant};

use crate::{
    support::{context, quic},
    talk::{HEAVY, addr, dial, echo, echoing, until},
};

/// First packets of `count` dialers, each complete and none ever answered.
async fn first_packets(count: usize) -> Vec<Vec<u8>> {
    let sink = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
    let remote: SocketAddr = sink.local_addr().expect("an address");
    let tls = Tls::new(&context(), b"rumormill/1", Sessions::Never).expect("credentials");
    let target = Target::new(addr(format!("quic://{remote}")));
    let name = tls.server_name(&target, "", remote).expect("a name");
    let crypto = Arc::new(QuicClientConfig::try_from(tls.client().clone()).expect("a suite"));
    let endpoint = Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a socket");
    let (mut packets, mut seen) = (Vec::with_capacity(count), HashSet::new());
    while packets.len() < count {
        let config = ClientConfig::new(crypto.clone());
        let connecting = endpoint.connect_with(config, remote, &name).expect("an attempt");
        let mut packet = vec![0; 2048];
        let (len, _) = sink.recv_from(&mut packet).await.expect("a packet");
        packet.truncate(len);
        drop(connecting);
        // It may also be a farewell of the one before, to the same random id (RFC 9000, 17.2).
        if seen.insert(packet[6..14].to_vec()) {
            packets.push(packet);
        }
    }
    packets
}

async fn send_all(packets: &[Vec<u8>], to: &Addr) {
    let to: SocketAddr = to.rest().parse().expect("a socket's address");
    for some in packets.chunks(10) {
        let stranger = UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        for packet in some {
            stranger.send_to(packet, to).await.expect("sending");
        }
    }
}

fn counted() -> (Quic, Context) {
    let there = context();
    (Quic::new(Settings::default(), &there).expect("a transport"), there)
}

/// 5,000 dialers at 500 ports say hello and nothing more, and between them honest ones come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes_hold_up_nobody() {
    let _alone = HEAVY.lock().await;
    let packets = first_packets(5_000).await;
    let (server, there) = counted();
    let server = echoing(&server, "?handshake=2s").await;
    let mut before = dial(&quic(), server.addr()).await;
    let mut waits = Vec::new();
    // Not all at once: what is tested is not the kernel's queue.
    for some in packets.chunks(100) {
        send_all(some, server.addr()).await;
        let start = Instant::now();
        echo(&mut dial(&quic(), server.addr()).await, "served").await;
        echo(&mut before, "not affected").await;
        waits.push(start.elapsed());
    }
    // On a machine with nothing else to do, the longest takes 15 ms.
    waits.sort_unstable();
    let median = waits[waits.len() / 2];
    assert!(median < Duration::from_secs(1), "honest dialers took {waits:?}");
    // As many as are let in without proof of their address fail, and leave nothing.
    let vanished = || there.counters.conns_vanished.get();
    until("the half-open ones to be given up", || 64 <= vanished()).await;
    assert!(vanished() <= 5_000 && there.counters.conns_evicted.get() == 0);
    assert_eq!(there.counters.conns_refused.get(), 0);
}

/// A dialer that begins and stalls loses its place at the deadline, whoever it is.
#[tokio::test]
async fn a_stalled_handshake_ends_at_its_deadline() {
    let packets = first_packets(3).await;
    let (server, there) = counted();
    let server = echoing(&server, "?handshake=200ms&handshakes=2&retry=100").await;
    send_all(&packets, server.addr()).await;
    let (vanished, refused) =
        (|| there.counters.conns_vanished.get(), || there.counters.conns_refused.get());
    until("all to be counted", || vanished() + refused() == 3).await;
    echo(&mut dial(&quic(), server.addr()).await, "served").await;
}

/// Half of a first packet is nothing that costs a place.
#[tokio::test]
async fn truncated_first_packets_are_passed_over() {
    let mut packets = first_packets(50).await;
    for (n, packet) in packets.iter_mut().enumerate() {
        packet.truncate(n * 24);
    }
    let (server, there) = counted();
    let server = echoing(&server, "").await;
    send_all(&packets, server.addr()).await;
    echo(&mut dial(&quic(), server.addr()).await, "served").await;
    assert_eq!((there.counters.conns_vanished.get(), there.counters.conns_refused.get()), (0, 0));
}
