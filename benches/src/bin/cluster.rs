//! Clusters of real processes on this machine, held against what is required of them.
//!
//! `cargo run --release --manifest-path benches/Cargo.toml --bin cluster -- kill --only udp,tcp`
//!
//! Each node is this program once more. What it costs to be a member is read from the loopback of a
//! network namespace of its own, where the system lets everybody make one.

#[path = "cluster/options.rs"]
mod options;

#[path = "cluster/join.rs"]
mod join;
#[path = "cluster/kill.rs"]
mod kill;
#[path = "cluster/rest.rs"]
mod rest;
#[path = "cluster/stop.rs"]
mod stop;

#[path = "cluster/group.rs"]
mod group;
#[path = "cluster/member.rs"]
mod member;
#[path = "cluster/node.rs"]
mod node;
#[path = "cluster/said.rs"]
mod said;

#[path = "../folder.rs"]
mod folder;
#[path = "cluster/row.rs"]
mod row;
#[path = "../usage.rs"]
mod usage;

use std::{
    env,
    error::Error,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    thread,
};

use rumormill_transport_quic as _;
use rumormill_transport_tcp as _;
use rumormill_transport_udp as _;
use rumormill_transport_unix as _;

use crate::{
    folder::Folder,
    options::{Mix, Options, Part, USAGE},
    row::Row,
};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    match start(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything is as required.
fn start(args: &[String]) -> Outcome<bool> {
    match args {
        [first, rest @ ..] if first == member::NAME => member::run(rest).map(|()| true),
        [first, rest @ ..] if first == rest::INSIDE => rest::inside(rest).map(|()| true),
        [first, ..] if first == "--help" || first == "-h" => say(USAGE).map(|()| true),
        _ => measure(&Options::parse(args)?),
    }
}

fn measure(options: &Options) -> Outcome<bool> {
    let folder = Folder::create()?;
    say(&Row::head())?;
    let mut is_met = true;
    for &part in &options.parts {
        for row in rows(part, options, folder.path())? {
            say(&row.to_string())?;
            is_met &= row.is_met();
        }
    }
    Ok(is_met)
}

/// One part over all transports: side by side where that disturbs nothing.
fn rows(part: Part, options: &Options, folder: &Path) -> Outcome<Vec<Row>> {
    let run = |mix: Mix| match part {
        Part::Join => join::measure(mix, options, folder),
        Part::Kill => kill::measure(mix, options, folder),
        Part::Rest => rest::measure(mix, options),
        Part::Stop => stop::measure(mix, options, folder),
    };
    if !part.is_side_by_side(options) {
        let rows: Outcome<Vec<_>> = options.mixes.iter().map(|mix| run(*mix)).collect();
        return Ok(rows?.concat());
    }
    let rows: Outcome<Vec<_>> = thread::scope(|scope| {
        let started: Vec<_> =
            options.mixes.iter().map(|mix| scope.spawn(move || run(*mix))).collect();
        started.into_iter().map(|it| it.join().map_err(|_| "a part has panicked")?).collect()
    });
    Ok(rows?.concat())
}

fn say(line: &str) -> Outcome<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
