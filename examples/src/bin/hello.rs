//! Two ends that greet each other, over whatever transport the address names.
//!
//! `cargo run -p rumormill-examples --bin hello -- tcp://127.0.0.1:0`
#![expect(clippy::print_stdout, reason = "a program shows what it did")]

use std::{env, error::Error, process::ExitCode};

use rumormill::{Addr, Batch, Listener, Reader, Writer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let addr = env::args().nth(1).unwrap_or_else(|| "tcp://127.0.0.1:0".into());
    match hello(&addr).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn hello(addr: &str) -> Result<(), Box<dyn Error>> {
    let addr: Addr = addr.parse()?;
    let registry = rumormill::registry()?;
    let mut listener = registry.listen(&addr).await?;

    let mut dialer = registry.dial(&listener.addr().clone().into()).await?;
    let mut batch: Batch = ["hello", "world"].into_iter().collect();
    dialer.writer.send(&mut batch).await?;

    let mut accepted = listener.accept().await?;
    let mut messages = Vec::new();
    while messages.len() < 2 {
        accepted.reader.recv(&mut messages).await?;
    }
    println!("{} received {messages:?} from {}", accepted.info.local, accepted.info.remote);
    Ok(())
}

fn with_causes(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", with_causes(cause)),
        None => error.to_string(),
    }
}
