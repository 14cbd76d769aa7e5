//! Jobs in a queue, workers who share them, and one who dies with a job in his hands.
//!
//! `cargo run -p rumormill-examples --bin work-queue -- tcp://127.0.0.1:0`
//!
//! Each job goes to one worker. One that was taken and not settled goes to somebody else when its
//! taker is gone, and says that it was delivered before.
//!
//! With `--delay 20ms` all that arrives comes later. A stream that lost messages would be none, so
//! `--drop` is refused.
#![expect(clippy::print_stdout, reason = "a program shows what it did")]

use std::{collections::BTreeSet, env, process::ExitCode};

use rumormill::broker::{
    Broker, Client, ClientConfig, Config, Delivery, Incoming, Routing, Settle, SubscribeOptions,
    Subscription, Topic,
};
use rumormill_examples::{FAREWELL, Outcome, carriers, exit_code, of_streams};
use tokio::task::JoinSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(env::args().skip(1)).await)
}

async fn run(arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let (addr, faults) = of_streams(arguments)?;
    let jobs = Topic { routing: Routing::Queue, ..Topic::default() };
    let config = Config { topics: [("jobs".parse()?, jobs)].into(), ..Config::default() };
    let broker = Broker::start(carriers(faults)?, None, config)?;
    let addr = broker.listen(&addr).await?;
    println!("the broker listens at {addr}");

    let connect = async || -> Outcome<Client> {
        Ok(Client::connect(carriers(faults)?, [addr.clone()], ClientConfig::default()).await?)
    };
    let boss = connect().await?;
    let publisher = boss.publisher("jobs".parse()?);
    for number in 1..=JOBS {
        publisher.publish_acknowledged(format!("job {number}")).await?;
    }
    println!("{JOBS} jobs wait for workers");

    let unlucky = connect().await?;
    let mut subscription = unlucky.subscribe("jobs".parse()?, ONE_BY_ONE).await?;
    let job = take(&mut subscription).await?;
    println!("a worker takes {}, and dies", text(&job));
    drop((subscription, unlucky));

    let mut workers = JoinSet::new();
    let (done, mut finished) = tokio::sync::mpsc::channel(16);
    for name in ["alice", "bob"] {
        let client = connect().await?;
        let mut subscription = client.subscribe("jobs".parse()?, ONE_BY_ONE).await?;
        let done = done.clone();
        workers.spawn(async move {
            while let Ok(job) = take(&mut subscription).await {
                subscription.done(&job);
                if done.send((name, text(&job), job.redelivered)).await.is_err() {
                    break;
                }
            }
        });
    }
    let mut left: BTreeSet<String> = (1..=JOBS).map(|number| format!("job {number}")).collect();
    while let Some((name, job, redelivered)) = finished.recv().await {
        let again = if 0 < redelivered { ", which was taken before" } else { "" };
        println!("  {name} did {job}{again}");
        left.remove(&job);
        if left.is_empty() {
            break;
        }
    }
    println!("all {JOBS} jobs are done");
    workers.shutdown().await;
    let _ = boss.close(FAREWELL).await;
    let _ = broker.stop(FAREWELL).await;
    Ok(())
}

async fn take(subscription: &mut Subscription) -> Outcome<Delivery> {
    loop {
        match subscription.next().await {
            Some(Incoming::Message(job)) => return Ok(job),
            Some(Incoming::Gap(_)) => (),
            None => return Err("the subscription has ended".into()),
        }
    }
}

fn text(job: &Delivery) -> String {
    String::from_utf8_lossy(&job.payload).into_owned()
}

/// The next job comes when the one before is settled.
const ONE_BY_ONE: SubscribeOptions = SubscribeOptions { window: Some(1), settle: Settle::Manual };
const JOBS: u32 = 10;
