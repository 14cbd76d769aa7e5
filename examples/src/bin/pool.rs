//! A hundred clients of an echo server, who share a pool of conns.
//!
//! `cargo run -p rumormill-examples --bin pool -- tcp://127.0.0.1:0`
//!
//! Each client asks a hundred questions. A conn is dialled only where none is idle, and goes back
//! when its question is answered.
//!
//! With `--drop 1 --delay 5ms` the same happens in a bad network: of the questions and answers that
//! pass the server, one in a hundred is lost. Whoever waits in vain asks again, and the conn is
//! closed, so that a late answer reaches nobody.
#![expect(clippy::print_stdout, reason = "a program shows what it did")]

use std::{env, process::ExitCode, sync::Arc, time::Duration};

use rumormill::{
    Addr, Registry, Target, Transport,
    endpoint::pool::{Effect, Error as PoolError, Limits, Pool},
    identity::SecretKey,
    transport::{Limits as Serving, Server, serve},
};
use rumormill_examples::{Outcome, exit_code, parse};
use rumormill_transport_conformance::{Faults, Faulty};
use tokio::task::JoinSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(env::args().skip(1)).await)
}

async fn run(arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let (addrs, faults) = parse(arguments)?;
    let addr = addrs.first().map_or("tcp://127.0.0.1:0", String::as_str);
    let key = SecretKey::generate();
    let registry = Arc::new(rumormill::registry()?.with_credentials(key.credentials().into()));
    let server = echo(&registry, &addr.parse()?, faults).await?;

    let pool = Pool::new(registry, Limits::default());
    let (target, patience) = (Target::new(server.addr().clone()), faults.delay + PATIENCE);
    let mut clients = JoinSet::new();
    for name in 0..CLIENTS {
        clients.spawn(client(name, pool.clone(), target.clone(), patience));
    }
    let mut lost = 0;
    while let Some(ended) = clients.join_next().await {
        lost += ended??;
    }

    let (questions, numbers) = (CLIENTS * QUESTIONS, pool.snapshot());
    println!("{CLIENTS} clients had {questions} questions answered by {}", target.addr);
    println!(
        "{} conns dialled, {} uses of one that was there: {:.1} % reuse; {lost} waits in vain",
        numbers.created,
        numbers.reused,
        100.0 * numbers.reuse_rate()
    );
    pool.close(FAREWELL).await;
    server.stop(FAREWELL).await;
    Ok(())
}

/// Answers each message with itself, and lets what arrives suffer `faults`.
async fn echo(registry: &Registry, addr: &Addr, faults: Faults) -> Outcome<Server> {
    let transport = registry.transport(addr.scheme())?;
    let limits = Serving::default();
    Ok(match faults == Faults::default() {
        true => serve(transport.listen(addr).await?, limits, async |_, text| Some(text)),
        false => {
            let listener = Faulty::new(transport, faults).listen(addr).await?;
            serve(listener, limits, async |_, text| Some(text))
        }
    })
}

/// Asks one question after the other, each until it is answered; tells how often that failed.
async fn client(name: u32, pool: Pool, target: Target, patience: Duration) -> Outcome<u32> {
    let mut lost = 0;
    for number in 0..QUESTIONS {
        let question = format!("question {number} of client {name}");
        let answer = loop {
            let question = question.clone();
            match pool.request(&target, question, Effect::Idempotent, patience).await {
                Err(PoolError::Uncertain { .. }) if lost < ATTEMPTS => lost += 1,
                answered => break answered?,
            }
        };
        if answer != question {
            return Err(format!("a strange answer: {answer:?}").into());
        }
    }
    Ok(lost)
}

const CLIENTS: u32 = 100;
/// From each client.
const QUESTIONS: u32 = 100;
/// How often a client may wait in vain.
const ATTEMPTS: u32 = 1000;
/// How much longer than the delay an answer may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(1);
const FAREWELL: Duration = Duration::from_secs(1);
