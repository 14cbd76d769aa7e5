//! What a client's handles and tasks share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rumormill_registry::Registry;
use rumormill_transport_api::Addr;
use tokio::{
    sync::{Notify, broadcast, watch},
    task::AbortHandle,
    time::{Instant, timeout},
};

use super::{
    fate::{Outcomes, Submitted, settle_all},
    greet::Greeted,
    inbox::Inbox,
    lane::{LONGEST, Wants},
    outbox::{Opened, Outbox, When},
    report::{ClientEvent, ClientReport, ClientStats},
    run::keep_connected,
    subscriptions::Subscriptions,
};
use crate::{
    ClientConfig, PublishError,
    client::{Lost, config::cost},
    wire::{Block, Request},
};

/// What handles and tasks share. Where both locks are held, that of `subscriptions` was taken first;
/// an inbox's is taken last.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) registry: Arc<Registry>,
    pub(super) addrs: Vec<Addr>,
    pub(super) config: ClientConfig,
    pub(super) events: broadcast::Sender<ClientEvent>,
    /// The writer has something to do.
    pub(super) wake: Notify,
    /// The client is being closed, and may be waiting for its next attempt to connect.
    pub(super) closing: Notify,
    /// Messages for subscriptions.
    pub(super) received: AtomicU64,
    /// There is room for messages, or there never will be.
    pub(super) room: Notify,
    outbox: Mutex<Outbox>,
    subscriptions: Mutex<Subscriptions>,
}

/// Owns the client's tasks: when the last handle is dropped, they end.
#[derive(Debug)]
pub(super) struct Handle {
    shared: Arc<Shared>,
    task: AbortHandle,
    /// Its other end is dropped when the task ends.
    life: watch::Receiver<()>,
}

impl Shared {
    pub(super) fn new(registry: Arc<Registry>, addrs: Vec<Addr>, config: ClientConfig) -> Self {
        Self {
            registry,
            addrs,
            outbox: Mutex::new(Outbox::new(&config)),
            config,
            events: broadcast::Sender::new(EVENTS),
            wake: Notify::new(),
            closing: Notify::new(),
            received: AtomicU64::new(0),
            room: Notify::new(),
            subscriptions: Mutex::default(),
        }
    }

    pub(super) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn subscriptions(&self) -> MutexGuard<'_, Subscriptions> {
        self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn publish(
        &self,
        lane: usize,
        message: &[u8],
        wants: Wants,
    ) -> Result<Option<Submitted>, PublishError> {
        // Nobody else waits while a long message is copied, unless it is longer than any may be.
        let is_long = LONGEST < cost(message.len()) && message.len() <= self.config.max_message;
        let long = is_long.then(|| Block::of(message));
        let mut outbox = self.outbox();
        let taken = outbox.publish(lane, message, long, wants);
        let wake = taken.is_ok() && outbox.rouse();
        drop(outbox);
        if wake {
            self.wake.notify_one();
        }
        taken
    }

    /// Does something with the outbox, then tells those who are concerned.
    pub(super) fn with_outbox<T>(&self, work: impl FnOnce(&mut Outbox, &mut Outcomes) -> T) -> T {
        let mut outcomes = Outcomes::new();
        let (done, wake, room) = {
            let mut outbox = self.outbox();
            let done = work(&mut outbox, &mut outcomes);
            (done, outbox.rouse_if_needed(), outbox.has_room_for_those_who_wait())
        };
        settle_all(&mut outcomes);
        if wake {
            self.wake.notify_one();
        }
        if room {
            self.room.notify_waiters();
        }
        done
    }

    pub(super) fn stats(&self) -> ClientStats {
        let stats = self.outbox().stats();
        ClientStats { received: self.received.load(Relaxed), ..stats }
    }

    pub(super) fn note(&self, inbox: Option<Arc<Inbox>>, when: When) {
        let wake = self.outbox().note(inbox, when);
        if wake {
            self.wake.notify_one();
        }
    }

    pub(super) fn opened(&self, greeted: &Greeted, conn: u64) {
        let mut subscriptions = self.subscriptions();
        let control = subscriptions.opened(conn);
        let opened =
            Opened { allowed: greeted.allowed, idle: greeted.idle, is_first: conn == FIRST };
        self.with_outbox(|outbox, _| outbox.opened(opened, control, Instant::now()));
        drop(subscriptions);
        let (addr, broker) = (greeted.addr.clone(), greeted.broker);
        self.tell(ClientEvent::Connected { addr, broker });
    }

    pub(super) fn lost(&self, why: Lost) {
        let mut subscriptions = self.subscriptions();
        subscriptions.lost();
        self.with_outbox(|outbox, outcomes| outbox.lost(outcomes));
        drop(subscriptions);
        self.tell(ClientEvent::Disconnected { why: Arc::new(why) });
    }

    /// Nothing is taken any more, and nothing comes.
    fn end(&self) {
        let mut subscriptions = self.subscriptions();
        self.with_outbox(|outbox, outcomes| outbox.end(outcomes));
        subscriptions.end();
    }

    pub(super) fn tell(&self, event: ClientEvent) {
        // Nobody may listen.
        self.events.send(event).ok();
    }
}

impl Handle {
    /// Starts the task that keeps the conn.
    pub(super) fn start(shared: Arc<Shared>, greeted: Greeted) -> Self {
        let (alive, life) = watch::channel(());
        let work = keep_connected(Arc::clone(&shared), greeted);
        let task = tokio::spawn(async move {
            work.await;
            drop(alive);
        });
        Self { shared, task: task.abort_handle(), life }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn note(&self, inbox: Option<Arc<Inbox>>, when: When) {
        self.shared.note(inbox, when);
    }

    /// Adds a subscription; false if there is one to its topic.
    pub(super) fn enter(&self, inbox: &Arc<Inbox>) -> bool {
        let mut subscriptions = self.shared.subscriptions();
        let Some(asked) = subscriptions.add(inbox) else { return false };
        self.shared.with_outbox(|outbox, _| asked.into_iter().for_each(|frame| outbox.say(frame)));
        true
    }

    /// Takes a subscription away; tells whether the broker will answer.
    pub(super) fn leave(&self, inbox: &Arc<Inbox>) -> bool {
        let mut subscriptions = self.shared.subscriptions();
        let is_told = subscriptions.leave(inbox);
        if is_told {
            let topic = inbox.topic.as_str();
            self.shared.with_outbox(|outbox, _| {
                inbox.tell(|frame| outbox.say(frame));
                outbox.say(Request::Unsubscribe { topic }.encode());
            });
        }
        is_told
    }

    /// Takes nothing more, and waits until everything is said.
    pub(super) async fn close(&self, deadline: Duration) {
        let shared = &self.shared;
        shared.outbox().close();
        shared.wake.notify_one();
        shared.closing.notify_one();
        shared.room.notify_waiters();
        let mut life = self.life.clone();
        timeout(deadline, async { while life.changed().await.is_ok() {} }).await.ok();
    }

    /// Ends everything; tells what is left.
    pub(super) fn end(&self) -> ClientReport {
        self.task.abort();
        self.shared.end();
        let stats = self.shared.stats();
        ClientReport { unsent: stats.unsent, uncertain: stats.uncertain }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// The number of the first conn.
pub(super) const FIRST: u64 = 1;
/// Events that may wait for a listener that does not listen.
const EVENTS: usize = 256;
