//! Serving by callback: each message that arrives at a listener is handed to a function.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout, timeout_at},
};

use crate::{Addr, Batch, Conn, End, Error, Info, Listener, Reader, Result, Timeouts, Writer};

/// Bounds of a [`Server`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Conns served at once. While there are so many, no further one is accepted; dialers wait in
    /// the carrier's own backlog. Where conns have no end ([`End::None`]), the carrier bounds them by
    /// itself and gives up the one that is silent longest; this limit would let strangers who say
    /// one thing and no more keep everybody else out.
    pub max_conns: usize,
    /// How long a conn may bring no message before it is cut off.
    pub idle: Duration,
    /// How long the carrier may take to accept replies before the conn is cut off.
    pub write: Duration,
}

impl Default for Limits {
    /// 1,000 conns, 90 s idle, 5 s to write.
    fn default() -> Self {
        Self { max_conns: 1000, idle: Duration::from_secs(90), write: Timeouts::lan().write }
    }
}

/// What a [`Server`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Conns accepted.
    pub accepted: u64,
    /// Attempts to accept that failed.
    pub failed_accepts: u64,
    /// Messages handed to the handler.
    pub messages: u64,
    /// Messages that arrived after the stop and were thrown away.
    pub discarded: u64,
    /// Conns that were cut off for exceeding a limit of time.
    pub stalled: u64,
    /// Conns that had not ended when the deadline of the stop passed, and were cut off. What they
    /// had sent and received is not in the other numbers.
    pub aborted: u64,
}

/// A running server; dropping it cuts off all of its conns at once.
#[derive(Debug)]
pub struct Server {
    addr: Addr,
    stop: watch::Sender<Option<Instant>>,
    task: JoinHandle<Served>,
}

impl Server {
    /// The address that it listens on, as bound.
    pub fn addr(&self) -> &Addr {
        &self.addr
    }

