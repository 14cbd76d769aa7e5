//! What the program around a node lends to its administration.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rumormill_endpoint::Message;
use rumormill_transport_api::{Addr, NodeId};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::config::Difference;

/// What the program around a node lends to its administration: it alone knows where the configuration
/// comes from, and has the inbox.
#[derive(Clone, Debug)]
pub struct Hooks(Arc<Lent>);

#[derive(Debug)]
struct Lent {
    reloads: Mutex<Option<mpsc::Sender<Reload>>>,
    messages: broadcast::Sender<Mirrored>,
}

/// Somebody wants the configuration read again.
#[derive(Debug)]
pub struct Reload {
    /// Whether it is only to be told what would change.
    pub is_dry_run: bool,
    /// Where to tell what has changed, or what is wrong. Whoever waits there may have gone.
    pub answer: oneshot::Sender<Result<Vec<Difference>, String>>,
}

/// A message of an application, or as much of it as is shown.
#[derive(Clone, Debug)]
pub(super) struct Mirrored {
    pub(super) from: NodeId,
    pub(super) via: Arc<Addr>,
    pub(super) is_question: bool,
    pub(super) len: usize,
    pub(super) bytes: Bytes,
}

impl Hooks {
    pub(super) fn new() -> Self {
        Self(Arc::new(Lent {
            reloads: Mutex::default(),
            messages: broadcast::Sender::new(MESSAGES),
        }))
    }

    /// Where it arrives from now on that somebody wants the configuration read again; until this is
    /// called, and when the receiver is dropped, they are told that it cannot be.
    pub fn reloads(&self) -> mpsc::Receiver<Reload> {
        let (ask, asked) = mpsc::channel(1);
        *self.0.reloads.lock().unwrap_or_else(PoisonError::into_inner) = Some(ask);
        asked
    }

    /// Shows a message to whoever follows the node's events: its first 64 KiB. Never waits.
    pub fn mirror(&self, message: &Message) {
        if self.0.messages.receiver_count() == 0 {
            return;
        }
        let shown = message.bytes.get(..SHOWN).unwrap_or(&message.bytes);
        let mirrored = Mirrored {
            from: message.from,
            via: message.via.clone(),
            is_question: message.question.is_some(),
            len: message.bytes.len(),
            // The message may be a small part of what it shares its memory with.
            bytes: Bytes::copy_from_slice(shown),
        };
        // Nobody may be listening any more.
        let _ = self.0.messages.send(mirrored);
    }

    pub(super) fn messages(&self) -> broadcast::Receiver<Mirrored> {
        self.0.messages.subscribe()
    }

    /// Whom to ask to read the configuration again.
    pub(super) fn reloader(&self) -> Option<mpsc::Sender<Reload>> {
        let reloads = self.0.reloads.lock().unwrap_or_else(PoisonError::into_inner);
        reloads.clone().filter(|ask| !ask.is_closed())
    }
}

/// Messages that wait for the slowest reader of events, who misses older ones.
const MESSAGES: usize = 256;
/// Bytes of a message that are shown.
const SHOWN: usize = 64 << 10;
