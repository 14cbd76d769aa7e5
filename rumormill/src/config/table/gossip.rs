//! Keys about membership. All nodes of a cluster should have the same values.

use std::time::Duration;

use rumormill_gossip::MAX_RUMOR;

use super::{DAY, GIB, HOUR, MIB, MS, S, YEAR, size, span, whole};
use crate::config::{
    draft::Draft,
    key::{Key, keys},
    rule::{Factor, Flag, Or, Span},
};

pub(in crate::config) const GOSSIP: &[Key<Draft>] = keys! {
    Draft:
    "gossip.probe_interval", Restart PERIOD, |c| c.gossip.probe_interval,
        "The period in which the node probes one other.";
    "gossip.probe_timeout", Restart span(MS, HOUR), |c| c.gossip.probe_timeout,
        "How long the answer may take before others are asked to probe; less than the interval.";
    "gossip.indirect_probes", Restart whole(0, 64), |c| c.gossip.indirect_probes,
        "How many others are asked.";
    "gossip.stream_probe", Restart Flag, |c| c.gossip.stream_probe,
        "Whether a probe without an answer is sent over a stream as well, in case only packets are lost.";
    "gossip.suspicion_mult", Restart MULTIPLE, |c| c.gossip.suspicion_mult,
        "The shortest suspicion lasts this many times log10 of the number of members, in probe intervals.";
    "gossip.suspicion_max_mult", Restart MULTIPLE, |c| c.gossip.suspicion_max_mult,
        "The longest suspicion lasts this many times the shortest.";
    "gossip.retransmit_mult", Restart whole(1, 100), |c| c.gossip.retransmit_mult,
        "Each node sends an update this many times the number of digits of the number of members, at least two.";
    "gossip.gossip_interval", Restart Or(OFF, PERIOD), |c| c.gossip.gossip_interval,
        "How often updates are sent by themselves, beside those that go with probes.";
    "gossip.gossip_fanout", Restart whole(1, 64), |c| c.gossip.gossip_fanout,
        "To how many members each time.";
    "gossip.gossip_to_failed", Restart span(Duration::ZERO, DAY), |c| c.gossip.gossip_to_failed,
        "How long members that have failed still get updates, so that they learn of it if they live.";
    "gossip.exchange_interval", Restart Or(OFF, SLOW), |c| c.gossip.exchange_interval,
        "How often state is exchanged with a random member, up to 32 members; more rarely with more.";
    "gossip.heal_interval", Restart Or(OFF, SLOW), |c| c.gossip.heal_interval,
        "How often state is exchanged with a random failed member, to heal a partition.";
    "gossip.second_opinion", Restart Flag, |c| c.gossip.second_opinion,
        "Whether a member is held for failed only after this node has suspected it itself, whoever says so.";
    "gossip.packet", Restart whole(960, 65_507), |c| c.gossip.packet,
        "Bytes of a packet once sealed, at most; 960 hold a record of any length.";
    "gossip.members_max", Restart whole(1, 1 << 20), |c| c.gossip.members_max,
        "Members that are known at a time; of more, those that failed or left are forgotten, then newcomers are refused.";
    "gossip.failed_kept", Restart span(S, YEAR), |c| c.gossip.failed_kept,
        "How long members that failed or left are remembered, and failed ones sought.";
    "gossip.tombstones_kept", Restart span(S, YEAR), |c| c.gossip.tombstones_kept,
        "How long a forgotten member's version is remembered, so that no replay brings it back; at least gossip.record_age_max.";
    "gossip.tombstones_max", Restart whole(1, 1 << 24), |c| c.gossip.tombstones_max,
        "Forgotten members that are remembered so; of more, the oldest go.";
    "gossip.record_age_max", Restart span(S, YEAR), |c| c.gossip.record_age_max,
        "A record of an unknown member that is older, or as much in the future, is refused.";
    "gossip.resign_interval", Restart span(S, YEAR), |c| c.gossip.resign_interval,
        "How often the node signs its record anew; less than gossip.record_age_max.";
    "gossip.leave_asked", Restart whole(1, 1024), |c| c.gossip.leave_asked,
        "How many members a leaving node asks to confirm, at most.";
};

pub(in crate::config) const RUMORS: &[Key<Draft>] = keys! {
    Draft:
    "gossip.rumors.small", Restart size(0, 64 << 10), |c| c.gossip.rumors.small,
        "Rumors up to this length ride with the news of members, if a packet has room; longer ones are pulled.";
    "gossip.rumors.longest", Restart size(0, MAX_RUMOR), |c| c.gossip.rumors.longest,
        "The longest rumor that this node broadcasts; less where nodes have but udp, which carries about 65,000 bytes.";
    "gossip.rumors.per_second", Restart whole(1, 1 << 20), |c| c.gossip.rumors.per_second,
        "Rumors that a node may broadcast in a second; others let through twice as many of one origin.";
    "gossip.rumors.burst", Restart whole(1, 1 << 20), |c| c.gossip.rumors.burst,
        "Rumors that it may broadcast at once after a silence; who is 1,024 behind has a gap.";
    "gossip.rumors.bytes_per_second", Restart size(1, GIB), |c| c.gossip.rumors.bytes_per_second,
        "Bytes that it may broadcast in a second, and at once after a silence.";
    "gossip.rumors.kept", Restart span(S, DAY), |c| c.gossip.rumors.kept,
        "How long a rumor is kept for those who have not heard it.";
    "gossip.rumors.kept_bytes", Restart size(MIB, GIB), |c| c.gossip.rumors.kept_bytes,
        "Bytes of rumors that are kept; of more, the oldest go.";
    "gossip.rumors.repair_interval", Restart Or(OFF, PERIOD), |c| c.gossip.rumors.repair_interval,
        "How often a node tells a random other what it has heard, while it keeps anything.";
    "gossip.rumors.pull_timeout", Restart PERIOD, |c| c.gossip.rumors.pull_timeout,
        "How long a node that was asked for a rumor may take until another one is.";
};

const OFF: &str = "off";
const PERIOD: Span = span(Duration::from_millis(10), HOUR);
const SLOW: Span = span(Duration::from_millis(100), DAY);
const MULTIPLE: Factor = Factor { least: 1.0, most: 100.0 };
