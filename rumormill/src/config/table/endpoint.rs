//! Keys about messages to other nodes.

use std::time::Duration;

use rumormill_endpoint::{Jitter, Signing};

use super::{DAY, GIB, HOUR, MIB, MS, size, span, whole};
use crate::config::{
    draft::Draft,
    key::{Key, keys},
    rule::{Flag, Size, Span, Whole, Word},
};

pub(in crate::config) const ENDPOINT: &[Key<Draft>] = keys! {
    Draft:
    "endpoint.signing", Restart Word(SIGNING), |c| c.endpoint.signing,
        "Which frames are signed: \"always\" all; \"unless-secure\" all but those on conns whose carrier has proven the peer.";
    "endpoint.confidential", Restart Flag, |c| c.endpoint.confidential,
        "Whether only carriers are used that encrypt, or that stay on this machine.";
    "endpoint.max_message", Restart size(64 << 10, GIB), |c| c.endpoint.max_message,
        "The longest message, both ways.";
    "endpoint.max_peers", Restart COUNT, |c| c.endpoint.max_peers,
        "Peers that are known at once; one more is refused, and those who come by themselves get half of the places.";
    "endpoint.max_conns", Restart COUNT, |c| c.endpoint.max_conns,
        "Conns that are open at once, those of the pool among them; what is idle gives way, then dialling waits.";
    "endpoint.max_accepted", Restart COUNT, |c| c.endpoint.max_accepted,
        "Conns that are accepted at once; more wait. One source gets half of them.";
    "endpoint.idle", Restart span(Duration::from_millis(100), DAY), |c| c.endpoint.idle,
        "How long a conn that carries nothing is kept.";
    "endpoint.outbox.messages", Restart COUNT, |c| c.endpoint.outbox.messages,
        "Messages that may wait to be sent to one peer, in each class.";
    "endpoint.outbox.bytes", Restart BYTES, |c| c.endpoint.outbox.bytes,
        "And their bytes, 64 beyond its length for each; at least one of the longest.";
    "endpoint.inbox.messages", Restart COUNT, |c| c.endpoint.inbox.messages,
        "Messages that may wait to be taken, of all peers together, in each class.";
    "endpoint.inbox.bytes", Restart BYTES, |c| c.endpoint.inbox.bytes,
        "And their bytes, likewise.";
    "endpoint.timeouts.dial", Restart WAIT, |c| c.endpoint.timeouts.dial,
        "How long a dial and a greeting may take.";
    "endpoint.timeouts.read", Restart WAIT, |c| c.endpoint.timeouts.read,
        "How long a sign of life may take where one is due.";
    "endpoint.timeouts.write", Restart WAIT, |c| c.endpoint.timeouts.write,
        "How long a carrier may take to accept a batch.";
    "endpoint.retry.attempts", Restart whole(1, 100), |c| c.endpoint.retry.attempts,
        "How often something is tried, the first time included.";
    "endpoint.retry.base", Restart span(MS, HOUR), |c| c.endpoint.retry.base,
        "The wait before the second attempt, without jitter; it doubles with each further one.";
    "endpoint.retry.cap", Restart span(MS, DAY), |c| c.endpoint.retry.cap,
        "The longest wait, jitter included; at least endpoint.retry.base.";
    "endpoint.retry.jitter", Restart Word(JITTER), |c| c.endpoint.retry.jitter,
        "How much chance is in a wait w: \"half\" takes w to 1.5 w, \"full\" nothing to w, \"none\" exactly w.";
};

const SIGNING: &[(&str, Signing)] =
    &[("always", Signing::Always), ("unless-secure", Signing::UnlessSecure)];
const JITTER: &[(&str, Jitter)] =
    &[("half", Jitter::Half), ("full", Jitter::Full), ("none", Jitter::None)];
const COUNT: Whole<usize> = whole(1, 1 << 20);
const BYTES: Size = size(MIB, 3 * GIB);
const WAIT: Span = span(MS, DAY);
