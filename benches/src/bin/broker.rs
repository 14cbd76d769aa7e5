//! rumormill's broker beside nats-server, each a process of its own, under the load of a third.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --bin broker -- speed --only 1KiB`
//!
//! Where nats-server is not installed, its columns say so and everything else is measured.

#[path = "broker/cell.rs"]
mod cell;
#[path = "broker/options.rs"]
mod options;

#[path = "broker/latency.rs"]
mod latency;
#[path = "broker/memory.rs"]
mod memory;
#[path = "broker/publish.rs"]
mod publish;
#[path = "broker/routing.rs"]
mod routing;
#[path = "broker/speed.rs"]
mod speed;
#[path = "broker/stopped.rs"]
mod stopped;

#[path = "broker/load.rs"]
mod load;
#[path = "broker/nats.rs"]
mod nats;
#[path = "broker/ours.rs"]
mod ours;
#[path = "broker/pace.rs"]
mod pace;
#[path = "broker/run.rs"]
mod run;

#[path = "broker/serve.rs"]
mod serve;
#[path = "broker/server.rs"]
mod server;
#[path = "broker/servers.rs"]
mod servers;

#[path = "../folder.rs"]
mod folder;
#[path = "broker/table.rs"]
mod table;
#[path = "../usage.rs"]
mod usage;

use std::{
    env,
    error::Error,
    fmt,
    io::{self, Write},
    process::ExitCode,
};

use rumormill_transport_tcp as _;
use rumormill_transport_unix as _;

use crate::{
    folder::Folder,
    options::{Options, Part, USAGE},
    servers::Servers,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match start(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn start(args: &[String]) -> Outcome<()> {
    match args {
        [first, rest @ ..] if first == server::SERVE => serve::run(rest),
        [first, rest @ ..] if first == server::NATS => server::become_nats(rest),
        [first, ..] if first == "--help" || first == "-h" => say(&USAGE),
        _ => measure(&Options::parse(args)?),
    }
}

fn measure(options: &Options) -> Outcome<()> {
    let folder = Folder::create()?;
    let mut servers = Servers::start(folder.path())?;
    for part in &options.parts {
        match part {
            Part::Speed => speed::measure(&servers, options)?,
            Part::Latency => latency::measure(&servers, options)?,
            Part::Routing => routing::measure(folder.path(), options)?,
            Part::Publish => publish::measure(&servers, options)?,
            Part::Memory => memory::measure(&servers, options)?,
            Part::Stopped => stopped::measure(&mut servers, options)?,
        }
    }
    Ok(())
}

fn say(line: &dyn fmt::Display) -> Outcome<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
