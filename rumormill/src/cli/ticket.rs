//! `rumormill ticket`: who may be a member, as a key of the cluster signs it.

mod error;
mod issue;
mod revoke;
mod show;

use std::process::ExitCode;

use clap::Subcommand;

pub(crate) use self::error::Error;
use super::Result;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A cluster with admission.issuers takes whoever holds a ticket that one of them has signed, and no other.
An issuer is a key as `rumormill keygen` makes it; keep it off the nodes.

Example: rumormill ticket issue --cluster c --key issuer.key --node NODEID --out node.ticket")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Sign a ticket for a node
    Issue(issue::Args),
    /// Add tickets to a signed list of those that count no more
    Revoke(revoke::Args),
    /// Tell what a ticket or a list of revocations says, and whether it holds
    Show(show::Args),
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    match &args.command {
        Command::Issue(args) => issue::run(args),
        Command::Revoke(args) => revoke::run(args),
        Command::Show(args) => show::run(args),
    }
}
