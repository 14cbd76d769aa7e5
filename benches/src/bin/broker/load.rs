//! A publisher and its subscribers, each side a thread; the broker is elsewhere.

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use tokio::{runtime::Builder, task::JoinSet};

use crate::{
    Outcome,
    cell::Cell,
    nats, ours,
    pace::Pace,
    run::{Run, Taker},
    servers::Place,
    usage::Usage,
};

/// What a run of the closed loop brought.
#[derive(Clone, Copy)]
pub(crate) struct Speed {
    /// Deliveries in a second.
    pub(crate) rate: f64,
    /// Nanoseconds of processor that the broker took for each.
    pub(crate) cpu: f64,
}

/// What messages took at a fixed rate, in nanoseconds, sorted.
pub(crate) struct Delays(pub(crate) Vec<u64>);

/// As many messages as go through the broker, for `span`.
pub(crate) fn speed(cell: Cell, place: &Place, span: Duration) -> Outcome<Speed> {
    let load = Load::start(cell, place, None)?;
    thread::sleep(span.min(WARM_UP));
    let (began, count, used) = load.now(place)?;
    thread::sleep(span);
    let (ended, until, use_until) = load.now(place)?;
    load.finish()?;
    let deliveries = (until - count) as f64;
    Ok(Speed {
        rate: deliveries / (ended - began).as_secs_f64(),
        cpu: use_until.cpu.saturating_sub(used.cpu).as_nanos() as f64 / deliveries,
    })
}

/// What messages take of which `rate` are due in a second, after the first `skip`.
pub(crate) fn delays(
    cell: Cell,
    place: &Place,
    span: Duration,
    rate: u32,
    skip: Duration,
) -> Outcome<Delays> {
    let load = Load::start(cell, place, Some(rate))?;
    thread::sleep(skip + span);
    let skip = (f64::from(rate) * skip.as_secs_f64()) as usize;
    let all = load.finish()?;
    let mut delays: Vec<u64> =
        all.iter().flat_map(|it| it.get(skip..).unwrap_or_default()).copied().collect();
    delays.sort_unstable();
    Ok(Delays(delays))
}

impl Delays {
    /// So many of a thousand took no longer, in microseconds.
    pub(crate) fn permille(&self, permille: usize) -> f64 {
        let at = (self.0.len() * permille / 1000).min(self.0.len().saturating_sub(1));
        self.0.get(at).map_or(f64::NAN, |&nanos| nanos as f64 / 1e3)
    }
}

/// A load that runs.
struct Load {
    run: Arc<Run>,
    /// How much it has published in the end.
    publisher: thread::JoinHandle<Outcome<u64>>,
    subscribers: thread::JoinHandle<Outcome<Vec<Vec<u64>>>>,
}

impl Load {
    /// Publishes as much as the subscribers can take, or `rate` messages a second.
    fn start(cell: Cell, place: &Place, rate: Option<u32>) -> Outcome<Self> {
        let run = Arc::new(Run::of(cell));
        let (ready, is_ready) = mpsc::sync_channel(1);
        let subscribers = thread::spawn({
            let (run, place) = (run.clone(), place.clone());
            move || block_on(subscribe(run, place, rate.is_some(), ready))
        });
        if is_ready.recv().is_err() {
            let ended = subscribers.join().map_err(|_| "the subscribers have panicked")?;
            return Err(ended.err().unwrap_or_else(|| "the subscribers have ended".into()));
        }
        let publisher = thread::spawn({
            let (run, place) = (run.clone(), place.clone());
            move || block_on(publish(run, place, rate))
        });
        Ok(Self { run, publisher, subscribers })
    }

    /// The time, what has been delivered, and what the broker has taken for it.
    fn now(&self, place: &Place) -> Outcome<(Duration, u64, Usage)> {
        Ok((self.run.now(), self.run.deliveries(), place.usage()?))
    }

