//! `rumormill bench`.

use std::{
    io::{Read, Write},
    net::{TcpListener, UdpSocket},
    thread,
};

use serde_json::Value;

use crate::running::{Finished, Running, run};

fn bench(addr: &str, size: &str) -> Value {
    let finished = run(&["bench", addr, "--size", size, "--seconds", "0.5", "--json"]);
    let Finished { code, lines, messages } = finished;
    // Only datagrams longer than a packet are worth a message.
    assert!(messages.is_empty() || messages.contains("longer than a packet"), "{messages}");
    assert_eq!((code, lines.len()), (Some(0), 1), "{messages}");
    serde_json::from_str(&lines[0]).expect("JSON")
}

fn check(addr: &str, size: &str) -> Value {
    let value = bench(addr, size);
    assert_eq!(value["addr"], addr);
    let number = |pointer: &str| value.pointer(pointer).and_then(Value::as_f64).expect(pointer);
    let (elapsed, bytes) = (number("/elapsed_seconds"), number("/message_bytes"));
    assert!((0.4..30.0).contains(&elapsed), "{value}");
    for rate in ["/accepted", "/echoed"] {
        let [messages, per_second, bytes_per_second] =
            ["messages", "messages_per_second", "bytes_per_second"]
                .map(|name| number(&format!("{rate}/{name}")));
        assert!(0.0 < messages && (messages / elapsed - per_second).abs() < 1.0, "{value}");
        assert!((per_second * bytes - bytes_per_second).abs() < bytes, "{value}");
    }
    let times =
        ["min", "p50", "p99", "max"].map(|name| number(&format!("/round_trip/{name}_seconds")));
    assert!(0.0 < times[0] && times.is_sorted() && 1.0 <= number("/round_trip/count"), "{value}");
    value
}

#[test]
fn a_stream_brings_everything_back() {
    let (_server, addrs) = Running::serve(&["tcp://127.0.0.1:0"]);
    for size in ["8", "1KiB", "5MiB"] {
        assert_eq!(check(&addrs[0], size)["lost_messages"], 0);
    }
}

#[test]
fn datagrams_are_counted_as_they_come_back() {
    let (_server, addrs) = Running::serve(&["udp://127.0.0.1:0"]);
    for size in ["8", "1KiB", "32KiB"] {
        check(&addrs[0], size);
    }
}

#[test]
fn people_get_a_few_lines() {
    let (_server, addrs) = Running::serve(&["udp://127.0.0.1:0"]);
    let finished = run(&["bench", &addrs[0], "--seconds", "0.1", "--batch", "1"]);
    assert_eq!((finished.code, &*finished.messages), (Some(0), ""));
    let [head, accepted, echoed, lost, trips] = &finished.lines[..] else { panic!("{finished:?}") };
    assert_eq!(*head, format!("{}: messages of 1024 bytes in batches of 1", addrs[0]));
    for (line, begin, middle) in [
        (accepted, "accepted ", " messages/s "),
        (echoed, "echoed ", " messages/s "),
        (lost, "lost ", ""),
        (trips, "round trip ", " ms, of "),
    ] {
        assert!(line.starts_with(begin) && line.contains(middle), "{line}");
    }
}

#[test]
fn lost_datagrams_do_not_stop_it() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = format!("udp://{}", socket.local_addr().unwrap());
    let bench = Running::start(&["bench", &addr, "--seconds", "0.5", "--batch", "8", "--json"]);
    thread::spawn(move || {
        let (mut message, mut lossy) = ([0; 2048], 0);
        while let Ok((len, from)) = socket.recv_from(&mut message) {
            lossy += 1;
            if lossy % 100 < 50 {
                socket.send_to(&message[..len], from).unwrap();
            }
        }
    });
    let bench = bench.finish();
    assert_eq!((bench.code, bench.lines.len()), (Some(0), 1), "{bench:?}");
    let value: Value = serde_json::from_str(&bench.lines[0]).unwrap();
    assert!(0 < value["lost_messages"].as_u64().unwrap(), "{value}");
}

#[test]
fn nobody_behind_a_socket_is_no_answer() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = format!("udp://{}", socket.local_addr().unwrap());
    let finished = run(&["bench", &addr, "--seconds", "0.1", "-W", "50ms"]);
    assert_eq!((finished.code, finished.lines.len()), (Some(1), 0), "{finished:?}");
    assert_eq!(finished.messages, format!("error: no answer from {addr}\n"));
}

#[test]
fn a_silent_peer_meets_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = format!("tcp://{}", listener.local_addr().unwrap());
    let finished = run(&["bench", &addr, "-W", "100ms"]);
    assert_eq!((finished.code, finished.lines.len()), (Some(1), 0), "{finished:?}");
    let expected = format!("error: waiting for an answer of {addr} took longer than 100ms\n");
    assert_eq!(finished.messages, expected);
}

#[test]
fn who_answers_something_else_is_no_echo() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = format!("tcp://{}", listener.local_addr().unwrap());
    let peer = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"\0\0\0\x05hello").unwrap();
        stream.read_to_end(&mut Vec::new()).map(drop).unwrap_or_default();
    });
    let finished = run(&["bench", &addr]);
    peer.join().unwrap();
    assert_eq!((finished.code, finished.lines.len()), (Some(1), 0), "{finished:?}");
    let expected = format!("error: {addr} does not echo; run `rumormill serve` there\n");
    assert_eq!(finished.messages, expected);
}
