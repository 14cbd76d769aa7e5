//! Cores of membership and a model of the network between them, in virtual time, under a seed.
//!
//! A [`Net`] carries what each core wants sent to the others, wakes them when they asked for it, and loses,
//! delays, doubles, reorders and parts as it is told. Every step of every core is shown to a [`Watch`],
//! which knows what must never happen. A [`story`](play) is a random row of all of these faults, and the
//! calm after them.

mod coverage;
mod host;
mod keys;
mod link;
mod net;
mod story;
mod traffic;
mod watch;
mod wire;

pub use coverage::Coverage;
pub use host::Host;
pub use keys::{MOST, Signing, id, place};
pub use link::{Law, Link, Wall};
pub use net::{Net, Noted, SECOND};
pub use story::{GRACE, play, told};
pub use traffic::Traffic;
pub use watch::{Breach, Seen, Sight, Tamper, Watch};
