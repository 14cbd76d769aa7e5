//! A thousand peers at one listener.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{FrameReader, FrameWriter, Framing, Reader, Writer};
use rumormill_transport_quic::{Quic, Settings};
use tokio::{sync::Semaphore, task::JoinSet, time::timeout};

use crate::{
    support::{RawDialer, context},
    talk::{HEAVY, echoing},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_peers_are_served() {
    let _alone = HEAVY.lock().await;
    let there = context();
    let server = Quic::new(Settings::default(), &there).expect("a transport");
    let server = echoing(&server, "").await;
    let mut peers = JoinSet::new();
    let nodes: Vec<RawDialer> = (0..NODES).map(|_| RawDialer::default()).collect();
    let doors = Arc::new(Semaphore::new(AT_ONCE));
    let before = resident();
    for number in 0..PEERS as u32 {
        let (dialer, doors, to) =
            (nodes[number as usize % NODES].clone(), doors.clone(), server.addr().clone());
        peers.spawn(async move {
            let _door = doors.acquire().await;
            let stream = dialer.dial(to).await.expect("a connection");
            let (read, write) = tokio::io::split(stream);
            let mut reader = FrameReader::new(read, Framing::default());
            let mut writer = FrameWriter::new(write, Framing::default());
            let message = Bytes::from(number.to_be_bytes().repeat(100));
            writer.send(&mut [message.clone()].into_iter().collect()).await.expect("sending");
            let mut arrived = Vec::new();
            reader.recv(&mut arrived).await.expect("an echo");
            assert_eq!(arrived, [message]);
            (reader, writer)
        });
    }
    let peers = timeout(PATIENCE, peers.join_all()).await.expect("a thousand echoes");
    assert_eq!(peers.len(), PEERS);
    assert_eq!(there.counters.conns_evicted.get(), 0);
    if let (Some(before), Some(after)) = (before, resident()) {
        // Of both ends, in a program in which other tests run; in one by itself it is 150 KiB.
        let each = after.saturating_sub(before) / PEERS;
        assert!(each < 1 << 20, "each peer costs {each} bytes");
    }
    drop(peers);
    let served = server.stop(Duration::from_secs(20)).await;
    assert_eq!((served.accepted, served.messages), (PEERS as u64, PEERS as u64));
}

/// Bytes of memory that this program uses, where the system tells.
fn resident() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(pages.split(' ').nth(1)?.parse::<usize>().ok()? * 4096)
}

const PEERS: usize = 1000;
/// Nodes that they are of, each with a socket of its own.
const NODES: usize = 20;
/// Handshakes at a time: more would only wait for each other.
const AT_ONCE: usize = 50;
/// Unoptimised and beside other tests, a thousand handshakes take their time.
const PATIENCE: Duration = Duration::from_secs(120);
