//! A node of a cluster, which tells who comes and goes.
//!
//! `cargo run -p rumormill-examples --bin member -- tcp://127.0.0.1:0 udp://127.0.0.1:0 --name alice`
//!
//! It listens at all addresses, and says where. Another one joins it in another terminal, by any of
//! them: `... --bin member -- quic://127.0.0.1:0 --name bob --join tcp://127.0.0.1:40571`. Ctrl-c or
//! SIGTERM makes it say goodbye; that one was killed, the others find out by themselves.
//!
//! How soon they do is `--preset local`, `lan` or `wan`, the same for all nodes. With `--drop 15 --delay
//! 20ms` what arrives suffers from a bad network.
#![expect(clippy::print_stdout, reason = "a program shows what it did")]

use std::{env, fmt::Display, io, pin::pin, process::ExitCode, sync::Arc, time::Duration};

use rumormill::{
    Addr,
    endpoint::{Admission, Config as Settings, Endpoint, Inboxes, Reach, SystemClock},
    gossip::{Config, Event, Gossip, Profile, pack},
    identity::SecretKey,
    transport::NodeId,
};
use rumormill_examples::{Outcome, exit_code, parse, registry};
use rumormill_transport_conformance::Faults;
use tokio::sync::broadcast::error::RecvError;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(env::args().skip(1)).await)
}

async fn run(arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let Wanted { mut addrs, name, join, preset, faults } = Wanted::parse(arguments)?;
    let mut end = pin!(signals()?);
    let key = SecretKey::generate();
    let registry = registry(faults, &key)?;
    // All nodes are on this machine, and in one hand: others list them, or give them tickets.
    let reach = Reach { loopback: true, ..Reach::default() };
    let settings = Settings { reach, ..Settings::new("member", Admission::Open) };
    let (endpoint, inboxes) = Endpoint::start(Arc::new(registry), key, settings)?;
    for addr in &mut addrs {
        *addr = endpoint.listen(addr).await?;
    }
    let addresses = addrs.iter().filter_map(pack).collect();
    let profile = Profile { name: name.into(), addresses, ..Profile::default() };
    let Inboxes { control, gossip, bulk: _for_applications } = inboxes;
    let endpoint = Arc::new(endpoint);
    let gossip = Gossip::start(endpoint.clone(), [control, gossip], preset, profile, None)?;
    let mut events = gossip.events();
    say(format_args!("listening {}", spaced(&addrs)));

    for addr in &join {
        gossip.join(addr).await?;
    }
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => tell(&gossip, event),
                Err(RecvError::Lagged(count)) => say(format_args!("missed {count} events")),
                Err(RecvError::Closed) => break,
            },
            () = &mut end => break,
        }
    }
    if let Some(report) = gossip.leave(FAREWELL).await {
        say(format_args!("leaving: {report:?}"));
    }
    drop(gossip);
    if let Some(endpoint) = Arc::into_inner(endpoint) {
        endpoint.close(FAREWELL).await;
    }
    Ok(())
}

/// What the command line wants.
struct Wanted {
    addrs: Vec<Addr>,
    name: String,
    join: Vec<Addr>,
    preset: Config,
    faults: Faults,
}

impl Wanted {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let (mut name, mut join, mut preset) = (String::new(), Vec::new(), Config::local());
        let mut others = Vec::new();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} lacks a value"));
            match &*argument {
                "--join" => join.push(value()?.parse()?),
                "--name" => name = value()?,
                "--preset" => preset = named(&value()?)?,
                _ => others.push(argument),
            }
        }
        let (addrs, faults) =
            parse(others.into_iter()).map_err(|error| format!("{error}; {USAGE}"))?;
        let addrs: Vec<Addr> = addrs.iter().map(|addr| addr.parse()).collect::<Result<_, _>>()?;
        match addrs.is_empty() {
            true => Err(format!("give an address to listen at; {USAGE}").into()),
            false => Ok(Self { addrs, name, join, preset, faults }),
        }
    }
}

fn named(preset: &str) -> Outcome<Config> {
    match preset {
        "lan" => Ok(Config::lan()),
        "local" => Ok(Config::local()),
        "wan" => Ok(Config::wan()),
        _ => Err(format!("no preset '{}': lan, local or wan", preset.escape_debug()).into()),
    }
}

/// Says what has happened to a member.
fn tell(gossip: &Gossip, event: Event) {
    let members = gossip.members();
    let find = |node: NodeId| members.iter().find(|member| member.node == node);
    let who = |node| match find(node) {
        Some(member) => format!("{} {node}", member.name),
        None => node.to_string(),
    };
    let at = |node| find(node).map_or_else(String::new, |member| spaced(&member.addresses));
    match event {
        Event::Joined(node) => say(format_args!("joined {} {}", who(node), at(node))),
        Event::Suspected { node, by } => say(format_args!("suspected {} by {by}", who(node))),
        Event::Cleared(node) => say(format_args!("cleared {}", who(node))),
        Event::Failed { node, by } => say(format_args!("failed {} by {by}", who(node))),
        Event::Returned(node) => say(format_args!("returned {} {}", who(node), at(node))),
        Event::Updated(node) => say(format_args!("updated {} {}", who(node), at(node))),
        Event::Left(node) => say(format_args!("left {}", who(node))),
        other => say(format_args!("{other:?}")),
    }
}

fn spaced(addrs: &[Addr]) -> String {
    addrs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Prints a line, with the time of day in UTC.
fn say(line: impl Display) {
    let millis = SystemClock.nanos() / 1_000_000 % (24 * 3600 * 1000);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    println!("{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z {line}");
}

/// Waits for ctrl-c or SIGTERM, from now on.
#[cfg(unix)]
fn signals() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
        }
    })
}

/// Waits for ctrl-c, from now on.
#[cfg(windows)]
fn signals() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move { _ = interrupt.recv().await })
}

const USAGE: &str = "usage: member ADDR... [--name NAME] [--join ADDR]... [--preset lan|local|wan] \
                     [--drop PERCENT] [--delay TIME]";
/// How long goodbyes may take.
const FAREWELL: Duration = Duration::from_secs(5);
