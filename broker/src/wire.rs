//! What broker and client say to each other: one frame in each message of a conn.
//!
//! docs/wire.md has the layouts with vectors. Everything is big-endian. A name is a byte of length and
//! so many bytes of UTF-8. A *block* is messages one behind the other, each four bytes of length and so
//! many bytes: publishers make blocks, and subscribers get them as they were made, or parts of them.

mod answer;
mod block;
mod code;
mod request;
mod rest;

pub use answer::{Answer, Deliver, Subscribed, Welcome};
pub use block::{Block, Blocks};
pub(crate) use block::{fitting, lengths};
pub use code::{EndReason, GapReason, RefusedWhy};
pub use request::{Hello, Publish, Request, Resume, Subscribe, Verdict};
pub use rest::Malformed;

/// The first four bytes of a Hello: the protocol and its version.
pub const MAGIC: [u8; 4] = *b"rmb1";

/// Bytes of a nonce, of a node id, and of half a signature.
pub const NONCE: usize = 32;

/// Bytes that a message takes in a block besides its own.
pub const LENGTH: usize = 4;

/// The longest text in a frame for people, in bytes; what is longer is cut.
pub const LONGEST_TEXT: usize = 256;
