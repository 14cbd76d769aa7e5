//! `rumormill node`: a member of a cluster, until it is told to leave.

mod error;
pub(super) mod flags;
pub(super) mod settings;

pub(super) mod life;

pub(super) mod hooks;
#[cfg(feature = "admin")]
mod inherited;
mod journal;
pub(super) mod manager;
mod reading;
mod told;
pub(super) mod watch;

use std::{collections::BTreeSet, process::ExitCode};

use rumormill::{Node, config::Loaded, endpoint::Inbox, node::StartError};
use tracing::level_filters::LevelFilter;

pub(crate) use self::{error::Error, flags::Args};
use self::{
    hooks::Hooks, journal::Journal, life::Life, manager::Manager, settings::Settings, told::Form,
    watch::Watch,
};
use super::{
    Error as CliError, Result, output,
    signals::{Hangups, Signals},
};

pub(crate) async fn run(args: Args, log: Option<LevelFilter>) -> Result<ExitCode> {
    // First, so that a signal finds them as soon as anybody knows of the node.
    let (mut signals, hangups) = (Signals::new()?, Hangups::new()?);
    let form = if args.json { Form::Json } else { Form::Text };
    let mut settings = Settings::<Loaded>::new(args.sources(log));
    let loaded = tokio::select! {
        biased;
        () = signals.next() => return Ok(ExitCode::SUCCESS),
        loaded = settings.load() => loaded?,
    };
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return Ok(settings.refuse(&error)),
    };
    settings::apply(&loaded.config.log);
    let loaded = settings.take_default_socket(loaded);
    let watch = Watch::of(settings.traces(settings.files(&loaded.config)).await?);
    let started = tokio::select! {
        biased;
        () = signals.next() => return Ok(ExitCode::SUCCESS),
        started = start(&mut settings, loaded) => started?,
    };
    let (node, inbox) = match started {
        Ok(started) => started,
        Err(StartError::Config(error)) => return Ok(settings.refuse(&error)),
        Err(error) => return Err(Error::Start(error.into()).into()),
    };
    if node.config().node.identity.is_none() {
        output::note("a fresh key, for this run only; `rumormill keygen` makes one to keep");
    }
    let journal = Journal::of_stdout(form).map_err(|source| CliError::Start { source })?;
    let (events, rumors) = (node.events(), node.rumors());
    let (hooks, manager) = (Hooks::of(&node), Manager::of_environment());
    let (known, has_news) = (BTreeSet::new(), true);
    let life = Life {
        node,
        inbox,
        events,
        rumors,
        settings,
        watch,
        hooks,
        signals,
        hangups,
        manager,
        journal,
        known,
        has_news,
    };
    life.run().await
}

type Started = std::result::Result<(Node, Inbox), StartError>;

/// Starts the node; without administration, if only its usual place is not to be had.
async fn start(settings: &mut Settings, loaded: Loaded) -> Result<Started> {
    let started = Node::start_with(rumormill::registry()?, &loaded).await;
    let Some(problem) = problem_of_admin(&started) else { return Ok(started) };
    if !settings.has_default_socket(&loaded) {
        return Ok(started);
    }
    output::note(format_args!(
        "this node has no administration: {problem}; choose a socket for it by --admin PATH, or --admin off"
    ));
    let loaded = settings.leave_default_socket(loaded);
    Ok(Node::start_with(rumormill::registry()?, &loaded).await)
}

#[cfg(feature = "admin")]
fn problem_of_admin(started: &Started) -> Option<String> {
    match started {
        Err(StartError::Admin(error)) => Some(rumormill::transport::with_causes(error)),
        _ => None,
    }
}

#[cfg(not(feature = "admin"))]
fn problem_of_admin(_: &Started) -> Option<String> {
    None
}
