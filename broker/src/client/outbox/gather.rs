//! What the writer sends next, and when it has to look again.

use rumormill_transport_api::Batch;
use tokio::time::Instant;

use super::{FAREWELL, Farewell, Link, Next, Outbox, State};
use crate::{
    TopicName,
    client::{
        fate::Outcomes,
        lane::{Allowed, HEAD, LONGEST, Lane},
    },
    wire::Request,
};

impl Outbox {
    /// Moves what may be sent now into `batch`, which is empty.
    pub(in crate::client) fn gather(
        &mut self,
        now: Instant,
        batch: &mut Batch,
        out: &mut Outcomes,
    ) -> Next {
        self.is_idle = false;
        let Some(mut link) = self.link else { return Next::Close };
        while batch.bytes() < MOST {
            let Some(frame) = self.control.pop_front() else { break };
            batch.push(frame);
        }
        self.keep_up(now, &mut link, batch, out);
        self.gather_lanes(now, link.allowed, batch, out);
        self.gather_notes(now, batch);
        let next = match batch.is_empty() {
            false => Next::Send,
            true => self.rest(now, &mut link, batch),
        };
        self.link = Some(link);
        next
    }

    /// Says that it lives, and gives up what nobody tells of.
    fn keep_up(&mut self, now: Instant, link: &mut Link, batch: &mut Batch, out: &mut Outcomes) {
        if link.ping_due <= now {
            link.ping_due = now + link.beat;
            link.pinged = (link.pinged.0 + 1, now);
            batch.push(Request::Ping { token: link.pinged.0 }.encode());
        }
        if link.expire_due <= now {
            link.expire_due = now + self.limits.acknowledge / 4;
            if let Some(since) = now.checked_sub(self.limits.acknowledge) {
                let tally = &mut self.tally;
                self.lanes.iter_mut().for_each(|lane| lane.expire(since, tally, out));
            }
        }
    }

    fn gather_lanes(
        &mut self,
        now: Instant,
        allowed: Allowed,
        batch: &mut Batch,
        out: &mut Outcomes,
    ) {
        let asks = self.state == State::Closing;
        while let Some(number) = self.listed.pop_front() {
            let Some(lane) = self.lanes.get_mut(number) else { continue };
            lane.drop_unsendable(allowed, &mut self.tally, out);
            match lane.next_len() {
                Some(len) if batch.is_empty() || batch.bytes() + len <= MOST => {
                    batch.push_parts(lane.take(asks, now, &mut self.tally));
                    self.listed.push_back(number);
                }
                Some(_) => return self.listed.push_front(number),
                // It comes back with more messages, or with more credit.
                None => lane.is_listed = false,
            }
        }
    }

    fn gather_notes(&mut self, now: Instant, batch: &mut Batch) {
        let is_due = self.noted_due.is_some_and(|due| due <= now);
        if is_due || self.is_hurried || !batch.is_empty() {
            self.tell_notes(batch);
        }
    }

    fn tell_notes(&mut self, batch: &mut Batch) {
        self.noted.drain(..).for_each(|inbox| inbox.tell(|frame| batch.push(frame)));
        (self.noted_due, self.is_hurried) = (None, false);
    }

    /// Nothing is to be sent: waits, or comes to the end.
    fn rest(&mut self, now: Instant, link: &mut Link, batch: &mut Batch) -> Next {
        if self.state == State::Closing && self.lanes.iter().all(Lane::is_settled) {
            match link.farewell {
                Farewell::None => {
                    self.tell_notes(batch);
                    batch.push(Request::Ping { token: FAREWELL }.encode());
                    link.farewell = Farewell::Said;
                    return Next::Send;
                }
                Farewell::Said => (),
                Farewell::Answered => return Next::Close,
            }
        }
        self.is_idle = true;
        let due = link.ping_due.min(link.expire_due);
        Next::Wait(self.noted_due.map_or(due, |noted| noted.min(due)).max(now))
    }
}

/// Bytes of one write.
const MOST: usize = 256 << 10;
const _: () = assert!(LONGEST + HEAD + TopicName::LONGEST < MOST);
