//! `rumormill serve`.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use rustix::process::Signal;

use crate::running::{DEADLINE, Running, run};

/// A client without any library of ours, after a message and its echo.
fn echoed(addr: &str) -> TcpStream {
    let (hello, mut answer) = (*b"\0\0\0\x05hello", [0; 9]);
    let mut talk = || {
        let mut stream = TcpStream::connect(addr.strip_prefix("tcp://").unwrap_or_default())?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.write_all(&hello)?;
        stream.read_exact(&mut answer)?;
        Ok::<_, io::Error>(stream)
    };
    let stream = talk().expect("an echo");
    assert_eq!(answer, hello);
    stream
}

#[test]
fn sigterm_stops_it_and_frees_the_port() {
    let (server, addrs) = Running::serve(&["tcp://127.0.0.1:0"]);
    drop(echoed(&addrs[0]));
    server.signal(Signal::TERM);
    let finished = server.finish();
    assert_eq!((finished.code, finished.lines.len()), (Some(0), 0), "{finished:?}");
    assert_eq!(finished.messages, "stopped; conns: 1, messages echoed: 1\n");

    let (_server, again) = Running::serve(&[&addrs[0]]);
    assert_eq!(again, addrs);
}

#[test]
fn sigint_stops_it_too_and_a_peer_that_stays_is_cut_off() {
    let (server, addrs) = Running::serve(&["tcp://127.0.0.1:0", "--drain", "50ms"]);
    let _open = echoed(&addrs[0]);
    server.signal(Signal::INT);
    assert_eq!(server.finish().code, Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let (server, addrs) = Running::serve(&["tcp://127.0.0.1:0", "--drain", "1h"]);
    let mut open = echoed(&addrs[0]);
    server.signal(Signal::TERM);
    assert_eq!(open.read(&mut [0]).expect("the server closes its side"), 0);
    server.signal(Signal::TERM);
    assert_eq!(server.finish().code, Some(1));
}

#[test]
fn it_serves_several_transports_at_once() {
    let (server, addrs) =
        Running::serve(&["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "tcp://127.0.0.1:0"]);
    let pings: Vec<_> =
        addrs.iter().map(|addr| Running::start(&["ping", addr, "-c", "2", "-i", "1ms"])).collect();
    for ping in pings {
        let finished = ping.finish();
        assert_eq!((finished.code, &*finished.messages), (Some(0), ""), "{finished:?}");
    }
    server.signal(Signal::TERM);
    let finished = server.finish();
    assert!(
        finished.messages.starts_with("stopped; conns: 3, messages echoed: 6\n"),
        "{finished:?}"
    );
}

#[test]
fn an_address_that_is_taken_is_refused_and_nothing_is_served() {
    let (_server, taken) = Running::serve(&["tcp://127.0.0.1:0"]);
    let second = run(&["serve", "tcp://127.0.0.1:0", &taken[0]]);
    assert_eq!((second.code, second.lines.len()), (Some(1), 0), "{second:?}");
    let expected = format!("error: {} is in use by a running process", taken[0]);
    assert!(second.messages.starts_with(&expected), "{second:?}");
    echoed(&taken[0]);
}
