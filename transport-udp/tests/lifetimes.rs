//! What ends when, and what dropped futures leave behind.

mod support;

use std::net::UdpSocket;

use bytes::Bytes;
use rumormill_transport_api::{Addr, Batch, Error, Listener, Reader, Transport, Writer};
use rumormill_transport_udp::{Settings, Udp};
use support::{
    addr, batch, connect, counted, is_cut, listen, poll_once, recv, say, send, socket_addr, soon,
    stranger, until, welcome,
};
use tokio::runtime::{Handle, Runtime};

fn is_free(addr: &Addr) -> bool {
    UdpSocket::bind(socket_addr(addr)).is_ok()
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_port_is_free_at_the_moment_when_the_last_user_is_dropped() {
    let mut taken = 0;
    for _ in 0..200 {
        let udp = Udp::default();
        let mut listener = listen(&udp).await;
        let (mut dialed, accepted) = connect(&udp, &mut listener).await;
        let newcomer = stranger().await;
        say(&newcomer, b"let me in", listener.addr()).await;
        // The driver shall be busy while its socket goes.
        let mut more: Batch = (0..50).map(|_| Bytes::from_static(b"more")).collect();
        soon(dialed.writer.send(&mut more)).await.unwrap();
        let (there, here) = (listener.addr().clone(), dialed.info.local.clone());
        drop((listener, accepted.writer));
        assert!(!is_free(&there));
        drop(accepted.reader);
        taken += usize::from(!is_free(&there));
        drop((udp, dialed.reader));
        assert!(!is_free(&here));
        drop(dialed.writer);
        taken += usize::from(!is_free(&here));
    }
    // Now and then the system has given the port to somebody else in between.
    assert!(taken < 10, "of 400 ports {taken} were not free");
}

#[tokio::test]
async fn no_task_outlives_its_socket() {
    let before = tasks();
    let udp = Udp::default();
    let mut listener = listen(&udp).await;
    let pair = connect(&udp, &mut listener).await;
    assert_eq!(tasks(), before + 2);
    drop((udp, listener));
    assert_eq!(tasks(), before + 2);
    drop(pair);
    until(|| tasks() == before).await;
}

#[tokio::test]
async fn accepted_conns_keep_the_socket_and_newcomers_are_rejected() {
    let (udp, counters) = counted(Settings::default());
    let mut listener = listen(&udp).await;
    let (peer, mut conn) = welcome(&mut listener).await;
    let waiting = stranger().await;
    let to = listener.addr().clone();
    say(&waiting, b"let me in", &to).await;
    // Datagrams arrive in order here, so with this one the other has arrived.
    say(&peer, b"now", &to).await;
    assert_eq!(recv(&mut conn.reader).await, "now");
    drop(listener);
    until(|| counters.messages_rejected.get() == 1).await;
    say(&waiting, b"let me in", &to).await;
    until(|| counters.messages_rejected.get() == 2).await;
    assert!(matches!(udp.listen(&to).await, Err(Error::InUse { .. })));

    say(&peer, b"question", &to).await;
    assert_eq!(recv(&mut conn.reader).await, "question");
    send(&mut conn.writer, b"answer").await;
    let mut buffer = [0; 16];
    assert_eq!(soon(peer.recv(&mut buffer)).await.unwrap(), 6);
    drop(conn);
    assert!(udp.listen(&to).await.is_ok());
}

#[tokio::test]
async fn conns_go_on_without_their_transport() {
    let udp = Udp::default();
    let mut listener = listen(&udp).await;
    let (mut dialed, mut accepted) = connect(&udp, &mut listener).await;
    drop(udp);
    send(&mut dialed.writer, b"alone").await;
    assert_eq!(recv(&mut accepted.reader).await, "alone");
}

#[test]
fn a_runtime_that_ends_cuts_its_conns_off_and_the_transport_goes_on_in_the_next() {
    let udp = Udp::default();
    let runtime = Runtime::new().unwrap();
    let (mut listener, mut dialed) = runtime.block_on(async {
        let mut listener = listen(&udp).await;
        let (dialed, _) = connect(&udp, &mut listener).await;
        (listener, dialed)
    });
    drop(runtime);
    Runtime::new().unwrap().block_on(async {
        assert!(is_cut(soon(dialed.reader.recv(&mut Vec::new())).await));
        assert!(is_cut(soon(dialed.writer.send(&mut batch(&[b"x"]))).await));
        assert!(matches!(soon(listener.accept()).await, Err(Error::Finished)));
        let mut next = listen(&udp).await;
        connect(&udp, &mut next).await;
    });
}

#[tokio::test]
async fn a_receive_that_is_dropped_loses_and_repeats_nothing() {
    let udp = Udp::default();
    let mut listener = listen(&udp).await;
    let (mut dialed, mut accepted) = connect(&udp, &mut listener).await;
    let mut into = Vec::new();
    for number in 0..3000_u32 {
        send(&mut dialed.writer, &number.to_be_bytes()).await;
        let arrived = into.len();
        while into.len() == arrived {
            poll_once(accepted.reader.recv(&mut into)).await;
            tokio::task::yield_now().await;
        }
    }
    let expected = (0..3000_u32).map(|number| Bytes::copy_from_slice(&number.to_be_bytes()));
    assert!(into.into_iter().eq(expected));
}

#[tokio::test]
async fn a_send_that_is_dropped_is_resumed_by_the_next() {
    let udp = Udp::default();
    let mut listener = listen(&udp).await;
    let (mut dialed, mut accepted) = connect(&udp, &mut listener).await;
    let (mut dropped, mut into) = (0, Vec::new());
    for round in 0..20_u32 {
        let mut batch: Batch = ((round * 500)..(round * 500 + 500)).map(numbered).collect();
        // Tokio lets no task go on for ever, so the first poll does not get through the batch.
        while poll_once(dialed.writer.send(&mut batch)).await.is_none() {
            assert!(batch.is_empty());
            dropped += 1;
            tokio::task::yield_now().await;
        }
        while into.len() < (round as usize + 1) * 500 {
            soon(accepted.reader.recv(&mut into)).await.unwrap();
        }
    }
    assert!(20 < dropped, "{dropped} futures were dropped");
    assert!(into.into_iter().eq((0..10_000).map(numbered)));
}

/// A message that has another length than the next, so that few of them go together.
fn numbered(number: u32) -> Bytes {
    let number = number.to_be_bytes();
    number.repeat(1 + usize::from(number[3] % 4)).into()
}

#[tokio::test]
async fn an_accept_that_is_dropped_loses_no_conn() {
    let mut listener = listen(&Udp::default()).await;
    let mut peers = Vec::new();
    for number in 0..1000_u32 {
        let peer = stranger().await;
        say(&peer, &number.to_be_bytes(), listener.addr()).await;
        let accepted = async {
            loop {
                match poll_once(listener.accept()).await {
                    Some(conn) => break conn.unwrap(),
                    None => tokio::task::yield_now().await,
                }
            }
        };
        let mut conn = soon(accepted).await;
        assert_eq!(recv(&mut conn.reader).await, number.to_be_bytes().as_slice());
        peers.push((peer, conn));
    }
}

#[tokio::test]
async fn a_close_sends_what_a_dropped_send_left() {
    let udp = Udp::default();
    let mut listener = listen(&udp).await;
    let (mut dialed, mut accepted) = connect(&udp, &mut listener).await;
    let mut batch: Batch = (0..500).map(numbered).collect();
    assert!(poll_once(dialed.writer.send(&mut batch)).await.is_none());
    assert!(poll_once(dialed.writer.close()).await.is_none());
    let late = dialed.writer.send(&mut [Bytes::new()].into_iter().collect()).await;
    assert!(matches!(late, Err(Error::Closed)), "{late:?}");
    soon(dialed.writer.close()).await.unwrap();
    let mut into = Vec::new();
    while into.len() < 500 {
        soon(accepted.reader.recv(&mut into)).await.unwrap();
    }
    assert!(matches!(dialed.writer.close().await, Err(Error::Closed)));
}

#[tokio::test]
async fn a_dial_that_is_dropped_opens_nothing() {
    let udp = Udp::default();
    let before = tasks();
    let name = addr("udp://localhost:9").into();
    let mut finished = false;
    for _ in 0..100 {
        finished |= poll_once(udp.dial(&name)).await.is_some();
    }
    assert!(finished || tasks() == before);
}
