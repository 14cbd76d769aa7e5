//! Paths that delay, split, alter and lose.

use std::{collections::VecDeque, env, io, process::Stdio, time::Duration};

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_transport_api::{
    Addr, AnyConn, AnyReader, AnyWriter, Batch, Error, Listener, Reader, Writer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::Command,
    time::{Instant, sleep_until},
};

use crate::{
    node::{Node, accept, close, recv_to_end, send, soon},
    stranger::rest,
};

/// Sends messages of many sizes both ways at once, and sees all of them arrive in order.
async fn check_both_ways(one: AnyConn, other: AnyConn) {
    let there = check_one_way(one.writer, other.reader);
    let back = check_one_way(other.writer, one.reader);
    tokio::join!(there, back);
}

async fn check_one_way(mut writer: AnyWriter, mut reader: AnyReader) {
    let message = |n: usize| Bytes::from(vec![n as u8; n * n * 5]);
    let sending = async {
        for batch in 0..20 {
            let mut batch: Batch = (batch * 5..batch * 5 + 5).map(message).collect();
            soon("sending", writer.send(&mut batch)).await.unwrap();
        }
        close(&mut writer).await;
    };
    let ((), (arrived, end)) = tokio::join!(sending, recv_to_end(&mut reader));
    assert!(matches!(end, Error::Closed), "{} arrived, then {end:?}", arrived.len());
    assert!(arrived.iter().map(|m| m.len()).eq((0..100).map(|n| n * n * 5)));
    assert!(arrived.iter().zip(0..).all(|(m, n)| m.iter().all(|byte| *byte == n)));
}

/// Delays what passes by 50 ms ± 20 ms, and cuts it into odd pieces.
async fn delay(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, seed: u64) -> io::Result<()> {
    let mut random = StdRng::seed_from_u64(seed);
    let (mut buffer, mut on_the_way) = (vec![0; 5000], VecDeque::<(Instant, Vec<u8>)>::new());
    let mut is_open = true;
    while is_open || !on_the_way.is_empty() {
        let next = on_the_way.front().map_or_else(Instant::now, |(arrival, _)| *arrival);
        let most = random.random_range(1..buffer.len());
        tokio::select! {
            read = from.read(&mut buffer[..most]), if is_open => {
                let read = read?;
                is_open = 0 < read;
                let last = on_the_way.back().map_or_else(Instant::now, |(arrival, _)| *arrival);
                let delay = Duration::from_millis(random.random_range(30..=70));
                on_the_way.push_back((last.max(Instant::now() + delay), buffer[..read].to_vec()));
            }
            () = sleep_until(next), if !on_the_way.is_empty() => {
                let (_, mut bytes) = on_the_way.pop_front().unwrap();
                while !bytes.is_empty() {
                    let piece = random.random_range(1..=bytes.len());
                    to.write_all(&bytes[..piece]).await?;
                    bytes.drain(..piece);
                    tokio::task::yield_now().await;
                }
            }
        }
    }
    to.shutdown().await
}

/// A place to dial instead of `to`, from where one conn is passed on.
async fn relay<F>(to: &Addr, pass: impl FnOnce(TcpStream, TcpStream) -> F + Send + 'static) -> Addr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = format!("tls://{}", listener.local_addr().unwrap());
    let to = to.rest().to_string();
    tokio::spawn(async move {
        let (near, _) = listener.accept().await.unwrap();
        pass(near, TcpStream::connect(to).await.unwrap()).await;
    });
    addr.parse().unwrap()
}

#[tokio::test]
async fn a_path_that_delays_and_splits_loses_nothing() {
    let (server, client) = (Node::new(), Node::new());
    let mut listener = server.listen().await;
    let addr = relay(listener.addr(), |near, far| async {
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        let _ = tokio::join!(delay(near_in, far_out, 1), delay(far_in, near_out, 2));
    });
    let addr = addr.await;
    let dialling = async { client.dial(&addr).await.unwrap() };
    let (dialled, accepted) = tokio::join!(dialling, accept(&mut listener));
    check_both_ways(dialled, accepted).await;
}

