//! Two nodes that ask each other, each over the transport that the other listens at.
//!
//! `cargo run -p rumormill-examples --bin ping-pong -- tcp://127.0.0.1:0 quic://127.0.0.1:0`
//!
//! Alice listens at the first address and Bob at the second. What they say is signed, whatever
//! carries it; `quic://` and `tls://` encrypt it, too. In the end each shows its ledger: what became
//! of every message.
//!
//! With `--drop 15 --delay 20ms` the same happens in a bad network: of what arrives at either, 15 of
//! 100 messages are lost, and the others come 20 ms later. Questions that got lost are asked again.
#![expect(clippy::print_stdout, reason = "a program shows what it did")]

use std::{env, error::Error, process::ExitCode, sync::Arc, time::Duration};

use rumormill::{
    Addr,
    endpoint::{Admission, Class, Config, Endpoint, Inbox, Inboxes, Report},
    identity::SecretKey,
};
use rumormill_examples::{Outcome, exit_code, parse, registry};
use rumormill_transport_conformance::Faults;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(env::args().skip(1)).await)
}

async fn run(arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let (addrs, faults) = parse(arguments)?;
    let [first, second] = &addrs[..] else {
        return Err("give two addresses, such as tcp://127.0.0.1:0 quic://127.0.0.1:0".into());
    };
    let (alice, mut for_alice) = start(faults)?;
    let (bob, mut for_bob) = start(faults)?;
    let at_alice = alice.listen(&first.parse()?).await?;
    let at_bob = bob.listen(&second.parse()?).await?;
    println!("alice is {}, at {at_alice}", alice.node());
    println!("bob   is {}, at {at_bob}", bob.node());

    let games = async {
        println!("alice asks bob: {}", play(&alice, &bob, at_bob).await?);
        println!("bob asks alice: {}", play(&bob, &alice, at_alice).await?);
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    };
    tokio::select! {
        played = games => played?,
        () = pong(&alice, &mut for_alice.bulk) => (),
        () = pong(&bob, &mut for_bob.bulk) => (),
    }
    println!("alice: {}", ledger(&alice.close(FAREWELL).await));
    println!("bob:   {}", ledger(&bob.close(FAREWELL).await));
    Ok(())
}

/// A new node of the cluster.
fn start(faults: Faults) -> Outcome<(Endpoint, Inboxes)> {
    let key = SecretKey::generate();
    let registry = registry(faults, &key)?;
    // Both are in one hand; a real cluster lists its nodes, or gives them tickets.
    let config = Config::new("ping-pong", Admission::Open);
    Ok(Endpoint::start(Arc::new(registry), key, config)?)
}

/// Asks `to`, which is at `addr`, one question after the other.
async fn play(from: &Endpoint, to: &Endpoint, addr: Addr) -> Outcome<String> {
    // What they have had so far goes, or these questions would take the way of the last ones. Of the
    // answer that came last, nobody has told yet that it arrived: it counts as uncertain.
    from.forget(to.node());
    to.forget(from.node());
    from.learn(to.node(), vec![addr.clone()])?;
    let mut times = Vec::new();
    for number in 1..=ROUNDS {
        let (ping, start) = (format!("ping {number}"), Instant::now());
        let pong = from.request_idempotent(to.node(), ping, DEADLINE).await?;
        times.push(start.elapsed());
        if pong != format!("pong {number}") {
            return Err(format!("a strange answer: {pong:?}").into());
        }
    }
    // The first one has met the peer, too.
    let (first, fastest) = (times[0], times.iter().min().unwrap_or(&times[0]));
    Ok(format!(
        "{ROUNDS} round trips over {addr}, the first {first:.1?}, the fastest {fastest:.1?}"
    ))
}

/// Answers every ping.
async fn pong(endpoint: &Endpoint, inbox: &mut Inbox) {
    while let Some(message) = inbox.recv().await {
        let answer = String::from_utf8_lossy(&message.bytes).replace("ping", "pong");
        if let Err(error) = endpoint.reply(&message, answer) {
            eprintln!("no answer for {}: {error}", message.from);
        }
    }
}

fn ledger(report: &Report) -> String {
    let (bulk, links) = (report.snapshot.class(Class::Bulk), report.snapshot.links);
    let dropped: u64 = bulk.dropped.iter().map(|(_, count)| count).sum();
    format!(
        "{} sent = {} carried + {} uncertain + {dropped} dropped; {} delivered; {} conns dialled, \
         {} accepted",
        bulk.sent, bulk.carried, bulk.uncertain, bulk.delivered, links.dialled, links.accepted
    )
}

/// Questions from each side.
const ROUNDS: u32 = 10;
const DEADLINE: Duration = Duration::from_secs(20);
const FAREWELL: Duration = Duration::from_secs(1);
