//! What time brings: probes, suspicions that end, and everything that comes round.

use std::time::Duration;

use rand::{Rng, RngExt};
use rumormill_transport_api::NodeId;

use crate::{
    leave::Leave,
    member::Standing,
    message::{Body, begin},
    metadata::Question,
    output::{Output, Via},
    record::State,
    signer::Signer,
    swim::{EXPIRE_EVERY, Swim},
    time::Time,
};

/// How long a node that asked for confirmation of its leaving waits before it asks again.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// No interval is shorter, whatever is set.
const SHORTEST: Duration = Duration::from_millis(1);

impl<S: Signer> Swim<S> {
    /// Does what is due. Called too early, it does nothing; called late, as if this node had slept.
    pub fn wake(&mut self, now: Time, rng: &mut impl Rng) {
        if self.is_over {
            return;
        }
        self.make_up_for_sleep(now);
        self.probe_on(now, rng);
        while let Some((asker, number)) = self.prober.overdue(now) {
            self.send(asker, Via::Packet, &Body::Nack { number });
        }
        while let Some(node) = self.table.overdue(now) {
            self.condemn(node, now);
        }
        self.gossip_on(now, rng);
        self.exchange_on(now, rng);
        self.fetch_on(now, rng);
        self.rumors_on(now, rng);
        self.leave_on(now);
        self.tidy_up(now);
    }

    /// A node that was not called in time knows nothing of what it has missed meanwhile: if that is longer
    /// than an answer may take, its probe is void, and its suspicions last as much longer.
    pub(super) fn make_up_for_sleep(&mut self, now: Time) {
        let late = self.deadline().map(|deadline| now.since(deadline.max(self.awake)));
        self.awake = self.awake.max(now);
        let Some(late) = late.filter(|late| self.config.probe_timeout < *late) else { return };
        if self.config.lifeguard.pause {
            self.prober.current = None;
            self.table.postpone(late);
        }
        if self.config.lifeguard.pause && self.config.lifeguard.probe {
            self.health.overslept();
        }
    }

    fn probe_on(&mut self, now: Time, rng: &mut impl Rng) {
        let escalates = self.prober.current.as_ref().and_then(|probe| probe.escalates);
        if escalates.is_some_and(|at| at <= now) {
            self.escalate(rng);
        }
        if now < self.timers.probe {
            return;
        }
        if let Some(probe) = self.prober.current.take() {
            self.judge(&probe, now);
        }
        let (interval, timeout) = self.probe_times();
        let next = following(self.timers.probe, interval, now);
        // One that begins late, after a sleep or as the first, is not cut short for the rhythm's sake.
        let is_short = next.since(now) < interval.mul_f64(0.9);
        self.timers.probe = if is_short { next + interval } else { next };
        if let Some((target, number)) = self.prober.begin(now + timeout, rng) {
            self.ping(target, Via::Packet, number);
        }
    }

    fn probe_times(&self) -> (Duration, Duration) {
        let (interval, timeout) = (self.config.probe_interval, self.config.probe_timeout);
        (self.health.stretch(interval), self.health.stretch(timeout))
    }

    /// Asks others to probe, and once more over a stream.
    fn escalate(&mut self, rng: &mut impl Rng) {
        let Some(probe) = &self.prober.current else { return };
        let (target, number) = (probe.target, probe.number);
        let helpers = self.prober.some(self.config.indirect_probes, target, rng);
        for helper in &helpers {
            self.send(*helper, Via::Packet, &Body::PingRequest { number, target });
        }
        if self.config.stream_probe {
            self.ping(target, Via::Stream, number);
        }
        self.prober.current.iter_mut().for_each(|probe| probe.escalate(helpers.clone()));
    }

    fn gossip_on(&mut self, now: Time, rng: &mut impl Rng) {
        let Some(interval) = self.config.gossip_interval else { return };
        if self.has_news() && self.timers.gossip <= now {
            self.timers.gossip = following(self.timers.gossip, interval, now);
            self.gossip(now, rng);
        }
    }

    fn exchange_on(&mut self, now: Time, rng: &mut impl Rng) {
        if self.timers.exchange.is_some_and(|at| at <= now) {
            let every = self.config.exchange_every(self.size());
            self.timers.exchange =
                self.timers.exchange.zip(every).map(|(at, every)| following(at, every, now));
            self.ask_anybody(rng);
        }
        if self.timers.look.take_if(|at| *at <= now).is_some() {
            self.ask_anybody(rng);
        }
        if self.timers.heal.is_some_and(|at| at <= now) {
            let rhythm = self.timers.heal.zip(self.config.heal_interval);
            self.timers.heal = rhythm.map(|(at, every)| following(at, every, now));
            if let Some(node) = self.any_failed(rng) {
                self.ask(node, Via::Anew);
            }
        }
    }

