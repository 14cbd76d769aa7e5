//! What a call of `publish` takes, at a rate that does not wait for it.

use std::{
    thread,
    time::{Duration, Instant},
};

use rumormill_broker::{ClientConfig, Incoming, Publisher, SubscribeOptions};
use rustix::thread::set_current_timer_slack;
use tokio::runtime::{Builder, Runtime};

use crate::{
    Outcome,
    load::Delays,
    options::Options,
    ours::{connect, connect_as},
    say,
    serve::FANOUT,
    servers::Servers,
    table::{json, median},
};

pub(crate) fn measure(servers: &Servers, options: &Options) -> Outcome<()> {
    for (size, linger) in [(64, 0), (64, 2), (1 << 10, 0), (1 << 10, 2)] {
        let config = ClientConfig { linger: Duration::from_millis(linger), ..Default::default() };
        let rounds: Outcome<Vec<[f64; 3]>> =
            (0..options.rounds).map(|_| once(servers, &config, size, options.span)).collect();
        let rounds = rounds?;
        let [p50, p99, p999] = [0, 1, 2].map(|at| median(rounds.iter().map(|round| round[at])));
        match options.is_json {
            true => say(&format!(
                "{{\"part\":\"publish\",\"bytes\":{size},\"linger_ms\":{linger},\"p50_us\":{},\"p99_us\":{},\
                 \"p999_us\":{}}}",
                json(Some(p50)),
                json(Some(p99)),
                json(Some(p999))
            ))?,
            false => say(&format!(
                "publish of {size:>4} B at {RATE}/s, linger {linger} ms   p50 {p50:.2} µs   p99 {p99:.2} µs   \
                 p99.9 {p999:.2} µs"
            ))?,
        }
    }
    Ok(())
}

/// The client's tasks and a subscriber have a thread, the calls another.
fn once(
    servers: &Servers,
    config: &ClientConfig,
    size: usize,
    span: Duration,
) -> Outcome<[f64; 3]> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let publisher = start(&runtime, servers, config)?;
    let mut delays = calls(&publisher, size, span)?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    delays.sort_unstable();
    let delays = Delays(delays);
    Ok([500, 990, 999].map(|permille| delays.permille(permille)))
}

fn start(runtime: &Runtime, servers: &Servers, config: &ClientConfig) -> Outcome<Publisher> {
    runtime.block_on(async {
        let client = connect_as(&servers.ours.tcp, config.clone()).await?;
        let other = connect(&servers.ours.tcp).await?;
        let options = SubscribeOptions::default();
        let mut subscription = other.subscribe(FANOUT.parse()?, options).await?;
        tokio::spawn(async move {
            let _other = other;
            while let Some(Incoming::Message(_) | Incoming::Gap(_)) = subscription.next().await {}
        });
        Ok(client.publisher(FANOUT.parse()?))
    })
}

/// Nanoseconds of each call. Those that are late because the thread slept follow each other at once.
#[expect(clippy::disallowed_methods, reason = "reading the clock is what a benchmark does")]
fn calls(publisher: &Publisher, size: usize, span: Duration) -> Outcome<Vec<u64>> {
    // The system lets sleepers lie for 50 µs more, unless it is told not to.
    set_current_timer_slack(std::num::NonZeroU64::new(1))?;
    let (message, mut nanos) = (vec![b'.'; size], Vec::new());
    let (began, each) = (Instant::now(), Duration::from_secs(1) / RATE);
    while began.elapsed() < span {
        let due = began.elapsed().as_nanos() / each.as_nanos();
        while (nanos.len() as u128) < due {
            let before = Instant::now();
            publisher.publish(&message)?;
            nanos.push(before.elapsed().as_nanos() as u64);
        }
        thread::sleep(each);
    }
    Ok(nanos)
}

/// Calls in a second.
const RATE: u32 = 100_000;
