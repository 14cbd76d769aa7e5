//! Names, instances and the way into a registry.

mod instances;
mod linked;
mod names;
mod toy;
