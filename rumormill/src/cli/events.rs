//! `rumormill events`: what happens, as a running node sees it.

use std::{collections::HashMap, process::ExitCode, time::Duration};

use rumormill::admin::Client;
use serde_json::Value;
use tokio::time::Instant;

use super::{
    Error, Result,
    admin::{
        At,
        columns::{cut, plain, short},
        print_json,
    },
    output,
    signals::Signals,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Goes on until the node leaves, or this is interrupted. Whoever reads too slowly is told how much was
missed. Times are UTC.

Example: rumormill events --json | jq 'select(.event == \"rumor\")'")]
pub(crate) struct Args {
    #[command(flatten)]
    at: At,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let mut signals = Signals::new()?;
    let client = args.at.client()?;
    let mut lines = client.follow("/events").await?;
    let mut names = Names::default();
    let mut is_over = false;
    loop {
        let line = tokio::select! {
            biased;
            () = signals.next() => return Ok(ExitCode::SUCCESS),
            line = lines.next() => line,
        };
        let Some(line) = line else { break };
        // What is none of a node's lines is not its word.
        let Ok(value) = serde_json::from_slice::<Value>(&line) else { break };
        is_over = value["event"] == "end";
        match args.at.json {
            true => print_json(&value)?,
            false => tokio::select! {
                biased;
                () = signals.next() => return Ok(ExitCode::SUCCESS),
                text = names.text(&value, &client) => output::line(text)?,
            },
        }
    }
    match is_over {
        true => Ok(ExitCode::SUCCESS),
        false => Err(Error::Cut { place: client.place().clone() }),
    }
}

/// What members are called, as far as it was asked for.
#[derive(Debug, Default)]
struct Names {
    by_id: HashMap<String, String>,
    asked: Option<Instant>,
}

impl Names {
    /// An event, for people.
    async fn text(&mut self, value: &Value, client: &Client) -> String {
        let time = clock(value["at_ms"].as_u64().unwrap_or_default());
        let what = plain(value["event"].as_str().unwrap_or("?"));
        let subject =
            ["node", "from", "origin", "holder"].iter().find_map(|key| value[*key].as_str());
        let who = match subject {
            Some(id) => self.who(id, client).await,
            None => String::new(),
        };
        let detail = detail(value);
        format!("{time} {what:<9} {who:<14} {detail}").trim_end().to_owned()
    }

    /// The beginning of an id, and the name behind it if it has one.
    async fn who(&mut self, id: &str, client: &Client) -> String {
        if !self.by_id.contains_key(id) {
            self.ask(client).await;
        }
        let id_shown = short(&plain(id));
        match self.by_id.get(id).filter(|name| !name.is_empty()) {
            Some(name) => format!("{id_shown} {}", cut(name, 20)),
            None => id_shown,
        }
    }

    /// Once in a second at most: nobody has a name, perhaps.
    async fn ask(&mut self, client: &Client) {
        if self.asked.is_some_and(|asked| asked.elapsed() < OFTEN) {
            return;
        }
        self.asked = Some(Instant::now());
        let members = client.get_json("/members").await.unwrap_or_default();
        let text = |member: &Value, key: &str| member[key].as_str().unwrap_or_default().to_owned();
        let named = members.as_array().into_iter().flatten();
        self.by_id = named.map(|member| (text(member, "node"), text(member, "name"))).collect();
    }
}

/// What an event says beyond whom it is about.
fn detail(value: &Value) -> String {
    let id = |key: &str| value[key].as_str().map(|id| short(&plain(id))).unwrap_or_default();
    match value["event"].as_str().unwrap_or_default() {
        "suspected" | "failed" => format!("by {}", id("by")),
        "rumor" => format!("{}: {}", value["number"], payload(&value["payload"])),
        "gap" => format!("rumors {} to {} are lost", value["from"], value["to"]),
        "message" if value["question"] == true => format!("asks: {}", payload(&value["payload"])),
        "message" => payload(&value["payload"]),
        "missed" => format!("{} {} were missed", value["count"], text(&value["what"])),
        "name_conflict" => format!("and {} are both '{}'", id("rival"), text(&value["name"])),
        "identity_conflict" => "another process has started with the key of this node".into(),
        "node" => format!("of cluster '{}'", text(&value["cluster"])),
        "end" => text(&value["reason"]),
        _ => String::new(),
    }
}

fn payload(payload: &Value) -> String {
    match (payload["text"].as_str(), payload["base64"].as_str()) {
        (Some(text), _) => cut(text, PAYLOAD),
        (None, Some(base64)) => format!("base64 {}", cut(base64, PAYLOAD)),
        (None, None) => String::new(),
    }
}

fn text(value: &Value) -> String {
    cut(value.as_str().unwrap_or_default(), PAYLOAD)
}

/// The time of day.
fn clock(ms: u64) -> String {
    let seconds = ms / 1000;
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{hours:02}:{minutes:02}:{:02}.{:03}", seconds % 60, ms % 1000)
}

/// Columns of what a message says.
const PAYLOAD: usize = 200;
const OFTEN: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_what_happened_and_steers_nothing() {
        let rumor =
            json!({ "event": "rumor", "number": 3, "payload": { "text": "a\u{1b}[2J\nb" } });
        assert_eq!(detail(&rumor), "3: a\\u{1b}[2J\\nb");
        let bytes =
            json!({ "event": "message", "question": true, "payload": { "base64": "/wA=" } });
        assert_eq!(detail(&bytes), "asks: base64 /wA=");
        let missed = json!({ "event": "missed", "what": "events", "count": 7 });
        assert_eq!(detail(&missed), "7 events were missed");
        assert_eq!(detail(&Value::Null), "");
        assert_eq!(clock(86_400_000 + 3_723_004), "01:02:03.004");
    }
}
