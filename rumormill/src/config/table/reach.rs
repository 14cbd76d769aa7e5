//! Keys about what is dialled on a stranger's word, and about conns that are lent.

use std::time::Duration;

use super::{DAY, HOUR, MS, list, set, span, whole};
use crate::config::{
    draft::Draft,
    key::{Key, keys},
    rule::{Flag, Or, directory, network, scheme},
};

pub(in crate::config) const REACH: &[Key<Draft>] = keys! {
    Draft:
    "reach.schemes", Restart Or("all", set(scheme())), |c| c.reach.schemes,
        "The transports by which members are dialled that other members told of. \"all\": whatever this build has.";
    "reach.networks", Restart list(network()), |c| c.reach.networks,
        "The networks in which they are dialled. Empty: all.";
    "reach.denied", Restart list(network()), |c| c.reach.denied,
        "The networks in which they are not, whatever else allows it. A list of your own replaces this one.";
    "reach.loopback", Restart Flag, |c| c.reach.loopback,
        "Whether they are dialled on the loopback: for clusters on one machine.";
    "reach.names", Restart Flag, |c| c.reach.names,
        "Whether names are dialled, which may resolve to anything.";
    "reach.directories", Restart list(directory()), |c| c.reach.directories,
        "The directories whose sockets are dialled, those below them included; only who is trusted may write there.";
    "reach.local", Restart Flag, |c| c.reach.local,
        "Whether other names within this machine are dialled: of nodes in this very process.";
};

pub(in crate::config) const POOL: &[Key<Draft>] = keys! {
    Draft:
    "pool.per_target", Restart whole(1, 1 << 20), |c| c.pool.per_target,
        "Conns that are lent for one target at once; more checkouts wait.";
    "pool.idle", Restart whole(0, 1 << 20), |c| c.pool.idle,
        "Conns that are kept while nobody uses them; of more, those unused longest are closed.";
    "pool.warm", Restart span(Duration::ZERO, HOUR), |c| c.pool.warm,
        "How long a conn that came back does not count as idle.";
    "pool.idle_for", Restart span(MS, DAY), |c| c.pool.idle_for,
        "How long a conn is kept that nobody uses.";
    "pool.queue", Restart whole(0, 1 << 20), |c| c.pool.queue,
        "Checkouts that may wait at once; one more fails without waiting.";
    "pool.wait", Restart span(MS, DAY), |c| c.pool.wait,
        "How long a checkout may take in all, its dial included.";
    "pool.dial", Restart span(MS, DAY), |c| c.pool.dial,
        "How long its dial may take.";
};
