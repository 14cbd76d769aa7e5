//! The keys of a broker that is no node.

use super::{
    DAY, MS,
    limits::{performance, server_limits},
    list,
    node::{FORMATS, LEVELS},
    size, span, whole,
};
use crate::config::{
    broker::Draft,
    key::{Key, keys},
    rule::{Or, Word, address, file, socket},
};

/// The keys of a broker, section by section.
pub(in crate::config) const SECTIONS: &[&[Key<Draft>]] =
    &[SERVER, LIMITS, STOP, THREADS, PERFORMANCE, LOOKED_AFTER];

const SERVER: &[Key<Draft>] = keys! {
    Draft:
    "server.bind_address", Restart Or(OFF, socket()), |c| c.config.server.bind_address,
        "An address and port of TCP where publishers and subscribers come in. With neither this nor server.socket_path nor server.listen: 127.0.0.1:4322.";
    "server.socket_path", Restart Or(OFF, file("the path of a socket", "/run/rumormill/broker.sock")), |c| c.config.server.socket_path,
        "A Unix socket for the same. Who may write to the file may come in (mode 0660; unix:///PATH?mode=0600 in server.listen sets another one). Others must not be able to replace it: its directory is this user's or root's, and written by nobody else, but for what is sticky as /tmp is.";
    "server.listen", Restart list(address()), |c| c.config.server.listen,
        "Further addresses for the same, over any transport that delivers a stream, as in \"quic://0.0.0.0:4322\".";
    "server.identity", Restart Or(OFF, file("the path of a key's file", "/etc/rumormill/broker.key")), |c| c.config.server.identity,
        "The file of the broker's key, which `rumormill keygen` makes; clients can insist on it. \"off\": it proves nothing, but for a fresh key at each start where a transport needs one.";
};

const LIMITS: &[Key<Draft>] = server_limits!(Draft, "server", |c| c.config.broker.limits, c.window);

const STOP: &[Key<Draft>] = keys! {
    Draft:
    "server.stop_deadline", Live span(MS, DAY), |c| c.config.server.stop_deadline,
        "How long what waits may take to be delivered, when the broker stops; what is left is told.";
};

const THREADS: &[Key<Draft>] = keys! {
    Draft:
    "performance.worker_threads", Restart Or("auto", whole(1, 1_024)), |c| c.config.worker_threads,
        "Threads of the program that do the work. \"auto\": one for each processor.";
};

const PERFORMANCE: &[Key<Draft>] = performance!(Draft, "performance", |c| c.config.broker.limits);

const LOOKED_AFTER: &[Key<Draft>] = keys! {
    Draft:
    "admin.socket", Restart Or(OFF, file("the path of a socket", "/run/rumormill/admin.sock")), |c| c.config.admin.socket,
        "The Unix socket where the running broker is asked and told things; only its user can open it.";
    "admin.tcp", Restart Or(OFF, socket()), |c| c.config.admin.tcp,
        "The address and port of TCP for the same, for whoever knows the token.";
    "admin.token", Restart Or(OFF, file("the path of a token's file", "/etc/rumormill/admin.token")), |c| c.config.admin.token,
        "The file of that token: 16 to 256 letters, digits and signs, which only the broker's user can read.";
    "log.level", Live Word(LEVELS), |c| c.config.log.level,
        "From which level up reports are shown.";
    "log.format", Restart Word(FORMATS), |c| c.config.log.format,
        "In which form: lines for people, or a JSON object in each line.";
};

const OFF: &str = "off";
