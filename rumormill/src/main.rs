//! The program `rumormill`: which transports there are, and whether and how fast a peer answers.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
