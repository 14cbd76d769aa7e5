//! A multi-transport gossip networking framework: what users depend on.
