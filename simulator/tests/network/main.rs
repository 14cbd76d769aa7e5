//! Many cores and a model of the network between them, in virtual time, under a seed.

mod crowd;
mod faults;
mod figures;
mod joins;
mod leaves;
mod model;
mod partitions;
mod strangers;
mod watch;
