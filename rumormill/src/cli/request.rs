//! `rumormill request`: has a running node ask another one.

use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    Error, Result,
    admin::{At, Text, columns::plain, in_query},
    output, quantity,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints the answer as it is, or escaped on a terminal. `rumormill node` answers with what it was asked.

Example: rumormill request db-1 'are you there?' --deadline 2s")]
pub(crate) struct Args {
    /// Whom: an id, at least 8 characters of one behind node1, or a name
    #[arg(value_name = "NODE")]
    to: String,
    /// What to ask; - for what standard input says
    text: Text,
    /// How long to wait for the answer, up to 10m
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = deadline)]
    deadline: Duration,
    #[command(flatten)]
    at: At,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let (client, question) = (args.at.client()?, args.text.bytes()?);
    let path =
        format!("/request?to={}&deadline={}ms", in_query(&args.to), args.deadline.as_millis());
    let answer = client.with_deadline(args.deadline + GRACE).post(&path, question).await?;
    match args.at.json {
        true => output::line(output::in_line(&match std::str::from_utf8(&answer) {
            Ok(text) => json!({ "payload": { "text": text } }),
            Err(_) => json!({ "payload": { "base64": STANDARD.encode(&answer) } }),
        }))?,
        false if io::stdout().is_terminal() => {
            let text = String::from_utf8_lossy(&answer);
            text.lines().try_for_each(|line| output::line(plain(line)))?;
        }
        false => {
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(&answer).and_then(|()| stdout.flush());
            written.map_err(|source| Error::Output { source })?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn deadline(text: &str) -> std::result::Result<Duration, String> {
    let deadline = quantity::duration(text)?;
    (deadline <= LONGEST).then_some(deadline).ok_or_else(|| "write 10m at most".into())
}

const LONGEST: Duration = Duration::from_secs(600);
/// How much longer the node may take to say that there is no answer.
const GRACE: Duration = Duration::from_secs(5);