    fn fetch_on(&mut self, now: Time, rng: &mut impl Rng) {
        let again = self.config.probe_interval.max(SHORTEST);
        while let Some(question) = self.metadata.overdue(now, again) {
            let Question { about, hash, whom } = question;
            let anybody = || self.prober.some(1, about, rng).first().copied();
            match whom.filter(|whom| self.is_here(*whom)).or_else(anybody) {
                _ if !self.is_here(about) => self.metadata.stop(about),
                Some(whom) => {
                    self.push(whom, Via::Packet, begin(&Body::AskMetadata { about, hash }).freeze())
                }
                None => (),
            }
        }
    }

    /// Has state exchanged once more when what is news now has gone round: what did not reach everybody
    /// need not wait until digests have differed for some time.
    pub(super) fn look_again(&mut self, now: Time) {
        let round = self.config.gossip_interval.unwrap_or(self.config.probe_interval);
        let is_allowed = self.config.exchange_interval.is_some();
        self.timers.look = is_allowed.then(|| now + round.saturating_mul(2));
    }

    fn ask_anybody(&mut self, rng: &mut impl Rng) {
        let with = self.prober.some(1, self.node(), rng);
        with.into_iter().for_each(|node| self.ask(node, Via::Stream));
    }

    fn any_failed(&self, rng: &mut impl Rng) -> Option<NodeId> {
        let failed = self.table.failed();
        failed.iter().nth(rng.random_range(0..failed.len().max(1))).copied()
    }

    /// Begins to leave. A second time changes nothing.
    pub(super) fn begin_leave(&mut self, now: Time, within: Duration, rng: &mut impl Rng) {
        if self.leave.is_some() {
            return;
        }
        self.reissue(State::Leaving, now);
        let asked = self.prober.some(self.config.leave_asked, self.node(), rng);
        self.leave = Some(Leave::new(asked, self.table.here(), now, within));
        self.leave_on(now);
    }

    fn leave_on(&mut self, now: Time) {
        let linger = self.linger();
        let Some(leave) = &mut self.leave else { return };
        let standing = |node| self.table.get(node).map(|member| member.standing);
        leave.excuse(|node| standing(node) == Some(Standing::Left), now, linger);
        // Where nobody is left, nobody takes what is to be spread.
        let is_heard = self.config.gossip_interval.is_some() && 0 < self.table.here();
        if is_heard && self.mill.spread.has_of(self.own.node) {
            leave.stay(now + ASK_AGAIN);
        }
        let asked = leave.ask(now, ASK_AGAIN);
        let report = leave.report(now);
        for node in asked {
            self.show_own(node, Via::Packet, &Body::Farewell);
        }
        if let Some(report) = report {
            self.outputs.push_back(Output::Left(report));
            self.is_over = true;
        }
    }

    /// How long a leaving node answers probes after the last confirmation: until its news, spread by
    /// others, have been sent as often as they are.
    pub(super) fn linger(&self) -> Duration {
        let interval = self.config.gossip_interval.unwrap_or(self.config.probe_interval);
        interval.saturating_mul(self.config.retransmits(self.size()))
    }

    fn tidy_up(&mut self, now: Time) {
        if self.timers.resign <= now {
            self.timers.resign = now + self.config.resign_interval;
            // A leaving record stays as it is: others are asked to confirm its version.
            if self.own.state == State::Alive {
                self.reissue(State::Alive, now);
            }
        }
        if self.timers.expire <= now {
            self.timers.expire = now + EXPIRE_EVERY;
            let Self { config, table, .. } = self;
            let gone = table.expire(now, config.failed_kept, config.tombstones_kept);
            self.forget(gone);
            self.mill.expire(now);
        }
    }
}

/// The next of a row of moments after `now`, whatever was missed.
pub(super) fn following(last: Time, interval: Duration, now: Time) -> Time {
    let interval = interval.max(SHORTEST);
    let missed = now.since(last).as_nanos() / interval.as_nanos();
    let missed = u32::try_from(missed).unwrap_or(u32::MAX);
    last + interval.saturating_mul(missed.saturating_add(1))
}
