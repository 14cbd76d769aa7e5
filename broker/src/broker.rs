//! A broker: topics, and the conns that use them.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::{Addr, AnyConn};
use tokio::time::Instant;

use crate::{
    Changes, Config, ConfigError, ConnStats, ListenError, ServeError, Stats, StopReport,
    driver::{Hub, check},
};

/// A running broker. Clones are the same one; dropping the last cuts everything off.
#[derive(Clone)]
pub struct Broker(Arc<Owner>);

struct Owner(Arc<Hub>);

impl Broker {
    /// A broker that listens nowhere yet. With a key it proves itself to its clients. Must be called
    /// inside a tokio runtime with time enabled.
    ///
    /// # Errors
    /// If `config` cannot be used: everything that is wrong with it.
    pub fn start(
        registry: Arc<Registry>,
        key: Option<SecretKey>,
        config: Config,
    ) -> Result<Self, ConfigError> {
        check(&config)?;
        Ok(Self(Arc::new(Owner(Hub::start(registry, key, config)))))
    }

    /// Listens at an address of any carrier of streams; returns the address as bound.
    ///
    /// # Errors
    /// [`ListenError`]; nothing is bound then.
    ///
    /// # Cancel safety
    /// Dropping the future binds nothing.
    pub async fn listen(&self, addr: &Addr) -> Result<Addr, ListenError> {
        self.hub().listen(addr).await
    }

    /// Where it listens.
    pub fn addresses(&self) -> Vec<Addr> {
        self.hub().addresses().values().cloned().collect()
    }

    /// Serves a conn that somebody else has accepted, or both of whose ends are in this process.
    ///
    /// # Errors
    /// [`ServeError`]; the conn is closed then.
    pub fn serve(&self, conn: AnyConn) -> Result<(), ServeError> {
        self.hub().admit(conn)
    }

    /// What is in force.
    pub fn config(&self) -> Config {
        self.hub().config()
    }

    /// Puts another configuration in force while messages go on: all of it, or nothing.
    ///
    /// Smaller limits of a topic apply to what is queued already, by its policy. Conns that are open
    /// keep [`idle`](crate::Limits::idle) as it was told to them, and so do more conns than there now
    /// may be. What was queued in topics that are removed is lost, and reported.
    ///
    /// # Errors
    /// If `config` cannot be used, or not without a restart. The old one stays in force.
    pub fn reload(&self, config: Config) -> Result<Changes, ConfigError> {
        self.hub().reload(config)
    }

    /// What it has and did.
    pub fn stats(&self) -> Stats {
        let hub = self.hub();
        let topics = hub.slots().into_iter();
        let topics: BTreeMap<_, _> =
            topics.map(|slot| (slot.name.clone(), slot.lock().topic.stats())).collect();
        Stats {
            conns: hub.table.len(),
            accepted: hub.tally.accepted.get(),
            failed_accepts: hub.tally.failed_accepts.get(),
            refused: hub.tally.refused.get(),
            closed: hub.tally.closed.get(),
            cut: hub.tally.cuts(),
            dead_letters_lost: hub.tally.dead_letters_lost.get(),
            late_confirmations: hub.tally.late_confirmations.get(),
            memory_used: hub.memory.used(),
            memory_limit: hub.memory.limit(),
            topics,
            routing: hub.tally.routing(),
        }
    }

    /// The conns, oldest first.
    pub fn conns(&self) -> Vec<ConnStats> {
        let (mut conns, now) = (self.hub().table.all(), Instant::now());
        conns.sort_by_key(|conn| conn.id);
        conns.iter().map(|conn| conn.stats(now)).collect()
    }

    /// Stops: lets nobody in and takes no message any more, delivers what is queued, tells everybody
    /// that it is over, and closes their conns; after `deadline` it cuts off the rest.
    ///
    /// Messages of a queue that nobody takes are not waited for.
    ///
    /// # Cancel safety
    /// Dropping the future leaves a broker that takes nothing new and goes on delivering, or, when it
    /// was about to close its conns, cuts them off. Calling it again goes on with the stop.
    pub async fn stop(&self, deadline: Duration) -> StopReport {
        self.hub().stop(deadline).await
    }

    fn hub(&self) -> &Arc<Hub> {
        &self.0.0
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Dropping the set ends all tasks.
        drop(self.0.take_tasks());
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}
