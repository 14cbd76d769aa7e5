//! Which subscriptions a client has, by topic.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;

use super::{error::Ended, inbox::Inbox, subscription::survives};
use crate::{
    TopicName,
    wire::{EndReason, RefusedWhy},
};

/// Which subscriptions there are. The broker knows one of each topic and conn.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    places: BTreeMap<TopicName, Place>,
    /// The conn that they were asked for over; 0: none.
    conn: u64,
}

#[derive(Debug, Default)]
struct Place {
    inbox: Option<Arc<Inbox>>,
    /// Those that the broker was told to end, and has not. Until it has, what it says of the topic is
    /// about the first of them.
    leaving: VecDeque<Arc<Inbox>>,
}

impl Subscriptions {
    /// Adds one; tells what the broker is to be asked, if there is a conn. `None`: there is one.
    pub(super) fn add(&mut self, inbox: &Arc<Inbox>) -> Option<Option<Bytes>> {
        let place = self.places.entry(inbox.topic.clone()).or_default();
        if place.inbox.is_some() {
            return None;
        }
        place.inbox = Some(Arc::clone(inbox));
        Some((self.conn != 0).then(|| inbox.ask(self.conn)).flatten())
    }

    /// Takes one away; tells whether the broker is to be told.
    pub(super) fn leave(&mut self, inbox: &Arc<Inbox>) -> bool {
        let Some(place) = self.places.get_mut(&inbox.topic) else { return false };
        if !place.inbox.as_ref().is_some_and(|here| Arc::ptr_eq(here, inbox)) {
            return false;
        }
        place.inbox = None;
        let is_asked = self.conn != 0 && inbox.is_asked(self.conn);
        match is_asked {
            true => place.leaving.push_back(Arc::clone(inbox)),
            false => self.tidy(inbox.topic.as_str()),
        }
        is_asked
    }

    fn tidy(&mut self, topic: &str) {
        if self.places.get(topic).is_some_and(|it| it.inbox.is_none() && it.leaving.is_empty()) {
            self.places.remove(topic);
        }
    }

    /// To whom messages and answers about the topic go.
    pub(super) fn of(&self, topic: &str) -> Option<&Arc<Inbox>> {
        let place = self.places.get(topic)?;
        place.inbox.as_ref().filter(|_| place.leaving.is_empty())
    }

    /// The broker has ended one.
    pub(super) fn ended(&mut self, topic: &str, reason: EndReason) {
        if let Some(inbox) = self.of(topic) {
            if !survives(reason) {
                inbox.over(reason.into());
            }
        } else if reason == EndReason::Unsubscribed {
            self.left(topic);
        }
    }

    /// The broker has refused to subscribe, or to unsubscribe.
    pub(super) fn refused(&mut self, topic: &str, why: RefusedWhy) {
        if let Some(inbox) = self.of(topic) {
            // A broker that stops may come back.
            if why != RefusedWhy::Stopping || inbox.is_new() {
                inbox.over(why.into());
            }
        } else if is_nothing_to_leave(why) {
            self.left(topic);
        }
    }

    fn left(&mut self, topic: &str) {
        let Some(place) = self.places.get_mut(topic) else { return };
        if let Some(inbox) = place.leaving.pop_front() {
            inbox.over(EndReason::Unsubscribed.into());
        }
        self.tidy(topic);
    }

    /// A conn is open: what it is to be asked for.
    pub(super) fn opened(&mut self, conn: u64) -> VecDeque<Bytes> {
        self.conn = conn;
        let inboxes = self.places.values().filter_map(|place| place.inbox.as_ref());
        inboxes.filter_map(|inbox| inbox.ask(conn)).collect()
    }

    /// The conn is gone.
    pub(super) fn lost(&mut self) {
        self.conn = 0;
        for place in self.places.values_mut() {
            place.leaving.drain(..).for_each(|inbox| inbox.over(EndReason::Unsubscribed.into()));
            place.inbox.iter().for_each(|inbox| inbox.lost());
        }
        self.places.retain(|_, place| place.inbox.is_some());
    }

    /// The client is closed.
    pub(super) fn end(&mut self) {
        self.lost();
        let places = std::mem::take(&mut self.places);
        places.into_values().filter_map(|it| it.inbox).for_each(|inbox| inbox.over(Ended::Closed));
    }
}

/// Whether to unsubscribe was refused because it has ended anyway: its topic may be removed, or stop,
/// before the broker reads that.
fn is_nothing_to_leave(why: RefusedWhy) -> bool {
    matches!(why, RefusedWhy::NotSubscribed | RefusedWhy::UnknownTopic | RefusedWhy::Stopping)
}
