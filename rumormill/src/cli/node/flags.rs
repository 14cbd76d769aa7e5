//! What the command line says to the node: short forms of `--set`, and where the configuration is.

use std::{env, net::SocketAddr, path::PathBuf};

use rumormill::{
    Addr,
    config::{Origin, Problem, Sources},
    transport::NodeId,
};
use serde_json::{Value, json};
use tracing::level_filters::LevelFilter;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints a line for each thing that happens: where it listens, members that join, are suspected, fail, return
or leave, rumors, and messages. Questions are answered with their own bytes. Messages go to standard error.

SIGTERM or SIGINT: it leaves the cluster and sends what waits, within leave.deadline; a second one ends it
at once. SIGHUP, or a change of the configuration's file or of a file that it names: it reads them again,
and takes over all that is different, or nothing if any of it is wrong or needs a restart.
Exit codes: 0 if it has left, 1 if it could not start or go on, 2 if its configuration has to change.

Example: rumormill node --cluster docs --open --preset local --listen tcp://127.0.0.1:0
         rumormill node --config /etc/rumormill/node.toml --set gossip.packet=1400")]
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
    /// The cluster's name (node.cluster)
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// What people call the node (node.name)
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The file of its key, from `keygen` (node.identity) [default: a fresh key for each start]
    #[arg(long, value_name = "FILE")]
    identity: Option<String>,
    /// The file of its ticket, from `ticket issue` (node.ticket)
    #[arg(long, value_name = "FILE")]
    ticket: Option<String>,
    /// Let in anybody who knows the cluster's name (admission = "open")
    #[arg(long)]
    open: bool,
    /// Let in this node (admission.nodes); once for each
    #[arg(long, value_name = "NODEID")]
    allow: Vec<NodeId>,
    /// Let in whoever has a ticket of this issuer (admission.issuers); once for each
    #[arg(long, value_name = "NODEID")]
    issuer: Vec<NodeId>,
    /// Where to listen (listen); once for each
    #[arg(long, value_name = "ADDR")]
    listen: Vec<Addr>,
    /// Where others reach it (advertise); once for each [default: where it listens]
    #[arg(long, value_name = "ADDR")]
    advertise: Vec<Addr>,
    /// Where members are to join (join); once for each
    #[arg(long, value_name = "ADDR")]
    join: Vec<Addr>,
    /// The kind of network: lan, wan, satellite, local (node.preset)
    #[arg(long, value_name = "PRESET")]
    preset: Option<String>,
    /// The Unix socket where it is asked and told things, or off (admin.socket)
    #[arg(long, value_name = "PATH")]
    admin: Option<String>,
    /// The address and port of TCP for the same (admin.tcp), with --admin-token
    #[arg(long, value_name = "ADDR")]
    admin_tcp: Option<SocketAddr>,
    /// The file of the token for --admin-tcp (admin.token)
    #[arg(long, value_name = "FILE")]
    admin_token: Option<String>,
    /// What applications want known of it (node.metadata)
    #[arg(long, value_name = "TEXT")]
    metadata: Option<String>,
    /// In which form messages are: text or json (log.format)
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

/// Which option stood for which key.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Shorts(pub(in crate::cli) Vec<(&'static str, &'static str)>);

impl Args {
    /// All sources, the flags last, and what to call those that were short.
    pub(super) fn sources(self, log: Option<LevelFilter>) -> (Sources, Shorts) {
        let named = || env::var_os("RUMORMILL_CONFIG").filter(|name| !name.is_empty());
        let file = self.config.or_else(|| named().map(PathBuf::from));
        let short = self.short.flags(log);
        let shorts = short.iter().map(|(option, key, _)| (*option, *key)).collect();
        let short = short.into_iter().map(|(_, key, value)| format!("{key}={value}"));
        let flags = self.set.into_iter().chain(short).collect();
        (Sources::of_process(file, flags), Shorts(shorts))
    }
}

