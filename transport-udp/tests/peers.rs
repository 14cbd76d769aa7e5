//! A thousand peers on one socket.

mod support;

use std::sync::Arc;

use rumormill_transport_api::{
    Addr, Batch, Conn, Counters, Listener, Reader, Result, Transport, Writer,
};
use rumormill_transport_udp::{Settings, UdpListener};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use support::{UdpConn, addr, counted, say, soon, stranger, until};
use tokio::{net::UdpSocket, task::JoinSet};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_peers_of_one_socket_are_all_answered_and_one_more_evicts_the_most_silent() {
    let (udp, counters) = counted(Settings { peers: PEERS, ..Settings::default() });
    if descriptors() < PEERS as u64 + 100 {
        eprintln!("skipped: this system does not allow {PEERS} sockets");
        return;
    }
    let listener = udp.listen(&addr("udp://127.0.0.1:0")).await.unwrap();
    let to = listener.addr().clone();
    let server = tokio::spawn(serve(listener));
    let mut peers = Vec::new();
    for _ in 0..PEERS {
        peers.push(Arc::new(stranger().await));
    }
    for round in 0..3_u32 {
        // A hundred at a time find room in the smallest of kernels' queues.
        for group in peers.chunks(100) {
            soon(ask_all(group, round, &to)).await;
        }
    }
    check_eviction(&counters, &to).await;
    server.abort();
}

/// All are asked before the first answer is read.
async fn ask_all(group: &[Arc<UdpSocket>], round: u32, to: &Addr) {
    let question = |peer: &UdpSocket| {
        let port = peer.local_addr().expect("an address").port();
        [round.to_be_bytes(), u32::from(port).to_be_bytes()].concat()
    };
    for peer in group {
        say(peer, &question(peer), to).await;
    }
    for peer in group {
        let mut buffer = [0; 100];
        let (len, _) = peer.recv_from(&mut buffer).await.expect("receiving");
        assert_eq!(buffer[..len], question(peer));
    }
}

async fn check_eviction(counters: &Counters, to: &Addr) {
    assert_eq!(counters.conns_evicted.get(), 0);
    let one_more = stranger().await;
    say(&one_more, b"me too", to).await;
    until(|| counters.conns_evicted.get() == 1).await;
    let mut buffer = [0; 100];
    let (len, _) = soon(one_more.recv_from(&mut buffer)).await.expect("receiving");
    assert_eq!(&buffer[..len], b"me too");
}

async fn serve(mut listener: UdpListener) {
    let mut conns = JoinSet::new();
    while let Ok(conn) = listener.accept().await {
        conns.spawn(echo(conn));
    }
}

async fn echo(conn: UdpConn) -> Result<()> {
    let (Conn { mut reader, mut writer, .. }, mut batch) = (conn, Batch::default());
    let mut arrived = Vec::new();
    loop {
        reader.recv(&mut arrived).await?;
        batch.extend(arrived.drain(..));
        writer.send(&mut batch).await?;
    }
}

/// How many this program may have, after it has asked for as many as it is allowed.
fn descriptors() -> u64 {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

const PEERS: usize = 1000;
