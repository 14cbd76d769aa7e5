//! Names, instances and the way into a registry.

mod badge;
mod credentials;
mod instances;
mod linked;
mod names;
mod toy;
