//! The tables of keys, one for each kind of configuration. Whatever reads, writes or explains configurations goes by it.

mod endpoint;
mod gossip;
#[cfg(feature = "broker")]
mod hosted;
#[cfg(feature = "broker")]
mod limits;
mod node;
mod reach;
#[cfg(feature = "broker")]
pub(super) mod server;

use std::{collections::BTreeSet, time::Duration};

use super::{
    draft::Draft,
    key::Key,
    rule::{Many, Parsed, Size, Span, Whole},
};

pub(super) use node::PRESETS;

/// The keys of a node, section by section; those without a section come first, as TOML wants it.
pub(super) const SECTIONS: &[&[Key<Draft>]] = &[
    node::TOP,
    node::NODE,
    node::ADMISSION,
    gossip::GOSSIP,
    gossip::RUMORS,
    endpoint::ENDPOINT,
    reach::REACH,
    reach::POOL,
    #[cfg(feature = "broker")]
    hosted::LISTEN,
    #[cfg(feature = "broker")]
    hosted::LIMITS,
    #[cfg(feature = "broker")]
    hosted::PERFORMANCE,
    node::ADMIN,
    node::REST,
];

const fn span(least: Duration, most: Duration) -> Span {
    Span { least, most }
}

const fn size(least: usize, most: usize) -> Size {
    Size { least, most }
}

const fn whole<N>(least: N, most: N) -> Whole<N>
where
    N: Copy,
{
    Whole { least, most }
}

const fn list<T>(each: Parsed<T>) -> Many<T, Vec<T>> {
    Many { each, most: 256, holds: Vec::new }
}

const fn set<T>(each: Parsed<T>) -> Many<T, BTreeSet<T>> {
    Many { each, most: 16_384, holds: BTreeSet::new }
}

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;
