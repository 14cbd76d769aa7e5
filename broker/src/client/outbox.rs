//! What a client has to say to its broker: lanes of messages, and everything beside them.

mod gather;
pub(super) mod pending;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    config::cost,
    fate::{Outcomes, Receipt, Submitted},
    inbox::Inbox,
    lane::{Allowed, HEAD, Lane, Wants},
    report::ClientStats,
    tally::Tally,
};
use crate::{
    ClientConfig, PublishError, TopicName,
    wire::{Block, RefusedWhy},
};

/// Everything that waits to be sent, under one lock: whoever publishes holds it for as long as it takes
/// to copy a short message.
#[derive(Debug)]
pub(super) struct Outbox {
    lanes: Vec<Lane>,
    by_topic: BTreeMap<TopicName, usize>,
    /// Lanes that may have something to send, in turn.
    listed: VecDeque<usize>,
    control: VecDeque<Bytes>,
    /// Subscriptions whose users have finished with messages.
    noted: Vec<Arc<Inbox>>,
    /// When what they noted is to be told at the latest.
    noted_due: Option<Instant>,
    /// Whether it is to be told at once.
    is_hurried: bool,
    tally: Tally,
    state: State,
    link: Option<Link>,
    /// Whether the writer waits to be woken.
    is_idle: bool,
    /// Whether somebody waits for room.
    is_wanted: bool,
    limits: Most,
}

/// What limits what may be published.
#[derive(Clone, Copy, Debug)]
struct Most {
    messages: u64,
    bytes: u64,
    /// The longest message, as far as this side decides.
    configured: usize,
    /// And as the conn, or the last one, takes it.
    message: usize,
    acknowledge: Duration,
}

/// Whether messages are still taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// What waits is sent, and what is told of it is waited for.
    Closing,
    Closed,
}

/// The conn to the broker.
#[derive(Clone, Copy, Debug)]
struct Link {
    allowed: Allowed,
    /// How often something is said.
    beat: Duration,
    ping_due: Instant,
    /// The last Ping that said that the client lives: its token, and when it was sent.
    pinged: (u64, Instant),
    expire_due: Instant,
    /// The Ping behind everything, when the client is being closed.
    farewell: Farewell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    None,
    Said,
    Answered,
}

/// What the writer does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Sends what was gathered.
    Send,
    /// Waits to be woken, or for this moment.
    Wait(Instant),
    /// Closes the conn: everything is said.
    Close,
}

/// When something is to be told.
#[derive(Clone, Copy, Debug)]
pub(super) enum When {
    Now,
    /// In company, and not much later than now.
    Soon(Instant),
}

/// What the conn that was opened allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    pub(super) allowed: Allowed,
    pub(super) idle: Duration,
    pub(super) is_first: bool,
}

impl Outbox {
    pub(super) fn new(config: &ClientConfig) -> Self {
        let limits = Most {
            messages: config.buffer.messages as u64,
            bytes: config.buffer.bytes as u64,
            configured: config.max_message.min(config.buffer.bytes.saturating_sub(cost(0))),
            message: 0,
            acknowledge: config.acknowledge,
        };
        Self {
            lanes: Vec::new(),
            by_topic: BTreeMap::new(),
            listed: VecDeque::new(),
            control: VecDeque::new(),
            noted: Vec::new(),
            noted_due: None,
            is_hurried: false,
            tally: Tally::default(),
            state: State::Open,
            link: None,
            is_idle: false,
            is_wanted: false,
            limits,
        }
    }

    /// The number of the topic's lane.
    pub(super) fn lane(&mut self, topic: &TopicName) -> usize {
        if let Some(lane) = self.by_topic.get(topic) {
            return *lane;
        }
        let lane = self.lanes.len();
        self.lanes.push(Lane::new(topic.clone(), lane, self.link.map(|link| link.allowed)));
        self.by_topic.insert(topic.clone(), lane);
        lane
    }

    /// Takes a message, or refuses it.
    pub(super) fn publish(
        &mut self,
        lane: usize,
        message: &[u8],
        long: Option<Block>,
        wants: Wants,
    ) -> Result<Option<Submitted>, PublishError> {
        self.admit(message.len())?;
        let number = lane;
        let lane = self.lanes.get_mut(lane).ok_or(PublishError::Closed)?;
        if let Some(why) = lane.refusal() {
            return Err(PublishError::Refused(why));
        }
        self.tally.waits(cost(message.len()));
        if !lane.is_listed {
            lane.is_listed = true;
            self.listed.push_back(number);
        }
        Ok(match long {
            Some(block) => lane.push_long(block, wants),
            None => lane.push(message, wants),
        })
    }

    fn admit(&mut self, len: usize) -> Result<(), PublishError> {
        if self.state != State::Open {
            return Err(PublishError::Closed);
        }
        let max = self.limits.message;
        if max < len {
            return Err(PublishError::TooLarge { len, max });
        }
        let stats = &self.tally.stats;
        let bytes = stats.waiting_bytes + cost(len) as u64;
        match stats.waiting < self.limits.messages && bytes <= self.limits.bytes {
            true => Ok(()),
            false => Err(PublishError::Full),
        }
    }

    /// Somebody waits for room, and is told when there is some.
    pub(super) fn want_room(&mut self) {
        self.is_wanted = true;
    }

