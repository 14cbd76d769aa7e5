//! What is TCP's own: names, families, and a storm of strangers.

use std::{future::ready, sync::Arc, time::Duration};

use bytes::Bytes;
use rumormill_transport_api::{
    Addr, AnyConn, Batch, Context, Error, Limits, Listener, Reader, Target, Transport, Writer,
    serve,
};
use rumormill_transport_tcp::{FACTORY, Tcp};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet, time::timeout};

fn addr(text: &str) -> Addr {
    text.parse().expect("an address")
}

async fn echo_through<R: Reader, W: Writer>(reader: &mut R, writer: &mut W) {
    let mut batch: Batch = ["echo"].into_iter().collect();
    writer.send(&mut batch).await.expect("sending");
    let mut echoes = Vec::new();
    let received = timeout(Duration::from_secs(20), reader.recv(&mut echoes)).await;
    received.expect("an echo in time").expect("an echo");
    assert_eq!(echoes, ["echo"]);
}

#[tokio::test]
async fn a_name_is_tried_at_all_of_its_addresses() {
    let listener = Tcp::default().listen(&addr("tcp://127.0.0.1:0")).await.unwrap();
    let port = listener.addr().rest().rsplit(':').next().unwrap().to_string();
    let _server = serve(listener, Limits::default(), |_, message| ready(Some(message)));
    // Where the name is ::1 too, nobody answers there.
    let target = Target::new(addr(&format!("tcp://localhost:{port}")));
    let mut conn = Tcp::default().dial(&target).await.unwrap();
    echo_through(&mut conn.reader, &mut conn.writer).await;
}

#[tokio::test]
async fn a_name_can_be_listened_on() {
    let listener = Tcp::default().listen(&addr("tcp://localhost:0")).await.unwrap();
    assert!(
        listener.addr().rest().starts_with("127.0.0.1:")
            || listener.addr().rest().starts_with("[::1]:")
    );
}

#[tokio::test]
async fn an_unknown_name_is_unreachable() {
    for text in ["tcp://nobody.invalid:1", "tcp://a-name-without-a-host:1"] {
        let error = Tcp::default().dial(&Target::new(addr(text))).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }) && error.is_retryable(), "{error:?}");
        assert_eq!(error.to_string(), format!("nobody answers at {text}"));
    }
}

#[tokio::test]
async fn the_families_do_not_take_each_others_ports() {
    let Ok(six) = Tcp::default().listen(&addr("tcp://[::]:0")).await else {
        return; // This machine has no IPv6.
    };
    let port = six.addr().rest().trim_start_matches("[::]:").to_string();
    match Tcp::default().listen(&addr(&format!("tcp://0.0.0.0:{port}"))).await {
        Ok(_) => (),
        // Another program has it; no machine has all of them taken.
        Err(Error::InUse { .. }) => {
            assert!(TcpStream::connect(format!("127.0.0.1:{port}")).await.is_ok())
        }
        Err(error) => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn the_factory_builds_with_options() {
    let context = |key: &str, value: &str| Context {
        options: [(key, value)].into_iter().collect(),
        ..Context::default()
    };
    let tcp = (FACTORY.build)(&context("max_message", "1000")).unwrap();
    assert_eq!((tcp.caps().max_message, tcp.caps().packet), (1000, 1000));
    assert!(matches!((FACTORY.build)(&context("colour", "red")), Err(Error::Option { .. })));
}

#[tokio::test]
async fn options_in_an_address_hold_for_that_conn() {
    let tcp = Tcp::default();
    let mut listener = tcp.listen(&addr("tcp://127.0.0.1:0?max_message=20")).await.unwrap();
    assert!(listener.addr().options().is_empty(), "the bound address is one to dial");
    let mut target = Target::new(listener.addr().clone());
    target.addr = addr(&format!("{}?max_message=10", target.addr));
    let mut conn = tcp.dial(&target).await.unwrap();
    let accepted = listener.accept().await.unwrap();
    assert_eq!((conn.info.caps.max_message, accepted.info.caps.max_message), (10, 20));
    let mut batch: Batch = [Bytes::from(vec![0; 11])].into_iter().collect();
    let error = conn.writer.send(&mut batch).await.unwrap_err();
    assert_eq!(error.to_string(), "message of 11 bytes exceeds 10");
}

/// Many ports that nobody listens on, some of which the kernel would choose as the dialer's own.
#[tokio::test]
async fn nobody_is_never_oneself() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = addr(&format!("tcp://{}", socket.local_addr().unwrap()));
    drop(socket);
    for _ in 0..2_000 {
        if let Ok(conn) = Tcp::default().dial(&Target::new(addr.clone())).await {
            assert_ne!(conn.info.local, conn.info.remote, "TCP connected a socket to itself");
        }
    }
}

/// 100,000 streams of random bytes, from eight strangers at once: the listener serves on, and a
/// conn that was there before them is not affected.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_streams_of_random_bytes() {
    let tcp = Tcp::default();
    let listener = tcp.listen(&addr("tcp://127.0.0.1:0")).await.unwrap();
    let server = serve(listener, Limits::default(), |_, message| ready(Some(message)));
    let to: Arc<str> = server.addr().rest().into();
    let mut good: AnyConn = {
        let any = rumormill_transport_api::AnyTransport::new(tcp);
        any.dial(&Target::new(server.addr().clone())).await.unwrap()
    };
    echo_through(&mut good.reader, &mut good.writer).await;
    let mut strangers = JoinSet::new();
    for seed in 1..=8 {
        strangers.spawn(stranger(to.clone(), seed));
    }
    while let Some(ended) = strangers.join_next().await {
        ended.expect("a stranger ends well");
        echo_through(&mut good.reader, &mut good.writer).await;
    }
    drop(good);
    let served = server.stop(Duration::from_secs(20)).await;
    assert_eq!(
        (served.accepted, served.failed_accepts, served.stalled),
        (100_001, 0, 0),
        "{served:?}"
    );
}

async fn stranger(to: Arc<str>, mut seed: u64) {
    for _ in 0..100_000 / 8 {
        let mut stream = TcpStream::connect(&*to).await.expect("connecting");
        // xorshift64 (Marsaglia 2003).
        let mut random = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let noise: Vec<u8> = (0..random() % 64).map(|_| random() as u8).collect();
        // A reset instead of a wait for the ports to become free again; it may also come first.
        stream.set_zero_linger().expect("setting linger");
        let _ = stream.write_all(&noise).await;
    }
}
