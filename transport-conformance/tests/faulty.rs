//! What `Faulty` does to the conns of a transport in memory, in simulated time.

use std::{
    collections::BTreeSet,
    future::Future,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rumormill_transport_api::{
    Addr, AnyTransport, Batch, Caps, Conn, Delivery, Error, FrameReader, FrameWriter, Framing,
    Info, Listener, Reader, Result, Target, Transport, Writer,
};
use rumormill_transport_conformance::{Faults, Faulty, FaultyReader, FaultyWriter, Tally};
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
    time::{Instant, sleep_until, timeout},
};

#[tokio::test(start_paused = true)]
async fn without_faults_nothing_changes() {
    let start = Instant::now();
    for way in [Way::In, Way::Out] {
        let run = carry(Faults::default(), way, Calls::Awaited).await;
        assert_eq!((run.got, run.tally), ((0..N).collect(), Tally::default()));
    }
    assert_eq!(start.elapsed(), ms(0));
}

#[tokio::test(start_paused = true)]
async fn messages_vanish_or_arrive_twice_in_both_directions() {
    let faults = Faults { drop: 0.15, duplicate: 0.2, ..seeded() };
    for way in [Way::In, Way::Out] {
        let run = carry(faults, way, Calls::Awaited).await;
        let Tally { dropped, duplicated, .. } = run.tally;
        assert_share(dropped, 0.15);
        assert_share(duplicated, 0.85 * 0.2);
        assert!(run.got.is_sorted() && distinct(&run.got) == u64::from(N) - dropped);
        assert_eq!(run.got.len() as u64, u64::from(N) - dropped + duplicated);
    }
}

