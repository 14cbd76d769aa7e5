//! Speed and memory of rumormill, side by side with bare sockets, in two processes.

mod case;
mod options;

mod report;
mod run;

mod idle;
mod lanes;
mod peer;
mod rivals;

mod folder;
mod meter;
mod net;

use std::{env, error::Error, process::ExitCode};

use tokio::runtime::Builder;

use crate::{case::Case, folder::Folder, options::Options, peer::say, report::Rounds};

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
    // One thread in each process: two share a machine of two cores without pushing each other.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    match args {
        [first, rest @ ..] if first == "peer" => runtime.block_on(peer::run(rest)),
        [first, rest @ ..] if first == "idle-peer" => runtime.block_on(idle::run_peer(rest)),
        [first, rest @ ..] if first == "idle" => runtime.block_on(idle::compare(rest)),
        [first, rest @ ..] if first == "lanes-peer" => runtime.block_on(lanes::run_peer(rest)),
        [first, rest @ ..] if first == "lanes" => runtime.block_on(lanes::compare(rest)),
        [first, ..] if first == "--help" || first == "-h" => {
            say(&options::USAGE);
            Ok(())
        }
        _ => runtime.block_on(compare(&Options::parse(args)?)),
    }
}

async fn compare(options: &Options) -> Outcome<()> {
    let folder = Folder::create()?;
    if !options.json {
        report::print_head();
    }
    for &case in &options.cases {
        let rounds = measure(case, options, &folder).await?;
        match options.json {
            true => rounds.print_json(),
            false => rounds.print(),
        }
    }
    Ok(())
}

/// The rivals take turns, so that whatever else the machine does hits all of them.
async fn measure(case: Case, options: &Options, folder: &Folder) -> Outcome<Rounds> {
    let mut rounds = Rounds::of(case);
    for _ in 0..options.rounds {
        for rival in case.rivals().filter(|rival| options.rivals.contains(rival)) {
            if rivals::is_there(case, rival)? {
                rounds.add(rival, run::once(case, rival, folder.path(), options.span).await?);
            }
        }
    }
    Ok(rounds)
}
