//! `rumormill reload`: has a running node read its configuration again.

use std::{process::ExitCode, time::Duration};

use serde_json::Value;

use super::{
    Result,
    admin::{At, columns::plain, print_json},
    output,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
All of it takes effect, or nothing: what is wrong, or needs a restart, is told.

Example: rumormill reload --dry-run")]
pub(crate) struct Args {
    /// Only tell what would change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    at: At,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let client = args.at.client()?.with_deadline(DEADLINE);
    let path = if args.dry_run { "/reload?dry_run=true" } else { "/reload" };
    if args.at.json {
        print_json(&client.post_json(path, "").await?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let reloaded = client.post_json(path, "").await?;
    let changed = reloaded["changed"].as_array().map(Vec::as_slice).unwrap_or_default();
    changed.iter().try_for_each(|difference| output::line(text(difference)))?;
    match changed.is_empty() {
        true => output::note("nothing is different; the files that it names were read again"),
        false if args.dry_run => output::note("nothing was changed, as asked"),
        false => (),
    }
    Ok(ExitCode::SUCCESS)
}

fn text(difference: &Value) -> String {
    let text = |key: &str| plain(difference[key].as_str().unwrap_or("none"));
    format!("{}: {} -> {}", text("key"), text("from"), text("to"))
}

/// Longer than the node gives the program that runs it.
const DEADLINE: Duration = Duration::from_secs(70);