impl Short {
    /// Option, key and value of each that was given.
    fn flags(self, log: Option<LevelFilter>) -> Vec<(&'static str, &'static str, String)> {
        let texts = [
            ("--cluster", "node.cluster", self.cluster),
            ("--name", "node.name", self.name),
            ("--identity", "node.identity", self.identity),
            ("--ticket", "node.ticket", self.ticket),
            ("--open", "admission", self.open.then(|| "open".into())),
            ("--allow", "admission.nodes", list(&self.allow)),
            ("--issuer", "admission.issuers", list(&self.issuer)),
            ("--listen", "listen", list(&self.listen)),
            ("--advertise", "advertise", list(&self.advertise)),
            ("--join", "join", list(&self.join)),
            ("--preset", "node.preset", self.preset),
            ("--admin", "admin.socket", self.admin),
            ("--admin-tcp", "admin.tcp", self.admin_tcp.map(|addr| addr.to_string())),
            ("--admin-token", "admin.token", self.admin_token),
            ("--metadata", "node.metadata", self.metadata),
            ("--log", "log.level", log.map(|level| level.to_string())),
            ("--log-format", "log.format", self.log_format),
        ];
        let given = texts.into_iter().filter_map(|(option, key, text)| Some((option, key, text?)));
        given.collect()
    }
}

impl Shorts {
    /// What is wrong, by the name of the option that it was written behind.
    pub(super) fn told(&self, problem: &Problem) -> String {
        let text = problem.to_string();
        // An option of topics is short for the keys of each.
        let is_for = |key: &str| {
            problem
                .key
                .strip_prefix(key)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
        };
        let short = self.0.iter().find(|(_, key)| is_for(key));
        match (short, &problem.origin, text.strip_prefix("--set: ")) {
            (Some((option, _)), Origin::Flag, Some(rest)) => format!("{option}: {rest}"),
            _ => text,
        }
    }
}

/// A list in which nothing separates by itself: strings of JSON are strings of TOML, too.
pub(in crate::cli) fn list<T: ToString>(items: &[T]) -> Option<String> {
    let texts: Value = items.iter().map(|item| json!(item.to_string())).collect();
    (!items.is_empty()).then(|| texts.to_string())
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches};

    use super::*;

    fn parse(line: &[&str]) -> Args {
        let command = Args::augment_args(Command::new("node"));
        let matches = command.try_get_matches_from([&["node"], line].concat()).unwrap();
        Args::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn options_are_short_for_keys_and_come_last() {
        let args = parse(&[
            "--config",
            "a.toml",
            "--cluster",
            "c",
            "--open",
            "--listen",
            "mem://a,b",
            "--listen",
            "mem://c",
            "--set",
            "gossip.packet=1400",
        ]);
        let (sources, _) = args.sources(Some(LevelFilter::DEBUG));
        assert_eq!(sources.file, Some("a.toml".into()));
        let expected = [
            "gossip.packet=1400",
            "node.cluster=c",
            "admission=open",
            r#"listen=["mem://a,b","mem://c"]"#,
            "log.level=debug",
        ];
        assert_eq!(sources.flags, expected);
        let loaded = Sources { file: None, environment: Vec::new(), ..sources }
            .load(&rumormill::registry().unwrap());
        if cfg!(feature = "mem") {
            assert_eq!(loaded.unwrap().config.listen.len(), 2);
        }
    }

    #[test]
    fn what_is_wrong_with_an_option_is_told_by_its_name() {
        let args = parse(&["--preset", "moon", "--set", "gossip.packet=1"]);
        let (sources, shorts) = args.sources(None);
        let sources = Sources { file: None, environment: Vec::new(), ..sources };
        let error = sources.load(&rumormill::registry().unwrap()).unwrap_err();
        let told: Vec<_> = error.problems.iter().map(|it| shorts.told(it)).collect();
        assert!(told.iter().any(|it| it.starts_with("--preset: node.preset is \"moon\"; write ")));
        assert!(told.iter().any(|it| it.starts_with("--set: gossip.packet is \"1\", which ")));
    }
}
