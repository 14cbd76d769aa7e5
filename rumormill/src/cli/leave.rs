//! `rumormill leave`: has a running node say goodbye and end.

use std::{process::ExitCode, time::Duration};

use serde_json::Value;

use super::{
    Result,
    admin::{At, print_json},
    output,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Waits until the node has left, which leave.deadline of its configuration bounds. Exits with 1 if too few
members have confirmed that they know.

Example: rumormill leave --admin /run/rumormill/admin.sock")]
pub(crate) struct Args {
    #[command(flatten)]
    at: At,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let client = args.at.client()?.with_deadline(DEADLINE);
    let left = client.post_json("/leave", "").await?;
    match args.at.json {
        true => print_json(&left)?,
        false => output::line(text(&left))?,
    }
    match is_known(&left["leave"]) {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

fn text(left: &Value) -> String {
    let unsent = match left["unsent"].as_u64().unwrap_or_default() {
        0 => String::new(),
        unsent => format!("; {unsent} messages were not sent"),
    };
    let leave = &left["leave"];
    match leave.is_object() {
        true => {
            let (confirmed, live) = (&leave["confirmed"], &leave["live"]);
            format!("the node has left; {confirmed} of {live} members have confirmed it{unsent}")
        }
        false => format!("the node has ended; its membership had ended before{unsent}"),
    }
}

/// Whether enough members know for all to learn of it: three, or all where there are fewer.
fn is_known(leave: &Value) -> bool {
    let count = |key: &str| leave[key].as_u64().unwrap_or_default();
    count("live").min(3) <= count("confirmed")
}

/// Longer than goodbyes take. A node may be told to take a day.
const DEADLINE: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_goodbye_that_nobody_heard_is_a_failure() {
        let leave =
            |confirmed, live| json!({ "asked": live, "confirmed": confirmed, "live": live });
        assert!(is_known(&leave(3, 9)) && is_known(&leave(1, 1)) && is_known(&leave(0, 0)));
        assert!(!is_known(&leave(2, 9)) && !is_known(&leave(0, 1)));
        assert!(is_known(&Value::Null));
        let left = json!({ "leave": leave(3, 9), "unsent": 2 });
        let expected =
            "the node has left; 3 of 9 members have confirmed it; 2 messages were not sent";
        assert_eq!(text(&left), expected);
    }
}
