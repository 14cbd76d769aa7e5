//! `rumormill topics`: what goes through a running broker.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use rumormill::admin::{Client, Place, default_broker_socket};
use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    Error, Result,
    admin::{self, columns::cut, print_json},
    output,
    quantity::grouped,
    signals::Signals,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Shows all topics, again every second, until it is interrupted: messages published and delivered in a second,
what waits, what was dropped and refused since the start, and subscribers. * marks topics whose publishers wait.

Example: rumormill topics
         rumormill topics --json | jq '.[] | {topic, queued}'")]
pub(crate) struct Args {
    /// Where the broker is asked: the path of its socket, or tcp://HOST:PORT [default: RUMORMILL_ADMIN, then
    /// where `rumormill broker` listens by itself]
    #[arg(long, value_name = "PLACE")]
    admin: Option<Place>,
    /// The file of the token that tcp:// needs
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// Show them once, with what there was since the start in place of what there is in a second
    #[arg(long)]
    once: bool,
    /// Print JSON, once
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let mut signals = Signals::new()?;
    let client = admin::client(args.admin.as_ref(), args.token.as_deref(), default_broker_socket)?;
    let first = ask(&client).await?;
    if args.json {
        print_json(&first)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.once {
        table(&first, &Rates::none(), TOTALS).iter().try_for_each(output::line)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rates = Rates::since(&first, Instant::now());
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.tick().await;
    loop {
        tokio::select! {
            biased;
            () = signals.next() => return Ok(ExitCode::SUCCESS),
            _ = ticks.tick() => (),
        }
        let topics = ask(&client).await?;
        let (now, clear) = (Instant::now(), if io::stdout().is_terminal() { CLEAR } else { "" });
        let lines = table(&topics, &rates.until(now), RATES);
        output::line(format_args!("{clear}{}", lines.join("\n")))?;
        rates = Rates::since(&topics, now);
    }
}

async fn ask(client: &Client) -> Result<Value> {
    let asked = client.get_json("/topics").await;
    asked.map_err(|source| match source {
        rumormill::admin::ClientError::Nobody { place, source } => {
            Error::NoBroker { place, source }
        }
        source => source.into(),
    })
}

/// Numbers at a moment, from which rates follow.
struct Rates {
    before: BTreeMap<String, [u64; 2]>,
    at: Option<Instant>,
    seconds: f64,
}

impl Rates {
    /// Numbers as they are.
    fn none() -> Self {
        Self { before: BTreeMap::new(), at: None, seconds: 1.0 }
    }

    fn since(topics: &Value, at: Instant) -> Self {
        let rows = topics.as_array().into_iter().flatten();
        let before = rows.map(|topic| {
            let name = topic["topic"].as_str().unwrap_or_default().to_owned();
            (name, [count(&topic["published"]), count(&topic["delivered"])])
        });
        Self { before: before.collect(), at: Some(at), seconds: 1.0 }
    }

    fn until(mut self, now: Instant) -> Self {
        let elapsed = self.at.map_or(1.0, |at| now.saturating_duration_since(at).as_secs_f64());
        self.seconds = elapsed.max(0.001);
        self
    }

    fn of(&self, name: &str, now: [u64; 2]) -> [u64; 2] {
        let before = self.before.get(name).copied().unwrap_or_default();
        let rate = |now: u64, before: u64| {
            (now.saturating_sub(before) as f64 / self.seconds).round() as u64
        };
        [rate(now[0], before[0]), rate(now[1], before[1])]
    }
}

fn table(topics: &Value, rates: &Rates, heads: [&str; 2]) -> Vec<String> {
    let head = format!(
        "{:<20} {:<7} {:>5} {:>10} {:>10} {:>8} {:>7} {:>6}",
        "TOPIC", "ROUTING", "SUBS", heads[0], heads[1], "QUEUED", "DROPPED", "REF'D"
    );
    let rows = topics.as_array().into_iter().flatten().map(|topic| {
        let name = topic["topic"].as_str().unwrap_or_default();
        let [published, delivered] =
            rates.of(name, [count(&topic["published"]), count(&topic["delivered"])]);
        let sum = |value: &Value| -> u64 {
            value.as_object().into_iter().flatten().filter_map(|(_, it)| it.as_u64()).sum()
        };
        let routing = cut(topic["routing"].as_str().unwrap_or_default(), 6);
        let mark = if topic["blocked"] == true { "*" } else { "" };
        format!(
            "{:<20} {:<7} {:>5} {:>10} {:>10} {:>8} {:>7} {:>6}",
            cut(name, 20),
            format!("{routing}{mark}"),
            topic["subscribers"].as_u64().unwrap_or_default(),
            grouped(published),
            grouped(delivered),
            short(count(&topic["queued"])),
            short(sum(&topic["dropped"])),
            short(sum(&topic["refused"])),
        )
    });
    [head].into_iter().chain(rows).collect()
}

fn count(traffic: &Value) -> u64 {
    traffic["messages"].as_u64().unwrap_or_default()
}

/// A number in at most six letters.
fn short(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..10_000_000 => format!("{}k", number / 1_000),
        10_000_000..10_000_000_000 => format!("{}M", number / 1_000_000),
        _ => format!("{}G", number / 1_000_000_000),
    }
}

const TOTALS: [&str; 2] = ["PUBLISHED", "DELIVERED"];
const RATES: [&str; 2] = ["PUB/S", "DELIV/S"];
const PERIOD: Duration = Duration::from_secs(1);
/// What makes a terminal begin anew at its top.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::admin::columns::{WIDTH, columns_of};

    #[test]
    fn the_table_fits_a_terminal_and_whatever_is_missing_is_zero() {
        let traffic = |messages: u64| json!({ "messages": messages });
        let topics = |messages: u64| {
            json!([{
                "topic": "x".repeat(128), "routing": "fanout", "subscribers": 10_000, "blocked": true,
                "published": traffic(messages), "delivered": traffic(9 * messages),
                "queued": traffic(u64::MAX), "dropped": { "oldest": 3, "newest": 4 },
                "refused": { "full": u64::MAX / 2 },
            }, { "topic": "b" }])
        };
        let then = Instant::now();
        let rates = Rates::since(&topics(100), then).until(then + Duration::from_secs(2));
        let lines = table(&topics(1_100), &rates, RATES);
        assert!(lines.iter().all(|line| columns_of(line) <= WIDTH + 20), "{lines:#?}");
        assert!(lines[1].contains(" fanout* 10000        500      4,500 "), "{lines:#?}");
        assert_eq!(lines.len(), 3);
    }
}
