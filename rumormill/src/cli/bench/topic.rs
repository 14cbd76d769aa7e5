//! `rumormill bench --broker`: how fast messages come through a topic.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rumormill::{
    Addr,
    broker::{Client, Incoming, Publisher, Routing, SubscribeOptions, Subscription, TopicName},
    transport::Histogram,
};
use serde_json::{Value, json};
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use crate::cli::{
    Error, Result,
    peer::Peer,
    probe,
    quantity::{grouped, millis},
    signals::Signals,
};

/// What is measured.
pub(super) struct Course<'a> {
    pub(super) addr: &'a Addr,
    pub(super) topic: &'a TopicName,
    pub(super) subscribers: usize,
    pub(super) size: usize,
    pub(super) seconds: Duration,
}

/// What was found.
pub(super) struct Found<'a> {
    course: Course<'a>,
    routing: Routing,
    published: u64,
    delivered: u64,
    lost: u64,
    elapsed: Duration,
    /// From publishing to having, one message at a time.
    latency: Histogram,
}

/// What subscribers have, so far.
struct Seen {
    began: Instant,
    routing: Routing,
    size: usize,
    received: Vec<AtomicU64>,
    lost: AtomicU64,
    is_calm: AtomicBool,
    latency: Mutex<Histogram>,
    news: Notify,
}

impl<'a> Course<'a> {
    pub(super) async fn run(self, peer: &Peer, signals: &mut Signals) -> Result<Found<'a>> {
        let publisher = peer.broker(self.addr, self.size).await?;
        let (mut clients, mut subscriptions) = (Vec::new(), Vec::new());
        for _ in 0..self.subscribers {
            let client = peer.broker(self.addr, self.size).await?;
            subscriptions.push(self.subscribe(&client).await?);
            clients.push(client);
        }
        let routing = subscriptions.first().map_or(Routing::Fanout, Subscription::routing);
        let seen = Arc::new(Seen::new(self.size, self.subscribers, routing));
        let mut reading = JoinSet::new();
        for (at, subscription) in subscriptions.into_iter().enumerate() {
            reading.spawn(read(subscription, seen.clone(), at));
        }
        let into = publisher.publisher(self.topic.clone());
        let measured = tokio::select! {
            biased;
            () = signals.next() => Err(Error::Interrupted),
            measured = self.measure(&into, &seen, peer.timeouts().read) => measured,
        };
        reading.shutdown().await;
        for client in clients.into_iter().chain([publisher]) {
            let _ = client.close(FAREWELL).await;
        }
        let (published, elapsed) = measured?;
        let latency = seen.latency().clone();
        let (delivered, lost) = (seen.delivered(), seen.lost.load(Relaxed));
        Ok(Found { course: self, routing, published, delivered, lost, elapsed, latency })
    }

    async fn subscribe(&self, client: &Client) -> Result<Subscription> {
        let subscribed = client.subscribe(self.topic.clone(), SubscribeOptions::default()).await;
        subscribed.map_err(|source| Error::Subscribe { topic: self.topic.clone(), source })
    }

    /// One at a time for a fifth of the time, then as fast as the slowest subscriber takes them. How many
    /// were published then, and in which time they arrived.
    async fn measure(
        &self,
        publisher: &Publisher,
        seen: &Seen,
        patience: Duration,
    ) -> Result<(u64, Duration)> {
        let mut published = 0;
        let until = Instant::now() + self.seconds / 5;
        while Instant::now() < until {
            publisher.publish_when_room(seen.message()).await?;
            published += 1;
            self.caught_up(seen, published, 0, patience).await?;
        }
        seen.is_calm.store(false, Relaxed);
        seen.received.iter().for_each(|count| count.store(0, Relaxed));
        let (began, mut published) = (Instant::now(), 0);
        let ahead = (IN_FLIGHT / self.size.max(1) as u64).clamp(1, MOST);
        let until = began + self.seconds * 4 / 5;
        while Instant::now() < until {
            for _ in 0..ahead.min(64) {
                publisher.publish_when_room(seen.message()).await?;
                published += 1;
            }
            self.caught_up(seen, published, ahead, patience).await?;
        }
        self.caught_up(seen, published, 0, patience).await?;
        Ok((published, began.elapsed()))
    }

    /// Waits until the slowest is no more than so many messages behind.
    async fn caught_up(
        &self,
        seen: &Seen,
        published: u64,
        ahead: u64,
        patience: Duration,
    ) -> Result<()> {
        let mut deadline = Instant::now() + patience;
        let mut before = seen.arrived();
        while before + ahead < published {
            let waited = timeout_at(deadline, seen.news.notified()).await;
            let now = seen.arrived();
            if waited.is_err() && now == before {
                return Err(Error::NothingArrives { topic: self.topic.clone(), after: patience });
            }
            if before < now {
                deadline = Instant::now() + patience;
            }
            before = now;
        }
        Ok(())
    }
}

