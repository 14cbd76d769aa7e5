//! Serving by callback: limits, stopping, and attempts that fail.

use std::{
    future::{pending, ready},
    io,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use rumormill_transport_api::{
    Addr, Backoff, Batch, Caps, Conn, Error, FrameReader, FrameWriter, Framing, Info, Limits,
    Listener, Reader, Result, Served, Server, Writer, accept_next, serve,
};
use tokio::{
    io::{DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::mpsc,
    time::{Instant, timeout},
};

type TestReader = FrameReader<ReadHalf<DuplexStream>>;
type TestWriter = FrameWriter<WriteHalf<DuplexStream>>;
type TestConn = Conn<TestReader, TestWriter>;

/// Yields what is put into it: conns, and failures.
struct Port {
    addr: Addr,
    incoming: mpsc::Receiver<Result<TestConn>>,
}

impl Listener for Port {
    type Reader = TestReader;
    type Writer = TestWriter;

    fn addr(&self) -> &Addr {
        &self.addr
    }

    async fn accept(&mut self) -> Result<TestConn> {
        self.incoming.recv().await.unwrap_or(Err(Error::Finished))
    }
}

fn port() -> (mpsc::Sender<Result<TestConn>>, Port) {
    let (sender, incoming) = mpsc::channel(100);
    (sender, Port { addr: "test://port".parse().expect("an address"), incoming })
}

fn conn(stream: DuplexStream) -> TestConn {
    let addr: Addr = "test://end".parse().expect("an address");
    let (read, write) = split(stream);
    Conn {
        info: Info::new(addr.clone(), addr, Caps::STREAM),
        reader: FrameReader::new(read, Framing::default()),
        writer: FrameWriter::new(write, Framing::default()),
    }
}

async fn dial(port: &mpsc::Sender<Result<TestConn>>) -> TestConn {
    let (here, there) = duplex(1 << 16);
    port.send(Ok(conn(there))).await.expect("the port is open");
    conn(here)
}

async fn ask(conn: &mut TestConn, question: &'static str) -> Result<Bytes> {
    conn.writer.send(&mut [question].into_iter().collect()).await?;
    let mut answers = Vec::new();
    conn.reader.recv(&mut answers).await?;
    Ok(answers.remove(0))
}

fn shout(_: Arc<Info>, message: Bytes) -> std::future::Ready<Option<Bytes>> {
    ready(Some(message.to_ascii_uppercase().into()))
}

fn start(limits: Limits) -> (mpsc::Sender<Result<TestConn>>, Server) {
    let (dialer, port) = port();
    (dialer, serve(port, limits, shout))
}

#[tokio::test(start_paused = true)]
async fn messages_are_handed_over_and_answered() {
    let (port, server) = start(Limits::default());
    assert_eq!(server.addr().to_string(), "test://port");
    let (mut one, mut two) = (dial(&port).await, dial(&port).await);
    assert_eq!(ask(&mut one, "a").await.unwrap(), "A");
    assert_eq!(ask(&mut two, "b").await.unwrap(), "B");
    drop((one, two));
    let served = server.stop(Duration::from_secs(5)).await;
    assert_eq!(served, Served { accepted: 2, messages: 2, ..Served::default() });
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_keep_silent() {
    let (dialer, port) = port();
    let server = serve(port, Limits::default(), |_, _| ready(None));
    let mut conn = dial(&dialer).await;
    let answer = timeout(Duration::from_secs(1), ask(&mut conn, "anybody?")).await;
    assert!(answer.is_err());
    assert_eq!(server.stop(Duration::ZERO).await.accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_limit_nobody_is_accepted() {
    let (port, _server) = start(Limits { max_conns: 1, ..Limits::default() });
    let (mut first, mut second) = (dial(&port).await, dial(&port).await);
    ask(&mut first, "a").await.unwrap();
    let waited = timeout(Duration::from_secs(1), ask(&mut second, "b")).await;
    assert!(waited.is_err(), "a second conn was served");
    drop(first);
    let mut answers = Vec::new();
    second.reader.recv(&mut answers).await.unwrap();
    assert_eq!(answers, ["B"]);
}

#[tokio::test(start_paused = true)]
async fn silence_beyond_the_limit_is_cut_off() {
    let (port, server) = start(Limits { idle: Duration::from_secs(10), ..Limits::default() });
    let (mut conn, before) = (dial(&port).await, Instant::now());
    let ended = conn.reader.recv(&mut Vec::new()).await;
    assert!(ended.is_err());
    assert_eq!(before.elapsed(), Duration::from_secs(10));
    assert_eq!(server.stop(Duration::ZERO).await.stalled, 1);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_cut_off() {
    let (port, server) = start(Limits::default());
    let mut conn = dial(&port).await;
    let question = Bytes::from(vec![b'x'; 1 << 15]);
    let asking = async {
        loop {
            let mut batch: Batch = [question.clone()].into_iter().collect();
            if conn.writer.send(&mut batch).await.is_err() {
                return;
            }
        }
    };
    timeout(Duration::from_secs(30), asking).await.expect("it is cut off");
    assert_eq!(server.stop(Duration::ZERO).await.stalled, 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_answers_what_has_arrived_and_reads_on_until_the_peer_closes() {
    let (port, server) = start(Limits::default());
    let mut conn = dial(&port).await;
    ask(&mut conn, "before").await.unwrap();
    let stopping = server.stop(Duration::from_secs(60));
    let leaving = async {
        let mut into = Vec::new();
        assert!(matches!(conn.reader.recv(&mut into).await, Err(Error::Closed)));
        conn.writer.send(&mut ["too", "late"].into_iter().collect()).await.unwrap();
        conn.writer.close().await.unwrap();
    };
    let before = Instant::now();
    let (served, ()) = tokio::join!(stopping, leaving);
    assert_eq!(served, Served { accepted: 1, messages: 1, discarded: 2, ..Served::default() });
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_at_its_deadline() {
    let (dialer, port) = port();
    let (entered, mut inside) = mpsc::channel(1);
    let server = serve(port, Limits::default(), move |_, _| {
        let entered = entered.clone();
        async move {
            entered.send(()).await.unwrap();
            pending().await
        }
    });
    let mut stuck = dial(&dialer).await;
    stuck.writer.send(&mut ["x"].into_iter().collect()).await.unwrap();
    inside.recv().await.unwrap();
    let before = Instant::now();
    let served = server.stop(Duration::from_secs(3)).await;
    assert_eq!((served.aborted, before.elapsed()), (1, Duration::from_secs(3)));
    assert!(stuck.reader.recv(&mut Vec::new()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_server_leaves_no_task() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();
    let (port, server) = start(Limits::default());
    let mut conn = dial(&port).await;
    ask(&mut conn, "a").await.unwrap();
    drop(server);
    assert!(conn.reader.recv(&mut Vec::new()).await.is_err());
    while before < tasks() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_costs_its_conn() {
    let (dialer, port) = port();
    let server = serve(port, Limits::default(), |_, message: Bytes| {
        assert_ne!(message, "boom");
        ready(Some(message))
    });
    let (mut bad, mut good) = (dial(&dialer).await, dial(&dialer).await);
    assert!(ask(&mut bad, "boom").await.is_err());
    assert_eq!(ask(&mut good, "fine").await.unwrap(), "fine");
    assert_eq!(server.stop(Duration::ZERO).await.accepted, 2);
}

#[tokio::test(start_paused = true)]
async fn failed_attempts_are_retried_ever_more_slowly() {
    let (dialer, mut port) = port();
    for _ in 0..9 {
        dialer.send(Err(Error::io("accepting", io::Error::other("out of luck")))).await.unwrap();
    }
    let _peer = dial(&dialer).await;
    let (mut backoff, before) = (Backoff::default(), Instant::now());
    // Dropping the future in between starts no attempt before its time.
    for _ in 0..100 {
        let _ = timeout(Duration::from_millis(1), accept_next(&mut port, &mut backoff)).await;
    }
    accept_next(&mut port, &mut backoff).await.unwrap();
    let waits = 10 + 20 + 40 + 80 + 160 + 320 + 640 + 1000 + 1000;
    let elapsed = before.elapsed().as_millis();
    assert!((waits..waits + 20).contains(&elapsed), "{elapsed} ms instead of {waits}");
    assert_eq!(backoff.failures(), 9);
    drop(dialer);
    assert!(matches!(accept_next(&mut port, &mut backoff).await, Err(Error::Finished)));
}
