//! Where a node's administration is.

use std::{
    env,
    fmt::{self, Display},
    path::PathBuf,
    str::FromStr,
};

use rumormill_transport_api::excerpt;
use rustix::process::geteuid;

/// Where a node's administration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A Unix socket, as a path.
    Socket(PathBuf),
    /// A host and a port of TCP, as in `localhost:7947`.
    Tcp(Box<str>),
}

/// A text that names no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' names no administration; write the path of a socket, or tcp://HOST:PORT")]
pub struct PlaceError {
    /// It, shortened and escaped.
    pub text: Box<str>,
}

/// The socket of a node that was not told another one: `rumormill/admin.sock` in the user's directory
/// for such things, `$XDG_RUNTIME_DIR`, or `/tmp/rumormill-UID/admin.sock` where there is none.
pub fn default_socket() -> PathBuf {
    own_directory().join("admin.sock")
}

/// The same of a broker that is no node: `rumormill/broker-admin.sock` there.
#[cfg(feature = "broker")]
pub fn default_broker_socket() -> PathBuf {
    own_directory().join("broker-admin.sock")
}

fn own_directory() -> PathBuf {
    let own = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    match own {
        Some(own) => own.join("rumormill"),
        None => PathBuf::from(format!("/tmp/rumormill-{}", geteuid().as_raw())),
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Tcp(place) => write!(f, "tcp://{place}"),
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let wrong = || PlaceError { text: excerpt(text).into() };
        match text.split_once("://") {
            Some(("tcp", place)) if is_host_and_port(place) => Ok(Self::Tcp(place.into())),
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Socket(path.into())),
            Some(_) => Err(wrong()),
            None if text.is_empty() || text.contains('\0') => Err(wrong()),
            None => Ok(Self::Socket(text.into())),
        }
    }
}

fn is_host_and_port(place: &str) -> bool {
    let Some((host, port)) = place.rsplit_once(':') else { return false };
    let is_host =
        !host.is_empty() && host.chars().all(|c| c.is_ascii_graphic() && !"/@?#".contains(c));
    is_host && port.parse::<u16>().is_ok_and(|port| port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_path_or_a_host_and_a_port() {
        let socket = |path: &str| Ok(Place::Socket(path.into()));
        let tcp = |place: &str| Ok(Place::Tcp(place.into()));
        assert_eq!("/run/a.sock".parse(), socket("/run/a.sock"));
        assert_eq!("a.sock".parse(), socket("a.sock"));
        assert_eq!("unix:///run/a.sock".parse(), socket("/run/a.sock"));
        assert_eq!("tcp://localhost:7947".parse(), tcp("localhost:7947"));
        assert_eq!("tcp://[::1]:7947".parse(), tcp("[::1]:7947"));
        assert_eq!(tcp("[::1]:7947").map(|place| place.to_string()), Ok("tcp://[::1]:7947".into()));
        for wrong in
            ["", "tcp://", "tcp://a", "tcp://a:0", "tcp://a:b", "http://a:1", "tcp://a/b:1"]
        {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
