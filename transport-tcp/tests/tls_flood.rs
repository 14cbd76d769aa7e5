//! Thousands who begin a handshake and do not go on, while others want to be served.
#![expect(clippy::unwrap_used, reason = "what fails outside of a test function fails its test too")]

use std::{future::ready, sync::Arc, time::Duration};

use rumormill_identity::{
    SecretKey,
    tls::{Sessions, Tls as Identity},
};
use rumormill_transport_api::{
    Addr, AnyTransport, Batch, Context, Counters, Limits, Reader, Target, Transport, Writer, serve,
};
use rumormill_transport_tcp::tls::FACTORY;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    runtime::Handle,
    time::{Instant, timeout},
};

fn transport(counters: &Arc<Counters>) -> AnyTransport {
    let context = Context {
        credentials: Some(Arc::new(SecretKey::generate().credentials())),
        counters: counters.clone(),
        ..Context::default()
    };
    (FACTORY.build)(&context).unwrap()
}

/// As many as descriptors allow, with one at each side.
fn dialers() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
    let allowed = limit.current.map_or(usize::MAX, |most| most as usize);
    let count = 5_000.min(allowed.saturating_sub(200) / 2);
    assert!(1_000 <= count, "this system does not allow enough descriptors");
    count
}

/// The first thing that a dialer says.
fn hello() -> Vec<u8> {
    let credentials = Some(Arc::new(SecretKey::generate().credentials()));
    let context = Context { credentials, ..Context::default() };
    let identity = Identity::new(&context, b"rumormill/1", Sessions::Never).unwrap();
    let name = "localhost".try_into().unwrap();
    let mut session = rustls::ClientConnection::new(identity.client().clone(), name).unwrap();
    let mut hello = Vec::new();
    session.write_tls(&mut hello).unwrap();
    hello
}

async fn echo(to: &Addr) -> Duration {
    let start = Instant::now();
    let mut conn = transport(&Arc::default()).dial(&Target::new(to.clone())).await.unwrap();
    let mut batch: Batch = ["let me through"].into_iter().collect();
    conn.writer.send(&mut batch).await.unwrap();
    let mut arrived = Vec::new();
    conn.reader.recv(&mut arrived).await.unwrap();
    assert_eq!(arrived, ["let me through"]);
    start.elapsed()
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let holds = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), holds).await.unwrap_or_else(|_| panic!("{what}"));
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Every third of them says nothing, half a hello, and a whole one; all from the address of those
/// who mean it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_handshakes_lock_nobody_out() {
    let (count, hello, counters) = (dialers(), hello(), Arc::<Counters>::default());
    let (open, tasks) = (descriptors(), Handle::current().metrics().num_alive_tasks());
    let listener =
        transport(&counters).listen(&"tls://127.0.0.1:0".parse().unwrap()).await.unwrap();
    let server = serve(listener, Limits::default(), |_, message| ready(Some(message)));
    let addr = server.addr().clone();
    let mut flood = Vec::new();
    let mut slowest = Duration::ZERO;
    for number in 0..count {
        let mut stream = TcpStream::connect(addr.rest()).await.unwrap();
        let said = [0, hello.len() / 2][number % 2];
        stream.write_all(&hello[..said]).await.unwrap();
        flood.push(stream);
        if number % 500 == 499 {
            slowest = slowest.max(echo(&addr).await);
        }
    }
    slowest = slowest.max(echo(&addr).await);
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    drop(flood);
    let ended = || counters.conns_evicted.get() + counters.conns_vanished.get();
    until("all handshakes to end", || ended() == count as u64).await;
    let served = server.stop(Duration::from_secs(20)).await;
    assert_eq!(served.accepted, count as u64 / 500 + 1, "{served:?}");
    let alive = || Handle::current().metrics().num_alive_tasks();
    until("descriptors and tasks to be gone", || descriptors() <= open && alive() <= tasks).await;
}