    /// Ends it when all has arrived that was published, and checks that; each message's delay, if that
    /// was measured, of each subscriber.
    fn finish(self) -> Outcome<Vec<Vec<u64>>> {
        self.run.end();
        let until = self.run.now() + PATIENCE;
        let is_stuck = || !self.publisher.is_finished() && !self.subscribers.is_finished();
        while is_stuck() && self.run.now() < until {
            thread::sleep(MOMENT);
        }
        if self.subscribers.is_finished() {
            let ended = self.subscribers.join().map_err(|_| "the subscribers have panicked")?;
            return Err(ended.err().unwrap_or_else(|| "the subscribers have ended".into()));
        }
        if !self.publisher.is_finished() {
            let reached = self.run.reached();
            return Err(format!("{}: stuck after {reached} messages", self.run.cell).into());
        }
        let sent = self.publisher.join().map_err(|_| "the publisher has panicked")??;
        while self.run.reached() < sent && self.run.now() < until {
            thread::sleep(MOMENT);
        }
        self.run.close();
        let delays = self.subscribers.join().map_err(|_| "the subscribers have panicked")??;
        self.run.check(sent)?;
        Ok(delays)
    }
}

/// One thread: with the broker's two that is enough for two cores.
fn block_on<T>(work: impl Future<Output = Outcome<T>>) -> Outcome<T> {
    Builder::new_current_thread().enable_all().build()?.block_on(work)
}

async fn publish(run: Arc<Run>, place: Place, rate: Option<u32>) -> Outcome<u64> {
    let cell = run.cell;
    let mut publisher = match &place {
        Place::Nats { addr, .. } => Publisher::Nats(nats::Publisher::connect(*addr, cell).await?),
        Place::Ours { addr, topic, .. } => {
            Publisher::Ours(ours::Publisher::connect(addr, topic.clone(), cell).await?)
        }
    };
    let mut sent = 0;
    if let Some(rate) = rate {
        let mut pace = Pace::of(rate)?;
        let began = run.now();
        while !run.is_over() {
            // Each message is due when it would have been had nothing been late.
            for _ in 0..pace.due().await? {
                let due = began + Duration::from_secs(1).mul_f64(sent as f64 / f64::from(rate));
                publisher.publish(sent, 1, due.as_nanos() as u64).await?;
                sent += 1;
            }
        }
    } else {
        while run.room(sent).await {
            publisher.publish(sent, cell.chunk(), 0).await?;
            sent += cell.chunk();
        }
    }
    publisher.finish().await?;
    Ok(sent)
}

enum Publisher {
    Nats(nats::Publisher),
    Ours(ours::Publisher),
}

impl Publisher {
    async fn publish(&mut self, first: u64, count: u64, due: u64) -> Outcome<()> {
        match self {
            Self::Nats(publisher) => publisher.publish(first, count, due).await,
            Self::Ours(publisher) => publisher.publish(first, count, due).await,
        }
    }

    async fn finish(self) -> Outcome<()> {
        match self {
            Self::Nats(publisher) => publisher.finish().await,
            Self::Ours(publisher) => publisher.finish().await,
        }
    }
}

/// Subscribes as often as the cell says, tells when all have, and counts until the run is closed.
async fn subscribe(
    run: Arc<Run>,
    place: Place,
    is_timed: bool,
    ready: mpsc::SyncSender<()>,
) -> Outcome<Vec<Vec<u64>>> {
    let shape = run.cell.shape;
    let mut tasks = JoinSet::new();
    for number in 0..shape.subscribers() {
        let run = run.clone();
        match &place {
            Place::Nats { addr, .. } => {
                let subscriber = nats::Subscriber::connect(*addr, shape).await?;
                tasks.spawn(async move {
                    let mut taker = Taker::of(&run, number, is_timed);
                    tokio::select! {
                        ended = subscriber.run(&mut taker) => ended?,
                        () = run.closed() => (),
                    }
                    Outcome::Ok(taker.delays)
                });
            }
            Place::Ours { addr, topic, .. } => {
                let mut subscriber = ours::Subscriber::connect(addr, topic.clone()).await?;
                tasks.spawn(async move {
                    let mut taker = Taker::of(&run, number, is_timed);
                    tokio::select! {
                        ended = subscriber.run(&mut taker) => ended?,
                        () = run.closed() => (),
                    }
                    subscriber.finish().await;
                    Outcome::Ok(taker.delays)
                });
            }
        }
    }
    // Whoever waits for it is there until it comes.
    let _ = ready.send(());
    let mut delays = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        delays.push(ended??);
    }
    Ok(delays)
}

/// How long the load runs before it counts.
pub(crate) const WARM_UP: Duration = Duration::from_millis(200);
/// How long what is under way may take to arrive.
const PATIENCE: Duration = Duration::from_secs(15);
const MOMENT: Duration = Duration::from_millis(1);
