//! Keys about the broker that a node hosts.

use super::{
    limits::{performance, server_limits},
    list, size, span, whole,
};
use crate::config::{
    draft::Draft,
    key::{Key, keys},
    rule::address,
};

pub(in crate::config) const LISTEN: &[Key<Draft>] = keys! {
    Draft:
    "broker.listen", Restart list(address()), |c| c.config.broker.listen,
        "Where publishers and subscribers reach the broker that this node hosts; its topics are tables [[topics]]. Empty: it hosts none.";
};

pub(in crate::config) const LIMITS: &[Key<Draft>] =
    server_limits!(Draft, "broker", |c| c.config.broker.config.limits, c.window);

pub(in crate::config) const PERFORMANCE: &[Key<Draft>] =
    performance!(Draft, "broker", |c| c.config.broker.config.limits);
