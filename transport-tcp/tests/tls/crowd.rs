//! Slow speakers, who take slots and more places than there are.
#![cfg(target_os = "linux")] // Where all of 127.0.0.0/8 is this machine.

use std::{future::ready, time::Duration};

use rumormill_transport_api::{Addr, Limits, Reader, serve};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::Instant,
};

use crate::{
    node::{Node, send, soon},
    stranger::Stranger,
};

/// From another address than that of those who mean it.
async fn slow_speaker(to: &Addr, hello: &[u8]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut stream = socket.connect(to.rest().parse().unwrap()).await.unwrap();
    stream.write_all(hello).await.unwrap();
    stream
}

async fn echo(to: &Addr) -> Duration {
    let start = Instant::now();
    let mut conn = Node::new().dial(to).await.unwrap();
    send(&mut conn.writer, "let me through").await;
    let mut arrived = Vec::new();
    soon("receiving", conn.reader.recv(&mut arrived)).await.unwrap();
    start.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_speakers_lock_nobody_else_out() {
    let (server, hello) = (Node::new(), Stranger::of(&Node::new().credentials).hello());
    let listener = server.listen_at("tls://127.0.0.1:0?handshakes=256").await;
    let server = serve(listener, Limits::default(), |_, message| ready(Some(message)));
    let (mut crowd, mut times) = (Vec::new(), Vec::new());
    for number in 0..400 {
        crowd.push(slow_speaker(server.addr(), &hello).await);
        if number % 100 == 99 {
            times.push(echo(server.addr()).await);
        }
    }
    // While there are places nobody waits, and then a second for one.
    assert!(times[..2].iter().all(|time| *time < Duration::from_secs(1)), "{times:?}");
    assert!(times[2..].iter().all(|time| *time < Duration::from_secs(4)), "{times:?}");
}
