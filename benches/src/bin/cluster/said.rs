//! What a member says, a line each: when in microseconds since 1970, what, and of whom.

use std::fmt;

use rumormill_endpoint::SystemClock;
use rumormill_gossip::Event;
use rumormill_transport_api::NodeId;

/// Something that a member has said.
pub(crate) struct Said {
    /// The number of the member.
    pub(crate) by: usize,
    /// In microseconds since 1970.
    pub(crate) at: u64,
    pub(crate) what: What,
}

/// What a member says.
pub(crate) enum What {
    /// Who it is, and where.
    Listening(NodeId, Vec<String>),
    /// It has met whom it was to join.
    Met,
    /// It has not.
    Unmet(String),
    /// Somebody is there.
    Here(NodeId),
    /// Somebody was not heard.
    Suspected(NodeId),
    /// Somebody is held to be gone.
    Failed(NodeId),
    /// Somebody said goodbye.
    Left(NodeId),
    /// Its output has ended.
    Ended,
}

impl Said {
    pub(crate) fn parse(by: usize, line: &str) -> Option<Self> {
        let (at, rest) = line.split_once(' ')?;
        let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let node = || rest.parse().ok();
        let what = match verb {
            "listening" => {
                let (node, addrs) = rest.split_once(' ')?;
                What::Listening(node.parse().ok()?, addrs.split(' ').map(Into::into).collect())
            }
            "met" => What::Met,
            "unmet" => What::Unmet(rest.into()),
            "here" => What::Here(node()?),
            "suspected" => What::Suspected(node()?),
            "failed" => What::Failed(node()?),
            "left" => What::Left(node()?),
            _ => return None,
        };
        Some(Self { by, at: at.parse().ok()?, what })
    }
}

impl What {
    /// What of an event is said, if anything.
    pub(crate) fn of(event: Event) -> Option<Self> {
        match event {
            Event::Joined(node) | Event::Returned(node) => Some(Self::Here(node)),
            Event::Suspected { node, .. } => Some(Self::Suspected(node)),
            Event::Failed { node, .. } => Some(Self::Failed(node)),
            Event::Left(node) => Some(Self::Left(node)),
            _ => None,
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening(node, addrs) => write!(f, "listening {node} {}", addrs.join(" ")),
            Self::Met => f.write_str("met"),
            Self::Unmet(why) => write!(f, "unmet {why}"),
            Self::Here(node) => write!(f, "here {node}"),
            Self::Suspected(node) => write!(f, "suspected {node}"),
            Self::Failed(node) => write!(f, "failed {node}"),
            Self::Left(node) => write!(f, "left {node}"),
            Self::Ended => f.write_str("ended"),
        }
    }
}

/// Microseconds since 1970: all processes of a machine agree on them.
pub(crate) fn now() -> u64 {
    SystemClock.nanos() / 1000
}
