//! Why there is no administration.

use std::{io, path::Path};

/// Why there is no administration. Nothing is left open, and no file is left behind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody listens at the socket.
    #[error("{} is the socket of a running process; end that, or choose another path", .path.display())]
    InUse {
        /// Where.
        path: Box<Path>,
    },
    /// The system reported an error.
    #[error("{doing} failed")]
    Io {
        /// What was tried.
        doing: Box<str>,
        /// What came of it.
        source: io::Error,
    },
    /// There is to be administration by TCP, and no token that keeps strangers from it.
    #[error("administration by TCP needs a token; name its file by admin.token")]
    NoToken,
    /// A path is of no use.
    #[error("{} {problem}", .path.display())]
    Path {
        /// Which.
        path: Box<Path>,
        /// Why, and what would be right.
        problem: Box<str>,
    },
}

impl Error {
    pub(super) fn io(doing: impl Into<Box<str>>, source: io::Error) -> Self {
        Self::Io { doing: doing.into(), source }
    }
}
