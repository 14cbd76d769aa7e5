//! `rumormill pub`: messages for a topic.

use std::{collections::VecDeque, fs, path::PathBuf, process::ExitCode, time::Duration};

use rumormill::{
    Addr,
    broker::{Client, ClientConfig, PublishError, Publisher, Submitted, TopicName},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::{Interval, MissedTickBehavior, interval, timeout},
};

use super::{
    Error, Result, output,
    quantity::grouped,
    reached::{DEFAULT_ADDRESS, Reached, Teller},
    signals::Signals,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
With neither MESSAGE nor --file, each line of standard input is a message. What is lost or refused is told, and
makes the exit code 1.

Example: rumormill pub events 'hello'
         tail -f app.log | rumormill pub logs --to unix:///run/rumormill/broker.sock")]
pub(crate) struct Args {
    /// The topic
    topic: TopicName,
    /// What to publish
    #[arg(conflicts_with = "file")]
    message: Option<String>,
    /// Where the broker is
    #[arg(long, value_name = "ADDR", default_value = DEFAULT_ADDRESS)]
    to: Addr,
    /// Publish what this file holds, as one message; - is standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Publish it so often; of standard input, so many lines at most [default: 1, or all]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Messages in a second, at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
    /// Wait until the broker has said of each message that it is queued
    #[arg(long)]
    ack: bool,
    /// How long what was published may take at the end to be sent, and to be acknowledged
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = super::quantity::duration)]
    deadline: Duration,
    #[command(flatten)]
    reached: Reached,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let mut signals = Signals::new()?;
    let once = args.once()?;
    let longest = once.as_ref().map_or(0, Vec::len).max(ClientConfig::default().max_message);
    let config = ClientConfig { max_message: longest, ..ClientConfig::default() };
    let client = args.reached.client_with(&args.to, config).await?;
    let teller = Teller::of(&client);
    let publisher = client.publisher(args.topic.clone());
    let mut work = Work::new(publisher, args.rate, args.ack);
    let done = tokio::select! {
        biased;
        () = signals.next() => Ok(()),
        done = work.run(once, args.count) => done,
    };
    let settled = tokio::select! {
        biased;
        () = signals.next() => Ok(()),
        // What has no receipt by then, `finish` counts.
        settled = timeout(args.deadline, work.settle_all()) => settled.unwrap_or(Ok(())),
    };
    let failed = done.and(settled);
    let code = finish(client, args.deadline, &work).await;
    drop(work);
    teller.end().await;
    failed.map(|()| code)
}

impl Args {
    /// The message, if there is but one.
    fn once(&self) -> Result<Option<Vec<u8>>> {
        match (&self.message, &self.file) {
            (Some(text), _) => Ok(Some(text.clone().into_bytes())),
            (None, Some(path)) => {
                let read = match path.as_os_str() == "-" {
                    true => whole(std::io::stdin()),
                    false => fs::read(path),
                };
                read.map(Some).map_err(|source| Error::Read { path: path.clone(), source })
            }
            (None, None) => Ok(None),
        }
    }
}

fn whole(mut from: impl std::io::Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).map(|_| bytes)
}

/// What is published, and what the broker has still to say of it.
struct Work {
    publisher: Publisher,
    pace: Option<Interval>,
    wants_ack: bool,
    waiting: VecDeque<Submitted>,
    subscribers: Option<u32>,
}

impl Work {
    fn new(publisher: Publisher, rate: Option<u32>, wants_ack: bool) -> Self {
        let pace = rate.map(|rate| {
            let mut pace = interval(Duration::from_secs(1) / rate);
            pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
            pace
        });
        Self { publisher, pace, wants_ack, waiting: VecDeque::new(), subscribers: None }
    }

    async fn run(&mut self, once: Option<Vec<u8>>, count: Option<u64>) -> Result<()> {
        if let Some(message) = once {
            for _ in 0..count.unwrap_or(1) {
                self.publish(&message).await?;
            }
            return Ok(());
        }
        let mut stdin = BufReader::new(tokio::io::stdin());
        let (mut line, mut left) = (Vec::new(), count.unwrap_or(u64::MAX));
        while 0 < left {
            line.clear();
            let read = stdin.read_until(b'\n', &mut line).await;
            if read.map_err(|source| Error::Input { source })? == 0 {
                break;
            }
            let message = line.strip_suffix(b"\n").unwrap_or(&line);
            let message = message.strip_suffix(b"\r").unwrap_or(message);
            self.publish(message).await?;
            left -= 1;
        }
        Ok(())
    }

    async fn publish(&mut self, message: &[u8]) -> Result<()> {
        if let Some(pace) = &mut self.pace {
            pace.tick().await;
        }
        if !self.wants_ack {
            return Ok(self.publisher.publish_when_room(message).await?);
        }
        self.waiting.push_back(self.publisher.submit_when_room(message).await?);
        while ON_THEIR_WAY < self.waiting.len() {
            self.settle_one().await?;
        }
        Ok(())
    }

    async fn settle_all(&mut self) -> Result<()> {
        while !self.waiting.is_empty() {
            self.settle_one().await?;
        }
        Ok(())
    }

    /// Hears of the oldest. One that was refused is told as it is, and counted by the client.
    ///
    /// Cancel-safe: it stays the oldest until it is heard of.
    async fn settle_one(&mut self) -> Result<()> {
        let Some(oldest) = self.waiting.front_mut() else { return Ok(()) };
        let outcome = oldest.await;
        self.waiting.pop_front();
        match outcome {
            Ok(receipt) => self.subscribers = Some(receipt.subscribers),
            Err(PublishError::Refused(_) | PublishError::Uncertain | PublishError::Unsent) => (),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// Sends what waits, and tells what became of everything.
async fn finish(client: Client, deadline: Duration, work: &Work) -> ExitCode {
    let handle = client.clone();
    let report = client.close(deadline).await;
    let stats = handle.stats();
    let refused: u64 = stats.refused.values().sum();
    let published = grouped(stats.published.saturating_sub(refused));
    let topic = work.publisher.topic();
    match (work.wants_ack, work.subscribers) {
        (true, last) => {
            let queued = grouped(stats.acknowledged);
            let last = last
                .map_or_else(String::new, |count| format!(", the last for {count} subscribers"));
            output::note(format_args!(
                "published to {topic}: {published}, of which queued: {queued}{last}"
            ));
        }
        (false, _) => output::note(format_args!("published to {topic}: {published}")),
    }
    for (count, what) in [
        (refused, "refused"),
        (report.unsent, "not sent"),
        (report.uncertain, "sent, and perhaps lost"),
    ] {
        if 0 < count {
            output::error(format_args!("messages {what}: {}", grouped(count)));
        }
    }
    match refused + report.unsent + report.uncertain {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Messages of which the broker has not said yet that they are queued.
const ON_THEIR_WAY: usize = 4_096;
