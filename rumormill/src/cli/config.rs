//! `rumormill config`: what a node or a broker would be told, before it is.

use std::{collections::BTreeMap, env, path::PathBuf, process::ExitCode};

use clap::{Subcommand, ValueEnum};
use rumormill::{
    Registry,
    config::{self, Change, Difference, Loaded, Origin, Setting, Sources, Value as Shown},
    identity::SecretKey,
    transport::Options,
};
use serde_json::{Value, json};

use super::{Result, output};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: rumormill config default > node.toml
         rumormill config check node.toml --set gossip.packet=1400")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell everything that is wrong with a configuration; exit with 1 if anything is
    Check(Check),
    /// Print each value, and where it comes from, in a form that can be read again
    Print(Print),
    /// Write a file to begin with, in which every key is explained
    Default(Begin),
    /// Print the reference of all keys, in Markdown
    Reference,
}

#[derive(Debug, clap::Args)]
struct Check {
    #[command(flatten)]
    given: Given,
    /// Tell what a node or broker that runs with this file would take over, and what needs a restart; exit with 1
    /// if anything does
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Print {
    #[command(flatten)]
    given: Given,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Begin {
    /// The kind of network
    #[arg(long, value_name = "PRESET", default_value = "lan")]
    preset: Preset,
    /// The name of the cluster [default: one that nobody has]
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// Write that of a broker, in place of a node's
    #[cfg(feature = "broker")]
    #[arg(long, conflicts_with_all = ["preset", "cluster"])]
    broker: bool,
}

/// Where a configuration comes from.
#[derive(Debug, clap::Args)]
struct Given {
    /// The file
    #[arg(conflicts_with = "config")]
    file: Option<PathBuf>,
    /// The file [default: what RUMORMILL_CONFIG says, or else none]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Override a key of the file and the environment
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// It is a broker's [default: if the file has [server], [performance], or topics and nothing of a node]
    #[cfg(feature = "broker")]
    #[arg(long)]
    broker: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    Lan,
    Wan,
    Satellite,
    Local,
}

pub(crate) fn run(args: Args) -> Result<ExitCode> {
    match args.command {
        Command::Check(args) => check(args),
        Command::Print(args) => print(args),
        Command::Default(args) => begin(args),
        Command::Reference => {
            output::line(config::reference().trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl Given {
    fn sources(self) -> (Sources, Kind) {
        let named = || env::var_os("RUMORMILL_CONFIG").filter(|name| !name.is_empty());
        let file = self.file.or(self.config).or_else(|| named().map(PathBuf::from));
        let sources = Sources::of_process(file, self.set);
        #[cfg(feature = "broker")]
        if self.broker || sources.is_of_broker() {
            return (sources, Kind::Broker);
        }
        (sources, Kind::Node)
    }
}

/// What a configuration is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    #[cfg(feature = "broker")]
    Broker,
    Node,
}

/// A configuration of either kind.
enum Either {
    #[cfg(feature = "broker")]
    Broker(Box<config::broker::Loaded>),
    Node(Box<Loaded>),
}

impl Either {
    fn load(
        sources: &Sources,
        kind: Kind,
        registry: &Registry,
    ) -> std::result::Result<Self, config::Error> {
        match kind {
            #[cfg(feature = "broker")]
            Kind::Broker => sources.load_broker(registry).map(|loaded| Self::Broker(loaded.into())),
            Kind::Node => sources.load(registry).map(|loaded| Self::Node(loaded.into())),
        }
    }

    fn settings(&self) -> Vec<Setting> {
        match self {
            #[cfg(feature = "broker")]
            Self::Broker(loaded) => loaded.settings(),
            Self::Node(loaded) => loaded.settings(),
        }
    }

    fn transports(&self) -> &BTreeMap<Box<str>, Options> {
        match self {
            #[cfg(feature = "broker")]
            Self::Broker(loaded) => &loaded.config.transports,
            Self::Node(loaded) => &loaded.config.transports,
        }
    }

    /// What is different in `new`, which was loaded as the same kind.
    fn change_to(&self, new: &Self) -> Change {
        match (self, new) {
            (Self::Node(old), Self::Node(new)) => Change::between(&old.config, &new.config),
            #[cfg(feature = "broker")]
            (Self::Broker(old), Self::Broker(new)) => {
                Change::between_brokers(&old.config, &new.config)
            }
            #[cfg(feature = "broker")]
            _ => Change::default(),
        }
    }
}

fn check(args: Check) -> Result<ExitCode> {
    let (registry, (sources, kind)) = (rumormill::registry()?, args.given.sources());
    let new = match Either::load(&sources, kind, &registry) {
        Ok(loaded) => loaded,
        Err(error) => return Ok(report(&error, &sources)),
    };
    let Some(old) = args.against else {
        output::note("the configuration is valid");
        return Ok(ExitCode::SUCCESS);
    };
    let sources = Sources { file: Some(old), ..sources };
    match Either::load(&sources, kind, &registry) {
        Ok(old) => compare(&old.change_to(&new)),
        Err(error) => Ok(report(&error, &sources)),
    }
}

fn compare(change: &Change) -> Result<ExitCode> {
    if change.is_empty() {
        output::note("nothing is different");
    }
    let rows = |word: &'static str, differences: &[Difference]| {
        differences.iter().try_for_each(|difference| {
            let Difference { key, from, to } = difference;
            let [from, to] =
                [from, to].map(|it| it.as_ref().map_or_else(|| "none".into(), Shown::to_string));
            output::line(format_args!("{word:<7} {key}: {from} -> {to}"))
        })
    };
    rows("live", &change.live)?;
    rows("restart", &change.restart)?;
    match change.clone().into_live() {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(needs) => {
            output::note(format_args!("a reload would be refused: {needs}"));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn print(args: Print) -> Result<ExitCode> {
    let (registry, (sources, kind)) = (rumormill::registry()?, args.given.sources());
    let loaded = match Either::load(&sources, kind, &registry) {
        Ok(loaded) => loaded,
        Err(error) => return Ok(report(&error, &sources)),
    };
    let settings = loaded.settings();
    match args.json {
        true => output::line(settings.iter().map(as_value).collect::<Value>())?,
        false => {
            // Tables of topics come last, as TOML wants it.
            let (of_topics, others): (Vec<_>, Vec<_>) =
                settings.into_iter().partition(|setting| setting.key.starts_with("topics["));
            for Setting { key, value, origin } in others {
                output::line(format_args!("{key} = {value}  # {origin}"))?;
            }
            unset_options(&registry, &loaded)?;
            print_topics(&of_topics)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A table for each topic.
fn print_topics(settings: &[Setting]) -> Result<()> {
    let mut last = "";
    for Setting { key, value, origin } in settings {
        let Some((topic, name)) = key.split_once("].") else { continue };
        if topic != last {
            output::line("[[topics]]")?;
            last = topic;
        }
        output::line(format_args!("{name} = {value}  # {origin}"))?;
    }
    Ok(())
}

/// Options of transports that nobody set: comments, since their defaults are the transports' own.
fn unset_options(registry: &Registry, loaded: &Either) -> Result<()> {
    for factory in registry.factories() {
        let set = loaded.transports().get(factory.scheme);
        for option in factory.options {
            if set.is_none_or(|set| set.get(option.name).is_none()) {
                let (scheme, name) = (factory.scheme, option.name);
                output::line(format_args!("# transports.{scheme}.{name} = {:?}", option.default))?;
            }
        }
    }
    Ok(())
}

fn begin(args: Begin) -> Result<ExitCode> {
    #[cfg(feature = "broker")]
    if args.broker {
        output::line(config::broker::sample().trim_end())?;
        return Ok(ExitCode::SUCCESS);
    }
    // The end of a fresh node's id: nobody else will come upon it.
    let fresh = || SecretKey::generate().node().to_string().split_off(51);
    let cluster = args.cluster.unwrap_or_else(|| format!("cluster-{}", fresh()));
    let preset = match args.preset {
        Preset::Lan => config::Preset::Lan,
        Preset::Wan => config::Preset::Wan,
        Preset::Satellite => config::Preset::Satellite,
        Preset::Local => config::Preset::Local,
    };
    output::line(config::sample(&cluster, preset).trim_end())?;
    Ok(ExitCode::SUCCESS)
}

/// Tells all that is wrong, a line each. What is wrong with a flag has to change on the command line.
fn report(error: &config::Error, sources: &Sources) -> ExitCode {
    for line in error.to_string().lines() {
        output::note(format_args!("error: {line}"));
    }
    if sources.file.is_none() {
        output::note("no file was read; name one, or set RUMORMILL_CONFIG");
    }
    match error.problems.iter().any(|problem| problem.origin == Origin::Flag) {
        true => ExitCode::from(USAGE),
        false => ExitCode::FAILURE,
    }
}

fn as_value(setting: &Setting) -> Value {
    let Setting { key, value, origin } = setting;
    json!({ "key": key, "value": shown(value), "origin": origin.to_string() })
}

fn shown(value: &Shown) -> Value {
    match value {
        Shown::Boolean(is_so) => json!(is_so),
        Shown::List(values) => values.iter().map(shown).collect(),
        // Its digits are those of JSON, too.
        Shown::Number(digits) => digits.parse().unwrap_or(Value::Null),
        Shown::Text(text) => json!(text),
    }
}

/// What clap exits with, too.
const USAGE: u8 = 2;
