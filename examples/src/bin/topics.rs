//! A broker with one topic, a subscriber who keeps up, and one who does not.
//!
//! `cargo run -p rumormill-examples --bin topics -- tcp://127.0.0.1:0`
//!
//! The topic keeps five messages for each subscriber, and drops the oldest of them when there are more.
//! Whoever comes back late gets the last five, and is told how many are missing before them.
//!
//! With `--delay 20ms` all that arrives comes later. A stream that lost messages would be none, so
//! `--drop` is refused.
#![expect(clippy::print_stdout, reason = "a program shows what it did")]

use std::{env, process::ExitCode};

use rumormill::broker::{
    Broker, Client, ClientConfig, Config, Incoming, Routing, SubscribeOptions, Subscription, Topic,
};
use rumormill_examples::{FAREWELL, Outcome, carriers, exit_code, of_streams};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(env::args().skip(1)).await)
}

async fn run(arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let (addr, faults) = of_streams(arguments)?;
    let news = Topic { routing: Routing::Fanout, max_messages: KEPT, ..Topic::default() };
    let config = Config { topics: [("news".parse()?, news)].into(), ..Config::default() };
    let broker = Broker::start(carriers(faults)?, None, config)?;
    let addr = broker.listen(&addr).await?;
    println!("the broker listens at {addr}");

    let connect = async || -> Outcome<Client> {
        Ok(Client::connect(carriers(faults)?, [addr.clone()], ClientConfig::default()).await?)
    };
    let (alice, bob, carol) = (connect().await?, connect().await?, connect().await?);
    let mut quick = alice.subscribe("news".parse()?, SubscribeOptions::default()).await?;
    // Nothing more comes before it has finished with what came.
    let one_by_one = SubscribeOptions { window: Some(1), ..SubscribeOptions::default() };
    let mut slow = bob.subscribe("news".parse()?, one_by_one).await?;

    let publisher = carol.publisher("news".parse()?);
    for number in 1..=MESSAGES {
        let receipt = publisher.publish_acknowledged(format!("headline {number}")).await?;
        next(&mut quick).await?;
        if number == 1 {
            println!("message 1 was queued for {} subscribers", receipt.subscribers);
        }
    }
    println!("the quick one has all {MESSAGES} messages; the slow one begins:");
    while next(&mut slow).await? != format!("headline {MESSAGES}") {}

    let report = carol.close(FAREWELL).await;
    println!("the publisher leaves {} unsent, {} uncertain", report.unsent, report.uncertain);
    drop((quick, slow));
    let _ = broker.stop(FAREWELL).await;
    Ok(())
}

async fn next(subscription: &mut Subscription) -> Outcome<String> {
    match subscription.next().await {
        Some(Incoming::Message(delivery)) => {
            let text = String::from_utf8_lossy(&delivery.payload).into_owned();
            println!("  {}: {text}", delivery.seq);
            Ok(text)
        }
        Some(Incoming::Gap(gap)) => {
            println!("  {} to {} are missing: {}", gap.from, gap.to, gap.reason);
            Ok(String::new())
        }
        None => Err("the subscription has ended".into()),
    }
}

const KEPT: usize = 5;
const MESSAGES: u32 = 20;
