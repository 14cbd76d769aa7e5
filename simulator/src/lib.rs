//! Clusters in virtual time, under a seed: what must never happen, and what it costs.

pub mod cores;
pub mod figures;
pub mod nodes;
