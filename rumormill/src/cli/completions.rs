//! `rumormill completions`: what a shell has to know of the command line.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::{Cli, Error, Result};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: rumormill completions bash > ~/.local/share/bash-completion/completions/rumormill
         rumormill completions zsh > \"${fpath[1]}/_rumormill\"
         rumormill completions fish > ~/.config/fish/completions/rumormill.fish")]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), env!("CARGO_BIN_NAME"), &mut script);
    // Not written by the crate itself, which panics where a pipe is closed.
    let written = io::stdout().lock().write_all(&script);
    written.map(|()| ExitCode::SUCCESS).map_err(|source| Error::Output { source })
}
