//! What is dialled when a stranger says that a peer is there.

mod network;

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Component, Path, PathBuf},
};

use rumormill_transport_api::{Addr, Caps, Error as CarrierError, HostPort};

pub use network::{IpNetwork, NetworkError};

/// What this node dials when a stranger says that a peer is there.
///
/// Where a member is, its record says, and a record is a stranger's word: who dials whatever is
/// told can be sent to the services of his own machine (`unix:///run/docker.sock`), of his cloud
/// (`169.254.169.254`) or of his office. So only what is allowed here is dialled. Addresses that
/// the operator has given are not asked about.
///
/// The default allows every address of the Internet and of private networks, on every carrier that
/// is linked, but nothing of this machine, of its link or of its cloud, and no names.
///
/// ```
/// use rumormill_endpoint::Reach;
/// use rumormill_transport_api::Caps;
///
/// let reach = Reach { networks: vec!["10.0.0.0/8".parse()?], ..Reach::default() };
/// assert!(reach.allows(&"tcp://10.1.2.3:7946".parse()?, &Caps::STREAM).is_ok());
/// assert!(reach.allows(&"tcp://192.0.2.1:7946".parse()?, &Caps::STREAM).is_err());
/// assert!(reach.allows(&"tcp://169.254.169.254:80".parse()?, &Caps::STREAM).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The schemes that are dialled; `None`, the default, for all that are linked.
    pub schemes: Option<BTreeSet<Box<str>>>,
    /// The networks that are dialled; empty, as by default, for all. The loopback needs no row here,
    /// and names are not compared with it.
    pub networks: Vec<IpNetwork>,
    /// The networks that are not dialled, whatever else allows them, nor through an IPv6 address
    /// that a gateway translates into one of theirs. The default is what is no peer's own address:
    /// unspecified ones, broadcast, multicast, link-local ones, and where clouds hand out
    /// credentials. To deny more, extend it: `reach.denied.push(..)`.
    pub denied: Vec<IpNetwork>,
    /// Whether loopback addresses are dialled. Another host's record means that host's loopback;
    /// set it where all nodes share one machine. The default is `false`.
    pub loopback: bool,
    /// Whether names are dialled. What a name resolves to is known only when it is dialled, and
    /// changes: it may be any address, even one that is denied here. The default is `false`.
    pub names: bool,
    /// The directories whose sockets are dialled, by carriers that do not leave this machine
    /// ([`Caps::local_only`]); those in directories below count, too. Links are followed, so only
    /// who is trusted may write there. A relative path, or one with `..`, holds nothing. The
    /// default is none.
    pub directories: Vec<PathBuf>,
    /// Whether anything else is dialled that such a carrier has a name for: a node in this very
    /// process, say. What holds a slash or begins with `@` is no name but a path. The default is
    /// `false`.
    pub local: bool,
}

/// Why an address that a stranger told is not dialled, and what would allow it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unallowed {
    /// It is in a network that is never dialled, or is translated into an address that is.
    #[error("{ip} is in {network}; to allow it, remove that from `denied`")]
    Denied {
        /// The address, or the IPv4 address that it stands for.
        ip: IpAddr,
        /// The network.
        network: IpNetwork,
    },
    /// It is a path outside of the directories that are allowed.
    #[error("the path is in none of `directories`; add the one where peers' sockets are")]
    Directory,
    /// It is a name that only means something on this machine.
    #[error("names within this machine are not dialled; set `local` to allow them")]
    Local,
    /// It is this machine's own address, whoever says it.
    #[error("{host} is this machine, not the stranger's; set `loopback` to allow it")]
    Loopback {
        /// The address, or the name that stands for it.
        host: Box<str>,
    },
    /// It is no `host:port`, and of a carrier that leaves this machine nothing else can be judged.
    /// No setting allows it.
    #[error("it cannot be judged, and no setting allows what cannot")]
    Malformed {
        /// What is wrong with it as `host:port`.
        source: CarrierError,
    },
    /// It has a name instead of an IP address.
    #[error("a name may resolve to anything; set `names` to allow it")]
    Name,
    /// It is in none of the networks that are allowed.
    #[error("{ip} is in none of `networks`; add one that holds it")]
    Network {
        /// The address.
        ip: IpAddr,
    },
    /// It has options, which are the operator's to choose. Remove them by
    /// [`Addr::without_options`]; no setting allows them.
    #[error("it has options, which no stranger chooses; remove them by `without_options`")]
    Options,
    /// Its scheme is not among those that are allowed.
    #[error("`schemes` lacks {scheme}; add it")]
    Scheme {
        /// The scheme.
        scheme: Box<str>,
    },
    /// It names one of this machine's interfaces, whose numbers nobody else knows. No setting
    /// allows that.
    #[error("it names an interface, whose number means nothing here; write it without")]
    Scope,
}

impl Default for Reach {
    fn default() -> Self {
        let denied = DENIED.iter().map(|network| network.parse());
        Self {
            schemes: None,
            networks: Vec::new(),
            denied: denied.collect::<Result<_, _>>().expect("invariant: DENIED holds networks"),
            loopback: false,
            names: false,
            directories: Vec::new(),
            local: false,
        }
    }
}

