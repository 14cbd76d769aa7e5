//! Many dialers at once: who is served, who is given up, and what is counted.

use std::{
    future::{Future, pending, ready},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use rumormill_transport_api::{Counters, Error, Handshakes, Result};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep_until, timeout},
};

const DEADLINE: Duration = Duration::from_secs(5);
const A: &str = "10.0.0.1";
const B: &str = "10.0.0.2";

struct Shaking {
    handshakes: Handshakes<u32>,
    counters: Arc<Counters>,
}

impl Shaking {
    fn new(max: usize) -> Self {
        let counters = Arc::<Counters>::default();
        Self { handshakes: Handshakes::new(max, DEADLINE, counters.clone()), counters }
    }

    fn start<S>(&mut self, from: &str, hello: impl Future<Output = Result<S>> + Send + 'static)
    where
        S: Future<Output = Result<u32>> + Send + 'static,
    {
        self.handshakes.start(ip(from), hello);
    }

    /// Somebody who never says anything.
    fn silent(&mut self, from: &str) {
        self.start(from, pending::<Result<std::future::Ready<_>>>());
    }

    /// Somebody who speaks at once, and then never again.
    fn stalling(&mut self, from: &str) {
        self.start(from, ready(Ok(pending())));
    }

    /// Somebody who needs `millis` for the handshake.
    fn honest(&mut self, from: &str, name: u32, millis: u64) {
        self.start(from, ready(Ok(after(millis, name))));
    }

    /// The next conn, and how many milliseconds it took.
    async fn next(&mut self) -> (u32, u64) {
        let start = Instant::now();
        let conn = loop {
            if let Some(conn) = self.handshakes.step().await {
                break conn;
            }
        };
        (conn, start.elapsed().as_millis() as u64)
    }

    /// Goes on for so long, in which no handshake may succeed.
    async fn run(&mut self, millis: u64) {
        let nobody = timeout(Duration::from_millis(millis), self.next()).await;
        assert!(nobody.is_err(), "{nobody:?}");
    }

    fn counted(&self) -> [u64; 3] {
        let Counters { conns_evicted, conns_refused, conns_vanished, .. } = &*self.counters;
        [conns_evicted.get(), conns_refused.get(), conns_vanished.get()]
    }

    fn pending(&self) -> String {
        format!("{:?}", self.handshakes)
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

async fn after(millis: u64, name: u32) -> Result<u32> {
    sleep_until(Instant::now() + Duration::from_millis(millis)).await;
    Ok(name)
}

#[tokio::test(start_paused = true)]
async fn handshakes_go_on_side_by_side() {
    let mut shaking = Shaking::new(100);
    shaking.silent(A);
    shaking.stalling(A);
    for name in 0..20 {
        shaking.honest(A, name, 100);
    }
    let start = Instant::now();
    for _ in 0..20 {
        shaking.next().await;
    }
    assert_eq!(start.elapsed(), Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn silence_and_handshakes_end_at_the_deadline() {
    let mut shaking = Shaking::new(100);
    shaking.silent(A);
    shaking.stalling(A);
    shaking.run(4_999).await;
    assert_eq!(shaking.counted(), [0, 0, 0]);
    shaking.run(2).await;
    assert_eq!(shaking.counted(), [0, 0, 2]);
    assert!(shaking.pending().contains("pending: 0"), "{}", shaking.pending());
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_slot_ends_after_four_deadlines() {
    let mut shaking = Shaking::new(1024);
    for _ in 0..500 {
        shaking.stalling(A);
    }
    // Half of the 64 slots, four times, while all the others wait.
    shaking.run(19_990).await;
    assert_eq!(shaking.counted(), [0, 0, 3 * 32]);
    shaking.run(6_000).await;
    assert_eq!(shaking.counted(), [0, 0, 500]);
    assert!(shaking.pending().contains("pending: 0"), "{}", shaking.pending());
}

#[tokio::test(start_paused = true)]
async fn failures_are_counted_and_not_returned() {
    let mut shaking = Shaking::new(100);
    let refused = || Error::protocol("a handshake is a handshake");
    shaking.start(A, ready(Err::<std::future::Ready<_>, _>(refused())));
    shaking.start(A, ready(Ok(ready(Err(refused())))));
    shaking.start(A, ready(Ok(async { panic!("a panic costs its conn only") })));
    shaking.run(1).await;
    assert_eq!(shaking.counted(), [0, 0, 3]);
    shaking.honest(A, 7, 1);
    assert_eq!(shaking.next().await, (7, 1));
}

#[tokio::test(start_paused = true)]
async fn silent_ones_make_room() {
    let mut shaking = Shaking::new(1024);
    for _ in 0..5_000 {
        assert!(shaking.handshakes.has_room());
        shaking.silent(A);
    }
    shaking.honest(A, 1, 10);
    shaking.honest(B, 2, 20);
    assert_eq!(shaking.next().await, (1, 10));
    assert_eq!(shaking.next().await, (2, 10));
    assert_eq!(shaking.counted(), [5_002 - 1024, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_source_is_not_given_up_for_a_busy_one() {
    let mut shaking = Shaking::new(10);
    shaking.start(B, async { after(1_000, 5).await.map(|name| ready(Ok(name))) });
    for _ in 0..100 {
        shaking.silent(A);
    }
    assert_eq!(shaking.next().await, (5, 1_000));
}

#[tokio::test(start_paused = true)]
async fn slow_speakers_lock_nobody_else_out() {
    let mut shaking = Shaking::new(1024);
    for _ in 0..500 {
        shaking.stalling(A);
    }
    shaking.run(10).await;
    for source in 0..20 {
        shaking.honest(&format!("10.1.0.{source}"), source, 100);
    }
    let start = Instant::now();
    for _ in 0..20 {
        shaking.next().await;
    }
    assert_eq!(start.elapsed(), Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_table_of_speakers_has_room_again_after_a_fifth_of_the_deadline() {
    let mut shaking = Shaking::new(50);
    for _ in 0..50 {
        shaking.stalling(A);
    }
    shaking.run(10).await;
    assert!(!shaking.handshakes.has_room());
    shaking.honest(B, 0, 0);
    assert_eq!(shaking.counted(), [0, 1, 0], "nobody is started without room");
    shaking.run(989).await;
    assert!(!shaking.handshakes.has_room());
    shaking.run(1).await;
    assert!(shaking.handshakes.has_room());
    assert_eq!(shaking.counted(), [1, 1, 0]);
    shaking.honest(B, 1, 10);
    assert_eq!(shaking.next().await, (1, 10));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_step_loses_nothing() {
    let mut shaking = Shaking::new(1024);
    for name in 0..100 {
        shaking.honest(A, name, u64::from(name % 7));
    }
    let mut conns = Vec::new();
    while conns.len() < 100 {
        let step = timeout(Duration::ZERO, shaking.handshakes.step()).await;
        conns.extend(step.ok().flatten());
        after(1, 0).await.expect("a moment passes");
    }
    conns.sort_unstable();
    assert!(conns.into_iter().eq(0..100));
    assert_eq!(shaking.counted(), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_table_ends_all() {
    let mut shaking = Shaking::new(200);
    let mut ends = Vec::new();
    for stage in 0..100 {
        let (alive, end) = oneshot::channel::<()>();
        ends.push(end);
        let forever = async move {
            let _alive = alive;
            pending::<Result<u32>>().await
        };
        match stage % 2 {
            0 => shaking.start(A, async { forever.await.map(|name| ready(Ok(name))) }),
            _ => shaking.start(A, ready(Ok(forever))),
        }
    }
    shaking.run(10).await;
    drop(shaking);
    for end in ends {
        end.await.unwrap_err();
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_is_ready_where_nobody_dials() {
    let mut shaking = Shaking::new(1);
    shaking.run(60_000).await;
    shaking.honest(A, 1, 0);
    assert_eq!(shaking.next().await, (1, 0));
}
