//! What the command line says to the broker: short forms of `--set`, and where the configuration is.

use std::{env, path::PathBuf};

use rumormill::{Addr, config::Sources};
use tracing::level_filters::LevelFilter;

use crate::cli::node::flags::{Shorts, list};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Listens at tcp://127.0.0.1:4322, unless it is told otherwise; `pub` and `sub` look there, too. Prints where it
listens, a line each, then `ready`. Messages go to standard error.

SIGTERM or SIGINT: it takes nothing new and delivers what waits, within server.stop_deadline, and tells what is
left; a second one ends it at once. SIGHUP, or a change of the configuration's file: it reads that again, and
takes over all that is different, topics included, or nothing if any of it is wrong or needs a restart.
Exit codes: 0 if nothing was left, 1 if something was or it could not start, 2 if its configuration has to
change.

Example: rumormill broker --topic events --topic tasks:queue
         rumormill broker --config /etc/rumormill/broker.toml")]
pub(crate) struct Args {
    /// The configuration [default: what RUMORMILL_CONFIG says, or else none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Override a key of the file and the environment; the options below are short for some
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print JSON objects, one in each line
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    short: Short,
}

/// Short forms, each of one key.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Short for --set")]
struct Short {
    /// Have a topic besides those of the file (topics); once for each. NAME:queue for a queue
    #[arg(long, value_name = "NAME[:queue]")]
    topic: Vec<String>,
    /// Where to listen (server.listen), over any transport that delivers a stream; once for each
    #[arg(long, value_name = "ADDR")]
    listen: Vec<Addr>,
    /// The file of its key, from `keygen` (server.identity)
    #[arg(long, value_name = "FILE")]
    identity: Option<String>,
    /// The Unix socket where it is asked and told things, or off (admin.socket)
    #[arg(long, value_name = "PATH")]
    admin: Option<String>,
    /// In which form messages are: text or json (log.format)
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Args {
    /// All sources, the flags last, and what to call those that were short.
    pub(super) fn sources(self, log: Option<LevelFilter>) -> (Sources, Shorts) {
        let file = self.file();
        let short = self.short.flags(log);
        let shorts = short.iter().map(|(option, key, _)| (*option, *key)).collect();
        let short = short.into_iter().map(|(_, key, value)| format!("{key}={value}"));
        let flags = self.set.into_iter().chain(short).collect();
        (Sources::of_process(file, flags), Shorts(shorts))
    }

    /// How many threads are to do the work, if somebody has said so: what is wrong with the rest is found
    /// later.
    pub(crate) fn worker_threads(&self) -> Option<usize> {
        let sources = Sources::of_process(self.file(), self.with_topics());
        let loaded = sources.load_broker(&rumormill::registry().ok()?).ok()?;
        loaded.config.worker_threads
    }

    fn file(&self) -> Option<PathBuf> {
        let named = || env::var_os("RUMORMILL_CONFIG").filter(|name| !name.is_empty());
        self.config.clone().or_else(|| named().map(PathBuf::from))
    }

    fn with_topics(&self) -> Vec<String> {
        let topics = list(&self.short.topic).map(|topics| format!("topics={topics}"));
        self.set.iter().cloned().chain(topics).collect()
    }
}

impl Short {
    /// Option, key and value of each that was given.
    fn flags(self, log: Option<LevelFilter>) -> Vec<(&'static str, &'static str, String)> {
        let texts = [
            ("--topic", "topics", list(&self.topic)),
            ("--listen", "server.listen", list(&self.listen)),
            ("--identity", "server.identity", self.identity),
            ("--admin", "admin.socket", self.admin),
            ("--log", "log.level", log.map(|level| level.to_string())),
            ("--log-format", "log.format", self.log_format),
        ];
        let given = texts.into_iter().filter_map(|(option, key, text)| Some((option, key, text?)));
        given.collect()
    }
}
