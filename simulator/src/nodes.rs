//! Whole nodes in virtual time, under a seed: endpoints, seals, conns and membership over links whose
//! faults are programmed.
//!
//! A [`Scenario`] says what happens to a cluster; [`run`] carries it out and returns a [`Report`], whose
//! log is all that happened. The same scenario has the same log each time. What must never happen, and
//! what must, is a [`Check`] over the log: [`checks`] lists them all, [`verdict`] has them read a report.
//!
//! ```
//! use rumormill_simulator::nodes::{self, named};
//!
//! let scenario = named("crash").ok_or("no such scenario")?.with_seed(7);
//! let report = nodes::run(&scenario);
//! assert_eq!(nodes::verdict(&report), []);
//! # Ok::<(), &str>(())
//! ```

mod scenario;

mod world;

mod log;
mod report;
mod tally;

mod check;
mod truth;

mod chart;
mod drawing;
mod story;

mod named;
mod random;

mod carrier;
mod journal;
mod node;
mod roads;

pub use check::{Breach, Check, checks, verdict};
pub use drawing::svg;
pub use log::{Cluster, End, Entry, Gauge, Known, Label, Life, What};
pub use named::{NAMES, named};
pub use random::random;
pub use report::{Course, Report};
pub use scenario::{Crash, Delivery, Place, Preset, Scenario, Slot, Step};
pub use story::story;
pub use tally::Tally;
pub use truth::{Fate, Truth};
pub use world::run;
