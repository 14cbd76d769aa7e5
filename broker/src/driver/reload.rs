//! Another configuration for a broker that runs.

use std::sync::{Arc, PoisonError};

use super::{
    Hub, check,
    errands::Errands,
    slot::{Slot, State},
};
use crate::{
    Changes, Config, ConfigError, ConfigFault, Limits, Remainder, TopicName,
    config::Topic,
    topic::Output,
    wire::{Answer, EndReason},
};

impl Hub {
    /// Puts another configuration in force, all of it or nothing.
    ///
    /// # Errors
    /// If anything is wrong with it.
    pub(crate) fn reload(self: &Arc<Self>, config: Config) -> Result<Changes, ConfigError> {
        let _turn = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_stopping() {
            return Err(ConfigFault::Stopped.into());
        }
        check(&config)?;
        let mut changes = differences(&self.config(), &config)?;
        let mut errands = Errands::of(self);
        for name in &changes.removed {
            let Some(slot) = self.remove(name) else { continue };
            changes.left.extend(self.end(&slot, EndReason::Removed, &mut errands));
        }
        for name in &changes.added {
            if let Some(settings) = config.topics.get(name) {
                self.add(name, settings, &config.limits);
            }
        }
        self.memory.set_limit(config.limits.memory);
        let (names, topics) = (changes.changed.iter(), &config.topics);
        for (name, settings) in names.filter_map(|name| topics.get_key_value(name)) {
            if let Some(slot) = self.slot(name.as_str()) {
                self.reconfigure(&slot, settings, &mut errands);
            }
        }
        self.set_config(config);
        Ok(changes)
    }

    /// Ends a topic that is found by name no more; returns what is lost with it.
    pub(crate) fn end(
        &self,
        slot: &Arc<Slot>,
        reason: EndReason,
        errands: &mut Errands,
    ) -> Vec<Remainder> {
        let ended = errands.with(slot, |state, _, out| {
            let left = state.topic.end(reason, out);
            slot.bury(state);
            self.timer.forget(slot, state);
            for conn in self.table.all() {
                conn.forgets(slot, state.topic.accepted(conn.id));
            }
            left
        });
        let left = ended.into_iter().flatten();
        left.map(|left| self.remainder(left)).collect()
    }

    fn reconfigure(&self, slot: &Arc<Slot>, settings: &Topic, errands: &mut Errands) {
        errands.with(slot, |state, now, out| {
            state.topic.reconfigure(now, settings.clone(), out);
            state.max_message = settings.max_message_size;
            state.publish = settings.publish.clone();
            state.subscribe = settings.subscribe.clone();
            state.version = state.version.wrapping_add(1);
            self.turn_out(slot, state, now, out);
        });
    }

    /// Ends the subscriptions of those who are let in no more.
    fn turn_out(
        &self,
        slot: &Arc<Slot>,
        state: &mut State,
        now: tokio::time::Instant,
        out: &mut Vec<Output>,
    ) {
        for conn in self.table.all() {
            if !conn.is_subscribed(slot) || state.subscribe.admits(conn.proofs()) {
                continue;
            }
            conn.set_subscribed(slot, false);
            let before = out.len();
            if state.topic.unsubscribe(now, conn.id, out).is_ok() {
                let ended =
                    Answer::Ended { topic: slot.name.as_str(), reason: EndReason::NotAllowed };
                // Nobody asked for it: the end is told in its own words.
                let told = out.iter_mut().skip(before).find_map(|output| match output {
                    Output::Tell(id, answer) if *id == conn.id && is_end(answer) => Some(answer),
                    _ => None,
                });
                match told {
                    Some(answer) => *answer = ended.encode(),
                    None => out.push(Output::Tell(conn.id, ended.encode())),
                }
            }
        }
    }
}

fn is_end(answer: &bytes::Bytes) -> bool {
    matches!(Answer::decode(answer), Ok(Answer::Ended { .. }))
}

/// What is different, if a running broker can change it.
fn differences(old: &Config, new: &Config) -> Result<Changes, ConfigError> {
    let mut faults = Vec::new();
    if old.limits.publish_window != new.limits.publish_window {
        faults.push(ConfigFault::NeedsRestart { limit: "publish_window" });
    }
    let is_in = |config: &Config, name: &TopicName| config.topics.contains_key(name);
    let mut changes = Changes {
        added: new.topics.keys().filter(|name| !is_in(old, name)).cloned().collect(),
        removed: old.topics.keys().filter(|name| !is_in(new, name)).cloned().collect(),
        limits: changed_limits(&old.limits, &new.limits),
        ..Changes::default()
    };
    for (name, topic) in &old.topics {
        match new.topics.get(name) {
            Some(other) if other.routing != topic.routing => {
                faults.push(ConfigFault::RoutingChanged { topic: name.clone() });
            }
            Some(other) if other != topic => changes.changed.push(name.clone()),
            _ => (),
        }
    }
    ConfigError::unless_none(faults).map(|()| changes)
}

fn changed_limits(old: &Limits, new: &Limits) -> Vec<&'static str> {
    let changed = [
        ("max_conns", old.max_conns != new.max_conns),
        ("max_subscriptions", old.max_subscriptions != new.max_subscriptions),
        ("memory", old.memory != new.memory),
        ("idle", old.idle != new.idle),
        ("handshake", old.handshake != new.handshake),
        ("channel_capacity", old.channel_capacity != new.channel_capacity),
        ("batch_size", old.batch_size != new.batch_size),
        ("flush_interval", old.flush_interval != new.flush_interval),
    ];
    changed.into_iter().filter(|(_, is)| *is).map(|(limit, _)| limit).collect()
}
