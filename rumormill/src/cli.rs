//! The command line: data on standard output, messages on standard error, exit codes 0, 1 and 2.

#[cfg(feature = "admin")]
mod admin;
mod bench;
#[cfg(feature = "admin")]
mod broadcast;
#[cfg(all(feature = "broker", feature = "node"))]
mod broker;
mod completions;
#[cfg(feature = "node")]
mod config;
#[cfg(feature = "demo")]
mod demo;
#[cfg(feature = "admin")]
mod events;
#[cfg(feature = "identity")]
mod id;
#[cfg(feature = "identity")]
mod keygen;
#[cfg(feature = "admin")]
mod leave;
#[cfg(feature = "admin")]
mod members;
#[cfg(feature = "node")]
mod node;
mod ping;
#[cfg(feature = "broker")]
mod publish;
#[cfg(feature = "admin")]
mod reload;
#[cfg(feature = "admin")]
mod request;
#[cfg(feature = "admin")]
mod send;
mod serve;
#[cfg(feature = "admin")]
mod status;
#[cfg(feature = "broker")]
mod subscribe;
#[cfg(feature = "node")]
mod ticket;
#[cfg(all(feature = "admin", feature = "broker"))]
mod topics;
mod transports;

mod flight;
mod pings;
mod plan;
mod report;

mod probe;

#[cfg(not(feature = "identity"))]
mod anonymous;
mod date;
mod error;
#[cfg(feature = "identity")]
mod identity;
mod log;
#[cfg(feature = "endpoint")]
mod member;
mod output;
mod patience;
mod peer;
mod place;
mod quantity;
#[cfg(feature = "broker")]
mod reached;
#[cfg(all(feature = "broker", feature = "node"))]
mod remainder;
mod signals;
#[cfg(feature = "node")]
mod whole_file;

use std::{process::ExitCode, time::Duration};

use clap::{Parser, Subcommand};
use tokio::runtime::{Builder, Runtime};
use tracing::level_filters::LevelFilter;

#[cfg(not(feature = "identity"))]
use self::anonymous as identity;
use self::error::{Error, Result};

/// Messages over whatever transport an address names.
///
/// An address is scheme://rest, as in tcp://127.0.0.1:7946; `transports` lists the schemes.
/// Exit codes: 0 if it worked, 1 if it did not, 2 if the command line has to change.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Example: rumormill serve tcp://127.0.0.1:7946 udp://127.0.0.1:7946"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// What transports report by themselves, from this level up: off, error, warn, info, debug, trace
    /// [default: warn, or what the configuration of a node says]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = log::level)]
    log: Option<LevelFilter>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure how many messages a second a `serve` echoes, and how long a round trip takes
    Bench(bench::Args),
    /// Have a running node say something to all members
    #[cfg(feature = "admin")]
    Broadcast(broadcast::Args),
    /// Be a broker of topics, to which others publish and subscribe
    #[cfg(all(feature = "broker", feature = "node"))]
    Broker(Box<broker::Args>),
    /// Print what a shell needs to complete command lines of this program
    Completions(completions::Args),
    /// Check, explain and print configurations of nodes
    #[cfg(feature = "node")]
    Config(config::Args),
    /// Run a cluster of processes on this machine, and show what it promises
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    /// Be one of the processes of `demo`
    #[cfg(feature = "demo")]
    #[command(hide = true)]
    DemoMember,
    /// Follow what happens, as a running node sees it
    #[cfg(feature = "admin")]
    Events(events::Args),
    /// Print the node id of a key
    #[cfg(feature = "identity")]
    Id(id::Args),
    /// Make a key, and so a new node
    #[cfg(feature = "identity")]
    Keygen(keygen::Args),
    /// Have a running node say goodbye and end
    #[cfg(feature = "admin")]
    Leave(leave::Args),
    /// List the members of a cluster, as a running node sees them
    #[cfg(feature = "admin")]
    Members(members::Args),
    /// Be a member of a cluster, and tell what happens there
    #[cfg(feature = "node")]
    Node(Box<node::Args>),
    /// Send messages to a `serve` and time the answers
    Ping(ping::Args),
    /// Publish messages to a topic of a broker
    #[cfg(feature = "broker")]
    Pub(publish::Args),
    /// Have a running node read its configuration again
    #[cfg(feature = "admin")]
    Reload(reload::Args),
    /// Have a running node ask another one, and print the answer
    #[cfg(feature = "admin")]
    Request(request::Args),
    /// Have a running node send a message to another one
    #[cfg(feature = "admin")]
    Send(send::Args),
    /// Listen, and send every message back
    Serve(serve::Args),
    /// Print a page about a running node, or its metrics
    #[cfg(feature = "admin")]
    Status(status::Args),
    /// Subscribe to topics of a broker, and print their messages
    #[cfg(feature = "broker")]
    Sub(subscribe::Args),
    /// Sign tickets, by which a cluster knows its members, and revoke them
    #[cfg(feature = "node")]
    Ticket(ticket::Args),
    /// Show what goes through the topics of a running broker
    #[cfg(all(feature = "admin", feature = "broker"))]
    Topics(topics::Args),
    /// List the transports of this build
    Transports(transports::Args),
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let Cli { command, log } = Cli::parse();
    log::show(log.unwrap_or(LevelFilter::WARN));
    run(command, log).unwrap_or_else(|error| error.report())
}

