//! `rumormill ticket revoke`: tickets that count no more.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use rumormill::{
    endpoint::{Denied, MAX_REVOKED, Revocations, seal::Cluster},
    identity::{PublicKey, SecretKey},
};

use super::{Error, issue::cluster, show};
use crate::cli::{Result, output, whole_file};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
A list is of one issuer, and each time its version goes up by one. Nodes read it by
admission.revocations, again at each reload; copy it to all of them.

Example: rumormill ticket revoke --cluster c --key issuer.key --list revoked 1234567890")]
pub(super) struct Args {
    /// The cluster's name
    #[arg(long, value_name = "NAME", value_parser = cluster)]
    cluster: String,
    /// The key of the issuer whose tickets they are
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The list, which is made if it is not there
    #[arg(long, value_name = "FILE", default_value = "revoked")]
    list: PathBuf,
    /// The tickets, as `ticket issue` and `ticket show` tell their serials
    #[arg(value_name = "SERIAL", required = true)]
    serials: Vec<u64>,
}

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let key = SecretKey::load(&args.key)?;
    let cluster = Cluster::named(&args.cluster);
    let mut list = match show::bytes(&args.list) {
        Ok(signed) => args.open(&cluster, &key, &signed)?,
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Revocations { issuer: key.node(), version: 0, serials: BTreeSet::new() }
        }
        Err(error) => return Err(error.into()),
    };
    let before = list.serials.len();
    list.serials.extend(&args.serials);
    let (count, path) = (list.serials.len(), &args.list);
    if MAX_REVOKED < count {
        return Err(Error::Crowded { path: path.clone(), count }.into());
    }
    if before == count {
        output::note(format_args!("{} holds them already, and is as before", path.display()));
        return Ok(ExitCode::SUCCESS);
    }
    // It would take longer than this universe to get there by ones.
    list.version = list.version.saturating_add(1);
    whole_file::replace(path, &list.sign(&cluster, &key)).map_err(Error::writing(path))?;
    output::note(format_args!(
        "{} is version {} and holds {count} of {MAX_REVOKED} tickets",
        path.display(),
        list.version,
    ));
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn open(
        &self,
        cluster: &Cluster,
        key: &SecretKey,
        signed: &[u8],
    ) -> std::result::Result<Revocations, Error> {
        let path: &Path = &self.list;
        let issuer = PublicKey::of(key.node()).expect("invariant: a key's node has that key");
        Revocations::open(cluster, signed, &[issuer]).map_err(|denied| match denied {
            Denied::Foreign => Error::Foreign { path: path.into(), cluster: self.cluster.clone() },
            _ => Error::Malformed { path: path.into(), problem: "no list of revocations" },
        })
    }
}
