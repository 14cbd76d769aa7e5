//! A broker with everything around it, started from a configuration: what [`Node`](crate::Node) is to a member
//! of a cluster.

mod error;
mod listening;
mod window;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use rumormill_broker::{Broker, StopReport};
use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::Addr;
use tokio::sync::{OnceCell, watch};

pub use error::{NotListening, ReloadError, StartError};
pub(crate) use listening::listen;
pub(crate) use window::with_window;

use crate::{
    config::{
        Change, Difference, Token,
        broker::{Config, Loaded},
    },
    node::{Administered, broker_page, build_page},
};

/// A broker with everything around it: where it listens, who it is, and how it is asked and told things.
///
/// It is a handle, cheap to clone. When the last one is dropped all conns are cut off;
/// [`stop`](Self::stop) delivers first what waits.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use rumormill::{
///     broker::Topic,
///     config::broker::{Config, Server},
///     hub::Hub,
/// };
///
/// # if !rumormill::registry()?.contains("tcp") { return Ok(()) }
/// let server = Server { listen: vec!["tcp://127.0.0.1:0".parse()?], ..Server::default() };
/// let mut config = Config { server, ..Config::default() };
/// config.broker.topics.insert("events".parse()?, Topic::default());
/// let hub = Hub::start(config).await?;
/// assert_eq!(hub.addresses().len(), 1);
/// assert!(hub.stop().await.left.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    broker: Broker,
    addresses: Vec<Addr>,
    config: Mutex<Config>,
    token: RwLock<Option<Token>>,
    is_stopping: AtomicBool,
    report: OnceCell<StopReport>,
    over: watch::Sender<bool>,
    administered: Administered,
}

impl Hub {
    /// Starts a broker with the transports of this program. Returns once it listens. Must be called inside
    /// a tokio runtime.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left open.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing open.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let registry = crate::registry()?;
        let loaded = Loaded::of(config, &registry)?;
        Self::start_with(registry, &loaded).await
    }

    /// The same with transports of one's own choice, of which none has been built, and a configuration
    /// that was checked.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    ///
    /// # Cancel safety
    /// As for [`start`](Self::start).
    pub async fn start_with(registry: Registry, loaded: &Loaded) -> Result<Self, StartError> {
        let Loaded { config, files, .. } = loaded;
        config.configure(&registry)?;
        // Transports that prove who this is need a key, whatever it is worth.
        let key = files.key.clone().unwrap_or_else(SecretKey::generate);
        let registry = Arc::new(registry.with_credentials(key.credentials().into()));
        let broker = Broker::start(registry, files.key.clone(), config.broker.clone())?;
        let addresses = listen(&broker, &config.addresses().map_err(StartError::Address)?).await?;
        let hub = Self(Arc::new(Inner {
            broker,
            addresses,
            config: Mutex::new(config.clone()),
            token: RwLock::new(files.token.clone()),
            is_stopping: AtomicBool::new(false),
            report: OnceCell::new(),
            over: watch::Sender::new(false),
            administered: Administered::default(),
        }));
        let weak = hub.downgrade();
        hub.0.administered.begin(move || weak.upgrade().map(Self), &config.admin).await?;
        Ok(hub)
    }

    /// The broker itself.
    pub fn broker(&self) -> &Broker {
        &self.0.broker
    }

    /// Where it listens, as bound.
    pub fn addresses(&self) -> Vec<Addr> {
        self.0.addresses.clone()
    }

    /// The configuration that is in force.
    pub fn config(&self) -> Config {
        self.0.config().clone()
    }

    /// What whoever asks by TCP has to know, as it was read last.
    pub fn token(&self) -> Option<Token> {
        self.0.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it takes messages: it listens, and does not stop.
    pub fn is_ready(&self) -> bool {
        !self.0.is_stopping.load(Relaxed)
    }

    /// All its numbers in the text format of Prometheus, version 0.0.4.
    pub fn prometheus(&self) -> String {
        build_page() + &broker_page(&self.0.broker.stats())
    }

    /// Takes over another configuration while messages go on: all of it, or nothing. Tells which keys are
    /// different.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed.
    pub fn reload(&self, loaded: &Loaded) -> Result<Vec<Difference>, ReloadError> {
        let mut current = self.0.config();
        if !self.is_ready() {
            return Err(ReloadError::Over);
        }
        let change = self.changes(&current, loaded)?;
        self.0.broker.reload(with_window(&self.0.broker, loaded.config.broker.clone())?)?;
        self.0
            .token
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&loaded.files.token);
        current.clone_from(&loaded.config);
        Ok(change)
    }

    /// What [`reload`](Self::reload) would change.
    ///
    /// # Errors
    /// As for [`reload`](Self::reload), as far as it can be told beforehand.
    pub fn rehearse(&self, loaded: &Loaded) -> Result<Vec<Difference>, ReloadError> {
        self.changes(&self.config(), loaded)
    }

    fn changes(&self, current: &Config, loaded: &Loaded) -> Result<Vec<Difference>, ReloadError> {
        let change = Change::between_brokers(current, &loaded.config).into_live()?;
        with_window(&self.0.broker, loaded.config.broker.clone())?;
        Ok(change)
    }

    /// Takes nothing new, delivers what waits, and closes everything, within `server.stop_deadline` of the
    /// configuration. Called again, it tells the same.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a broker that takes nothing new; the next call goes on.
    pub async fn stop(&self) -> StopReport {
        let report = self.0.report.get_or_init(async || {
            self.0.is_stopping.store(true, Relaxed);
            let within = self.0.config().server.stop_deadline;
            let report = self.0.broker.stop(within).await;
            self.0.administered.end(self.0.over.clone());
            report
        });
        report.await.clone()
    }

    /// Waits until somebody has stopped it. Cancel-safe.
    pub async fn stopped(&self) {
        let mut over = self.0.over.subscribe();
        if over.wait_for(|is_over| *is_over).await.is_err() {
            std::future::pending().await
        }
    }

    /// What the program lends to its administration; `None` if it has none.
    #[cfg(feature = "admin")]
    pub fn hooks(&self) -> Option<crate::admin::Hooks> {
        self.0.administered.hooks()
    }

    /// The socket of its administration, if it has one.
    #[cfg(feature = "admin")]
    pub fn admin_socket(&self) -> Option<std::path::PathBuf> {
        self.0.administered.socket()
    }

    /// Where its administration listens by TCP, as bound, if it does.
    #[cfg(feature = "admin")]
    pub fn admin_tcp(&self) -> Option<std::net::SocketAddr> {
        self.0.administered.tcp()
    }

    fn downgrade(&self) -> Weak<Inner> {
        Arc::downgrade(&self.0)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hub").field(&self.0.addresses).finish()
    }
}

impl Inner {
    fn config(&self) -> MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
