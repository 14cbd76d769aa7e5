//! `rumormill ticket issue`: a ticket for a node.

use std::{
    io::{self, IsTerminal, Write},
    path::PathBuf,
    process::ExitCode,
};

use rumormill::{
    endpoint::{MAX_NAME, Ticket, seal::Cluster},
    identity::{PublicKey, SecretKey},
    transport::NodeId,
};

use super::Error;
use crate::cli::{
    self, Result,
    date::{self, DAY, Date},
    output, whole_file,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
The file replaces one of the same name, whole or not at all, so that a node can read it again at any time
(SIGHUP, or by itself). With --out the ticket's serial is printed, by which it can be revoked.

Example: rumormill ticket issue --cluster c --key issuer.key --node NODEID --days 30 --out node.ticket")]
pub(super) struct Args {
    /// The cluster's name
    #[arg(long, value_name = "NAME", value_parser = cluster)]
    cluster: String,
    /// The key of the issuer
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Whom the ticket is for; `rumormill id` tells it
    #[arg(long, value_name = "NODEID")]
    node: NodeId,
    /// The name that is the node's alone, up to 64 bytes [default: none]
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true, value_parser = name)]
    name: String,
    /// For how many days from now
    #[arg(long, value_name = "DAYS", default_value = "365", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Where to write the ticket [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    PublicKey::of(args.node).ok_or(Error::NoKey { node: args.node })?;
    if args.out.is_none() && io::stdout().is_terminal() {
        return Err(Error::Terminal.into());
    }
    let key = SecretKey::load(&args.key)?;
    let not_after = date::now().as_secs() + u64::from(args.days) * DAY;
    let ticket =
        Ticket { node: args.node, name: args.name.as_str().into(), not_after, serial: serial() };
    let signed = ticket.sign(&Cluster::named(&args.cluster), &key);
    match &args.out {
        Some(path) => {
            whole_file::replace(path, &signed).map_err(Error::writing(path))?;
            output::line(ticket.serial)?;
        }
        None => {
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(&signed).and_then(|()| stdout.flush());
            written.map_err(|source| cli::Error::Output { source })?;
        }
    }
    let Ticket { node, serial, .. } = ticket;
    output::note(format_args!("ticket {serial} for {node}, until {}", Date(not_after)));
    Ok(ExitCode::SUCCESS)
}

/// A number that this issuer has not used: no count is kept of them.
fn serial() -> u64 {
    let NodeId([a, b, c, d, e, f, g, h, ..]) = SecretKey::generate().node();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// What a configuration takes, too.
pub(super) fn cluster(text: &str) -> std::result::Result<String, String> {
    match (1..=255).contains(&text.len()) && !text.contains(char::is_control) {
        true => Ok(text.into()),
        false => Err("write text of 1 to 255 bytes without control characters".into()),
    }
}

fn name(text: &str) -> std::result::Result<String, String> {
    match text.len() <= MAX_NAME && !text.contains(char::is_control) {
        true => Ok(text.into()),
        false => Err(format!("write text of up to {MAX_NAME} bytes without control characters")),
    }
}
