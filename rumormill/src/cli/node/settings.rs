//! The configuration of a node or a broker, read at its start and whenever it may have changed.

use std::{
    marker::PhantomData,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use rumormill::{
    Registry,
    config::{self, Config, Format, Level, Loaded, Log, Origin, Problem, Setting, Sources},
    transport::with_causes,
};
use tracing::level_filters::LevelFilter;

use super::{
    error::Error,
    flags::Shorts,
    reading::{Hung, Reading},
    watch::{Trace, Watch, traces},
};
use crate::cli::{Result, log, output};

/// What was read, or all that is wrong with it.
pub(in crate::cli) type Read<K> = std::result::Result<K, config::Error>;

/// A configuration of either kind that has been read.
pub(in crate::cli) trait Kind: Sized + Send + 'static {
    /// What to write where nothing was.
    const NO_FILE: &str;
    fn load(sources: &Sources, registry: &Registry) -> Read<Self>;
    fn settings(&self) -> Vec<Setting>;
    fn admin(&mut self) -> &mut config::Admin;
    /// Where its administration is if nobody says anything of it.
    #[cfg(feature = "admin")]
    fn default_socket() -> PathBuf;
}

/// Where the configuration comes from.
#[derive(Debug)]
pub(in crate::cli) struct Settings<K = Loaded> {
    sources: Arc<Sources>,
    shorts: Shorts,
    reading: Reading,
    kind: PhantomData<fn() -> K>,
    /// The administration's socket where nobody has said anything of it.
    default_socket: Option<PathBuf>,
}

impl<K: Kind> Settings<K> {
    pub(in crate::cli) fn new((sources, shorts): (Sources, Shorts)) -> Self {
        let reading = Reading::within(DEADLINE);
        let sources = sources.into();
        Self { sources, shorts, reading, kind: PhantomData, default_socket: None }
    }

    /// Reads everything: nothing is opened or changed.
    ///
    /// # Errors
    /// The outer one, if this build has no transports, or a file system hangs; the inner one, if anything
    /// is wrong.
    pub(in crate::cli) async fn load(&self) -> Result<Read<K>> {
        let (registry, sources) = (rumormill::registry()?, self.sources.clone());
        let loaded = self.reading.read(move || K::load(&sources, &registry)).await;
        let loaded = loaded.map_err(|hung| self.hung(hung))?;
        Ok(loaded.map(|loaded| self.completed(loaded)))
    }

    /// What is seen of the files of which each change counts.
    ///
    /// # Errors
    /// [`Error::Hung`].
    pub(in crate::cli) async fn traces(&self, files: Vec<PathBuf>) -> Result<Vec<Trace>> {
        let traces = self.reading.read(move || traces(&files)).await;
        Ok(traces.map_err(|hung| self.hung(hung))?)
    }

    /// Looks at the files, and then reads them: what changes meanwhile is a change.
    ///
    /// # Errors
    /// For people; nothing was changed.
    pub(in crate::cli) async fn reread(
        &self,
        watch: &mut Watch,
        files: Vec<PathBuf>,
    ) -> std::result::Result<K, String> {
        match self.trace_and_load(watch, files).await {
            Ok(loaded) => loaded.map_err(|error| self.told(&error) + UNCHANGED),
            Err(error) => {
                // What hangs is read again once it no longer does.
                watch.unread();
                Err(with_causes(&error) + UNCHANGED)
            }
        }
    }

    async fn trace_and_load(&self, watch: &mut Watch, files: Vec<PathBuf>) -> Result<Read<K>> {
        watch.reading(self.traces(files).await?);
        self.load().await
    }

    /// What a reload would read.
    ///
    /// # Errors
    /// For people.
    pub(in crate::cli) async fn rehearse(&self) -> std::result::Result<K, String> {
        let loaded = self.load().await.map_err(|error| with_causes(&error))?;
        loaded.map_err(|error| self.told(&error) + UNCHANGED)
    }

    /// Takes what these files are now for what was read: the configuration has named others.
    pub(in crate::cli) async fn watch_others(&self, watch: &mut Watch, files: Vec<PathBuf>) {
        match self.traces(files).await {
            Ok(traces) => watch.reading(traces),
            Err(_) => watch.unread(),
        }
    }

