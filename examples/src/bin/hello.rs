//! Two ends that greet each other, over whatever transport the address names.
//!
//! `cargo run -p rumormill-examples --bin hello -- tcp://127.0.0.1:0`
//!
//! Each run is a new node, with a key that only transports use which encrypt, `tls://` and `quic://`.
//!
//! With `--drop 30 --delay 20ms` the same happens in a bad network: of the messages that arrive,
//! 30 of 100 are lost, and the others come 20 ms later.
#![expect(clippy::print_stdout, reason = "a program shows what it did")]

use std::{collections::BTreeSet, env, error::Error, process::ExitCode, time::Duration};

use bytes::Bytes;
use rumormill::{Addr, Batch, Listener, Reader, Transport, Writer, identity::SecretKey};
use rumormill_examples::{Outcome, exit_code, parse};
use rumormill_transport_conformance::{Faults, Faulty};
use tokio::time::timeout;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    exit_code(run(env::args().skip(1)).await)
}

async fn run(arguments: impl Iterator<Item = String>) -> Outcome<()> {
    let (addrs, faults) = parse(arguments)?;
    let addr = addrs.first().map_or("tcp://127.0.0.1:0", String::as_str);
    match faults == Faults::default() {
        true => hello(addr).await,
        false => hello_despite(faults, addr).await,
    }
}

async fn hello(addr: &str) -> Outcome<()> {
    let addr: Addr = addr.parse()?;
    let key = SecretKey::generate();
    let registry = rumormill::registry()?.with_credentials(key.credentials().into());
    let mut listener = registry.listen(&addr).await?;
    let target = listener.addr().clone().into();

    let dialer = async {
        let mut conn = registry.dial(&target).await?;
        let mut batch: Batch = ["hello", "world"].into_iter().collect();
        conn.writer.send(&mut batch).await?;
        Ok::<_, Box<dyn Error + Send + Sync>>(conn)
    };
    let acceptor = async {
        let mut conn = listener.accept().await?;
        let mut messages = Vec::new();
        while messages.len() < 2 {
            conn.reader.recv(&mut messages).await?;
        }
        Ok((conn, messages))
    };
    // Side by side, because a handshake takes both of them.
    let (_dialed, (accepted, messages)) = tokio::try_join!(dialer, acceptor)?;
    println!("{} received {messages:?} from {}", accepted.info.local, accepted.info.remote);
    Ok(())
}

/// The same where `faults` happen to what arrives: until both messages are there, they are sent
/// again.
async fn hello_despite(faults: Faults, addr: &str) -> Outcome<()> {
    let addr: Addr = addr.parse()?;
    let registry = rumormill::registry()?;
    let registry = registry.with_credentials(SecretKey::generate().credentials().into());
    let transport = registry.transport(addr.scheme())?;
    let faulty = Faulty::new(transport.clone(), faults);
    let mut listener = faulty.listen(&addr).await?;
    let target = listener.addr().clone().into();

    let dialer = async {
        let mut conn = transport.dial(&target).await?;
        greet(&mut conn.writer).await?;
        Ok::<_, Box<dyn Error + Send + Sync>>(conn)
    };
    let acceptor = async { Ok(listener.accept().await?) };
    let (mut dialer, mut accepted) = tokio::try_join!(dialer, acceptor)?;
    let mut messages = BTreeSet::new();
    for _ in 0..ATTEMPTS {
        collect(&mut accepted.reader, &mut messages, faults.delay + PATIENCE).await?;
        if messages.len() == 2 {
            let (info, lost) = (&accepted.info, faulty.tally().dropped);
            println!("{} received {messages:?} from {}; {lost} were lost", info.local, info.remote);
            return Ok(());
        }
        greet(&mut dialer.writer).await?;
    }
    let lost = faulty.tally().dropped;
    Err(format!("gave up after {ATTEMPTS} attempts: {lost} messages were lost").into())
}

async fn greet(writer: &mut impl Writer) -> Outcome<()> {
    let mut batch: Batch = ["hello", "world"].into_iter().collect();
    Ok(timeout(DEADLINE, writer.send(&mut batch)).await??)
}

/// Receives until both messages are there, or none has come for a while.
async fn collect(
    reader: &mut impl Reader,
    messages: &mut BTreeSet<Bytes>,
    patience: Duration,
) -> Outcome<()> {
    let mut arrived = Vec::new();
    while messages.len() < 2
        && let Ok(received) = timeout(patience, reader.recv(&mut arrived)).await
    {
        received?;
        messages.extend(arrived.drain(..));
    }
    Ok(())
}

/// How often the messages are sent before the program gives up.
const ATTEMPTS: u32 = 50;
/// How much longer than the delay a message may take before it counts as lost.
const PATIENCE: Duration = Duration::from_millis(20);
const DEADLINE: Duration = Duration::from_secs(5);