impl Reach {
    /// Whether `addr`, which a stranger told, may be dialled by the carrier of its scheme, which can
    /// do what `caps` says.
    ///
    /// # Errors
    /// [`Unallowed`], which names the setting that would allow it.
    pub fn allows(&self, addr: &Addr, caps: &Caps) -> Result<(), Unallowed> {
        if addr.options().iter().next().is_some() {
            return Err(Unallowed::Options);
        }
        if self.schemes.as_ref().is_some_and(|schemes| !schemes.contains(addr.scheme())) {
            return Err(Unallowed::Scheme { scheme: addr.scheme().into() });
        }
        if caps.local_only {
            return self.allows_here(addr.rest());
        }
        match HostPort::parse_to_dial(addr).map_err(|source| Unallowed::Malformed { source })? {
            HostPort::Name { host, .. } => self.allows_name(&host),
            HostPort::Socket(SocketAddr::V6(socket)) if socket.scope_id() != 0 => {
                Err(Unallowed::Scope)
            }
            HostPort::Socket(socket) => self.allows_ip(socket.ip().to_canonical()),
        }
    }

    fn allows_here(&self, place: &str) -> Result<(), Unallowed> {
        match is_path(place) {
            true if self.directories.iter().any(|directory| holds(directory, place)) => Ok(()),
            true => Err(Unallowed::Directory),
            false if self.local => Ok(()),
            false => Err(Unallowed::Local),
        }
    }

    fn allows_name(&self, host: &str) -> Result<(), Unallowed> {
        if !self.names {
            return Err(Unallowed::Name);
        }
        match is_localhost(host) && !self.loopback {
            true => Err(Unallowed::Loopback { host: host.into() }),
            false => Ok(()),
        }
    }

    fn allows_ip(&self, ip: IpAddr) -> Result<(), Unallowed> {
        let meanings = || [Some(ip), embedded(ip)].into_iter().flatten();
        for ip in meanings() {
            if let Some(network) = self.denied.iter().find(|network| network.contains(ip)) {
                return Err(Unallowed::Denied { ip, network: *network });
            }
        }
        if !self.loopback && meanings().any(|ip| ip.is_loopback()) {
            return Err(Unallowed::Loopback { host: ip.to_string().into() });
        }
        let is_in_networks = || self.networks.iter().any(|network| network.contains(ip));
        match ip.is_loopback() || self.networks.is_empty() || is_in_networks() {
            true => Ok(()),
            false => Err(Unallowed::Network { ip }),
        }
    }
}

/// Whether a carrier that stays on this machine may read `place` as a path: of a file, of a pipe of
/// Windows, or of the abstract names of Linux (`@`), where other programs' sockets are, too.
fn is_path(place: &str) -> bool {
    place.starts_with('@') || place.contains(['/', '\\'])
}

/// Whether the file at `path` is in `directory`, or in one below it. Whole components are compared.
fn holds(directory: &Path, path: &str) -> bool {
    let path = Path::new(path);
    let is_plain = |path: &Path| {
        path.is_absolute() && !path.components().any(|part| part == Component::ParentDir)
    };
    let is_inside = path.strip_prefix(directory).is_ok_and(|below| below != Path::new(""));
    is_inside && is_plain(path) && is_plain(directory)
}

/// Names that are the loopback's by definition (RFC 6761, section 6.3).
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.rsplit('.').next().is_some_and(|label| label.eq_ignore_ascii_case("localhost"))
}

/// The IPv4 address at which what is sent to `ip` may arrive, where a gateway or the system itself
/// translates or tunnels.
fn embedded(ip: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(ip) = ip else { return None };
    let [high, low] = match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => return None,
        // IPv4-compatible (RFC 4291) and IPv4-translated (RFC 2765).
        [0, 0, 0, 0, 0 | 0xffff, 0, high, low] => [high, low],
        // NAT64 (RFC 6052).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => [high, low],
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => [high, low],
        // Teredo (RFC 4380).
        [0x2001, 0, .., high, low] => [!high, !low],
        // ISATAP (RFC 5214).
        [.., 0 | 0x200, 0x5efe, high, low] => [high, low],
        _ => return None,
    };
    Some(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)).into())
}

/// What is no peer's own address.
const DENIED: [&str; 13] = [
    // Unspecified: the system takes it for itself.
    "0.0.0.0/8",
    "::/128",
    "255.255.255.255/32",
    "224.0.0.0/4",
    "ff00::/8",
    // Link-local, with the metadata services of most clouds.
    "169.254.0.0/16",
    "fe80::/10",
    // Where IPv4 addresses are translated to in ways that only the local network knows (RFC 8215).
    "64:ff9b:1::/48",
    // Services of AWS over IPv6, which hand out credentials at more than one address.
    "fd00:ec2::/32",
    // Metadata services elsewhere: Google's over IPv6, Azure's, Alibaba's, Oracle's.
    "fd20:ce::254/128",
    "168.63.129.16/32",
    "100.100.100.200/32",
    "192.0.0.192/32",
];

#[cfg(test)]
mod tests;
