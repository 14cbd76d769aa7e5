//! A flood from addresses that are made up: alone in its program, as it measures memory.

#![cfg(target_os = "linux")]

mod support;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
};

use rumormill_transport_api::Listener;
use rumormill_transport_udp::Settings;
use support::{addr, counted, dial_from, listen, recv, say, socket_addr, stranger, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_thousand_sources_take_bounded_memory_and_all_are_counted() {
    let (udp, counters) = counted(Settings { peers: 512, backlog: BACKLOG, ..Settings::default() });
    let listener = listen(&udp).await;
    let to = listener.addr().clone();
    let far = stranger().await;
    let far_addr = addr(&format!("udp://{}", far.local_addr().unwrap()));
    let mut dialed = dial_from(&udp, listener.addr(), &far_addr).await.unwrap();
    let mut before = 0;
    for number in 0..SOURCES {
        spoof(number, socket_addr(&to));
        // What the kernel drops nobody can count, so its queue shall not be full.
        let evicted = (number as usize + 1).saturating_sub(BACKLOG) as u64;
        if number % 64 == 0 {
            until(|| counters.conns_evicted.get() == evicted).await;
        }
        if number == SOURCES / 4 {
            before = resident();
        }
    }
    let evicted = SOURCES as u64 - BACKLOG as u64;
    until(|| counters.conns_evicted.get() == evicted).await;
    assert_eq!(counters.messages_rejected.get(), evicted, "with each went its message");
    let grown = resident().saturating_sub(before);
    assert!(grown < 4 << 20, "three quarters of the flood took {grown} bytes");
    say(&far, b"through the flood", &to).await;
    assert_eq!(recv(&mut dialed.reader).await, "through the flood");
}

/// Sends a datagram from an address that sends no other.
fn spoof(number: u32, to: SocketAddr) {
    let from = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 0)) + number);
    let source = UdpSocket::bind((from, 0)).expect("an address of the loopback");
    source.send_to(&[0x5a; 1000], to).expect("sending");
}

/// Memory of this program that is in use, in bytes.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number of pages") * 4096
}

const SOURCES: u32 = 20_000;
const BACKLOG: usize = 64;
