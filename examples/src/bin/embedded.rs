//! A node in ten lines: it joins by the addresses on its command line, and says hello to all.
//!
//! `cargo run -p rumormill-examples --bin embedded`
//!
//! It prints where it listens. A second one, in another terminal, is told: `... --bin embedded --
//! tcp://127.0.0.1:40571`, with what the first has printed. Each says what it hears, until it has heard
//! somebody, or has waited for a minute.
#![expect(clippy::print_stdout, reason = "a program shows what it did")]

use std::{env, error::Error, time::Duration};

use rumormill::{
    Node,
    config::{Admission, Config, Preset},
    gossip::Heard,
};
use tokio::time::timeout;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // For this machine. A cluster that others reach lists its nodes, or gives them tickets.
    let mut config = Config::preset("embedded", Admission::Open, Preset::Local);
    config.listen = vec!["tcp://127.0.0.1:0".parse()?, "udp://127.0.0.1:0".parse()?];
    config.join = env::args().skip(1).map(|addr| addr.parse()).collect::<Result<_, _>>()?;
    let (node, _inbox) = Node::start(config).await?;
    let mut rumors = node.rumors();
    println!("listening at {:?}", node.addresses());

    let met = timeout(MINUTE, node.wait_for(|members| !members.is_empty())).await?;
    println!("{} is here", met[0].node);
    node.broadcast("hello, all").await?;
    if let Some(Heard::Rumor(rumor)) = timeout(MINUTE, rumors.recv()).await? {
        println!("it says {:?}", rumor.bytes);
    }
    node.leave().await;
    Ok(())
}

const MINUTE: Duration = Duration::from_secs(60);
