//! A chat in a terminal, over any transport: what one types, all others read.
//!
//! `cargo run -q -p rumormill-examples --bin chat -- alice tcp://127.0.0.1:0 udp://127.0.0.1:0`
//!
//! It says where it listens. Others join by any of these addresses, over transports of their own:
//! `... --bin chat -- bob quic://127.0.0.1:0 --join tcp://127.0.0.1:40571`. The end of the input, or
//! ctrl-c, says goodbye. With `--drop 15 --delay 20ms` what arrives suffers from a bad network.
#![expect(clippy::print_stdout, reason = "a program shows what it did")]

use std::{
    env,
    io::{self, BufRead},
    process::ExitCode,
    thread,
};

use rumormill::{
    Node,
    config::{Admission, Config, Preset},
    gossip::{Event, Heard},
    transport::NodeId,
};
use rumormill_examples::{Outcome, exit_code, parse, start};
use rumormill_transport_conformance::Faults;
use tokio::{
    signal::ctrl_c,
    sync::{broadcast::error::RecvError, mpsc},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(env::args().skip(1)).await)
}

async fn run(arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let (config, faults) = wanted(arguments)?;
    let (node, _inbox) = start(config, faults).await?;
    let (mut events, mut rumors, mut typed) = (node.events(), node.rumors(), typed());
    for addr in node.addresses() {
        println!("* listening at {addr}");
    }
    loop {
        tokio::select! {
            line = typed.recv() => match line {
                Some(line) if line.is_empty() => (),
                Some(line) => drop(node.broadcast(line).await?),
                None => break,
            },
            heard = rumors.recv() => match heard {
                Some(heard) => show(&node, &heard),
                None => break,
            },
            event = events.recv() => match event {
                Ok(event) => tell(&node, &event),
                Err(RecvError::Lagged(count)) => println!("* {count} things were missed"),
                Err(RecvError::Closed) => break,
            },
            _ = ctrl_c() => break,
        }
    }
    node.leave().await;
    Ok(())
}

fn wanted(mut arguments: impl Iterator<Item = String>) -> Outcome<(Config, Faults)> {
    let name = arguments.next().filter(|name| !name.starts_with("--")).ok_or(USAGE)?;
    let mut config = Config::preset("chat", Admission::Open, Preset::Local);
    let mut others = Vec::new();
    while let Some(argument) = arguments.next() {
        match &*argument {
            "--join" => config.join.push(arguments.next().ok_or(USAGE)?.parse()?),
            _ => others.push(argument),
        }
    }
    let (addrs, faults) = parse(others.into_iter())?;
    config.node.name = name.into();
    config.listen = addrs.iter().map(|addr| addr.parse()).collect::<Result<_, _>>()?;
    match config.listen.is_empty() {
        true => Err(USAGE.into()),
        false => Ok((config, faults)),
    }
}

/// The lines that are typed, from a thread of its own: nothing else can wait for them and be stopped.
fn typed() -> mpsc::Receiver<String> {
    let (lines, typed) = mpsc::channel(16);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                break;
            }
        }
    });
    typed
}

fn show(node: &Node, heard: &Heard) {
    match heard {
        Heard::Rumor(rumor) => {
            let text = String::from_utf8_lossy(&rumor.bytes);
            // It may be meant for the terminal, and not for its reader.
            println!("{}: {}", name(node, rumor.origin), text.escape_debug());
        }
        Heard::Gap(gap) => println!("* something of {} is lost", name(node, gap.origin)),
        Heard::Missed(count) => println!("* {count} lines were missed"),
    }
}

fn tell(node: &Node, event: &Event) {
    match event {
        Event::Joined(who) | Event::Returned(who) => println!("* {} is here", name(node, *who)),
        Event::Left(who) => println!("* {} has left", name(node, *who)),
        Event::Failed { node: who, .. } => println!("* {} is gone", name(node, *who)),
        _ => (),
    }
}

fn name(node: &Node, of: NodeId) -> String {
    let members = node.members();
    let member = members.iter().find(|member| member.node == of);
    let name = member.map(|member| &*member.name).filter(|name| !name.is_empty());
    name.map_or_else(|| of.to_string(), |name| name.escape_debug().to_string())
}

const USAGE: &str = "usage: chat NAME ADDR... [--join ADDR]... [--drop PERCENT] [--delay TIME]";
