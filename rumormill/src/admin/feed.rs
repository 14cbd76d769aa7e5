//! What happens, line by line, for one reader.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use rumormill_gossip::{Event, Heard, Rumors};
use serde_json::Value;
use tokio::sync::{
    OwnedSemaphorePermit,
    broadcast::{self, error::RecvError},
    watch,
};

use super::{
    counts::{Counts, Present, add},
    form,
    hooks::Mirrored,
};

/// A body without end: each line is sent as soon as its reader has room for it. What happens while there is none
/// waits, within the bounds of where it waits; of more, the oldest is missed, and a line says so.
pub(super) struct Feed {
    next: Pin<Box<dyn Future<Output = (Option<Value>, Source)> + Send>>,
    is_over: bool,
}

/// Where the lines come from.
pub(super) struct Source {
    /// What the reader is told first.
    pub(super) head: Option<Value>,
    pub(super) events: broadcast::Receiver<Event>,
    pub(super) rumors: Option<Rumors>,
    pub(super) messages: broadcast::Receiver<Mirrored>,
    pub(super) ending: watch::Receiver<bool>,
    pub(super) counts: Arc<Counts>,
    pub(super) _place: (OwnedSemaphorePermit, Present),
    pub(super) is_over: bool,
}

impl Feed {
    pub(super) fn new(source: Source) -> Self {
        Self { next: Box::pin(source.next()), is_over: false }
    }
}

impl Body for Feed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let Poll::Ready((value, source)) = self.next.as_mut().poll(context) else {
            return Poll::Pending;
        };
        let Some(value) = value else {
            self.is_over = true;
            return Poll::Ready(None);
        };
        self.next = Box::pin(source.next());
        let line = form::line(&value) + "\n";
        Poll::Ready(Some(Ok(Frame::data(line.into()))))
    }
}

impl Source {
    /// The next line, and where those behind it come from.
    async fn next(mut self) -> (Option<Value>, Self) {
        if self.is_over {
            return (None, self);
        }
        let value = match self.head.take() {
            Some(head) => Some(head),
            None => self.happening().await,
        };
        self.is_over = value.is_none();
        let mut value = value.unwrap_or_else(form::end);
        value["at_ms"] = now_ms().into();
        (Some(value), self)
    }

    async fn happening(&mut self) -> Option<Value> {
        tokio::select! {
            biased;
            event = self.events.recv() => match event {
                Ok(event) => Some(form::event(&event)),
                Err(error) => missed(&self.counts, "events", error),
            },
            heard = hear(&mut self.rumors) => {
                if let Some(Heard::Missed(count)) = heard {
                    add(&self.counts.missed, count);
                }
                heard.as_ref().map(form::heard)
            }
            message = self.messages.recv() => match message {
                Ok(message) => Some(form::message(&message)),
                Err(error) => missed(&self.counts, "messages", error),
            },
            _ = self.ending.wait_for(|is_ending| *is_ending) => None,
        }
    }
}

fn missed(counts: &Counts, what: &str, error: RecvError) -> Option<Value> {
    match error {
        RecvError::Closed => None,
        RecvError::Lagged(count) => {
            add(&counts.missed, count);
            Some(form::missed(what, count))
        }
    }
}

async fn hear(rumors: &mut Option<Rumors>) -> Option<Heard> {
    match rumors {
        Some(rumors) => rumors.recv().await,
        None => std::future::pending().await,
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
