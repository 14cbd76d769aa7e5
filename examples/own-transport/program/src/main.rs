//! Greets itself over the transport that the address names: `program line://127.0.0.1:0`.

use std::{env, error::Error, process::ExitCode};

use rumormill::{Addr, Batch, Listener, Reader, Writer};
// This line links the transport. One in Cargo.toml alone does not.
#[cfg(feature = "line")]
use transport_line as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match greet(&env::args().nth(1).unwrap_or_else(|| "line://127.0.0.1:0".into())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn greet(addr: &str) -> Result<(), Box<dyn Error>> {
    let addr: Addr = addr.parse()?;
    let registry = rumormill::registry()?;
    let mut listener = registry.listen(&addr).await?;
    let mut dialer = registry.dial(&listener.addr().clone().into()).await?;
    dialer.writer.send(&mut Batch::from_iter(["hello"])).await?;
    let mut messages = Vec::new();
    listener.accept().await?.reader.recv(&mut messages).await?;
    println!("{} received {messages:?}", listener.addr());
    Ok(())
}