    /// Whether whoever waits for room is to be told.
    pub(super) fn has_room_for_those_who_wait(&mut self) -> bool {
        let stats = &self.tally.stats;
        let has_room = self.state != State::Open
            || (stats.waiting < self.limits.messages && stats.waiting_bytes < self.limits.bytes);
        has_room && std::mem::take(&mut self.is_wanted)
    }

    /// Says something beside the messages, if there is a conn.
    pub(super) fn say(&mut self, frame: Bytes) {
        if self.link.is_some() {
            self.control.push_back(frame);
        }
    }

    /// The user of a subscription has finished with messages, which is to be told. Tells whether the
    /// writer has to know of it now.
    pub(super) fn note(&mut self, inbox: Option<Arc<Inbox>>, when: When) -> bool {
        self.noted.extend(inbox);
        match when {
            When::Now => self.is_hurried = true,
            When::Soon(_) if self.noted_due.is_some() => return false,
            When::Soon(now) => self.noted_due = Some(now + SOON),
        }
        self.rouse()
    }

    /// Whether there is something for the writer that it may not know of, and it waits.
    pub(super) fn rouse_if_needed(&mut self) -> bool {
        let has_news = !self.listed.is_empty() || !self.control.is_empty();
        (has_news || self.state != State::Open) && self.rouse()
    }

    /// Whether the writer is to be woken, once.
    pub(super) fn rouse(&mut self) -> bool {
        std::mem::take(&mut self.is_idle)
    }

    pub(super) fn credit(&mut self, topic: &str, through: u64) {
        let Some(number) = self.by_topic.get(topic) else { return };
        let Some(lane) = self.lanes.get_mut(*number) else { return };
        lane.credit(through, &mut self.tally);
        if !lane.is_listed && !lane.is_empty() {
            lane.is_listed = true;
            self.listed.push_back(*number);
        }
    }

    pub(super) fn receipt(&mut self, receipt: u64, first: Receipt, out: &mut Outcomes) {
        if let Some(lane) = self.lanes.get_mut(Lane::of(receipt)) {
            lane.receipt(receipt, first, &mut self.tally, out);
        }
    }

    pub(super) fn refused(
        &mut self,
        why: RefusedWhy,
        topic: &str,
        receipt: Option<u64>,
        messages: u32,
        now: Instant,
        out: &mut Outcomes,
    ) {
        let Some(number) = self.by_topic.get(topic) else { return };
        if let Some(lane) = self.lanes.get_mut(*number) {
            lane.refused(why, receipt, messages, now, &mut self.tally, out);
        }
    }

    pub(super) fn pong(&mut self, token: u64) {
        let Some(link) = self.link.as_mut() else { return };
        let before = match token {
            FAREWELL => {
                link.farewell = Farewell::Answered;
                None
            }
            _ if token == link.pinged.0 => Some(link.pinged.1),
            // An older one, of which the next tells more; or nothing that was asked.
            _ => return,
        };
        let tally = &mut self.tally;
        self.lanes.iter_mut().for_each(|lane| lane.confirm(before, tally));
    }

    /// A conn is open, and these are its first frames.
    pub(super) fn opened(&mut self, opened: Opened, control: VecDeque<Bytes>, now: Instant) {
        let Opened { allowed, idle, is_first } = opened;
        let frame = allowed.frame.saturating_sub(HEAD + TopicName::LONGEST);
        let most = frame.min(allowed.window as usize).saturating_sub(cost(0));
        self.limits.message = self.limits.configured.min(most);
        let beat = idle / 3;
        self.link = Some(Link {
            allowed,
            beat,
            ping_due: now + beat,
            pinged: (FAREWELL, now),
            expire_due: now + self.limits.acknowledge / 4,
            farewell: Farewell::None,
        });
        self.control = control;
        self.tally.stats.is_connected = true;
        self.tally.stats.reconnects += u64::from(!is_first);
        self.listed.clear();
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            lane.opened(allowed);
            lane.is_listed = !lane.is_empty();
            self.listed.extend(lane.is_listed.then_some(number));
        }
    }

    /// The conn is gone.
    pub(super) fn lost(&mut self, out: &mut Outcomes) {
        (self.link, self.is_idle) = (None, false);
        self.control.clear();
        self.noted.clear();
        (self.noted_due, self.is_hurried) = (None, false);
        self.tally.stats.is_connected = false;
        let tally = &mut self.tally;
        self.lanes.iter_mut().for_each(|lane| lane.lost(tally, out));
    }

    /// Nothing more is taken.
    pub(super) fn close(&mut self) {
        if self.state == State::Open {
            self.state = State::Closing;
        }
    }

    /// Nothing more is sent either.
    pub(super) fn end(&mut self, out: &mut Outcomes) {
        self.lost(out);
        self.state = State::Closed;
        let tally = &mut self.tally;
        self.lanes.iter_mut().for_each(|lane| lane.abandon(tally, out));
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether it is being closed, and nothing is left to be sent over another conn.
    pub(super) fn is_done(&self) -> bool {
        self.state != State::Open && self.tally.stats.waiting == 0
    }

    pub(super) fn stats(&self) -> ClientStats {
        self.tally.stats.clone()
    }
}

/// How long what a user has finished with may wait for company.
const SOON: Duration = Duration::from_millis(20);
/// The token of the last Ping. Those that say that the client lives count on from it.
const FAREWELL: u64 = 0;
