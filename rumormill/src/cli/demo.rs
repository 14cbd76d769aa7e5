//! `rumormill demo`: a cluster of real processes, which shows what it promises.

mod play;

mod acts;

mod claim;
mod claims;
mod plan;
mod story;

mod happening;
mod paint;
mod screen;
mod table;

mod order;
mod said;

mod cast;
mod child;
mod faults;
mod folder;

mod chaos;
mod patience;

use std::{collections::BTreeSet, io, path::PathBuf, process::ExitCode};

use rumormill::{
    Registry, config,
    node::StartError,
    transport::{Delivery, Factory},
};

use self::{
    chaos::Chaos,
    plan::{LEAST_NODES, LEAST_SECONDS, NAMES, Plan},
    play::Play,
};
use super::Result;

pub(crate) use child::run as be_member;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each node is a process on this machine, with a key of its own in a folder that is removed again. One of
them has all transports, the others one each. They tell each other things; one is killed and comes back;
a transport of the first is blocked; one says goodbye. The exit code is 0 if all came true that is shown.

Example: rumormill demo --nodes 12 --transports tcp,udp --seconds 60 --chaos loss=10,delay=50ms")]
pub(crate) struct Args {
    /// Processes, from 3 to 26
    #[arg(long, value_name = "N", default_value = "6", value_parser = nodes)]
    nodes: usize,
    /// The transports that they talk over, with commas [default: all that this build has]
    #[arg(long, value_name = "SCHEMES", value_delimiter = ',')]
    transports: Vec<String>,
    /// How long it takes, about; the longer, the more they tell each other
    #[arg(long, value_name = "S", default_value = "20", value_parser = seconds)]
    seconds: u64,
    /// Lose so many percent of datagrams, and delay every message
    #[arg(long, value_name = "loss=10,delay=50ms", value_parser = Chaos::parse)]
    chaos: Option<Chaos>,
    /// Print JSON, an object in each line
    #[arg(long)]
    json: bool,
}

/// Why there is no play, or none to the end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A process was told what no node can be told.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// There is no place for keys and sockets.
    #[error("{} cannot be made; set TMPDIR to a folder that takes files", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A signal came before the end.
    #[error("interrupted; its processes and their files are gone")]
    Interrupted,
    /// Losses were asked for, and no transport loses anything.
    #[error("--chaos loss is of datagrams, and {schemes} lose none; add udp, or leave loss out")]
    NoDatagrams {
        /// The transports.
        schemes: String,
    },
    /// There is nothing to talk over.
    #[error("this build has no transport between processes; build it with tcp, say")]
    NoTransport,
    /// Somebody has started a process of the play.
    #[error("this is a part of the demo; run `rumormill demo`")]
    NotAlone,
    /// A transport that stays within one process.
    #[error("{scheme} connects nodes within one process, and here each has its own; leave it out")]
    OneProcess {
        /// The transport.
        scheme: &'static str,
    },
    /// A process did not start.
    #[error("a process cannot be started")]
    Process {
        /// Why.
        source: io::Error,
    },
    /// A node did not start.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl Error {
    /// Whether the command line has to change.
    pub(crate) fn is_usage(&self) -> bool {
        match self {
            Self::NoDatagrams { .. } | Self::NoTransport => true,
            Self::NotAlone | Self::OneProcess { .. } => true,
            Self::Config(_) | Self::Folder { .. } | Self::Interrupted => false,
            Self::Process { .. } | Self::Start(_) => false,
        }
    }
}

pub(crate) async fn run(args: Args) -> Result<ExitCode> {
    let schemes = schemes(&rumormill::registry()?, &args.transports, args.chaos)?;
    let plan = Plan::new(args.nodes, schemes, args.chaos.unwrap_or_default(), args.seconds);
    match Play::begin(plan, args.json)?.run().await? {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

/// The transports that were asked for, each once; all between processes, if none was.
fn schemes(
    registry: &Registry,
    asked: &[String],
    chaos: Option<Chaos>,
) -> Result<Vec<&'static str>> {
    let mut seen = BTreeSet::new();
    let asked = asked.iter().filter(|scheme| seen.insert(*scheme));
    let mut chosen: Vec<_> =
        asked.map(|scheme| between_processes(registry, scheme)).collect::<Result<_>>()?;
    if chosen.is_empty() {
        chosen.extend(registry.factories().filter(|it| it.scheme != WITHIN));
    }
    let loses = chosen.iter().any(|factory| factory.caps.delivery == Delivery::Datagram);
    let schemes: Vec<_> = chosen.iter().map(|factory| factory.scheme).collect();
    match chaos {
        _ if schemes.is_empty() => Err(Error::NoTransport.into()),
        Some(Chaos { loss: 1.., .. }) if !loses => {
            Err(Error::NoDatagrams { schemes: schemes.join(", ") }.into())
        }
        _ => Ok(schemes),
    }
}

/// The transport that is called so, if processes can talk over it.
fn between_processes<'a>(registry: &'a Registry, scheme: &str) -> Result<&'a Factory> {
    match registry.factories().find(|factory| factory.scheme == scheme) {
        Some(factory) if factory.scheme == WITHIN => {
            Err(Error::OneProcess { scheme: factory.scheme }.into())
        }
        Some(factory) => Ok(factory),
        // The registry knows what there is instead, and what would bring it.
        None => match registry.transport(scheme) {
            Err(error) => Err(error.into()),
            Ok(_) => Err(Error::NoTransport.into()),
        },
    }
}

fn nodes(text: &str) -> std::result::Result<usize, String> {
    let most = NAMES.len();
    let nodes = text.parse().ok().filter(|nodes| (LEAST_NODES..=most).contains(nodes));
    nodes.ok_or_else(|| {
        format!(
            "write {LEAST_NODES} to {most}: one is killed, others have to notice, each has a letter"
        )
    })
}

fn seconds(text: &str) -> std::result::Result<u64, String> {
    let seconds = text.parse().ok().filter(|seconds| (LEAST_SECONDS..=3600).contains(seconds));
    seconds.ok_or_else(|| {
        format!(
            "write {LEAST_SECONDS} to 3600: noticing who is gone takes most of the {LEAST_SECONDS}"
        )
    })
}

/// The command by which this program starts itself.
const MEMBER: &str = "demo-member";
/// The transport that no process can talk over with another.
const WITHIN: &str = "mem";
