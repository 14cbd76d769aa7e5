//! What goes into the core, and what comes out of it.

use std::time::Duration;

use bytes::Bytes;
use rumormill_transport_api::NodeId;

use crate::{
    leave::LeaveReport,
    record::{Profile, Version},
    rumor::{Gap, Rumor},
};

/// Something that has happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message has arrived whose sender is proven, and which is no replay.
    Received {
        /// Who has sent it.
        from: NodeId,
        /// What.
        bytes: Bytes,
    },
    /// A node was reached that is, or may be, a member: exchange state with it. Nothing is remembered of
    /// this; repeat it until members are known.
    Contact(NodeId),
    /// No route led to a member. A hint, and no more: it is probed next.
    Unreachable(NodeId),
    /// This node has something new to say of itself, which [`Profile::check`] has passed.
    Changed(Profile),
    /// This node has other metadata, of at most [`MAX_METADATA`](crate::MAX_METADATA) bytes.
    Described(Bytes),
    /// This node is to leave, and has this long to make it known.
    Leave(Duration),
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this to a node.
    Send {
        /// Whom.
        to: NodeId,
        /// How.
        via: Via,
        /// What.
        bytes: Bytes,
    },
    /// A member is in this session now and can be found at these addresses.
    Learn {
        /// Who.
        node: NodeId,
        /// Which session its frames are sealed for.
        session: u64,
        /// Where, as its record says; see [`unpack`](crate::unpack).
        addresses: Vec<Bytes>,
    },
    /// A member is gone for good: nothing need be kept for it.
    Forget(NodeId),
    /// Something is known of a member that no event tells, since the user has not heard of it: it has said
    /// goodbye.
    Noted(NodeId),
    /// Tell the user.
    Event(Event),
    /// Tell the user what another member has said to all.
    Rumor(Rumor),
    /// Tell the user that rumors are lost to this node.
    Gap(Gap),
    /// Leaving is over: nothing more is needed of this node.
    Left(LeaveReport),
}

/// How a message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// As a packet, where there is a route for packets. It fits one.
    Packet,
    /// Over a stream.
    Stream,
    /// Over a stream, now: whatever back-off there is for the node's routes does not count.
    Anew,
}

/// News of members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A member is there that was not known.
    Joined(NodeId),
    /// Somebody has not heard from a member. It may still be there.
    Suspected {
        /// Who was not heard.
        node: NodeId,
        /// By whom.
        by: NodeId,
    },
    /// A member that was suspected says that it lives, and perhaps something new about itself.
    Cleared(NodeId),
    /// A member is held to be gone without a word.
    Failed {
        /// Who.
        node: NodeId,
        /// Whose verdict it was.
        by: NodeId,
    },
    /// A member is there that had failed or left.
    Returned(NodeId),
    /// A member says something new about itself.
    Updated(NodeId),
    /// The metadata of a member are known that its record has told of.
    Described(NodeId),
    /// A member has said goodbye.
    Left(NodeId),
    /// Two members claim one name. Told when somebody claims a name that others have: of it and of whom the
    /// name belongs to, or, if that is it, of it and each of the others, 16 at most.
    NameConflict {
        /// The name.
        name: Box<str>,
        /// Whose it is: the one's whose ticket says so, else the one's who has been there longest.
        holder: NodeId,
        /// Who claims it too.
        rival: NodeId,
    },
    /// Another process has started with the key of this node. This one does nothing more.
    IdentityConflict {
        /// The version of the other one's record.
        version: Version,
        /// Its session.
        session: u64,
    },
}
