//! Who answers, who may ask, and a storm of strangers.

use std::{
    fs::{self, Permissions},
    future::ready,
    io::ErrorKind,
    os::unix::{
        fs::PermissionsExt,
        net::{UnixDatagram, UnixListener},
    },
    path::Path,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rumormill_transport_api::{
    Addr, Batch, Context, Counters, Error, Expect, Limits, Listener, NodeId, Proof, Reader, Target,
    Transport, Writer, serve,
};
use rumormill_transport_unix::{FACTORY, Settings, Unix, UnixConn};
use rustix::{
    process::{getegid, geteuid},
    thread::{CapabilitySet, capabilities, set_capabilities},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::{JoinSet, yield_now},
    time::timeout,
};

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory, mode 0700")
}

fn addr(path: &Path, options: &str) -> Addr {
    format!("unix://{}{options}", path.display()).parse().expect("an address")
}

async fn dial(to: &Addr) -> Result<UnixConn, Error> {
    Unix::default().dial(&Target::new(to.clone())).await
}

async fn echo_through(conn: &mut UnixConn) {
    let mut batch: Batch = ["echo"].into_iter().collect();
    conn.writer.send(&mut batch).await.expect("sending");
    let mut echoes = Vec::new();
    let received = timeout(Duration::from_secs(20), conn.reader.recv(&mut echoes)).await;
    received.expect("an echo in time").expect("an echo");
    assert_eq!(echoes, ["echo"]);
}

#[tokio::test]
async fn each_end_knows_the_process_of_the_other() {
    let directory = directory();
    let at = addr(&directory.path().join("socket"), "?mode=0600");
    let mut listener = Unix::default().listen(&at).await.unwrap();
    let dialled = dial(listener.addr()).await.unwrap();
    let accepted = listener.accept().await.unwrap();
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let this = Proof::Process { uid, gid, pid: Some(std::process::id()) };
    assert_eq!(dialled.info.proof, Some(this.clone()));
    assert_eq!(accepted.info.proof, Some(this));
    assert_eq!(dialled.info.remote, accepted.info.local);
    assert_eq!(dialled.info.local.to_string(), "unix://");
    assert_eq!(accepted.info.remote.to_string(), "unix://");
    let caps = accepted.info.caps;
    assert!(caps.local_only && !caps.secure && !caps.tells_cuts, "{caps:?}");
}

#[tokio::test]
async fn a_user_can_be_expected_and_nothing_else() {
    let directory = directory();
    let at = addr(&directory.path().join("socket"), "");
    let _listener = Unix::default().listen(&at).await.unwrap();
    let me = geteuid().as_raw();
    let expecting = |expect| {
        let target = Target { expect, ..Target::new(at.clone()) };
        async move { Unix::default().dial(&target).await }
    };
    expecting(Expect::Uid(me)).await.unwrap();
    let error = expecting(Expect::Uid(me + 1)).await.unwrap_err();
    assert!(matches!(error, Error::Unproven { .. }) && !error.is_retryable(), "{error:?}");
    let text = format!("user {me} listens there, not user {}", me + 1);
    assert!(error.to_string().ends_with(&text), "{error}");
    for expect in [Expect::Node(NodeId([7; 32])), Expect::Name("somebody".into())] {
        let error = expecting(expect).await.unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_full_backlog_is_busy_until_somebody_accepts() {
    let directory = directory();
    let at = addr(&directory.path().join("socket"), "?backlog=1");
    let mut listener = Unix::default().listen(&at).await.unwrap();
    let mut waiting = Vec::new();
    let error = loop {
        match dial(&at).await {
            Ok(conn) => waiting.push(conn),
            Err(error) => break error,
        }
        assert!(waiting.len() < 10, "the backlog has no end");
    };
    assert!(matches!(error, Error::Busy { .. }) && error.is_retryable(), "{error:?}");
    let text = format!("the listener at {at} is busy, try again later");
    assert_eq!(error.to_string(), text);
    let _accepted = listener.accept().await.unwrap();
    dial(&at).await.unwrap();
}

#[tokio::test]
async fn nobody_is_unreachable() {
    let directory = directory();
    let (missing, stale) = (directory.path().join("missing"), directory.path().join("stale"));
    drop(UnixListener::bind(&stale).unwrap());
    for path in [missing, stale, directory.path().join("no/such/directory")] {
        let error = dial(&addr(&path, "")).await.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }) && error.is_retryable(), "{error:?}");
    }
}

#[tokio::test]
async fn a_socket_for_datagrams_is_refused() {
    let directory = directory();
    let path = directory.path().join("socket");
    let _socket = UnixDatagram::bind(&path).unwrap();
    let error = dial(&addr(&path, "")).await.unwrap_err();
    assert!(matches!(error, Error::Address { .. }), "{error:?}");
}

