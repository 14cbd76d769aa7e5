//! Questions and answers: a node that adds numbers up, and clients that ask it over several transports.
//!
//! `cargo run -q -p rumormill-examples --bin rpc`
//!
//! The server listens at the addresses of the command line, or at some of its own; each client knows it
//! by one of them. With `--drop 15 --delay 20ms` what arrives suffers from a bad network, and some
//! questions are asked more than once: adding up does no harm twice.
#![expect(clippy::print_stdout, reason = "a program shows what it did")]

use std::{env, process::ExitCode, time::Duration};

use rumormill::{
    Addr, Node,
    config::{Admission, Config, Preset},
    endpoint::Inbox,
};
use rumormill_examples::{Outcome, exit_code, parse, start};
use rumormill_transport_conformance::Faults;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(env::args().skip(1)).await)
}

async fn run(arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let (mut addrs, faults) = parse(arguments)?;
    if addrs.is_empty() {
        addrs = ADDRS.map(String::from).into();
    }
    let mut config = config();
    config.listen = addrs.iter().map(|addr| addr.parse()).collect::<Result<_, _>>()?;
    let (server, questions) = start(config, faults).await?;
    tokio::select! {
        served = serve(&server, questions) => served?,
        asked = ask_by_all(&server, faults) => asked?,
    }
    server.leave().await;
    Ok(())
}

/// Answers until nothing more can come.
async fn serve(server: &Node, mut questions: Inbox) -> Outcome<()> {
    while let Some(question) = questions.recv().await {
        let answer = match sum(&String::from_utf8_lossy(&question.bytes)) {
            Some(sum) => sum.to_string(),
            None => "numbers, please: 1 2 3".into(),
        };
        server.reply(&question, answer)?;
    }
    Ok(())
}

fn sum(text: &str) -> Option<i64> {
    text.split_whitespace().try_fold(0_i64, |sum, number| sum.checked_add(number.parse().ok()?))
}

/// Asks by each address, from a node that knows no other.
async fn ask_by_all(server: &Node, faults: Faults) -> Outcome<()> {
    for addr in server.addresses() {
        let (client, _inbox) = start(config(), faults).await?;
        ask(&client, server, &addr).await?;
        client.leave().await;
    }
    Ok(())
}

async fn ask(client: &Node, server: &Node, addr: &Addr) -> Outcome<()> {
    client.endpoint().learn(server.id(), vec![addr.clone()])?;
    for question in ["1 2 3", "40 2", "one and one"] {
        let since = Instant::now();
        let answer = client.endpoint().request_idempotent(server.id(), question, DEADLINE).await?;
        let took = since.elapsed();
        println!("{addr}: {question} -> {} ({took:.0?})", String::from_utf8_lossy(&answer));
    }
    Ok(())
}

fn config() -> Config {
    Config::preset("rpc", Admission::Open, Preset::Local)
}

const ADDRS: [&str; 3] = ["tcp://127.0.0.1:0", "udp://127.0.0.1:0", "quic://127.0.0.1:0"];
const DEADLINE: Duration = Duration::from_secs(10);
