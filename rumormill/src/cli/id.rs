//! `rumormill id`: which node a key belongs to.

use std::{path::PathBuf, process::ExitCode};

use rumormill::identity::SecretKey;

use super::{Result, output};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: rumormill id node.key
         rumormill id node.key --certificate > node.pem")]
pub(crate) struct Args {
    /// A key that `keygen` made, or `openssl genpkey -algorithm ed25519`
    file: PathBuf,
    /// Print the certificate that the node shows instead, in PEM, for other programs to know it by
    #[arg(long)]
    certificate: bool,
}

pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let key = SecretKey::load(&args.file)?;
    match args.certificate {
        true => output::line(key.certificate_pem().trim_end())?,
        false => output::line(key.node())?,
    }
    Ok(ExitCode::SUCCESS)
}
