//! What all tasks of a broker share.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rumormill_identity::SecretKey;
use rumormill_registry::Registry;
use rumormill_transport_api::Addr;
use tokio::{
    runtime::Handle,
    sync::{Notify, Semaphore, watch},
    task::JoinSet,
};

use super::{
    slot::{Slot, State},
    table::Table,
    tally::Tally,
    timer::{self, Timer},
};
use crate::{Config, Limits, TopicName, config, memory::Memory, topic::Topic, wire::LENGTH};

/// What all tasks of a broker share.
pub(crate) struct Hub {
    pub(crate) registry: Arc<Registry>,
    pub(crate) key: Option<SecretKey>,
    /// What is in force. Whoever reloads holds [`reloading`](Self::reloading) too.
    config: RwLock<Config>,
    pub(crate) reloading: Mutex<()>,
    topics: RwLock<HashMap<TopicName, Arc<Slot>>>,
    serial: AtomicU64,
    addresses: Mutex<BTreeMap<u64, Addr>>,
    pub(crate) table: Table,
    pub(crate) memory: Memory,
    pub(crate) timer: Timer,
    pub(crate) tally: Tally,
    /// Conns that are being told that there is no place for them.
    pub(crate) farewells: Arc<Semaphore>,
    pub(crate) stopping: watch::Sender<bool>,
    /// That a topic may have drained, while the broker stops.
    pub(crate) progress: Notify,
    /// `None` from the moment that the broker is gone.
    tasks: Mutex<Option<JoinSet<()>>>,
    runtime: Handle,
}

impl Hub {
    /// Begins to look at topics when they are due. `config` has been checked.
    pub(crate) fn start(
        registry: Arc<Registry>,
        key: Option<SecretKey>,
        config: Config,
    ) -> Arc<Self> {
        let memory = Memory::new(config.limits.memory);
        let hub = Arc::new(Self {
            registry,
            key,
            config: RwLock::default(),
            reloading: Mutex::default(),
            topics: RwLock::default(),
            serial: AtomicU64::new(0),
            addresses: Mutex::default(),
            table: Table::default(),
            memory,
            timer: Timer::default(),
            tally: Tally::default(),
            farewells: Arc::new(Semaphore::new(MOST_FAREWELLS)),
            stopping: watch::Sender::new(false),
            progress: Notify::new(),
            tasks: Mutex::new(Some(JoinSet::new())),
            runtime: Handle::current(),
        });
        for (name, topic) in &config.topics {
            hub.add(name, topic, &config.limits);
        }
        hub.set_config(config);
        hub.spawn(timer::run(hub.clone()));
        hub
    }

    pub(crate) fn config(&self) -> Config {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_config(&self, config: Config) {
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    pub(crate) fn limits(&self) -> Limits {
        self.config.read().unwrap_or_else(PoisonError::into_inner).limits
    }

    /// Bytes of blocks that a conn may publish to a topic before it is granted more: a single message
    /// as long as the limit always fits.
    pub(crate) fn window(limits: &Limits) -> usize {
        limits.publish_window + LENGTH
    }

    /// Bytes of the longest frame that the broker takes.
    pub(crate) fn longest_frame(limits: &Limits) -> usize {
        Self::window(limits) + MOST_HEAD
    }

    pub(crate) fn slot(&self, name: &str) -> Option<Arc<Slot>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Adds a topic of which there is none of this name.
    pub(crate) fn add(&self, name: &TopicName, settings: &config::Topic, limits: &Limits) {
        let (epoch, window) = (rand::random(), Self::window(limits));
        let topic = Topic::new(name.clone(), settings.clone(), epoch, self.memory.clone(), window);
        let slot = Slot::new(self.serial(), name.clone(), topic, settings);
        let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
        topics.insert(name.clone(), Arc::new(slot));
    }

    /// Takes a topic out of where it is found by name.
    pub(crate) fn remove(&self, name: &TopicName) -> Option<Arc<Slot>> {
        self.topics.write().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    /// Where the broker listens.
    pub(crate) fn addresses(&self) -> MutexGuard<'_, BTreeMap<u64, Addr>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number that nothing else of this broker has.
    pub(crate) fn serial(&self) -> u64 {
        self.serial.fetch_add(1, Relaxed)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Looks after something was done with a topic, whose lock is held: when it has to be looked at
    /// next, and whether it has drained.
    pub(crate) fn watch(&self, slot: &Arc<Slot>, state: &mut State) {
        self.timer.watch(slot, state);
        if self.is_stopping() {
            self.progress.notify_one();
        }
    }

    /// Runs a task that ends with the broker; drops it if that is gone.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let mut tasks = self.tasks();
        let Some(tasks) = tasks.as_mut() else { return false };
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(task, &self.runtime);
        true
    }

    /// The tasks, from whose owner they go.
    pub(crate) fn take_tasks(&self) -> Option<JoinSet<()>> {
        self.tasks().take()
    }

    fn tasks(&self) -> MutexGuard<'_, Option<JoinSet<()>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// More than what stands in a frame before its block.
const MOST_HEAD: usize = 512;
/// Conns that are told at the same time that there is no place for them; what comes beyond is closed
/// without a word.
const MOST_FAREWELLS: usize = 64;
