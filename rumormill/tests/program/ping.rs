//! `rumormill ping`.

use std::{
    io::Read,
    net::{TcpListener, TcpStream, UdpSocket},
    thread,
};

use crate::running::{Running, run};

#[test]
fn each_answer_is_a_line_and_a_summary_follows() {
    let (_server, addrs) = Running::serve(&["tcp://127.0.0.1:0", "udp://127.0.0.1:0"]);
    for addr in &addrs {
        let ping = run(&["ping", addr, "-c", "3", "-i", "1ms", "-s", "1KiB"]);
        assert_eq!((ping.code, &*ping.messages, ping.lines.len()), (Some(0), "", 6), "{ping:?}");
        for number in 1..=3 {
            let expected = format!("1024 bytes from {addr}: seq={number} time=");
            assert!(ping.lines[number - 1].starts_with(&expected), "{ping:?}");
        }
        assert_eq!(ping.lines[3], format!("--- {addr} ---"));
        assert_eq!(ping.lines[4], "3 sent, 3 received, 0.0% lost");
        assert!(ping.lines[5].starts_with("round trip min/avg/p99/max = "), "{ping:?}");
    }
}

#[test]
fn lost_late_and_doubled_datagrams_are_told_apart() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = format!("udp://{}", socket.local_addr().unwrap());
    let ping = Running::start(&["ping", &addr, "-c", "3", "-i", "500ms", "-W", "400ms"]);
    let recv = || {
        let mut message = [0; 64];
        let (len, from) = socket.recv_from(&mut message).unwrap();
        (message[..len].to_vec(), from)
    };
    let (first, from) = recv();
    let (second, _) = recv();
    for answer in [&second, &second] {
        socket.send_to(answer, from).unwrap();
    }
    recv();
    for answer in [&first[..], b"what?"] {
        socket.send_to(answer, from).unwrap();
    }

    let ping = ping.finish();
    assert_eq!((ping.code, ping.lines.len()), (Some(0), 8), "{ping:?}");
    assert_eq!(ping.lines[0], "no answer to seq=1 within 400ms");
    for (line, begin, end) in [
        (1, "seq=2 time=", " ms"),
        (2, "seq=2 time=", " ms (duplicate)"),
        (3, "seq=1 time=", " ms (late)"),
        (4, "no answer to seq=3", " 400ms"),
        (6, "3 sent, 2 received, 1 duplicates, 33.3% lost", ""),
    ] {
        let line = &ping.lines[line];
        assert!(line.contains(begin) && line.ends_with(end), "{line}");
    }
    assert_eq!(ping.messages, format!("{addr} sent 5 bytes that answer nothing\n"));
}

#[test]
fn a_silent_socket_is_no_answer() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = format!("udp://{}", socket.local_addr().unwrap());
    let ping = run(&["ping", &addr, "-c", "2", "-i", "1ms", "-W", "50ms"]);
    assert_eq!((ping.code, &*ping.messages), (Some(1), ""));
    assert_eq!(ping.lines.last().unwrap(), "2 sent, 0 received, 100.0% lost");
}

#[cfg(unix)]
#[test]
fn sigint_prints_the_summary() {
    let (_server, addrs) = Running::serve(&["tcp://127.0.0.1:0"]);
    let ping = Running::start(&["ping", &addrs[0], "-i", "1ms"]);
    assert!(ping.line().contains(": seq=1 ") && ping.line().contains(": seq=2 "));
    ping.signal(rustix::process::Signal::INT);
    let ping = ping.finish();
    assert_eq!(ping.code, Some(0));
    assert!(ping.lines.last().unwrap().starts_with("round trip min/avg/p99/max = "), "{ping:?}");
}

#[test]
fn nobody_there_is_one_line_with_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // The port of a dialer: taken, so that no other test gets it, and nobody listens there.
    let taken = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let taken_addr = taken.local_addr().unwrap();
    let ping = run(&["ping", &format!("tcp://{taken_addr}")]);
    assert_eq!((ping.code, ping.lines.len()), (Some(1), 0));
    let expected = format!("error: nobody answers at tcp://{taken_addr}: ");
    assert!(ping.messages.starts_with(&expected), "{ping:?}");
    assert_eq!(ping.messages.lines().count(), 1, "{ping:?}");
}

#[cfg(feature = "mem")]
#[test]
fn memory_of_another_process_is_nobody() {
    let (_server, _) = Running::serve(&["mem://echo"]);
    let ping = run(&["ping", "mem://echo"]);
    assert_eq!((ping.code, ping.lines.len()), (Some(1), 0));
    assert!(ping.messages.starts_with("error: nobody answers at mem://echo: "), "{ping:?}");
}

#[test]
fn a_peer_that_hangs_up_ends_it_with_a_summary() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = format!("tcp://{}", listener.local_addr().unwrap());
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 4 + 64]).unwrap();
    });
    let ping = run(&["ping", &addr]);
    peer.join().unwrap();
    assert_eq!(ping.code, Some(1));
    assert!(ping.messages.starts_with(&format!("{addr} ended: the conn ")), "{ping:?}");
    assert_eq!(ping.lines.last().unwrap(), "1 sent, 0 received, 100.0% lost");
}
