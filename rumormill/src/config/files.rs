//! What the files hold that a configuration names.

use std::{
    collections::BTreeSet,
    fmt::{self, Debug},
    path::Path,
    sync::Arc,
};

use bytes::Bytes;
use rumormill_endpoint::{self as endpoint, Denied, SystemClock, Tickets, seal::Cluster};
use rumormill_gossip::MAX_TICKET;
use rumormill_identity::{PublicKey, SecretKey};
use rumormill_transport_api::{excerpt, with_causes};

use super::{
    Admission, Config,
    file::bytes,
    findings::Findings,
    place::Place,
    problem::Fault,
    sources::{Placed, Places},
};

/// What the files hold that a configuration names, once they have been read and checked.
#[derive(Clone, Debug)]
pub struct Files {
    /// The node's key; a fresh one if no file is named.
    pub key: SecretKey,
    /// Its ticket, or nothing.
    pub ticket: Bytes,
    /// Who may be a member, with the tickets that count no more.
    pub admission: endpoint::Admission,
    /// What whoever asks by TCP has to know.
    pub token: Option<Token>,
}

/// What somebody has to know. It is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Box<str>);

impl Token {
    /// The token itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Files {
    /// Reads them. What is wrong with one is found; something harmless stands in its place then.
    pub(super) fn read(
        config: &Config,
        places: &Places,
        broken: &BTreeSet<String>,
        findings: &mut Findings,
    ) -> Self {
        let mut reading = Reading { places, broken, findings };
        let key = reading.file("node.identity", config.node.identity.as_deref(), key);
        let key_or_fresh = key.clone().unwrap_or_else(SecretKey::generate);
        let admission = reading.admission(config);
        let ticket = reading.file("node.ticket", config.node.ticket.as_deref(), ticket);
        if let (Some(path), Some(ticket), Some(key)) = (&config.node.ticket, &ticket, &key) {
            reading.check_ticket(path, ticket, key, &admission, &config.node.cluster);
        }
        let token = reading.file("admin.token", config.admin.token.as_deref(), token);
        Self { key: key_or_fresh, ticket: ticket.unwrap_or_default(), admission, token }
    }
}

/// Reads files that a configuration names, and finds what is wrong with them.
pub(super) struct Reading<'a> {
    pub(super) places: &'a Places,
    pub(super) broken: &'a BTreeSet<String>,
    pub(super) findings: &'a mut Findings,
}

impl Reading<'_> {
    /// What `read` makes of a file that was named.
    pub(super) fn file<T>(
        &mut self,
        key: &str,
        path: Option<&Path>,
        read: fn(&Path) -> Result<T, String>,
    ) -> Option<T> {
        let path = path.filter(|_| !self.broken.contains(key))?;
        let place = self.place(key, None);
        read(path).map_err(|problem| self.push(&place, key, path, problem)).ok()
    }

    fn admission(&mut self, config: &Config) -> endpoint::Admission {
        match &config.admission {
            Admission::Open => endpoint::Admission::Open,
            Admission::Nodes(nodes) => endpoint::Admission::Nodes(Arc::new(nodes.clone())),
            Admission::Tickets { issuers, revocations } => {
                let issuers = issuers.iter().filter_map(|issuer| PublicKey::of(*issuer));
                let mut tickets = Tickets::by(issuers);
                for (at, path) in revocations.iter().enumerate() {
                    self.revoke(at, path, &mut tickets, &config.node.cluster);
                }
                endpoint::Admission::Tickets(Arc::new(tickets))
            }
        }
    }

    fn revoke(&mut self, at: usize, path: &Path, tickets: &mut Tickets, cluster: &str) {
        let cluster = Cluster::named(cluster);
        let signed = bytes(path, LONGEST_LIST);
        let revoked = signed.and_then(|signed| match tickets.revoke(&cluster, &signed) {
            Ok(_) => Ok(()),
            Err(Denied::Foreign) => {
                Err("is not signed by a key of admission.issuers for this cluster".into())
            }
            Err(_) => Err("holds no list of revocations; have an issuer sign one".into()),
        });
        if let Err(problem) = revoked {
            let place = self.place(REVOCATIONS, Some(at));
            self.push(&place, REVOCATIONS, path, problem);
        }
    }

    /// Where tickets are asked for, other members judge this one as it judges them.
    fn check_ticket(
        &mut self,
        path: &Path,
        ticket: &Bytes,
        key: &SecretKey,
        admission: &endpoint::Admission,
        cluster: &str,
    ) {
        let cluster = Cluster::named(cluster);
        let now = SystemClock.nanos() / 1_000_000_000;
        let judged = match admission {
            endpoint::Admission::Tickets(_) => admission.admit(&cluster, key.node(), ticket, now),
            endpoint::Admission::Nodes(_) | endpoint::Admission::Open => Ok(None),
        };
        if let Err(denied) = judged {
            let place = self.place("node.ticket", None);
            let problem = format!("members will refuse this node: {denied}; have one issued");
            self.push(&place, "node.ticket", path, problem);
        }
    }

    fn place(&self, key: &str, item: Option<usize>) -> Place {
        let of_item = |placed: &Placed| placed.items.get(item?).cloned();
        let placed = self.places.get(key);
        let place = placed.map(|placed| of_item(placed).unwrap_or_else(|| placed.place.clone()));
        place.unwrap_or_else(Place::nowhere)
    }

    fn push(&mut self, place: &Place, key: &str, path: &Path, problem: String) {
        let value = format!("\"{}\"", excerpt(&path.to_string_lossy())).into();
        let fault = Fault::File { problem: problem.into() };
        self.findings.push(place, key, Some(value), fault);
    }
}

pub(super) fn key(path: &Path) -> Result<SecretKey, String> {
    SecretKey::load(path).map_err(|error| with_causes(&error))
}

fn ticket(path: &Path) -> Result<Bytes, String> {
    match bytes(path, MAX_TICKET)? {
        ticket if ticket.is_empty() => Err("is empty; have a ticket issued".into()),
        ticket => Ok(ticket.into()),
    }
}

pub(super) fn token(path: &Path) -> Result<Token, String> {
    let bytes = bytes(path, LONGEST_TOKEN + 2)?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    let text = text.trim_end_matches(['\r', '\n']);
    let is_token = text.chars().all(|c| c.is_ascii_graphic());
    match is_token && (SHORTEST_TOKEN..=LONGEST_TOKEN).contains(&text.len()) {
        true => only_of_owner(path).map(|()| Token(text.into())),
        false => Err("holds no token: write 16 to 256 letters, digits and signs into it".into()),
    }
}

#[cfg(unix)]
fn only_of_owner(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?;
    match metadata.permissions().mode() & 0o7777 {
        mode if mode & 0o077 == 0 => Ok(()),
        mode => Err(format!("is open to others (mode {mode:04o}); run `chmod 600` on it")),
    }
}

#[cfg(not(unix))]
fn only_of_owner(_: &Path) -> Result<(), String> {
    Ok(())
}

const REVOCATIONS: &str = "admission.revocations";
/// Bytes of a list of all tickets that one can hold, and of what stands around it.
const LONGEST_LIST: usize = 16 << 10;
const LONGEST_TOKEN: usize = 256;
const SHORTEST_TOKEN: usize = 16;
