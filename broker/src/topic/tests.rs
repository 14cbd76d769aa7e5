//! How a topic behaves.

mod blocking;
mod courses;
mod fanout;
mod queue;
mod rig;
mod simple;
mod takers;
