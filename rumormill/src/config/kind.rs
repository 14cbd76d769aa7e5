//! The kinds of configurations that there are: of nodes, and of brokers.

use std::collections::BTreeMap;

use rumormill_transport_api::Options;

use super::{key::Key, topic};

/// A kind of configuration, while one is put together.
pub(super) trait Kind: Sized + 'static {
    /// All keys but those of topics, section by section.
    const SECTIONS: &'static [&'static [Key<Self>]];
    /// The options of transports, by scheme.
    fn transports(&mut self) -> &mut BTreeMap<Box<str>, Options>;
    /// The topics, in the order in which they were written.
    fn topics(&mut self) -> &mut Vec<topic::Draft>;
}
