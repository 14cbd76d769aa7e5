//! What happens when there is too much of something.

mod support;

use std::{future::ready, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{Addr, Error, Limits, Listener, Reader, Writer, serve};
use rumormill_transport_udp::{Settings, UdpReader};
use support::{
    accept, addr, batch, counted, dial_from, is_busy, is_cut, listen, poll_once, recv, recv_to_end,
    say, send, soon, stranger, until, welcome,
};
use tokio::{net::UdpSocket, time::timeout};

#[tokio::test]
async fn a_full_table_cuts_off_the_accepted_conn_heard_from_least_recently() {
    let (udp, counters) = counted(Settings { peers: 3, ..Settings::default() });
    let mut listener = listen(&udp).await;
    let from = listener.addr().clone();
    let far = stranger().await;
    let far_addr = addr(&format!("udp://{}", far.local_addr().unwrap()));
    let mut dialed = dial_from(&udp, &from, &far_addr).await.unwrap();
    let (first, mut with_first) = welcome(&mut listener).await;
    let (_second, mut with_second) = welcome(&mut listener).await;
    let mut reader = with_second.reader;
    let reading = tokio::spawn(async move { (recv_to_end(&mut reader).await, reader) });
    say(&first, b"here I am", &from).await;
    assert_eq!(recv(&mut with_first.reader).await, "here I am");
    let (_third, mut with_third) = welcome(&mut listener).await;

    let ((read, end), mut reader) = soon(reading).await.unwrap();
    assert!(read.is_empty() && matches!(end, Error::Cut { .. }));
    assert!(matches!(reader.recv(&mut Vec::new()).await, Err(Error::Closed)));
    assert!(is_cut(with_second.writer.send(&mut batch(&[b"x"])).await));
    assert!(matches!(with_second.writer.send(&mut batch(&[b"x"])).await, Err(Error::Closed)));
    assert_eq!(counters.conns_evicted.get(), 1);
    // The places are the others', whatever becomes of the halves of the one that was evicted.
    drop((reader, with_second.writer));
    for conn in [&mut with_first, &mut with_third, &mut dialed] {
        send(&mut conn.writer, b"still here").await;
    }
    say(&far, b"so am I", &from).await;
    assert_eq!(recv(&mut dialed.reader).await, "so am I");
}

#[tokio::test]
async fn strangers_who_say_one_thing_keep_nobody_out() {
    let (udp, _) = counted(Settings { peers: 20, ..Settings::default() });
    let listener = listen(&udp).await;
    let to = listener.addr().clone();
    let limits = Limits { max_conns: 5, ..Limits::default() };
    let _server = serve(listener, limits, |_, message| ready(Some(message)));
    let mut strangers = Vec::new();
    for _ in 0..50 {
        let stranger = stranger().await;
        say(&stranger, b"me too", &to).await;
        let mut buffer = [0; 100];
        let (len, _) = soon(stranger.recv_from(&mut buffer)).await.unwrap();
        assert_eq!(&buffer[..len], b"me too");
        strangers.push(stranger);
    }
}

#[tokio::test]
async fn a_table_full_of_dialled_conns_has_room_for_nobody() {
    let (udp, counters) = counted(Settings { peers: 2, ..Settings::default() });
    let mut listener = listen(&udp).await;
    let from = listener.addr().clone();
    let (_peer, mut evicted) = welcome(&mut listener).await;
    let _dialed = [
        dial_from(&udp, &from, &addr("udp://127.0.0.1:7")).await.unwrap(),
        dial_from(&udp, &from, &addr("udp://127.0.0.1:8")).await.unwrap(),
    ];
    assert!(is_cut(soon(evicted.reader.recv(&mut Vec::new())).await), "dials go before newcomers");
    assert!(is_busy(dial_from(&udp, &from, &addr("udp://127.0.0.1:9")).await));
    assert_eq!(counters.conns_refused.get(), 0, "the dialer was told");
    say(&stranger().await, b"hello", &from).await;
    until(|| counters.conns_refused.get() == 1).await;
    assert_eq!(counters.messages_rejected.get(), 1);
    assert!(poll_once(listener.accept()).await.is_none());
}

#[tokio::test]
async fn a_full_backlog_gives_up_who_has_waited_longest() {
    let (udp, counters) = counted(Settings { backlog: 2, ..Settings::default() });
    let mut listener = listen(&udp).await;
    let to = listener.addr().clone();
    let mut peers = Vec::new();
    for number in 0..5_u8 {
        let peer = stranger().await;
        say(&peer, &[number], &to).await;
        peers.push(peer);
    }
    until(|| counters.conns_evicted.get() == 3).await;
    assert_eq!(counters.messages_rejected.get(), 3);
    for number in 3..5 {
        let mut conn = accept(&mut listener).await;
        assert_eq!(recv(&mut conn.reader).await, [number].as_slice());
    }
    assert!(poll_once(listener.accept()).await.is_none());
}

#[tokio::test]
async fn a_conn_that_nobody_reads_loses_its_newest_and_stalls_nobody() {
    let settings = Settings { conn_messages: 10, ..Settings::default() };
    let (udp, counters) = counted(settings);
    let mut listener = listen(&udp).await;
    let (unread, mut with_unread) = welcome(&mut listener).await;
    let (peer, mut with_peer) = welcome(&mut listener).await;
    let to = listener.addr().clone();
    for number in 0..100_u8 {
        say(&unread, &[number], &to).await;
        say(&peer, &[number], &to).await;
        assert_eq!(recv(&mut with_peer.reader).await, [number].as_slice());
    }
    until(|| counters.messages_overflowed.get() == 90).await;
    let mut kept = Vec::new();
    with_unread.reader.recv(&mut kept).await.unwrap();
    assert!(kept.iter().map(|message| message[0]).eq(0..10), "{kept:?}");
}

#[tokio::test]
async fn what_waits_on_a_socket_is_bounded_in_bytes() {
    let settings = Settings { socket_bytes: 128 << 10, ..Settings::default() };
    let (udp, counters) = counted(settings);
    let mut listener = listen(&udp).await;
    let (greedy, _unread) = welcome(&mut listener).await;
    let to = listener.addr().clone();
    for sent in 1..=10 {
        say(&greedy, &[0; 60_000], &to).await;
        until(|| sent - 2.min(sent) == counters.messages_overflowed.get()).await;
    }
    assert_eq!(counters.messages_overflowed.get(), 8);
    let (_peer, _conn) = welcome(&mut listener).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_sources_stays_within_the_table() {
    const PEERS: usize = 64;
    let settings = Settings { peers: PEERS, backlog: 16, ..Settings::default() };
    let (udp, counters) = counted(settings);
    let mut listener = listen(&udp).await;
    let to = listener.addr().clone();
    let far = stranger().await;
    let far_addr = addr(&format!("udp://{}", far.local_addr().unwrap()));
    let mut dialed = dial_from(&udp, listener.addr(), &far_addr).await.unwrap();

    let flood = tokio::spawn(flood(to.clone()));
    let mut readers = Vec::new();
    while !flood.is_finished() {
        if let Ok(conn) = timeout(Duration::from_millis(10), listener.accept()).await {
            readers.push(conn.unwrap().reader);
        }
    }
    assert_eq!(flood.await.unwrap(), 20_000);
    assert_eq!(recv_resent(&far, &to, &mut dialed.reader).await, "through the flood");
    while let Some(conn) = poll_once(listener.accept()).await {
        readers.push(conn.unwrap().reader);
    }
    assert!(PEERS < readers.len(), "{} were accepted", readers.len());
    let alive = count_alive(&mut readers).await;
    assert!(alive < PEERS, "{alive} are alive, beside the one that was dialled");
    assert!((readers.len() - alive) as u64 <= counters.conns_evicted.get());
}

/// Sends datagrams from many sources; returns how many.
async fn flood(to: Addr) -> usize {
    let mut sources: Vec<UdpSocket> = Vec::new();
    for _ in 0..300 {
        sources.push(stranger().await);
    }
    for number in 0..20_000 {
        say(&sources[number % 300], &[0; 100], &to).await;
    }
    20_000
}

/// Says the same until it arrives: while the kernel's queue is full of the flood, it may not.
async fn recv_resent(from: &UdpSocket, to: &Addr, reader: &mut UdpReader) -> Bytes {
    let mut into = Vec::new();
    let arrives = async {
        while into.is_empty() {
            say(from, b"through the flood", to).await;
            let _ = timeout(Duration::from_millis(50), reader.recv(&mut into)).await;
        }
    };
    soon(arrives).await;
    into.remove(0)
}

async fn count_alive(readers: &mut [UdpReader]) -> usize {
    let mut alive = 0;
    for reader in readers {
        let mut read: Vec<Bytes> = Vec::new();
        while let Some(Ok(())) = poll_once(reader.recv(&mut read)).await {}
        // The next call finds nothing any more: the conn is either cut off or waits.
        alive += usize::from(poll_once(reader.recv(&mut read)).await.is_none());
    }
    alive
}
