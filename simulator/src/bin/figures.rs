//! Prints the figures of membership, measured in a model, beside what is expected of them.

use std::{
    env,
    io::{self, Write},
    process::ExitCode,
};

use rumormill_simulator::figures::{Options, USAGE, Usage, print};

fn main() -> ExitCode {
    match Options::parse(env::args().skip(1)) {
        Ok(options) => ended(print(&options, &mut io::stdout())),
        Err(Usage::Help) => ended(writeln!(io::stdout(), "{USAGE}").map(|()| 0)),
        Err(usage) => {
            eprintln!("figures: {usage}");
            ExitCode::from(2)
        }
    }
}

fn ended(missed: io::Result<usize>) -> ExitCode {
    match missed {
        Ok(0) => ExitCode::SUCCESS,
        Ok(missed) => {
            eprintln!("figures: {missed} expectations missed");
            ExitCode::FAILURE
        }
        // Whoever reads has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("figures: cannot print: {error}");
            ExitCode::FAILURE
        }
    }
}
