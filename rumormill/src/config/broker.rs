//! Everything that a broker can be told before it starts, if it is no node, and where it was told.
//!
//! ```
//! use rumormill::config::Sources;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sources = Sources {
//!     environment: vec![("RUMORMILL__SERVER__MAX_CONNECTIONS".into(), "50".into())],
//!     flags: vec!["topics=events,tasks:queue".into()],
//!     ..Sources::default()
//! };
//! let loaded = sources.load_broker(&rumormill::registry()?)?;
//! assert_eq!(loaded.config.broker.limits.max_conns, 50);
//! assert_eq!(loaded.config.broker.topics.len(), 2);
//! # Ok(())
//! # }
//! ```

mod checks;
mod draft;
mod loaded;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, Context, Options};

use super::{Admin, Log};

pub use super::sample::broker_sample as sample;
pub(super) use draft::Draft;
pub use loaded::{Files, Loaded};

/// Everything that a broker can be told before it starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// Where it is, who it is, and how it goes.
    pub server: Server,
    /// Its topics and limits.
    pub broker: rumormill_broker::Config,
    /// Threads of the program; `None`, the default, for one for each processor.
    pub worker_threads: Option<usize>,
    /// The options of transports, by scheme. The registry and the transports themselves check them.
    pub transports: BTreeMap<Box<str>, Options>,
    /// How the running broker can be asked and told things.
    pub admin: Admin,
    /// What it reports.
    pub log: Log,
}

/// Where a broker is, who it is, and how it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where it listens by TCP, if it does.
    pub bind_address: Option<SocketAddr>,
    /// Its Unix socket, if it has one.
    pub socket_path: Option<PathBuf>,
    /// Where else it listens.
    pub listen: Vec<Addr>,
    /// The file of its key; `None`, the default, for a broker that proves nothing.
    pub identity: Option<PathBuf>,
    /// How long its end may take; 5 s by default.
    pub stop_deadline: Duration,
}

impl Config {
    /// All places where it listens: [`DEFAULT_ADDRESS`], if it was told none.
    ///
    /// # Errors
    /// What is wrong with the path of its socket.
    pub fn addresses(&self) -> rumormill_transport_api::Result<Vec<Addr>> {
        let mut addrs = Vec::new();
        if let Some(socket) = self.server.bind_address {
            addrs.push(Addr::new("tcp", &socket.to_string())?);
        }
        if let Some(path) = &self.server.socket_path {
            addrs.push(Addr::new("unix", &path.to_string_lossy())?);
        }
        addrs.extend(self.server.listen.iter().cloned());
        if addrs.is_empty() {
            addrs.push(DEFAULT_ADDRESS.parse()?);
        }
        Ok(addrs)
    }

    /// Hands the options of transports to a registry, before it builds any.
    ///
    /// # Errors
    /// As for [`Registry::configure`]; transports before the one that it names are configured.
    pub fn configure(&self, registry: &Registry) -> rumormill_registry::Result<()> {
        self.transports.iter().try_for_each(|(scheme, options)| {
            registry.configure(scheme, Context { options: options.clone(), ..Context::default() })
        })
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            bind_address: None,
            socket_path: None,
            listen: Vec::new(),
            identity: None,
            stop_deadline: Duration::from_secs(5),
        }
    }
}

/// Where a broker is that nobody has told where to be: on this machine alone.
pub const DEFAULT_ADDRESS: &str = "tcp://127.0.0.1:4322";

#[cfg(test)]
mod tests;
