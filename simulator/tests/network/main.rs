//! Many cores and a model of the network between them, in virtual time, under a seed.

mod faults;
mod joins;
mod leaves;
mod partitions;
mod planted;
mod stories;
mod strangers;
mod swim;
