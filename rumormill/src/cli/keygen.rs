//! `rumormill keygen`: a new node.

use std::{path::PathBuf, process::ExitCode};

use rumormill::identity::SecretKey;

use super::{Result, output};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints the node id, which peers know the node by. The file is in PEM (PKCS#8), and readable by its
owner alone: whoever has it is the node.

Example: rumormill keygen node.key")]
pub(crate) struct Args {
    /// Where to write the key; a file that exists is never overwritten
    file: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let key = SecretKey::generate();
    key.save(&args.file)?;
    output::line(key.node())?;
    Ok(ExitCode::SUCCESS)
}
