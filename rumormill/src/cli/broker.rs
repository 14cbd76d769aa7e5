//! `rumormill broker`: topics, until it is told to stop.

mod error;
mod flags;
mod life;
mod settings;

use std::process::ExitCode;

use rumormill::{
    Registry,
    config::broker::Loaded,
    hub::{Hub, StartError},
};
use tracing::level_filters::LevelFilter;

use self::life::Life;
pub(crate) use self::{error::Error, flags::Args};
use super::{
    Result,
    node::{
        hooks::Hooks,
        manager::Manager,
        settings::{Settings, apply},
        watch::Watch,
    },
    output,
    signals::{Hangups, Signals},
};

pub(crate) async fn run(args: Args, log: Option<LevelFilter>) -> Result<ExitCode> {
    // First, so that a signal finds them as soon as anybody knows of the broker.
    let (mut signals, hangups) = (Signals::new()?, Hangups::new()?);
    let is_json = args.json;
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
    apply(&loaded.config.log);
    let loaded = settings.take_default_socket(loaded);
    let watch = Watch::of(settings.traces(settings.files(&loaded.config)).await?);
    let registry = rumormill::registry()?;
    let needs_key = loaded.files.key.is_none() && is_secure(&registry, &loaded);
    let started = tokio::select! {
        biased;
        () = signals.next() => return Ok(ExitCode::SUCCESS),
        started = start(&mut settings, loaded) => started?,
    };
    let hub = started.map_err(|error| Error::Start(error.into()))?;
    if needs_key {
        output::note(
            "a fresh key, for this run only; `rumormill keygen` makes one to keep, for server.identity",
        );
    }
    let (hooks, manager) = (Hooks::of_hub(&hub), Manager::of_environment());
    Life { hub, settings, watch, hooks, signals, hangups, manager, is_json }.run().await
}

/// Starts the broker; without administration, if only its usual place is not to be had.
async fn start(
    settings: &mut Settings<Loaded>,
    loaded: Loaded,
) -> Result<std::result::Result<Hub, StartError>> {
    let started = Hub::start_with(rumormill::registry()?, &loaded).await;
    let Some(problem) = problem_of_admin(&started) else { return Ok(started) };
    if !settings.has_default_socket(&loaded) {
        return Ok(started);
    }
    output::note(format_args!(
        "this broker has no administration: {problem}; choose a socket for it by --admin PATH, or --admin off"
    ));
    let loaded = settings.leave_default_socket(loaded);
    Ok(Hub::start_with(rumormill::registry()?, &loaded).await)
}

#[cfg(feature = "admin")]
fn problem_of_admin(started: &std::result::Result<Hub, StartError>) -> Option<String> {
    match started {
        Err(StartError::Admin(error)) => Some(rumormill::transport::with_causes(error)),
        _ => None,
    }
}

#[cfg(not(feature = "admin"))]
fn problem_of_admin(_: &std::result::Result<Hub, StartError>) -> Option<String> {
    None
}

/// Whether a transport has to prove who this is.
fn is_secure(registry: &Registry, loaded: &Loaded) -> bool {
    let addrs = loaded.config.addresses().unwrap_or_default();
    let mut secure = registry.factories().filter(|factory| factory.caps.secure);
    secure.any(|factory| addrs.iter().any(|addr| addr.scheme() == factory.scheme))
}
