//! `rumormill ticket show`: what was signed, and whether it holds.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use rumormill::{
    endpoint::{Admission, MAX_REVOKED, Revocations, Ticket, Tickets, seal::Cluster},
    identity::PublicKey,
    transport::NodeId,
};
use serde_json::{Value, json};

use super::{Error, issue::cluster};
use crate::cli::{
    Result,
    date::{self, DAY, Date},
    output,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Anybody can write a ticket; who signed it, and for which cluster, is checked against --cluster and
--issuer. Exits with 1 if it does not hold: signed by another key, for another cluster, or expired.

Example: rumormill ticket show node.ticket --cluster c --issuer NODEID")]
pub(super) struct Args {
    /// A ticket, or a list of revocations
    file: PathBuf,
    /// The cluster that it should be for
    #[arg(long, value_name = "NAME", requires = "issuers", value_parser = cluster)]
    cluster: Option<String>,
    /// Who may have signed it; more than one while the next replaces the last
    #[arg(long = "issuer", id = "issuers", value_name = "NODEID", requires = "cluster")]
    issuers: Vec<NodeId>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What a file holds.
enum Signed {
    List(Revocations),
    Ticket { ticket: Ticket, issuer: NodeId },
}

/// A line: what it is about, and what it says; in JSON and for people.
type Row = (&'static str, Value, String);

pub(super) fn run(args: &Args) -> Result<ExitCode> {
    let bytes = bytes(&args.file)?;
    let signed = Signed::read(&args.file, &bytes)?;
    let is_genuine = args.cluster.as_ref().map(|cluster| {
        let issuers: Vec<_> = args.issuers.iter().filter_map(|it| PublicKey::of(*it)).collect();
        signed.is_genuine(&bytes, &Cluster::named(cluster), issuers)
    });
    let now = date::now().as_secs();
    let mut rows = signed.rows(now);
    rows.push(verdict(is_genuine));
    print(rows, args.json)?;
    match is_genuine != Some(false) && !signed.is_over(now) {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

fn print(rows: Vec<Row>, json: bool) -> Result<()> {
    if json {
        let fields = rows.into_iter().map(|(name, value, _)| (name.to_owned(), value));
        return output::line(output::in_line(&Value::Object(fields.collect())));
    }
    rows.iter().try_for_each(|(name, _, text)| output::line(format_args!("{name:<9} {text}")))
}

fn verdict(is_genuine: Option<bool>) -> Row {
    let text = match is_genuine {
        Some(true) => "yes",
        Some(false) => "no: another key has signed it, or it is for another cluster",
        None => "not asked; name --cluster and --issuer",
    };
    ("verified", json!(is_genuine), text.into())
}

impl Signed {
    fn read(path: &Path, bytes: &[u8]) -> std::result::Result<Self, Error> {
        if let Ok((ticket, issuer)) = Ticket::unverified(bytes) {
            return Ok(Self::Ticket { ticket, issuer });
        }
        let problem = "neither a ticket nor a list of revocations";
        let malformed = |_| Error::Malformed { path: path.into(), problem };
        Revocations::unverified(bytes).map(Self::List).map_err(malformed)
    }

    fn is_genuine(&self, bytes: &[u8], cluster: &Cluster, issuers: Vec<PublicKey>) -> bool {
        match self {
            Self::List(_) => Revocations::open(cluster, bytes, &issuers).is_ok(),
            Self::Ticket { ticket, .. } => {
                let admission = Admission::Tickets(Tickets::by(issuers).into());
                // When everything was still valid: whether it is over is told by itself.
                admission.admit(cluster, ticket.node, bytes, 0).is_ok()
            }
        }
    }

    fn is_over(&self, now: u64) -> bool {
        matches!(self, Self::Ticket { ticket, .. } if ticket.not_after < now)
    }

    fn rows(&self, now: u64) -> Vec<Row> {
        let same = |name, text: String| (name, json!(text), text);
        match self {
            Self::List(list) => {
                let serials: Vec<_> = list.serials.iter().map(u64::to_string).collect();
                vec![
                    same("kind", "revocations".into()),
                    same("issuer", list.issuer.to_string()),
                    ("version", json!(list.version), list.version.to_string()),
                    ("serials", json!(list.serials), serials.join(" ")),
                ]
            }
            Self::Ticket { ticket, issuer } => {
                let not_after = ticket.not_after;
                let left = remaining(not_after, now);
                vec![
                    same("kind", "ticket".into()),
                    same("node", ticket.node.to_string()),
                    ("name", json!(ticket.name), format!("{:?}", ticket.name)),
                    same("issuer", issuer.to_string()),
                    ("serial", json!(ticket.serial), ticket.serial.to_string()),
                    ("expires", json!(not_after), format!("{} ({left})", Date(not_after))),
                ]
            }
        }
    }
}

fn remaining(until: u64, now: u64) -> String {
    match until.checked_sub(now) {
        Some(left) if left < DAY => "in less than a day".into(),
        Some(left) => format!("in {} days", left / DAY),
        None => "it has expired".into(),
    }
}

/// What a ticket or list holds that is no longer than it can be.
pub(super) fn bytes(path: &Path) -> std::result::Result<Vec<u8>, Error> {
    // Asked first, since opening a pipe would wait for whoever writes into it.
    let metadata = fs::metadata(path).map_err(Error::reading(path))?;
    let mut bytes = Vec::new();
    if metadata.is_file() {
        let file = File::open(path).map_err(Error::reading(path))?;
        file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(Error::reading(path))?;
    }
    match (1..=LONGEST).contains(&(bytes.len() as u64)) {
        true => Ok(bytes),
        false => {
            let problem = "neither a ticket nor a list of revocations";
            Err(Error::Malformed { path: path.into(), problem })
        }
    }
}

/// Bytes of a list of all tickets that one can hold, and of what stands around it.
const LONGEST: u64 = 8 * MAX_REVOKED as u64 + 1 + 8 + 32 + 64;