    /// Stops accepting, closes every conn after the replies that are due, waits until the peers
    /// have closed too, where the carrier tells, and after `deadline` cuts off the rest.
    ///
    /// Not cancel-safe: dropping the future cuts off all conns, as dropping the server does.
    pub async fn stop(mut self, deadline: Duration) -> Served {
        self.stop.send_replace(Some(Instant::now() + deadline));
        (&mut self.task).await.unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves `listener` until it is stopped: calls `handler` with each message, and sends what it
/// returns, if anything, back over the same conn.
///
/// Messages of one conn are handled one after the other, in order; those of different conns at the
/// same time. A handler that panics costs its conn. Must be called inside a tokio runtime.
pub fn serve<L, H, F>(listener: L, limits: Limits, handler: H) -> Server
where
    L: Listener,
    H: Fn(Arc<Info>, Bytes) -> F + Send + Sync + 'static,
    F: Future<Output = Option<Bytes>> + Send + 'static,
{
    let (stop, stopped) = watch::channel(None);
    let addr = listener.addr().clone();
    let task = tokio::spawn(accept_all(listener, limits, Arc::new(handler), stopped));
    Server { addr, stop, task }
}

/// Waits for a conn as [`Listener::accept`] does, and after a failed attempt waits a moment, which
/// `backoff` keeps, before it tries again.
///
/// # Errors
/// Only [`Error::Finished`].
///
/// # Cancel safety
/// Dropping the future loses no conn, and the moment of waiting goes on in `backoff`.
pub async fn accept_next<L: Listener>(
    listener: &mut L,
    backoff: &mut Backoff,
) -> Result<Conn<L::Reader, L::Writer>> {
    loop {
        if let Some(until) = backoff.until {
            tokio::time::sleep_until(until).await;
        }
        match listener.accept().await {
            Ok(conn) => {
                backoff.succeeded();
                return Ok(conn);
            }
            Err(Error::Finished) => return Err(Error::Finished),
            Err(error) => {
                tracing::debug!(addr = %listener.addr(), %error, "an attempt to accept failed");
                backoff.failed(Instant::now());
            }
        }
    }
}

/// How long to wait after failed attempts to accept: 10 ms, then twice as long each time, at most
/// 1 s, until one succeeds. It keeps a process without file descriptors from spinning.
#[derive(Debug, Default)]
pub struct Backoff {
    until: Option<Instant>,
    in_a_row: u32,
    failures: u64,
}

impl Backoff {
    /// How many attempts have failed so far.
    pub fn failures(&self) -> u64 {
        self.failures
    }

    fn failed(&mut self, now: Instant) {
        let delay = SHORTEST.saturating_mul(1 << self.in_a_row.min(16)).min(LONGEST);
        self.until = Some(now + delay);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.failures += 1;
    }

    fn succeeded(&mut self) {
        (self.until, self.in_a_row) = (None, 0);
    }
}

type Stopped = watch::Receiver<Option<Instant>>;

async fn accept_all<L, H, F>(
    mut listener: L,
    limits: Limits,
    handler: Arc<H>,
    mut stopped: Stopped,
) -> Served
where
    L: Listener,
    H: Fn(Arc<Info>, Bytes) -> F + Send + Sync + 'static,
    F: Future<Output = Option<Bytes>> + Send + 'static,
{
    let (mut total, mut backoff, mut conns) =
        (Served::default(), Backoff::default(), JoinSet::new());
    let mut most = limits.max_conns;
    loop {
        tokio::select! {
            biased;
            _ = stopped.changed() => break,
            Some(served) = conns.join_next() => total.add(served.unwrap_or_default()),
            conn = accept_next(&mut listener, &mut backoff), if conns.len() < most => {
                let Ok(conn) = conn else { break };
                total.accepted += 1;
                if conn.info.caps.end == End::None {
                    most = usize::MAX;
                }
                conns.spawn(serve_conn(conn, limits, handler.clone(), stopped.clone()));
            }
        }
    }
    total.failed_accepts = backoff.failures();
    drop(listener);
    drain(conns, total, stopped).await
}

/// Waits for the conns that are left, until the deadline of the stop if there was one.
async fn drain(mut conns: JoinSet<Served>, mut total: Served, mut stopped: Stopped) -> Served {
    loop {
        let deadline = *stopped.borrow_and_update();
        tokio::select! {
            biased;
            served = conns.join_next() => match served {
                Some(served) => total.add(served.unwrap_or_default()),
                None => return total,
            },
            () = until(deadline) => {
                total.aborted = conns.len() as u64;
                return total;
            }
            Ok(()) = stopped.changed() => (),
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn serve_conn<R, W, H, F>(
    conn: Conn<R, W>,
    limits: Limits,
    handler: Arc<H>,
    mut stopped: Stopped,
) -> Served
where
    R: Reader,
    W: Writer,
    H: Fn(Arc<Info>, Bytes) -> F,
    F: Future<Output = Option<Bytes>>,
{
    let Conn { info, mut reader, mut writer } = conn;
    let (info, mut served) = (Arc::new(info), Served::default());
    let (mut arrived, mut replies) = (Vec::new(), Batch::default());
    loop {
        let received = tokio::select! {
            biased;
            _ = stopped.wait_for(Option::is_some) => break,
            received = timeout(limits.idle, reader.recv(&mut arrived)) => received,
        };
        for message in arrived.drain(..) {
            served.messages += 1;
            replies.extend(handler(info.clone(), message).await);
            if GATHERED <= replies.bytes()
                && write(&mut writer, &mut replies, limits, &mut served).await.is_err()
            {
                return served;
            }
        }
        if write(&mut writer, &mut replies, limits, &mut served).await.is_err() {
            return served;
        }
        match received {
            Ok(Ok(())) => (),
            Ok(Err(_)) => break,
            Err(_) => {
                served.stalled += 1;
                return served;
            }
        }
    }
    let closed = timeout(limits.write, writer.close()).await;
    if matches!(closed, Ok(Ok(()))) && info.caps.end != End::None {
        served.discarded = read_to_end(reader, stopped).await;
    }
    served
}

async fn write(
    writer: &mut impl Writer,
    replies: &mut Batch,
    limits: Limits,
    served: &mut Served,
) -> Result<()> {
    if replies.is_empty() {
        return Ok(());
    }
    match timeout(limits.write, writer.send(replies)).await {
        Ok(sent) => sent,
        Err(_) => {
            served.stalled += 1;
            Err(Error::Timeout { doing: "sending replies".into(), after: limits.write })
        }
    }
}

/// Reads on after the close: on several carriers, unread input destroys replies on their way.
async fn read_to_end(mut reader: impl Reader, stopped: Stopped) -> u64 {
    let (deadline, mut discarded, mut arrived) = (*stopped.borrow(), 0, Vec::new());
    let deadline = deadline.unwrap_or_else(Instant::now);
    while let Ok(Ok(())) = timeout_at(deadline, reader.recv(&mut arrived)).await {
        discarded += arrived.drain(..).len() as u64;
    }
    discarded
}

impl Served {
    fn add(&mut self, conn: Self) {
        self.messages += conn.messages;
        self.discarded += conn.discarded;
        self.stalled += conn.stalled;
    }
}

/// Bytes of replies that are gathered before they are sent.
const GATHERED: usize = 256 << 10;
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);
