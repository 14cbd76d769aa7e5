//! `rumormill broadcast`: has a running node say something to all members.

use std::process::ExitCode;

use super::{
    Result,
    admin::{At, Text, columns::plain, print_json},
    output,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints the rumor's origin and number, by which `rumormill events` of others tells it.

Example: rumormill broadcast 'deploy 7 begins'")]
pub(crate) struct Args {
    /// What to say; - for what standard input says
    text: Text,
    #[command(flatten)]
    at: At,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let (client, rumor) = (args.at.client()?, args.text.bytes()?);
    match args.at.json {
        true => print_json(&client.post_json("/broadcast", rumor).await?)?,
        false => {
            let id = client.post_json("/broadcast", rumor).await?;
            let origin = plain(id["origin"].as_str().unwrap_or_default());
            output::line(format_args!("{origin} {}", id["number"]))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
