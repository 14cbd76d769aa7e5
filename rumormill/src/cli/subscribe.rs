//! `rumormill sub`: the messages of topics, as they come.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rumormill::{
    Addr,
    broker::{Client, Delivery, Gap, Incoming, Settle, SubscribeOptions, Subscription, TopicName},
};
use serde_json::json;
use tokio::{
    task::{JoinSet, block_in_place},
    time::timeout,
};

use super::{
    Error, Result, output,
    reached::{DEFAULT_ADDRESS, Reached, Teller},
    signals::Signals,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints each message as it is, and a line's end behind it; escaped, on a terminal; behind its topic, if there are
several. What is missing, and why a topic ends, is told on standard error. Whenever it loses the broker it
connects again. Ends by a signal, after --count messages, or with exit code 1 when all topics have ended.

Example: rumormill sub events
         rumormill sub orders invoices --json --count 10 | jq .text")]
pub(crate) struct Args {
    /// The topics
    #[arg(value_name = "TOPIC", required = true)]
    topics: Vec<TopicName>,
    /// Where the broker is
    #[arg(long, value_name = "ADDR", default_value = DEFAULT_ADDRESS)]
    from: Addr,
    /// End after so many messages
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Print JSON objects, one in each line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reached: Reached,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let mut signals = Signals::new()?;
    let client = args.reached.client(&args.from).await?;
    let teller = Teller::of(&client);
    let print = Print {
        is_json: args.json,
        is_escaped: io::stdout().is_terminal(),
        has_topics: 1 < args.topics.len(),
    };
    let left = Arc::new(AtomicU64::new(args.count.unwrap_or(u64::MAX)));
    let mut reading = JoinSet::new();
    for topic in args.topics {
        let subscription = subscribe(&client, topic).await?;
        output::note(format_args!("subscribed to {}", subscription.topic()));
        reading.spawn(read(subscription, print, left.clone()));
    }
    let ended = tokio::select! {
        biased;
        () = signals.next() => Ok(ExitCode::SUCCESS),
        ended = all(&mut reading) => ended,
    };
    // One may be writing to somebody who reads no more.
    let _ = timeout(FAREWELL, reading.shutdown()).await;
    let _ = client.close(FAREWELL).await;
    drop(teller);
    ended
}

async fn subscribe(client: &Client, topic: TopicName) -> Result<Subscription> {
    let options = SubscribeOptions { settle: Settle::Manual, ..SubscribeOptions::default() };
    let subscribed = client.subscribe(topic.clone(), options).await;
    subscribed.map_err(|source| Error::Subscribe { topic, source })
}

/// Waits until one has had enough, or all have ended.
async fn all(reading: &mut JoinSet<Result<Over>>) -> Result<ExitCode> {
    while let Some(over) = reading.join_next().await {
        match over {
            Ok(Ok(Over::Ended)) => (),
            Ok(Ok(Over::Enough)) => return Ok(ExitCode::SUCCESS),
            Ok(Err(error)) => return Err(error),
            Err(error) => return Err(Error::Start { source: error.into() }),
        }
    }
    Ok(ExitCode::FAILURE)
}

/// Why a topic is not read any more.
enum Over {
    /// There are no more messages.
    Ended,
    /// So many were wanted.
    Enough,
}

async fn read(mut subscription: Subscription, print: Print, left: Arc<AtomicU64>) -> Result<Over> {
    let topic = subscription.topic().clone();
    let mut lines = Vec::new();
    loop {
        let mut next = subscription.next().await;
        let mut taken = Vec::new();
        while let Some(incoming) = next {
            match incoming {
                Incoming::Message(delivery) => {
                    if left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err() {
                        break;
                    }
                    print.put(&topic, &delivery, &mut lines);
                    taken.push(delivery);
                }
                Incoming::Gap(gap) => tell_gap(&topic, &gap),
            }
            if AT_ONCE < lines.len() {
                break;
            }
            next = subscription.try_next();
        }
        // Whoever reads them may be slow; the conn is kept meanwhile.
        block_in_place(|| write(&lines)).map_err(|source| Error::Output { source })?;
        lines.clear();
        // Only now: what nobody could read is delivered again.
        taken.iter().for_each(|delivery| subscription.done(delivery));
        if left.load(Relaxed) == 0 {
            subscription.unsubscribe().await;
            return Ok(Over::Enough);
        }
        if let Some(ended) = subscription.ended() {
            output::note(format_args!("{topic} has ended: {ended}"));
            return Ok(Over::Ended);
        }
    }
}

fn write(lines: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(lines)?;
    stdout.flush()
}

fn tell_gap(topic: &TopicName, gap: &Gap) {
    let Gap { from, to, reason } = gap;
    match gap.missing() {
        Some(count) => {
            output::note(format_args!("gap in {topic}: {count} messages, {from} to {to}: {reason}"))
        }
        None => output::note(format_args!("gap in {topic}: {reason}")),
    }
}

/// How messages are printed.
#[derive(Clone, Copy)]
struct Print {
    is_json: bool,
    is_escaped: bool,
    has_topics: bool,
}

impl Print {
    fn put(self, topic: &TopicName, delivery: &Delivery, lines: &mut Vec<u8>) {
        let bytes = &*delivery.payload;
        if self.is_json {
            let (kind, text) = match std::str::from_utf8(bytes) {
                Ok(text) => ("text", text.into()),
                Err(_) => ("base64", STANDARD.encode(bytes)),
            };
            let (seq, again) = (delivery.seq, delivery.redelivered);
            let mut said = json!({ "topic": topic.as_str(), "seq": seq, "redelivered": again });
            said[kind] = text.into();
            lines.extend(output::in_line(&said).bytes());
        } else {
            if self.has_topics {
                lines.extend(format!("{topic}: ").bytes());
            }
            match self.is_escaped {
                true => lines.extend(shown(&String::from_utf8_lossy(bytes)).bytes()),
                false => lines.extend(bytes),
            }
        }
        lines.push(b'\n');
    }
}

/// Text in which nothing steers a terminal.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for letter in text.chars() {
        match letter {
            '"' | '\'' | '\\' | '\t' => shown.push(letter),
            _ => shown.extend(letter.escape_debug()),
        }
    }
    shown
}

/// How long the end may take.
const FAREWELL: Duration = Duration::from_secs(2);
/// Bytes that are gathered before they are written.
const AT_ONCE: usize = 64 << 10;
