//! `rumormill send`: has a running node send a message to another one.

use std::process::ExitCode;

use super::{
    Result,
    admin::{At, Text, columns::plain, in_query, print_json},
    output,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
That it was taken does not mean that it arrives; `request` waits for an answer.

Example: rumormill send node1qyqszqgp 'hello'")]
pub(crate) struct Args {
    /// To whom: an id, at least 8 characters of one behind node1, or a name
    #[arg(value_name = "NODE")]
    to: String,
    /// What to say; - for what standard input says
    text: Text,
    #[command(flatten)]
    at: At,
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let (client, message) = (args.at.client()?, args.text.bytes()?);
    let path = format!("/send?to={}", in_query(&args.to));
    match args.at.json {
        true => print_json(&client.post_json(&path, message).await?)?,
        false => {
            let taken = client.post_json(&path, message).await?;
            let to = plain(taken["to"].as_str().unwrap_or_default());
            output::note(format_args!("{} bytes are on their way to {to}", taken["bytes"]));
        }
    }
    Ok(ExitCode::SUCCESS)
}