    /// Begins to look at them, unless something is being read.
    pub(in crate::cli) fn look(&self, watch: &mut Watch, files: Vec<PathBuf>) {
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
    pub(in crate::cli) fn take_default_socket(&mut self, mut loaded: K) -> K {
        let is_said = !is_unsaid(&loaded);
        let said = is_said.then_some(loaded.admin().socket.as_deref());
        self.default_socket = Self::usual_socket(said);
        self.completed(loaded)
    }

    #[cfg(feature = "admin")]
    fn usual_socket(said: Option<Option<&Path>>) -> Option<PathBuf> {
        super::inherited::socket(said).or_else(|| Some(K::default_socket()))
    }

    #[cfg(not(feature = "admin"))]
    fn usual_socket(_: Option<Option<&Path>>) -> Option<PathBuf> {
        None
    }

    /// Goes without administration, which nobody has asked for.
    pub(in crate::cli) fn leave_default_socket(&mut self, mut loaded: K) -> K {
        self.default_socket = None;
        loaded.admin().socket = None;
        loaded
    }

    /// Whether the usual socket is meant, and not one that somebody has chosen.
    pub(in crate::cli) fn has_default_socket(&self, loaded: &K) -> bool {
        self.default_socket.is_some() && is_unsaid(loaded)
    }

    fn completed(&self, mut loaded: K) -> K {
        if is_unsaid(&loaded) {
            loaded.admin().socket.clone_from(&self.default_socket);
        }
        loaded
    }

    /// All that is wrong, a line each.
    pub(in crate::cli) fn told(&self, error: &config::Error) -> String {
        let mut lines: Vec<_> = error.problems.iter().map(|it| self.shorts.told(it)).collect();
        if 0 < error.more {
            lines.push(format!("and {} more", error.more));
        }
        lines.join("\n")
    }

    /// Tells all that is wrong with a start, and what to write instead of nothing.
    pub(in crate::cli) fn refuse(&self, error: &config::Error) -> ExitCode {
        self.told(error).lines().for_each(output::error);
        let is_missing = |problem: &Problem| problem.origin == Origin::Default;
        if self.sources.file.is_none() && error.problems.iter().any(is_missing) {
            output::note(K::NO_FILE);
        }
        ExitCode::from(USAGE)
    }

    /// The files of which each change counts: that of the configuration, and those that it names.
    pub(in crate::cli) fn with_file(
        &self,
        named: impl IntoIterator<Item = PathBuf>,
    ) -> Vec<PathBuf> {
        self.sources.file.iter().cloned().chain(named).collect()
    }
}

impl Settings<Loaded> {
    /// The files of which each change counts.
    pub(super) fn files(&self, config: &Config) -> Vec<PathBuf> {
        let revocations = match &config.admission {
            config::Admission::Tickets { revocations, .. } => &**revocations,
            config::Admission::Nodes(_) | config::Admission::Open => &[],
        };
        let named = [&config.node.ticket, &config.admin.token];
        self.with_file(named.into_iter().flatten().chain(revocations).cloned())
    }
}

impl Kind for Loaded {
    const NO_FILE: &str = "\
no file was read: name one by --config or RUMORMILL_CONFIG, as `rumormill config default` writes it, or try \
`rumormill node --cluster NAME --open --listen tcp://127.0.0.1:0`";

    fn load(sources: &Sources, registry: &Registry) -> Read<Self> {
        sources.load(registry)
    }

    fn settings(&self) -> Vec<Setting> {
        self.settings()
    }

    fn admin(&mut self) -> &mut config::Admin {
        &mut self.config.admin
    }

    #[cfg(feature = "admin")]
    fn default_socket() -> PathBuf {
        rumormill::admin::default_socket()
    }
}

/// Whether nobody has said anything of the administration, nor that there is to be none.
fn is_unsaid(loaded: &impl Kind) -> bool {
    let settings = loaded.settings();
    let is_default = |key: &str| {
        let setting = settings.iter().find(|setting| &*setting.key == key);
        setting.is_none_or(|setting| setting.origin == Origin::Default)
    };
    is_default("admin.socket") && is_default("admin.tcp")
}

/// What the program itself does about a configuration.
pub(in crate::cli) fn apply(log: &Log) {
    log::change(match log.level {
        Level::Off => LevelFilter::OFF,
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    });
    output::use_json(log.format == Format::Json);
}

const UNCHANGED: &str = "\nnothing was changed";
/// How long files are waited for: a service manager that waits for signs of life is more patient.
const DEADLINE: Duration = Duration::from_secs(5);
/// What clap exits with, too.
const USAGE: u8 = 2;
