//! What the network answers: ports that nobody has, on systems that tell.

#![cfg(target_os = "linux")]

mod support;

use std::io;

use rumormill_transport_api::{Addr, Batch, Error, Listener, Reader, Writer};
use rumormill_transport_udp::{Settings, Udp, UdpReader};
use support::{
    UdpConn, addr, batch, counted, dial, dial_from, listen, recv, say, send, soon, stranger, until,
    welcome,
};
use tokio::net::UdpSocket;

/// Where somebody was just now, and nobody is.
async fn nobody(host: &str) -> Addr {
    addr_of(&UdpSocket::bind((host, 0)).await.expect("binding"))
}

fn addr_of(socket: &UdpSocket) -> Addr {
    addr(&format!("udp://{}", socket.local_addr().expect("an address")))
}

fn is_refusal(error: &Error) -> bool {
    let Error::Cut { source: Some(source) } = error else { return false };
    source.kind() == io::ErrorKind::ConnectionRefused && error.is_retryable()
}

async fn assert_refused(reader: &mut UdpReader) {
    let mut into = Vec::new();
    let error = soon(reader.recv(&mut into)).await.expect_err("nobody is there");
    assert!(into.is_empty() && is_refusal(&error), "{into:?} {error:?}");
}

/// The writer may learn in the same call that nobody is there.
async fn ask_nobody(conn: &mut UdpConn) {
    let asked = soon(conn.writer.send(&mut batch(&[b"anybody?"]))).await;
    assert!(asked.as_ref().err().is_none_or(is_refusal), "{asked:?}");
}

async fn hear(peer: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 100];
    let (len, _) = soon(peer.recv_from(&mut buffer)).await.expect("receiving");
    buffer[..len].to_vec()
}

async fn both_halves_learn_of_a_closed_port(host: &str) {
    let (udp, counters) = counted(Settings::default());
    let mut dialed = dial(&udp, &nobody(host).await).await.expect("dialling");
    send(&mut dialed.writer, b"anybody?").await;
    assert_refused(&mut dialed.reader).await;
    let error = dialed.writer.send(&mut batch(&[b"anybody?"])).await.expect_err("nobody is there");
    assert!(is_refusal(&error), "{error:?}");
    assert!(matches!(dialed.reader.recv(&mut Vec::new()).await, Err(Error::Closed)));
    assert!(matches!(dialed.writer.send(&mut batch(&[b"x"])).await, Err(Error::Closed)));
    assert_eq!(counters.messages_unsent.get(), 1);
}

#[tokio::test]
async fn both_halves_learn_of_a_closed_port_over_ipv4() {
    both_halves_learn_of_a_closed_port("127.0.0.1").await;
}

#[tokio::test]
async fn both_halves_learn_of_a_closed_port_over_ipv6() {
    both_halves_learn_of_a_closed_port("::1").await;
}

#[tokio::test]
async fn what_the_peer_had_sent_is_read_before_the_refusal() {
    let mut listener = listen(&Udp::default()).await;
    let (peer, mut accepted) = welcome(&mut listener).await;
    for farewell in [b"and", b"bye"] {
        say(&peer, farewell, listener.addr()).await;
    }
    drop(peer);
    send(&mut accepted.writer, b"what?").await;
    let mut read = Vec::new();
    while read.len() < 2 {
        soon(accepted.reader.recv(&mut read)).await.unwrap();
    }
    assert_eq!(read, ["and", "bye"]);
    assert_refused(&mut accepted.reader).await;
}

/// The system tells whoever calls next of a refusal: that must cost nobody else a message.
async fn refusals_touch_no_other_conn(settings: Settings) {
    let (udp, counters) = counted(settings);
    let mut listener = listen(&udp).await;
    let (alive, mut with_alive) = welcome(&mut listener).await;
    let mut gone: Vec<UdpConn> = Vec::new();
    for number in 0..200_u8 {
        let to = nobody("127.0.0.1").await;
        let mut conn = dial_from(&udp, listener.addr(), &to).await.expect("dialling");
        ask_nobody(&mut conn).await;
        gone.push(conn);
        send(&mut with_alive.writer, &[number; 7]).await;
        assert_eq!(hear(&alive).await, [number; 7]);
        say(&alive, &[number; 8], listener.addr()).await;
        assert_eq!(recv(&mut with_alive.reader).await, [number; 8].as_slice());
    }
    for conn in &mut gone {
        assert_refused(&mut conn.reader).await;
    }
    assert_eq!(counters.messages_unsent.get(), 200);
}

