//! A node's administration against whoever means it harm, or knows no better.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    thread,
};

use rumormill::gossip::Event;
use tokio::{
    sync::broadcast::error::TryRecvError,
    task::spawn_blocking,
    time::{Instant, timeout},
};

use crate::{
    admin::{Administered, TOKEN, by_tcp},
    running::DEADLINE,
};

fn open(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).expect("a conn");
    stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    stream
}

/// Everything that is answered; the node may hang up before it has read all.
fn all(mut stream: &UnixStream) -> String {
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&part[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn ask(socket: &Path, request: &[u8]) -> String {
    let stream = open(socket);
    // The node may have hung up already.
    let _ = (&stream).write_all(request);
    all(&stream)
}

fn get(socket: &Path, path: &str) -> String {
    ask(socket, format!("GET {path} HTTP/1.1\r\nHost: node\r\n\r\n").as_bytes())
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

/// Runs what blocks beside a node.
async fn beside<T: Send + 'static>(
    node: &Administered,
    work: impl FnOnce(PathBuf) -> T + Send + 'static,
) -> T {
    let socket = node.socket.clone();
    spawn_blocking(move || work(socket)).await.expect("work to its end")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_or_hung_up_on() {
    let node = Administered::start("wire", None).await;
    beside(&node, |socket| {
        let head = |line: &str| format!("{line}\r\nHost: node\r\n\r\n");
        let long = "a".repeat(1 << 20);
        for (request, expected) in [
            (head("GET /healthz HTTP/1.1"), "200"),
            (head("HEAD /members HTTP/1.1"), "200"),
            (head("BREW /healthz HTTP/1.1"), "405"),
            (head("GET /../etc/passwd HTTP/1.1"), "404"),
            (head("GET nonsense"), "400"),
            ("\0\u{1}\u{2}\r\n\r\n".into(), "400"),
            (head(&format!("GET /{long} HTTP/1.1")), "431"),
            (format!("GET /healthz HTTP/1.1\r\nX-Long: {long}\r\n\r\n"), "431"),
            (format!("GET /healthz HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(1000)), "431"),
            ("POST /broadcast HTTP/1.1\r\nContent-Length: -1\r\n\r\n".into(), "400"),
            ("POST /broadcast HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n".into(), "413"),
        ] {
            let answer = ask(&socket, request.as_bytes());
            let shown: String = request.chars().take(40).collect();
            let is_refused = expected != "200" && ["414", "none"].contains(&status(&answer));
            assert!(status(&answer) == expected || is_refused, "{shown}: {answer}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_learns_whether_the_node_is_there_and_nothing_else() {
    let node = Administered::start_with("tcp", None, by_tcp).await;
    let place = node.node.admin_tcp().unwrap();
    beside(&node, move |_| {
        let ask = |method: &str, path: &str, more: &str| {
            let mut stream = TcpStream::connect(place).unwrap();
            let request = format!("{method} {path} HTTP/1.1\r\nHost: node\r\n{more}\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        };
        assert!(ask("GET", "/healthz", "").ends_with("\r\n\r\nok\n"));
        assert!(ask("GET", "/readyz", "").ends_with("\r\n\r\nready\n"));
        let close = [&TOKEN[..TOKEN.len() - 1], &format!("{TOKEN}x"), "", "0"];
        let wrong = close.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let basic = format!("Authorization: Basic {TOKEN}\r\n");
        let query = format!("/members?token={TOKEN}");
        let paths = ["/members", "/metrics", "/nothing", "/healthz/../members", &query];
        for path in paths.into_iter().chain(["//healthz", "/healthz%2f", "/HEALTHZ"]) {
            for more in wrong.iter().chain([&basic, &String::new()]) {
                let answer = ask("GET", path, more);
                assert_eq!(status(&answer), "401", "{path} {more}: {answer}");
                assert!(answer.contains("www-authenticate: Bearer\r\n"), "{answer}");
                assert!(!answer.contains("GET /node"), "{answer}");
            }
        }
        assert_eq!(status(&ask("POST", "/leave", "")), "401");
        let right = format!("Authorization: bearer {TOKEN}\r\n");
        assert_eq!(status(&ask("GET", "/members", &right)), "200");
        assert_eq!(status(&ask("GET", "/nothing", &right)), "404");
    })
    .await;
    assert!(node.node.is_ready());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_refused_at_the_limit() {
    let node = Administered::start_with("long", None, |config, _| {
        config.endpoint.max_message = 64 << 10;
    });
    let node = node.await;
    let answer = beside(&node, |socket| {
        let stream = open(&socket);
        let head = "POST /broadcast HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n";
        (&stream).write_all(head.as_bytes()).unwrap();
        let chunk = [b"4000\r\n".to_vec(), vec![b'x'; 0x4000], b"\r\n".to_vec()].concat();
        let writer = stream.try_clone().unwrap();
        let writing = thread::spawn(move || while (&writer).write_all(&chunk).is_ok() {});
        let answer = all(&stream);
        stream.shutdown(Shutdown::Both).unwrap_or_default();
        writing.join().unwrap();
        answer
    });
    let answer = timeout(DEADLINE, answer).await.unwrap();
    // It may be lost where the node hangs up on what goes on coming.
    assert!(["413", "none"].contains(&status(&answer)), "{answer}");
    assert_eq!(status(&beside(&node, |socket| get(&socket, "/healthz")).await), "200");
}

#[tokio::test(flavor = "multi_thread")]
async fn conns_that_ask_nothing_make_room_and_are_ended() {
    let node = Administered::start("slow", None).await;
    beside(&node, |socket| {
        let slow: Vec<_> = (0..200)
            .map(|_| {
                let stream = open(&socket);
                (&stream).write_all(b"GET /heal").unwrap();
                stream
            })
            .collect();
        let began = Instant::now();
        assert_eq!(status(&get(&socket, "/healthz")), "200");
        assert!(began.elapsed() < DEADLINE);
        // Each is hung up on in the end, unanswered.
        assert!(slow.iter().all(|stream| ["none", "408"].contains(&status(&all(stream)))));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gives_up_gives_back_his_turn() {
    let first = Administered::start("first", None).await;
    let second = Administered::start("second", Some(&first.node)).await;
    beside(&first, |socket| {
        // Nobody answers, so each would keep its turn for minutes.
        for _ in 0..40 {
            let stream = open(&socket);
            let request = "POST /request?to=second&deadline=10m HTTP/1.1\r\nHost: node\r\n\
                           Content-Length: 4\r\n\r\nwell";
            (&stream).write_all(request.as_bytes()).unwrap();
        }
        let request = "POST /broadcast HTTP/1.1\r\nHost: node\r\nContent-Length: 2\r\n\r\nhi";
        let began = Instant::now();
        while status(&ask(&socket, request.as_bytes())) != "200" {
            assert!(began.elapsed() < DEADLINE);
        }
    })
    .await;
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_requests_disturbs_no_membership() {
    let first = Administered::start("first", None).await;
    let second = Administered::start("second", Some(&first.node)).await;
    let mut events = [first.node.events(), second.node.events()];
    let flood = |socket: PathBuf| {
        let paths = ["/members", "/metrics", "/status", "/nothing"];
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let socket = socket.clone();
                thread::spawn(move || {
                    for number in 0..250 {
                        let answer = get(&socket, paths[number % 4]);
                        assert!(["200", "404"].contains(&status(&answer)), "{answer}");
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    };
    beside(&first, flood).await;
    for events in &mut events {
        loop {
            match events.try_recv() {
                Err(TryRecvError::Empty) => break,
                Ok(Event::Failed { node, .. }) => panic!("{node} was held to be gone"),
                Ok(_) => (),
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert_eq!(first.node.members().len(), 1);
    assert!(first.node.members()[0].standing.is_here());
}