/// What a reader reports when a path does this to what its peer sent after the first message.
async fn altered(alter: impl FnOnce(Vec<u8>) -> Vec<u8> + Send + 'static) -> Error {
    let (server, client) = (Node::new(), Node::new());
    let mut listener = server.listen().await;
    let (begin, begun) = tokio::sync::oneshot::channel();
    let addr = relay(listener.addr(), |mut near, mut far| async move {
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => (),
            _ = begun => (),
        }
        let mut sent = vec![0; 5000];
        let len = near.read(&mut sent).await.unwrap();
        sent.truncate(len);
        far.write_all(&alter(sent)).await.unwrap();
        far.shutdown().await.unwrap();
        rest(&mut far).await;
    });
    let addr = addr.await;
    let dialling = async { client.dial(&addr).await.unwrap() };
    let (mut dialled, mut accepted) = tokio::join!(dialling, accept(&mut listener));
    send(&mut dialled.writer, "whole").await;
    let mut arrived = Vec::new();
    soon("receiving", accepted.reader.recv(&mut arrived)).await.unwrap();
    begin.send(()).unwrap();
    send(&mut dialled.writer, "not whole").await;
    let (arrived, end) = recv_to_end(&mut accepted.reader).await;
    assert!(arrived.is_empty(), "{arrived:?}");
    end
}

#[tokio::test]
async fn who_alters_what_passes_cuts_the_conn() {
    let flipped = altered(|mut sent| {
        *sent.last_mut().unwrap() ^= 1;
        sent
    });
    let truncated = altered(|mut sent| {
        sent.pop();
        sent
    });
    let left_out = altered(|_| Vec::new());
    // What is left out leaves no trace but the missing farewell.
    for (what, end) in
        [("flipped", flipped.await), ("truncated", truncated.await), ("none", left_out.await)]
    {
        assert!(matches!(end, Error::Cut { .. }) && end.is_retryable(), "{what}: {end:?}");
    }
}

#[tokio::test]
async fn plain_text_in_between_is_against_the_rules() {
    let end = altered(|_| b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
    assert!(matches!(end, Error::Protocol { .. }), "{end:?}");
}

/// In a network of its own, of this process alone, whose queue holds five packets: what overflows is
/// lost, and TCP sends it again.
#[test]
fn a_path_that_loses_packets_loses_nothing() {
    const INSIDE: &str = "RUMORMILL_TEST_IN_A_LOSSY_NETWORK";
    const SET_UP: &str = "ip link set lo mtu 1500 up && \
        tc qdisc add dev lo root tbf rate 20mbit burst 6000 limit 8000 && exec \"$@\"";
    if env::var_os(INSIDE).is_some() {
        return in_a_lossy_network();
    }
    let mut inside = std::process::Command::new("unshare");
    inside.args(["-Urn", "sh", "-c", SET_UP, "sh"]).arg(env::current_exe().unwrap());
    inside.args(["--exact", "rough::a_path_that_loses_packets_loses_nothing", "--nocapture"]);
    inside.env(INSIDE, "").stdin(Stdio::null());
    match inside.output() {
        Ok(output) if output.status.success() => {
            println!("{}", String::from_utf8_lossy(&output.stdout))
        }
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("running 1 test") => {
            panic!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        }
        Ok(output) => {
            println!("skipped: no network of our own: {}", String::from_utf8_lossy(&output.stderr))
        }
        Err(error) => println!("skipped: `unshare` does not run: {error}"),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn in_a_lossy_network() {
    let (server, client) = (Node::new(), Node::new());
    let mut listener = server.listen().await;
    let (dialled, accepted) = client.connect(&mut listener).await;
    check_both_ways(dialled, accepted).await;
    let shown = Command::new("tc").args("-s qdisc show dev lo".split(' ')).output().await.unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(!shown.contains("dropped 0,"), "nothing was lost: {shown}");
}
