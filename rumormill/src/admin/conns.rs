//! Conns to the administration: how many there may be, and how long each may take.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};

use super::{
    asked::Asked,
    counts::{Counts, add},
    desk::{Desk, Door},
};

/// Where conns come in.
pub(super) trait Port: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    const DOOR: Door;
    /// How long a conn that asks nothing keeps its place from others who want it.
    const GRACE: Duration;
    fn accept(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Port for UnixListener {
    type Stream = UnixStream;
    const DOOR: Door = Door::Socket;
    // Its user may have many things going at once, and disturbs nobody but himself.
    const GRACE: Duration = Duration::from_secs(1);

    async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }
}

impl Port for TcpListener {
    type Stream = TcpStream;
    const DOOR: Door = Door::Tcp;
    // Strangers come faster than that only if they mean harm.
    const GRACE: Duration = Duration::from_millis(100);

    async fn accept(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.accept().await?;
        // What happens is told at once; and whoever has gone without a word, in the middle of a stream on
        // which nothing happens, is missed. Both can fail only for a conn that is gone already.
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE);
        stream.set_nodelay(true).unwrap_or_default();
        SockRef::from(&stream).set_tcp_keepalive(&keepalive).unwrap_or_default();
        Ok(stream)
    }
}

/// Serves whoever comes, until `ending`; those who have asked something then get a moment for the answer.
pub(super) async fn serve<P: Port, N: Asked>(
    port: P,
    desk: Arc<Desk<N>>,
    mut ending: watch::Receiver<bool>,
) {
    let (places, silent) = (Arc::new(Semaphore::new(CONNS)), Arc::<Silent>::default());
    let mut conns = JoinSet::new();
    let accepting = async {
        loop {
            let Ok(stream) = port.accept().await else {
                // No descriptors are left, most likely. They come back.
                sleep_until(Instant::now() + BREATH).await;
                continue;
            };
            let place = silent.place(&places, P::GRACE, &desk.counts).await;
            while conns.try_join_next().is_some() {}
            silent.enter(|number| {
                let guest = Guest { number, silent: silent.clone() };
                conns.spawn(attend(stream, P::DOOR, desk.clone(), guest, place))
            });
        }
    };
    tokio::select! {
        biased;
        _ = ending.wait_for(|is_ending| *is_ending) => (),
        () = accepting => (),
    }
    drop(port);
    silent.send_away();
    // Whoever is left then is cut off.
    let ended = async { while conns.join_next().await.is_some() {} };
    timeout(LINGER, ended).await.unwrap_or_default();
}

async fn attend<S: AsyncRead + AsyncWrite + Unpin, N: Asked>(
    stream: S,
    door: Door,
    desk: Arc<Desk<N>>,
    guest: Guest,
    _place: OwnedSemaphorePermit,
) {
    let _present = desk.counts.conn();
    let due = watch::Sender::new(Some(Instant::now() + HEAD));
    let (desk, due) = (&desk, &due);
    let service = service_fn(|request| {
        guest.has_asked();
        async move { Ok::<_, Infallible>(desk.answer(door, request, due).await) }
    });
    let mut http = http1::Builder::new();
    // One request each: nobody keeps a place that he does not use.
    http.keep_alive(false).max_buf_size(LONGEST_HEAD);
    tokio::select! {
        biased;
        () = passed(due.subscribe()) => add(&desk.counts.turned_away, 1),
        // What goes wrong on a conn is its peer's to know.
        _ = http.serve_connection(TokioIo::new(stream), service) => (),
    }
}

/// Waits until the time has passed by which something had to come, as it stands then.
async fn passed(mut due: watch::Receiver<Option<Instant>>) {
    loop {
        let until = *due.borrow_and_update();
        let waiting = async {
            match until {
                Some(until) => sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            changed = due.changed() => if changed.is_err() { std::future::pending().await },
            () = waiting => return,
        }
    }
}

/// Conns that have asked nothing yet, the oldest first: those that may have to make room.
#[derive(Debug, Default)]
struct Silent(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    conns: BTreeMap<u64, (Instant, AbortHandle)>,
}

/// A conn that has asked nothing yet.
#[derive(Debug)]
struct Guest {
    number: u64,
    silent: Arc<Silent>,
}

impl Silent {
    /// A place for one more conn. Where there is none, the oldest that has asked nothing for so long gives
    /// up its own.
    async fn place(
        &self,
        places: &Arc<Semaphore>,
        grace: Duration,
        counts: &Counts,
    ) -> OwnedSemaphorePermit {
        loop {
            tokio::select! {
                biased;
                place = places.clone().acquire_owned() => {
                    return place.expect("invariant: nobody closes the semaphore");
                }
                () = self.grown_old(grace) => (),
            }
            if let Some((_, (_, oldest))) = self.lock().conns.pop_first() {
                oldest.abort();
                add(&counts.turned_away, 1);
            }
        }
    }

    /// Waits until a conn has asked nothing for so long.
    async fn grown_old(&self, grace: Duration) {
        let oldest = self.lock().conns.first_key_value().map(|(_, (since, _))| *since);
        // Where all have asked something, one of them ends, or a new one comes.
        sleep_until(oldest.unwrap_or_else(Instant::now) + grace).await;
    }

    /// Remembers a conn before it can have asked anything.
    fn enter(&self, spawn: impl FnOnce(u64) -> AbortHandle) {
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        let conn = spawn(number);
        waiting.conns.insert(number, (Instant::now(), conn));
    }

    fn send_away(&self) {
        self.lock().conns.values().for_each(|(_, conn)| conn.abort());
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    fn has_asked(&self) {
        self.silent.lock().conns.remove(&self.number);
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.has_asked();
    }
}

/// Conns at once, by each way in. Beyond them, the oldest is cut off that has asked nothing for a moment.
const CONNS: usize = 64;
/// How long the head of a request may take to arrive, from when its conn was accepted.
const HEAD: Duration = Duration::from_secs(5);
/// Bytes of a head, at most.
const LONGEST_HEAD: usize = 16 << 10;
/// How long conns may take to end when the administration does.
pub(super) const LINGER: Duration = Duration::from_secs(1);
/// How long a conn of TCP is silent before its peer is asked whether it is there, and asked again.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How long to wait after a conn that the system could not hand over.
const BREATH: Duration = Duration::from_millis(50);