#[tokio::test(start_paused = true)]
async fn messages_change_places_in_both_directions() {
    // One of eleven, as one that overtakes is not held; and the last of a batch of ten sent stays.
    for (way, share) in [(Way::In, 0.1 / 1.1), (Way::Out, 0.9 * 0.1 / 1.1)] {
        let run = carry(Faults { reorder: 0.1, ..seeded() }, way, Calls::Awaited).await;
        assert_share(run.tally.reordered, share);
        let moved = run.got.windows(2).filter(|pair| pair[1] < pair[0]).count() as u64;
        assert_eq!((moved, distinct(&run.got)), (run.tally.reordered, u64::from(N)));
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_brings_the_same_fate() {
    let faults = Faults { drop: 0.1, duplicate: 0.1, reorder: 0.1, ..seeded() };
    for way in [Way::In, Way::Out] {
        let first = carry(faults, way, Calls::Awaited).await;
        let again = carry(faults, way, Calls::Awaited).await;
        assert_eq!((first.got, first.tally), (again.got, again.tally));
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_exact_and_delays_the_end_too() {
    let (faulty, mut near, mut far) = pair(WIDE, Faults { delay: ms(50), ..seeded() }).await;
    let (start, mut got) = (Instant::now(), Vec::new());
    let receive = async {
        let mut at = Vec::new();
        while near.reader.recv(&mut got).await.is_ok() {
            at.push(start.elapsed());
        }
        (at, start.elapsed())
    };
    let send = async {
        far.writer.send(&mut batch(0..3)).await.unwrap();
        sleep_until(start + ms(20)).await;
        far.writer.send(&mut batch(3..4)).await.unwrap();
        sleep_until(start + ms(90)).await;
        far.writer.close().await.unwrap();
    };
    let ((at, end), ()) = tokio::join!(receive, send);
    assert_eq!((at, end, faulty.tally().delayed), (vec![ms(50), ms(70)], ms(140), 4));
}

#[tokio::test(start_paused = true)]
async fn jitter_keeps_the_order_and_delays_only_what_arrives() {
    let (faulty, near, far) = pair(WIDE, Faults { delay: ms(9), jitter: ms(40), ..seeded() }).await;
    assert_eq!((faulty.caps(), near.info.caps), (Caps::STREAM, Caps::STREAM));
    let start = Instant::now();
    let (got, _) = flow(near.writer, far.reader, 2000, Calls::Awaited).await;
    assert_eq!((got.len(), start.elapsed(), faulty.tally()), (2000, ms(0), Tally::default()));
    let (got, _) = flow(far.writer, near.reader, 2000, Calls::Awaited).await;
    assert_eq!((got, faulty.tally().delayed), ((0..2000).collect(), 2000));
    assert!(ms(48) <= start.elapsed() && start.elapsed() <= ms(50));
}

#[tokio::test(start_paused = true)]
async fn close_sends_what_a_dropped_send_left() {
    let (_, mut near, mut far) = pair(NARROW, Faults { reorder: 1.0, ..seeded() }).await;
    let mut batch = batch(0..1000);
    assert!(timeout(ms(1), near.writer.send(&mut batch)).await.is_err() && batch.is_empty());
    let (closed, got) = tokio::join!(near.writer.close(), receive_all(&mut far.reader));
    assert!(closed.is_ok() && matches!(near.writer.close().await, Err(Error::Closed)));
    assert_eq!((got[0], got[1], got.len()), (1, 0, 1000));
}

#[tokio::test(start_paused = true)]
async fn a_cut_at_a_sent_message_ends_everything_behind_it() {
    let (faulty, mut near, mut far) = pair(WIDE, Faults { cut_after: Some(5), ..seeded() }).await;
    let (mut sending, mut got) = (batch(0..10), Vec::new());
    let (reading, sending) = (near.reader.recv(&mut got), near.writer.send(&mut sending));
    let both = tokio::join!(soon(reading), soon(sending));
    assert!(matches!(both, (Err(Error::Cut { .. }), Err(Error::Cut { .. }))));
    assert_eq!(receive_all(&mut far.reader).await, [0, 1, 2, 3, 4]);
    assert!(matches!(far.writer.send(&mut batch(0..1)).await, Err(Error::Cut { .. })));
    assert!(matches!(near.reader.recv(&mut got).await, Err(Error::Closed)));
    assert!(matches!(near.writer.send(&mut batch(0..1)).await, Err(Error::Closed)));
    assert!(matches!(near.writer.close().await, Err(Error::Closed)));
    assert_eq!(faulty.tally(), Tally { cut: 1, ..Tally::default() });
}

#[tokio::test(start_paused = true)]
async fn a_cut_at_a_received_message_reaches_a_writer_that_nobody_calls() {
    let faults = Faults { cut_after: Some(3), delay: ms(50), ..seeded() };
    let (faulty, mut near, mut far) = pair(WIDE, faults).await;
    let (start, mut got) = (Instant::now(), Vec::new());
    far.writer.send(&mut batch(0..5)).await.unwrap();
    near.reader.recv(&mut got).await.unwrap();
    assert_eq!(numbers(&got), [0, 1, 2]);
    assert!(matches!(near.reader.recv(&mut got).await, Err(Error::Cut { .. })));
    assert_eq!((start.elapsed(), faulty.tally().cut), (ms(50), 1));
    // This carrier cannot tell a writer that was dropped from one that was closed.
    assert!(matches!(soon(far.reader.recv(&mut got)).await, Err(Error::Closed)));
    assert!(matches!(far.writer.send(&mut batch(0..1)).await, Err(Error::Cut { .. })));
    assert!(matches!(near.reader.recv(&mut got).await, Err(Error::Closed)));
    assert!(matches!(near.writer.close().await, Err(Error::Cut { .. })));
    assert!(matches!(near.writer.close().await, Err(Error::Closed)));
}

#[tokio::test(start_paused = true)]
async fn a_cut_wakes_a_writer_whose_peer_does_not_read() {
    let (_, mut near, mut far) = pair(NARROW, Faults { cut_after: Some(10), ..seeded() }).await;
    let (mut sending, mut unread) = (batch(0..10), batch(0..50));
    let (sent, got, refused) = tokio::join!(
        soon(near.writer.send(&mut sending)),
        receive_all(&mut near.reader),
        soon(far.writer.send(&mut unread)),
    );
    assert!(matches!((sent, refused), (Err(Error::Cut { .. }), Err(Error::Cut { .. }))));
    assert_eq!(got, (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn dropped_futures_lose_repeat_and_reorder_nothing() {
    let late = Faults { delay: ms(7), jitter: ms(5), ..seeded() };
    let lossy = Faults { drop: 0.1, duplicate: 0.1, ..seeded() };
    let shuffled = Faults { reorder: 0.1, ..lossy };
    let ways = [(late, Way::In), (lossy, Way::In), (lossy, Way::Out), (shuffled, Way::Out)];
    for (faults, way) in ways {
        let calm = carry(faults, way, Calls::Awaited).await;
        let hasty = carry(faults, way, Calls::Dropped).await;
        assert!(2000 < hasty.dropped, "{}", hasty.dropped);
        assert_eq!((calm.got, calm.tally), (hasty.got, hasty.tally));
    }
}

#[tokio::test(start_paused = true)]
async fn every_message_is_accounted_for_when_everything_happens() {
    let late = Faults { delay: ms(3), jitter: ms(4), ..seeded() };
    let faults = Faults { drop: 0.1, duplicate: 0.1, reorder: 0.2, ..late };
    let run = carry(faults, Way::In, Calls::Dropped).await;
    let Tally { dropped, duplicated, reordered, delayed, cut } = run.tally;
    assert!(2000 < run.dropped && 0 < reordered && cut == 0);
    assert_eq!(distinct(&run.got), u64::from(N) - dropped);
    assert_eq!(delayed, u64::from(N) - dropped + duplicated);
    assert_eq!(delayed, run.got.len() as u64);
}

#[tokio::test(start_paused = true)]
async fn too_large_ends_nothing_and_throws_no_dice() {
    let (faulty, mut near, _far) = pair(WIDE, Faults { drop: 1.0, ..seeded() }).await;
    let mut sending = batch(0..3);
    sending.push(vec![0; Caps::MAX_MESSAGE + 1]);
    let refused = near.writer.send(&mut sending).await;
    assert!(matches!(refused, Err(Error::TooLarge { max: Caps::MAX_MESSAGE, .. })));
    assert_eq!((sending.len(), faulty.tally()), (4, Tally::default()));
    near.writer.send(&mut batch(0..3)).await.unwrap();
    assert_eq!(faulty.tally().dropped, 3);
}

#[tokio::test(start_paused = true)]
async fn accepted_conns_suffer_too_and_so_does_any_transport() {
    let memory = Memory::new(WIDE);
    let drop = Faults { drop: 1.0, ..seeded() };
    let faulty = Faulty::new(AnyTransport::new(memory.clone()), drop);
    let listening = AnyTransport::new(faulty.clone()).listen(&target().addr).await;
    let far = memory.dial(&target()).await.unwrap();
    let near = listening.unwrap().accept().await.unwrap();
    assert_eq!(near.info.caps, Caps { delivery: Delivery::Datagram, ..Caps::STREAM });
    assert_eq!(flow(far.writer, near.reader, 10, Calls::Awaited).await.0, []);
    assert_eq!(faulty.tally().dropped, 10);
}

/// Which of the faulty end's halves is looked at.
#[derive(Clone, Copy)]
enum Way {
    In,
    Out,
}

/// What the caller does with futures that are not ready at once.
#[derive(Clone, Copy)]
enum Calls {
    Awaited,
    Dropped,
}

struct Run {
    got: Vec<u32>,
    tally: Tally,
    dropped: usize,
}

/// Sends the numbers to [`N`] over a conn with one faulty end.
async fn carry(faults: Faults, way: Way, calls: Calls) -> Run {
    let (faulty, near, far) = pair(NARROW, faults).await;
    let (got, dropped) = match way {
        Way::In => flow(far.writer, near.reader, N, calls).await,
        Way::Out => flow(near.writer, far.reader, N, calls).await,
    };
    Run { got, tally: faulty.tally(), dropped }
}

/// Sends `0..count`, ten to a batch, and closes; gives what arrived, and counts dropped futures.
async fn flow(
    mut writer: impl Writer,
    mut reader: impl Reader,
    count: u32,
    calls: Calls,
) -> (Vec<u32>, usize) {
    let (mut sends, mut recvs) = (Caller::new(calls, 1), Caller::new(calls, 2));
    let send = async {
        for first in (0..count).step_by(10) {
            let mut batch = batch(first..first + 10);
            while sends.call(writer.send(&mut batch)).await.is_none() {}
        }
        while sends.call(writer.close()).await.is_none() {}
    };
    let receive = async {
        let mut got = Vec::new();
        while recvs.call(reader.recv(&mut got)).await.is_none_or(|received| received.is_ok()) {}
        numbers(&got)
    };
    let ((), got) = tokio::join!(send, receive);
    (got, sends.dropped + recvs.dropped)
}

/// Awaits futures, or drops them after a short while at random.
struct Caller {
    calls: Calls,
    rng: StdRng,
    dropped: usize,
}

impl Caller {
    fn new(calls: Calls, seed: u64) -> Self {
        Self { calls, rng: StdRng::seed_from_u64(seed), dropped: 0 }
    }

    async fn call<O>(&mut self, future: impl Future<Output = O>) -> Option<O> {
        let patience = match self.calls {
            Calls::Awaited => ms(60_000),
            Calls::Dropped => ms(self.rng.random_bool(0.1).into()),
        };
        let output = timeout(patience, future).await.ok();
        self.dropped += usize::from(output.is_none());
        output
    }
}

async fn receive_all(reader: &mut impl Reader) -> Vec<u32> {
    let mut got = Vec::new();
    while soon(reader.recv(&mut got)).await.is_ok() {}
    numbers(&got)
}

async fn soon<O>(future: impl Future<Output = O>) -> O {
    timeout(ms(60_000), future).await.expect("it does not wait for ever")
}

fn batch(range: Range<u32>) -> Batch {
    range.map(|number| number.to_be_bytes().to_vec()).collect()
}

fn numbers(messages: &[Bytes]) -> Vec<u32> {
    messages.iter().map(|m| u32::from_be_bytes(m[..].try_into().expect("four bytes"))).collect()
}

fn distinct(numbers: &[u32]) -> u64 {
    numbers.iter().collect::<BTreeSet<_>>().len() as u64
}

fn assert_share(count: u64, share: f64) {
    let found = count as f64 / f64::from(N);
    assert!((found - share).abs() < share / 10.0, "{found} instead of {share}");
}

fn seeded() -> Faults {
    Faults { seed: 7, ..Faults::default() }
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// A faulty end, and the bare other one.
async fn pair(room: usize, faults: Faults) -> Pair {
    let memory = Memory::new(room);
    let mut listener = memory.listen(&target().addr).await.expect("nobody listens yet");
    let faulty = Faulty::new(memory, faults);
    let near = faulty.dial(&target()).await.expect("somebody listens");
    (faulty, near, listener.accept().await.expect("somebody dialled"))
}

fn target() -> Target {
    Addr::new("memory", "here").expect("a scheme").into()
}

#[derive(Clone)]
struct Memory {
    /// Bytes on their way in each direction.
    room: usize,
    door: mpsc::Sender<MemoryConn>,
    arrivals: Arc<Mutex<Option<mpsc::Receiver<MemoryConn>>>>,
}

struct Hall(Addr, mpsc::Receiver<MemoryConn>);

type MemoryConn = Conn<FrameReader<DuplexStream>, FrameWriter<DuplexStream>>;

impl Memory {
    fn new(room: usize) -> Self {
        let (door, arrivals) = mpsc::channel(8);
        Self { room, door, arrivals: Arc::new(Mutex::new(Some(arrivals))) }
    }

    fn end(read: DuplexStream, write: DuplexStream) -> MemoryConn {
        Conn {
            info: Info::new(target().addr, target().addr, Caps::STREAM),
            reader: FrameReader::new(read, Framing::default()),
            writer: FrameWriter::new(write, Framing::default()),
        }
    }
}

impl Transport for Memory {
    type Reader = FrameReader<DuplexStream>;
    type Writer = FrameWriter<DuplexStream>;
    type Listener = Hall;

    fn caps(&self) -> Caps {
        Caps::STREAM
    }

    async fn dial(&self, _: &Target) -> Result<MemoryConn> {
        let ((here, there), (write, read)) = (duplex(self.room), duplex(self.room));
        self.door.send(Self::end(there, write)).await.map_err(|_| Error::Closed)?;
        Ok(Self::end(read, here))
    }

    async fn listen(&self, addr: &Addr) -> Result<Hall> {
        let arrivals = self.arrivals.lock().expect("not poisoned").take();
        Ok(Hall(addr.clone(), arrivals.expect("the only listener")))
    }
}

impl Listener for Hall {
    type Reader = FrameReader<DuplexStream>;
    type Writer = FrameWriter<DuplexStream>;

    fn addr(&self) -> &Addr {
        &self.0
    }

    async fn accept(&mut self) -> Result<MemoryConn> {
        self.1.recv().await.ok_or(Error::Finished)
    }
}

type Pair = (Faulty<Memory>, Conn<FaultyReader<Memory>, FaultyWriter<Memory>>, MemoryConn);

const N: u32 = 10_000;
/// Bytes of a carrier that takes everything at once, and of one that takes a few messages.
const WIDE: usize = 1 << 20;
const NARROW: usize = 64;
