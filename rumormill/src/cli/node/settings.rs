//! The configuration of the node, read at its start and whenever it may have changed.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use rumormill::config::{self, Config, Format, Level, Loaded, Origin, Problem, Sources};
use tracing::level_filters::LevelFilter;

use super::{
    error::Error,
    flags::Shorts,
    reading::{Hung, Reading},
    watch::{Trace, Watch, traces},
};
use crate::cli::{Result, log, output};

/// Where the configuration comes from.
#[derive(Debug)]
pub(super) struct Settings {
    sources: Arc<Sources>,
    shorts: Shorts,
    reading: Reading,
    /// The administration's socket where nobody has said anything of it.
    default_socket: Option<PathBuf>,
}

impl Settings {
    pub(super) fn new((sources, shorts): (Sources, Shorts)) -> Self {
        let reading = Reading::within(DEADLINE);
        Self { sources: sources.into(), shorts, reading, default_socket: None }
    }

    /// Reads everything: nothing is opened or changed.
    ///
    /// # Errors
    /// The outer one, if this build has no transports, or a file system hangs; the inner one, if anything
    /// is wrong.
    pub(super) async fn load(&self) -> Result<std::result::Result<Loaded, config::Error>> {
        let (registry, sources) = (rumormill::registry()?, self.sources.clone());
        let loaded = self.reading.read(move || sources.load(&registry)).await;
        let loaded = loaded.map_err(|hung| self.hung(hung))?;
        Ok(loaded.map(|loaded| self.completed(loaded)))
    }

    /// What is seen of the files of which each change counts.
    ///
    /// # Errors
    /// [`Error::Hung`].
    pub(super) async fn traces(&self, files: Vec<PathBuf>) -> Result<Vec<Trace>> {
        let traces = self.reading.read(move || traces(&files)).await;
        Ok(traces.map_err(|hung| self.hung(hung))?)
    }

    /// Begins to look at them, unless something is being read.
    pub(super) fn look(&self, watch: &mut Watch, config: &Config) {
        let files = self.files(config);
        if files.is_empty() {
            return;
        }
        watch.begin(|| self.reading.begin(move || traces(&files)));
    }

    fn hung(&self, Hung { within }: Hung) -> Error {
        Error::Hung { file: self.sources.file.clone(), within }
    }

    /// Takes the socket for its administration that the service manager has opened, or else the usual
    /// one, if nobody has said anything of that.
    pub(super) fn take_default_socket(&mut self, loaded: Loaded) -> Loaded {
        let said = (!is_unsaid(&loaded)).then_some(loaded.config.admin.socket.as_deref());
        self.default_socket = default_socket(said);
        self.completed(loaded)
    }

    /// Goes without administration, which nobody has asked for.
    pub(super) fn leave_default_socket(&mut self, mut loaded: Loaded) -> Loaded {
        self.default_socket = None;
        loaded.config.admin.socket = None;
        loaded
    }

    /// Whether the usual socket is meant, and not one that somebody has chosen.
    pub(super) fn has_default_socket(&self, loaded: &Loaded) -> bool {
        self.default_socket.is_some() && is_unsaid(loaded)
    }

    fn completed(&self, mut loaded: Loaded) -> Loaded {
        if is_unsaid(&loaded) {
            loaded.config.admin.socket.clone_from(&self.default_socket);
        }
        loaded
    }

    /// All that is wrong, a line each.
    pub(super) fn told(&self, error: &config::Error) -> String {
        let mut lines: Vec<_> = error.problems.iter().map(|it| self.shorts.told(it)).collect();
        if 0 < error.more {
            lines.push(format!("and {} more", error.more));
        }
        lines.join("\n")
    }

    /// Tells all that is wrong with a start, and what to write instead of nothing.
    pub(super) fn refuse(&self, error: &config::Error) -> ExitCode {
        self.told(error).lines().for_each(output::error);
        let is_missing = |problem: &Problem| problem.origin == Origin::Default;
        if self.sources.file.is_none() && error.problems.iter().any(is_missing) {
            output::note(NO_FILE);
        }
        ExitCode::from(USAGE)
    }

    /// The files of which each change counts.
    pub(super) fn files(&self, config: &Config) -> Vec<PathBuf> {
        let revocations = match &config.admission {
            config::Admission::Tickets { revocations, .. } => &**revocations,
            config::Admission::Nodes(_) | config::Admission::Open => &[],
        };
        let named = [&self.sources.file, &config.node.ticket, &config.admin.token];
        let named = named.into_iter().flatten().chain(revocations);
        named.cloned().collect()
    }
}

/// Whether nobody has said anything of the administration, nor that there is to be none.
fn is_unsaid(loaded: &Loaded) -> bool {
    let settings = loaded.settings();
    let is_default = |key: &str| {
        let setting = settings.iter().find(|setting| &*setting.key == key);
        setting.is_none_or(|setting| setting.origin == Origin::Default)
    };
    is_default("admin.socket") && is_default("admin.tcp")
}

#[cfg(feature = "admin")]
fn default_socket(said: Option<Option<&Path>>) -> Option<PathBuf> {
    super::inherited::socket(said).or_else(|| Some(rumormill::admin::default_socket()))
}

#[cfg(not(feature = "admin"))]
fn default_socket(_: Option<Option<&Path>>) -> Option<PathBuf> {
    None
}

/// What the program itself does about a configuration.
pub(super) fn apply(config: &Config) {
    log::change(match config.log.level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    });
    output::use_json(config.log.format == Format::Json);
}

/// How long files are waited for: a service manager that waits for signs of life is more patient.
const DEADLINE: Duration = Duration::from_secs(5);
const NO_FILE: &str = "\
no file was read: name one by --config or RUMORMILL_CONFIG, as `rumormill config default` writes it, or try \
`rumormill node --cluster NAME --open --listen tcp://127.0.0.1:0`";
/// What clap exits with, too.
const USAGE: u8 = 2;
