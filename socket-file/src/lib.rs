//! The file of a listening Unix socket: it has its permissions from its first moment, replaces only what
//! is stale, and goes with its listener. For the transport `unix` and for a node's administration.
//!
//! - **Who may connect** is whom the mode lets write to the file, whatever the umask. At no moment does
//!   it have a permission beyond those, and nobody can connect before it has all of them.
//! - **A live socket is never taken.** Beside the file lies `path.lock`, locked (flock(2)) as long as the
//!   listener lives. Of many that start at once, one wins.
//! - **A stale one is replaced,** and anything else in its place is refused and left as it is.
//! - **The directory** is one in which nobody else could put a socket of his own in this one's place.
//!
//! On systems without Unix sockets this crate is empty.

#![cfg(unix)]

mod life;

mod directory;
mod lock;

mod error;
mod file_id;

pub use error::{Error, Result};
pub use life::{SocketFile, is_of_another_type, socket};
