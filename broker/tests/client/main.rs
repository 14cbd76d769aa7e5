//! What the client does: against a peer that plays the broker from a script, and against a broker.

mod peer;
mod scripted;
mod scripted_bounds;
mod scripted_queue;
mod scripted_ways;

mod end_to_end;
mod place;