fn run(command: Command, log: Option<LevelFilter>) -> Result<ExitCode> {
    let runtime = command.runtime()?;
    let done = runtime.block_on(command.run(log));
    // Not simply dropped, which would wait for a name that is still being resolved.
    runtime.shutdown_timeout(FAREWELL);
    done
}

impl Command {
    /// Only what serves many has work for several threads; for a single conn they are a detour.
    fn runtime(&self) -> Result<Runtime> {
        let mut builder = match self {
            #[cfg(feature = "node")]
            Self::Node(_) => Builder::new_multi_thread(),
            Self::Serve(_) => Builder::new_multi_thread(),
            #[cfg(feature = "broker")]
            Self::Sub(_) => Builder::new_multi_thread(),
            #[cfg(feature = "broker")]
            Self::Bench(args) if args.broker.is_some() => Builder::new_multi_thread(),
            #[cfg(all(feature = "broker", feature = "node"))]
            Self::Broker(args) => {
                let mut builder = Builder::new_multi_thread();
                args.worker_threads().map(|threads| builder.worker_threads(threads));
                builder
            }
            _ => Builder::new_current_thread(),
        };
        builder.enable_all().build().map_err(|source| Error::Start { source })
    }

    #[cfg_attr(
        not(feature = "node"),
        expect(unused_variables, reason = "a node's configuration alone can say something else")
    )]
    async fn run(self, log: Option<LevelFilter>) -> Result<ExitCode> {
        match self {
            Self::Bench(args) => bench::run(args).await,
            #[cfg(feature = "admin")]
            Self::Broadcast(args) => broadcast::run(args).await,
            #[cfg(all(feature = "broker", feature = "node"))]
            Self::Broker(args) => broker::run(*args, log).await,
            Self::Completions(args) => completions::run(&args),
            #[cfg(feature = "node")]
            Self::Config(args) => config::run(args),
            #[cfg(feature = "demo")]
            Self::Demo(args) => demo::run(args).await,
            #[cfg(feature = "demo")]
            Self::DemoMember => demo::be_member().await,
            #[cfg(feature = "admin")]
            Self::Events(args) => events::run(args).await,
            #[cfg(feature = "identity")]
            Self::Id(args) => id::run(&args),
            #[cfg(feature = "identity")]
            Self::Keygen(args) => keygen::run(&args),
            #[cfg(feature = "admin")]
            Self::Leave(args) => leave::run(args).await,
            #[cfg(feature = "admin")]
            Self::Members(args) => members::run(args).await,
            #[cfg(feature = "node")]
            Self::Node(args) => node::run(*args, log).await,
            Self::Ping(args) => ping::run(args).await,
            #[cfg(feature = "broker")]
            Self::Pub(args) => publish::run(args).await,
            #[cfg(feature = "admin")]
            Self::Reload(args) => reload::run(args).await,
            #[cfg(feature = "admin")]
            Self::Request(args) => request::run(args).await,
            #[cfg(feature = "admin")]
            Self::Send(args) => send::run(args).await,
            Self::Serve(args) => serve::run(args).await,
            #[cfg(feature = "admin")]
            Self::Status(args) => status::run(args).await,
            #[cfg(feature = "broker")]
            Self::Sub(args) => subscribe::run(args).await,
            #[cfg(feature = "node")]
            Self::Ticket(args) => ticket::run(&args),
            #[cfg(all(feature = "admin", feature = "broker"))]
            Self::Topics(args) => topics::run(args).await,
            Self::Transports(args) => transports::run(&args),
        }
    }
}

/// How long tasks have to end when the program does.
const FAREWELL: Duration = Duration::from_millis(200);
