//! Keys about the node itself: who it is, where, with whom, and how it is looked after.

use super::{DAY, MS, list, set, span};
use crate::config::{
    Format, Level, Preset,
    draft::{Draft, Open},
    key::{Key, keys},
    rule::{Given, Letters, Or, Text, Word, address, file, node, socket},
};

pub(in crate::config) const TOP: &[Key<Draft>] = keys! {
    Draft:
    "listen", Restart list(address()), |c| c.listen,
        "Where it accepts others, over any transports. Empty: it only dials.";
    "advertise", Live list(address()), |c| c.advertise,
        "Where it says that it can be reached, the best first. Empty: where it listens.";
    "join", Live list(address()), |c| c.join,
        "Where members of the cluster are that it joins by; one that answers is enough. Empty: others join by this one.";
    "admission", Live Given(Word(&[("open", Open)])), |c| c.admission.open,
        "Who may be a member; it has to be chosen. \"open\": anybody who knows the cluster's name, for tests and networks that nobody else reaches. Otherwise set admission.nodes or admission.issuers instead.";
};

pub(in crate::config) const NODE: &[Key<Draft>] = keys! {
    Draft:
    "node.cluster", Restart CLUSTER, |c| c.node.cluster,
        "The cluster's name, which no other cluster has: two that meet on recycled addresses must not become one. It has to be chosen.";
    "node.name", Live NAME, |c| c.node.name,
        "What people call the node. Empty: nothing.";
    "node.identity", Restart Or(OFF, file("the path of a key's file", "/etc/rumormill/node.key")), |c| c.node.identity,
        "The file of the node's key, which `rumormill keygen` makes; only its owner may read it. \"off\": a fresh key at each start, and so a new node.";
    "node.ticket", Restart Or(OFF, file("the path of a ticket's file", "/etc/rumormill/node.ticket")), |c| c.node.ticket,
        "The file of the node's ticket, as a cluster's key has signed it; it is for the key of node.identity.";
    "node.metadata", Live METADATA, |c| c.node.metadata,
        "What applications want known of the node; other members fetch it.";
    "node.preset", Restart Word(PRESETS), |c| c.node.preset,
        "The kind of network, which decides defaults: \"lan\" for a data centre, \"wan\" for continents, \"satellite\" for round trips of more than half a second, \"local\" for one machine.";
};

pub(in crate::config) const ADMISSION: &[Key<Draft>] = keys! {
    Draft:
    "admission.nodes", Live Given(set(node())), |c| c.admission.nodes,
        "The nodes that may be members, and no others.";
    "admission.issuers", Live Given(set(node())), |c| c.admission.issuers,
        "The nodes whose keys sign tickets; whoever holds one may be a member. More than one while the next key replaces the last.";
    "admission.revocations", Live Given(list(file("the path of a file", "/etc/rumormill/revoked"))), |c| c.admission.revocations,
        "Files with lists of tickets that count no more, as an issuer has signed them. They are read again at every reload.";
};

pub(in crate::config) const ADMIN: &[Key<Draft>] = keys! {
    Draft:
    "admin.socket", Restart Or(OFF, file("the path of a socket", "/run/rumormill/admin.sock")), |c| c.admin.socket,
        "The Unix socket where the running node is asked and told things; only its user can open it.";
    "admin.tcp", Restart Or(OFF, socket()), |c| c.admin.tcp,
        "The address and port of TCP for the same, for whoever knows the token.";
    "admin.token", Restart Or(OFF, file("the path of a token's file", "/etc/rumormill/admin.token")), |c| c.admin.token,
        "The file of that token: 16 to 256 letters, digits and signs, which only the node's user can read.";
};

pub(in crate::config) const REST: &[Key<Draft>] = keys! {
    Draft:
    "log.level", Live Word(LEVELS), |c| c.log.level,
        "From which level up reports are shown.";
    "log.format", Restart Word(FORMATS), |c| c.log.format,
        "In which form: lines for people, or a JSON object in each line.";
    "leave.deadline", Live span(MS, DAY), |c| c.leave.deadline,
        "How long the goodbye may take in all, when the node stops: members confirm it, and what waits is sent.";
};

pub(in crate::config) const PRESETS: &[(&str, Preset)] = &[
    ("lan", Preset::Lan),
    ("wan", Preset::Wan),
    ("satellite", Preset::Satellite),
    ("local", Preset::Local),
];

pub(in crate::config) const LEVELS: &[(&str, Level)] = &[
    ("off", Level::Off),
    ("error", Level::Error),
    ("warn", Level::Warn),
    ("info", Level::Info),
    ("debug", Level::Debug),
    ("trace", Level::Trace),
];

pub(in crate::config) const FORMATS: &[(&str, Format)] =
    &[("text", Format::Text), ("json", Format::Json)];

const CLUSTER: Text = Text { least: 1, most: 255, letters: Letters::Printable };
const NAME: Text = Text { least: 0, most: rumormill_gossip::MAX_NAME, letters: Letters::Printable };
const METADATA: Text =
    Text { least: 0, most: rumormill_gossip::MAX_METADATA, letters: Letters::Any };
const OFF: &str = "off";
