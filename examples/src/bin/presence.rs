//! Who is doing what: three nodes tell by their metadata, and each sees the others change.
//!
//! `cargo run -q -p rumormill-examples --bin presence`
//!
//! Each listens at an address of its own, or at those of the command line. With `--drop 15 --delay 20ms`
//! what arrives suffers from a bad network.
#![expect(clippy::print_stdout, reason = "a program shows what it did")]

use std::{env, process::ExitCode, time::Duration};

use rumormill::{
    Addr, Node,
    config::{Admission, Config, Preset},
    endpoint::Inbox,
};
use rumormill_examples::{Outcome, exit_code, parse, start};
use rumormill_transport_conformance::Faults;
use tokio::time::{Instant, timeout};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(env::args().skip(1)).await)
}

async fn run(arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let (mut addrs, faults) = parse(arguments)?;
    if addrs.is_empty() {
        addrs = ADDRS.map(String::from).into();
    }
    let mut nodes: Vec<(Node, Inbox)> = Vec::new();
    for (name, addr) in NAMES.into_iter().zip(addrs.iter().cycle()) {
        let join = nodes.first().map(|(first, _)| first.addresses()).unwrap_or_default();
        nodes.push(begin(name, addr, join, faults).await?);
    }
    for &(name, status) in CHANGES {
        let Some((node, _)) = nodes.iter().find(|(node, _)| *node.name() == *name) else {
            continue;
        };
        let since = Instant::now();
        node.set_metadata(status).await?;
        for (other, _) in nodes.iter().filter(|(other, _)| other.id() != node.id()) {
            wait(other, node, status).await?;
        }
        println!("{name} is {status}; all know after {:.0?}", since.elapsed());
    }
    for (node, _inbox) in &nodes {
        println!("{} sees:", node.name());
        for member in node.members() {
            let status = member.metadata.unwrap_or_default();
            println!("  {:6} {}", member.name, String::from_utf8_lossy(&status));
        }
    }
    for (node, _inbox) in &nodes {
        node.leave().await;
    }
    Ok(())
}

async fn begin(name: &str, addr: &str, join: Vec<Addr>, faults: Faults) -> Outcome<(Node, Inbox)> {
    let mut config = Config::preset("presence", Admission::Open, Preset::Local);
    config.node.name = name.into();
    config.node.metadata = "just started".into();
    config.listen.push(addr.parse()?);
    config.join = join;
    start(config, faults).await
}

/// Waits until one node knows what another one is doing.
async fn wait(node: &Node, other: &Node, status: &str) -> Outcome<()> {
    let knows = node.wait_for(|members| {
        let member = members.iter().find(|member| member.node == other.id());
        member.is_some_and(|member| member.metadata.as_deref() == Some(status.as_bytes()))
    });
    timeout(DEADLINE, knows).await.map_err(|_| format!("{} has not heard of it", node.name()))?;
    Ok(())
}

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const ADDRS: [&str; 3] = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "quic://127.0.0.1:0"];
const CHANGES: &[(&str, &str)] =
    &[("alice", "in a meeting"), ("bob", "typing"), ("alice", "back"), ("carol", "away")];
/// Streams that lose messages, which none does but by `--drop`, take long to be given up.
const DEADLINE: Duration = Duration::from_secs(120);
