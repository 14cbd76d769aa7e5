//! Several routes to one peer: which is taken, what happens when one fails, and when it is back.

mod carrier;
mod node;

mod course;
mod failover;
mod first;
mod peers;
mod sizes;
mod sockets;