#[tokio::test]
async fn who_may_not_write_may_not_connect() {
    let directory = directory();
    let path = directory.path().join("socket");
    let _listener = Unix::default().listen(&addr(&path, "")).await.unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o0)).unwrap();
    // Permissions mean nothing to root until this thread, and only it, waives the privilege.
    let mut sets = capabilities(None).unwrap();
    sets.effective.remove(CapabilitySet::DAC_OVERRIDE);
    set_capabilities(None, sets).unwrap();
    let error = dial(&addr(&path, "")).await.unwrap_err();
    assert!(matches!(error, Error::Io { .. }) && !error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn the_factory_builds_with_options() {
    let context = |key: &str, value: &str| Context {
        options: [(key, value)].into_iter().collect(),
        ..Context::default()
    };
    let unix = (FACTORY.build)(&context("max_message", "1000")).unwrap();
    assert_eq!((unix.caps().max_message, unix.caps().packet), (1000, 1000));
    assert_eq!(FACTORY.caps, Unix::new(Settings::default()).caps());
    assert!(matches!((FACTORY.build)(&context("colour", "red")), Err(Error::Option { .. })));
}

#[tokio::test]
async fn options_in_an_address_hold_for_that_conn() {
    let directory = directory();
    let at = addr(&directory.path().join("socket"), "?max_message=20&send_buffer=8KiB");
    let mut listener = Unix::default().listen(&at).await.unwrap();
    assert!(listener.addr().options().is_empty(), "the bound address is one to dial");
    let to = format!("{}?max_message=10", listener.addr()).parse().unwrap();
    let mut conn = dial(&to).await.unwrap();
    assert_eq!(&conn.info.remote, listener.addr());
    let accepted = listener.accept().await.unwrap();
    assert_eq!((conn.info.caps.max_message, accepted.info.caps.max_message), (10, 20));
    let mut batch: Batch = [Bytes::from(vec![0; 11])].into_iter().collect();
    let error = conn.writer.send(&mut batch).await.unwrap_err();
    assert_eq!(error.to_string(), "message of 11 bytes exceeds 10");
}

/// What a dialer has sent before it leaves is received, however it leaves.
#[tokio::test]
async fn a_peer_that_leaves_destroys_nothing() {
    let directory = directory();
    let at = addr(&directory.path().join("socket"), "");
    let mut listener = Unix::default().listen(&at).await.unwrap();
    let mut dialled = dial(&at).await.unwrap();
    let mut accepted = listener.accept().await.unwrap();
    let unread = |text| -> Batch { [text].into_iter().collect() };
    accepted.writer.send(&mut unread("never read")).await.unwrap();
    dialled.writer.send(&mut unread("the last word")).await.unwrap();
    dialled.writer.close().await.unwrap();
    drop(dialled);
    let mut arrived = Vec::new();
    accepted.reader.recv(&mut arrived).await.unwrap();
    assert_eq!(arrived, ["the last word"]);
    let end = accepted.reader.recv(&mut arrived).await.unwrap_err();
    assert!(matches!(end, Error::Cut { .. }), "{end:?}");
}

/// 100,000 streams of random bytes, from eight strangers at once: the listener serves on, and a
/// conn that was there before them is not affected.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_streams_of_random_bytes() {
    let directory = directory();
    let counters = Arc::new(Counters::default());
    let context = Context { counters: counters.clone(), ..Context::default() };
    let unix = (FACTORY.build)(&context).unwrap();
    let listener = unix.listen(&addr(&directory.path().join("socket"), "")).await.unwrap();
    let server = serve(listener, Limits::default(), |_, message| ready(Some(message)));
    let mut good = dial(server.addr()).await.unwrap();
    echo_through(&mut good).await;
    let (to, mut strangers): (Arc<str>, _) = (server.addr().rest().into(), JoinSet::new());
    for seed in 1..=8 {
        strangers.spawn(stranger(to.clone(), seed));
    }
    while let Some(ended) = strangers.join_next().await {
        ended.expect("a stranger ends well");
        echo_through(&mut good).await;
    }
    // Behind whoever still waits to be accepted.
    let last = connect(&to).await;
    echo_raw(last).await;
    drop(good);
    let served = server.stop(Duration::from_secs(20)).await;
    let accepted = served.accepted + counters.conns_vanished.get();
    assert_eq!((accepted, served.failed_accepts, served.stalled), (100_002, 0, 0), "{served:?}");
}

async fn stranger(to: Arc<str>, mut seed: u64) {
    for _ in 0..100_000 / 8 {
        let mut stream = connect(&to).await;
        // xorshift64 (Marsaglia 2003).
        let mut random = || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed
        };
        let noise: Vec<u8> = (0..random() % 64).map(|_| random() as u8).collect();
        // The listener may have given up on this stream already.
        let _ = stream.write_all(&noise).await;
    }
}

async fn echo_raw(mut stream: UnixStream) {
    let frame = b"\0\0\0\x04echo";
    stream.write_all(frame).await.expect("sending");
    let mut echo = [0; 8];
    let received = timeout(Duration::from_secs(20), stream.read_exact(&mut echo)).await;
    received.expect("an echo in time").expect("an echo");
    assert_eq!(&echo, frame);
}

/// Strangers come faster than they are accepted, so they meet a full backlog now and then.
async fn connect(to: &str) -> UnixStream {
    loop {
        match UnixStream::connect(to).await {
            Err(error) if error.kind() == ErrorKind::WouldBlock => yield_now().await,
            stream => return stream.expect("connecting"),
        }
    }
}
