//! Doing what the core says.

use std::{mem, sync::atomic::Ordering::Relaxed};

use bytes::Bytes;
use rumormill_endpoint::Class;
use rumormill_transport_api::NodeId;

use crate::{
    Member, Output, Via,
    driver::{Driver, Heard, MemberInfo},
    unpack,
};

impl Driver {
    pub(super) fn carry_out(&mut self) {
        let (mut has_changed, mut events) = (false, Vec::new());
        while let Some(output) = self.swim.poll() {
            match output {
                Output::Send { to, via, bytes } => self.send(to, via, bytes),
                Output::Learn { node, addresses, .. } => {
                    self.learn(node, &addresses);
                    has_changed = true;
                }
                Output::Forget(node) => {
                    self.endpoint.forget(node);
                    has_changed = true;
                }
                Output::Noted(_) => has_changed = true,
                Output::Event(event) => events.push(event),
                Output::Rumor(rumor) => self.rumors.tell(Heard::Rumor(rumor)),
                Output::Gap(gap) => self.rumors.tell(Heard::Gap(gap)),
                Output::Left(report) => {
                    if let Some(told) = self.leaving.take() {
                        told.send(report).ok();
                    }
                }
            }
        }
        if has_changed || !events.is_empty() {
            self.shown.send_replace(self.swim.members().map(|member| self.info(member)).collect());
        }
        // After that, so that whoever hears of a member finds it. An error would mean that nobody listens.
        events.into_iter().for_each(|event| drop(self.events.send(event)));
        self.counted.send_if_modified(|counted| {
            let counters = self.swim.counters();
            mem::replace(counted, counters) != counters
        });
    }

    fn send(&self, to: NodeId, via: Via, bytes: Bytes) {
        if via == Via::Anew {
            self.endpoint.try_again(to);
        }
        let sent = match via {
            Via::Packet => self.endpoint.send(to, Class::Control, bytes),
            Via::Stream | Via::Anew => self.endpoint.send_over_stream(to, Class::Gossip, bytes),
        };
        self.unsent.fetch_add(u64::from(sent.is_err()), Relaxed);
    }

    fn learn(&self, node: NodeId, addresses: &[Bytes]) {
        let addrs = addresses.iter().filter_map(|bytes| unpack(bytes).ok()).collect();
        match self.endpoint.hear_of(node, addrs) {
            Ok(refused) => refused.iter().for_each(|(addr, why)| {
                tracing::debug!(%node, %addr, %why, "an address is not dialled");
            }),
            Err(error) => tracing::warn!(%node, %error, "a member has no place"),
        }
    }

    fn info(&self, member: &Member) -> MemberInfo {
        let record = member.record();
        MemberInfo {
            node: record.node,
            name: record.name.clone(),
            addresses: record.addresses.iter().filter_map(|it| unpack(it).ok()).collect(),
            standing: member.standing(),
            metadata: self.swim.metadata(record.node),
            version: record.version,
        }
    }
}