async fn read(mut subscription: Subscription, seen: Arc<Seen>, at: usize) {
    while let Some(first) = subscription.next().await {
        let mut next = Some(first);
        while let Some(incoming) = next {
            seen.take(at, &incoming);
            next = subscription.try_next();
        }
        seen.news.notify_one();
    }
}

impl Seen {
    fn new(size: usize, subscribers: usize, routing: Routing) -> Self {
        Self {
            began: Instant::now(),
            routing,
            size,
            received: (0..subscribers).map(|_| AtomicU64::new(0)).collect(),
            lost: AtomicU64::new(0),
            is_calm: AtomicBool::new(true),
            latency: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// A message that says when it was made.
    fn message(&self) -> bytes::Bytes {
        probe::message(self.began.elapsed().as_nanos() as u64, self.size)
    }

    fn take(&self, at: usize, incoming: &Incoming) {
        let count = match incoming {
            Incoming::Message(delivery) => {
                // Others may publish there, too.
                let Some(made) = probe::number(&delivery.payload, self.size) else { return };
                if self.is_calm.load(Relaxed) {
                    let now = self.began.elapsed();
                    self.latency().record(now.saturating_sub(Duration::from_nanos(made)));
                }
                1
            }
            Incoming::Gap(gap) => {
                let missing = gap.missing().unwrap_or_default();
                self.lost.fetch_add(missing, Relaxed);
                missing
            }
        };
        if let Some(received) = self.received.get(at) {
            received.fetch_add(count, Relaxed);
        }
    }

    /// What has come to the slowest, or in a queue to all together.
    fn arrived(&self) -> u64 {
        let counts = self.received.iter().map(|count| count.load(Relaxed));
        match self.routing {
            Routing::Fanout => counts.min().unwrap_or_default(),
            Routing::Queue => counts.sum(),
        }
    }

    fn delivered(&self) -> u64 {
        let all: u64 = self.received.iter().map(|count| count.load(Relaxed)).sum();
        all.saturating_sub(self.lost.load(Relaxed))
    }

    fn latency(&self) -> MutexGuard<'_, Histogram> {
        self.latency.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found<'_> {
    pub(super) fn text(&self) -> String {
        let Course { addr, topic, subscribers, size, .. } = self.course;
        let routing = self.routing();
        let head = format!(
            "{addr}: {routing} {topic}, messages of {size} bytes, subscribers: {subscribers}"
        );
        let [published, delivered] = [self.published, self.delivered].map(|it| self.rate_text(it));
        let lost = match self.lost {
            0 => String::new(),
            lost => format!(
                "\nlost        {:>13} messages, dropped by the topic's policy",
                grouped(lost)
            ),
        };
        let times = &self.latency;
        let shown = [times.quantile(0.5), times.quantile(0.99), times.max()].map(millis).join("/");
        let count = grouped(times.count());
        format!(
            "{head}\npublished   {published}\ndelivered   {delivered}{lost}\nlatency     p50/p99/max = {shown} ms, \
             of {count} one at a time"
        )
    }

    pub(super) fn value(&self) -> Value {
        let Course { addr, topic, subscribers, size, .. } = self.course;
        let (times, seconds) = (&self.latency, self.elapsed.as_secs_f64());
        json!({
            "addr": addr.to_string(),
            "topic": topic.as_str(),
            "routing": self.routing(),
            "subscribers": subscribers,
            "message_bytes": size,
            "elapsed_seconds": seconds,
            "published_per_second": self.rate(self.published),
            "deliveries_per_second": self.rate(self.delivered),
            "bytes_per_second": self.rate(self.delivered) * size as f64,
            "lost_messages": self.lost,
            "latency": {
                "count": times.count(),
                "p50_seconds": times.quantile(0.5).as_secs_f64(),
                "p99_seconds": times.quantile(0.99).as_secs_f64(),
                "max_seconds": times.max().as_secs_f64(),
            },
        })
    }

    fn routing(&self) -> &'static str {
        match self.routing {
            Routing::Fanout => "fanout",
            Routing::Queue => "queue",
        }
    }

    fn rate(&self, count: u64) -> f64 {
        count as f64 / self.elapsed.as_secs_f64().max(f64::EPSILON)
    }

    fn rate_text(&self, count: u64) -> String {
        let rate = self.rate(count);
        let megabytes = rate * self.course.size as f64 / 1e6;
        format!("{:>13} messages/s  {megabytes:>9.1} MB/s", grouped(rate.round() as u64))
    }
}

/// How long the end may take.
const FAREWELL: Duration = Duration::from_millis(500);
/// Bytes that are ahead of the slowest subscriber, and messages at most.
const IN_FLIGHT: u64 = 4 << 20;
const MOST: u64 = 8_192;
