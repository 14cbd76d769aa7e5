//! Who is there, and what they say to all: the membership of a cluster and its rumors, as a state machine
//! without clock, socket or task; and what drives it by an endpoint, [`Gossip`].
//!
//! [`Swim`] is told what happens and says what to do. Members find each other's failures by SWIM (Das,
//! Gupta, Motivala 2002) with the extensions of Lifeguard (arXiv 1707.00788), and spread what they
//! learn with the probes themselves. What a member is, only it can say: its [`Record`] is signed by
//! itself, and what others say against it, signed by them, holds for one version of that record.
//!
//! ```
//! use std::time::Duration;
//!
//! use rumormill_gossip::{Config, Event, Input, Output, Profile, Start, Swim, Time};
//! use rumormill_identity::SecretKey;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (mut rng, now) = (rand::rng(), Time(Duration::from_secs(1_800_000_000)));
//! let mut start = |session| {
//!     let start = Start { cluster: "docs".into(), session, epoch: 1, profile: Profile::default() };
//!     Swim::new(Config::lan(), SecretKey::generate(), start, now, &mut rng)
//! };
//! let mut nodes = [start(1)?, start(2)?];
//!
//! // One has reached the other. What the core wants sent is carried by whoever drives it.
//! let (first, other) = (nodes[0].node(), nodes[1].node());
//! nodes[0].handle(now, Input::Contact(other), &mut rng);
//! for at in [0, 1, 0, 1] {
//!     let from = nodes[at].node();
//!     while let Some(output) = nodes[at].poll() {
//!         if let Output::Send { bytes, .. } = output {
//!             nodes[1 - at].handle(now, Input::Received { from, bytes }, &mut rng);
//!         }
//!     }
//! }
//! assert!(nodes[0].member(other).is_some() && nodes[1].member(first).is_some());
//! # Ok(())
//! # }
//! ```
//!
//! # Driving it
//!
//! Whoever drives the core carries each [`Output::Send`] to its node, sealed, so that its sender is
//! proven and no replay arrives; tells it of what arrives ([`Swim::handle`]) and of the time
//! ([`Swim::wake`], at [`Swim::deadline`]); and takes what comes out ([`Swim::poll`]) after each call.
//! A core that gets the same calls does the same.
//!
//! # Rumors
//!
//! What a member says to all ([`Swim::broadcast`], [`Gossip::broadcast`]) is signed by it, and told on by
//! everybody: a short one whole, with the news of members, of which each gets half of a packet while
//! both have something to tell; a longer one by its id, and whoever lacks it pulls it, from one peer.
//! Whatever that leaves out is found by digests, while somebody keeps it, and costs nothing at rest.
//!
//! # What is promised
//!
//! - **Nobody speaks for another.** A record is believed if its subject has signed it, in this cluster;
//!   only a higher version replaces it, and one that was forgotten does not return by replay.
//! - **An accusation can be refuted, and by nobody but its subject,** with a higher version. A member in
//!   good standing can accuse others falsely; what it gains is that they are shown as suspected for a
//!   moment. It cannot make one fail that is there and is heard: each node holds a member for failed only
//!   after it has suspected it for the shortest time itself ([`Config::second_opinion`]). How much one
//!   accuser is heard is bounded.
//! - **A rumor is heard at most once by each start of a node, and nobody else's is heard under its origin's
//!   name.** Whoever is connected, as long as [`Dissemination::kept`] lasts, with a member that keeps it
//!   hears it; whoever is not, or is over 1,024 rumors of its origin behind, learns of a [`Gap`], once,
//!   as soon as a later one of that origin has come and it can come no more. No number is both heard and
//!   in a gap. Order is not promised: numbers tell it.
//! - **A joiner is promised what is said from when it joined on.** What is older may come, or not.
//! - **No member makes others miss anything by what it says of others' rumors:** only a number that its
//!   origin has signed shows that there are others below it. How much of one origin is passed on is
//!   bounded.
//! - **A leaving node knows how far its goodbye has come** ([`LeaveReport`]).
//! - **Everything is bounded** by [`Config`] or a constant, and what is refused or dropped is counted
//!   ([`Counters`]).

mod driver;

mod swim;

mod config;
mod counters;
mod output;
mod time;

mod exchange;
mod health;
mod leave;
mod probe;
mod spread;
mod suspicion;

mod rumors;

mod member;
mod metadata;
mod names;
mod table;
mod tombstones;

mod accusation;
mod address;
mod message;
mod record;
mod rest;
mod rumor;
mod signer;

pub use address::{MAX_ADDRESS, pack, unpack};
pub use config::{Config, Dissemination, Lifeguard};
pub use counters::Counters;
pub use driver::{Gossip, Heard, JoinError, MemberInfo, Rumors};
pub use leave::LeaveReport;
pub use member::{Member, Standing};
pub use message::{MAX_MESSAGE, MAX_RUMORS};
pub use output::{Event, Input, Output, Via};
pub use record::{
    MAX_ADDRESSES, MAX_METADATA, MAX_NAME, MAX_PLACES, MAX_RECORD, MAX_TICKET, Profile,
    ProfileError, Record, State, Version,
};
pub use rest::Malformed;
pub use rumor::{BroadcastError, Gap, MAX_RUMOR, Rumor, RumorId};
pub use signer::{Grant, Signer, StandIn};
pub use swim::{Start, Swim};
pub use time::Time;
