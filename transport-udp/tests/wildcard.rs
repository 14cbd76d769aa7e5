//! Listeners on all addresses of a machine.

mod support;

use std::net::SocketAddr;

use rumormill_transport_api::{Listener, Transport, Writer};
use rumormill_transport_udp::{Settings, Udp};
use support::{accept, addr, batch, recv, soon};
use tokio::net::UdpSocket;

async fn answers_come_from_where_the_peer_spoke_to(udp: Udp, anywhere: &str, hosts: &[&str]) {
    let mut listener = udp.listen(&addr(anywhere)).await.expect("listening");
    let port = support::socket_addr(listener.addr()).port();
    for host in hosts {
        let there = SocketAddr::new(host.parse().expect("an address"), port);
        let peer = UdpSocket::bind((*host, 0)).await.expect("binding");
        // Connected, it hears nobody else.
        peer.connect(there).await.expect("connecting");
        peer.send(b"hello").await.expect("sending");
        let mut conn = accept(&mut listener).await;
        assert_eq!(conn.info.local, addr(&format!("udp://{there}")));
        assert_eq!(recv(&mut conn.reader).await, "hello");
        let answers: [&[u8]; 4] = [b"one", b"two", b"six", b"a longer one"];
        soon(conn.writer.send(&mut batch(&answers))).await.expect("sending");
        for answer in answers {
            let mut buffer = [0; 100];
            let len = soon(peer.recv(&mut buffer)).await.expect("receiving");
            assert_eq!(&buffer[..len], answer);
        }
    }
}

#[tokio::test]
async fn answers_come_from_the_address_that_the_peer_spoke_to() {
    let hosts: &[&str] = match cfg!(target_os = "linux") {
        true => &["127.0.0.1", "127.0.0.2", "127.8.9.10"],
        false => &["127.0.0.1"],
    };
    let plain = Settings { offload: false, ..Settings::default() };
    for udp in [Udp::default(), Udp::new(plain)] {
        answers_come_from_where_the_peer_spoke_to(udp, "udp://0.0.0.0:0", hosts).await;
    }
}

#[tokio::test]
async fn answers_come_from_the_address_that_the_peer_spoke_to_over_ipv6() {
    let udp = Udp::default();
    answers_come_from_where_the_peer_spoke_to(udp, "udp://[::]:0", &["::1"]).await;
}