#[tokio::test]
async fn refusals_touch_no_other_conn_of_the_socket() {
    refusals_touch_no_other_conn(Settings::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_touch_no_other_conn_without_offload() {
    refusals_touch_no_other_conn(Settings { offload: false, ..Settings::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_is_back_is_not_refused_for_what_was_sent_before() {
    let udp = Udp::default();
    for _ in 0..100 {
        let to = nobody("127.0.0.1").await;
        let mut early = dial(&udp, &to).await.unwrap();
        ask_nobody(&mut early).await;
        drop(early);
        let Ok(peer) = UdpSocket::bind(support::socket_addr(&to)).await else { continue };
        let mut again = dial(&udp, &to).await.unwrap();
        send(&mut again.writer, b"now").await;
        assert_eq!(hear(&peer).await, b"now");
        say(&peer, b"yes", &again.info.local).await;
        assert_eq!(recv(&mut again.reader).await, "yes");
    }
}

/// Of one thread, so that nobody hears the answers before the next dial.
#[tokio::test]
async fn a_peer_that_is_back_is_not_refused_for_the_last_of_many_messages() {
    let udp = Udp::default();
    let to = nobody("127.0.0.1").await;
    let mut early = dial(&udp, &to).await.unwrap();
    // Of different lengths, so that each travels and is answered by itself.
    let mut messages: Batch = (0..120_usize).map(|number| vec![7; number % 2]).collect();
    let sent = soon(early.writer.send(&mut messages)).await;
    assert!(sent.as_ref().err().is_none_or(is_refusal), "{sent:?}");
    drop(early);
    let Ok(_peer) = UdpSocket::bind(support::socket_addr(&to)).await else { return };
    let mut again = dial(&udp, &to).await.unwrap();
    for _ in 0..10 {
        // The reader of the socket has had its turn then.
        send(&mut again.writer, b"now").await;
        tokio::task::yield_now().await;
    }
    assert!(support::poll_once(again.reader.recv(&mut Vec::new())).await.is_none());
}

#[tokio::test]
async fn a_dial_ends_no_other_conn_before_its_last_message() {
    let udp = Udp::default();
    let mut listener = listen(&udp).await;
    for farewell in [None, Some(b"bye")] {
        let (peer, mut accepted) = welcome(&mut listener).await;
        if let Some(farewell) = farewell {
            say(&peer, farewell, listener.addr()).await;
        }
        drop(peer);
        ask_nobody(&mut accepted).await;
        let other = addr_of(&stranger().await);
        dial_from(&udp, listener.addr(), &other).await.expect("dialling");
        if let Some(farewell) = farewell {
            assert_eq!(recv(&mut accepted.reader).await, farewell.as_slice());
        }
        assert_refused(&mut accepted.reader).await;
    }
    assert!(support::poll_once(listener.accept()).await.is_none(), "nobody new has come");
}

#[tokio::test]
async fn a_peer_that_was_refused_can_come_again() {
    let (udp, counters) = counted(Settings::default());
    let mut listener = listen(&udp).await;
    let (peer, mut accepted) = welcome(&mut listener).await;
    let at = peer.local_addr().unwrap();
    drop(peer);
    send(&mut accepted.writer, b"still there?").await;
    assert_refused(&mut accepted.reader).await;
    until(|| counters.messages_unsent.get() == 1).await;
    let again = UdpSocket::bind(at).await.unwrap();
    say(&again, b"hello again", listener.addr()).await;
    let mut anew = support::accept(&mut listener).await;
    assert_eq!(recv(&mut anew.reader).await, "hello again");
    // The first conn, which is still held, has no part in it.
    drop(accepted);
    send(&mut anew.writer, b"welcome").await;
    assert_eq!(hear(&again).await, b"welcome");
}

#[tokio::test]
async fn a_closed_port_ends_nothing_before_something_is_sent() {
    let udp = Udp::default();
    let mut dialed = dial(&udp, &nobody("127.0.0.1").await).await.unwrap();
    assert!(support::poll_once(dialed.reader.recv(&mut Vec::new())).await.is_none());
    let peer = stranger().await;
    assert!(dial(&udp, &addr_of(&peer)).await.is_ok());
}
