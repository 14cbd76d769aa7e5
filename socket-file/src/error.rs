//! Why there is no socket at a path.

use std::io;

/// A result with an [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Why there is no socket at a path. Nothing is left open, and no file is left behind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody listens there.
    #[error("in use by a running process; end that, or choose another path")]
    InUse,
    /// The system reported an error.
    #[error("{doing} failed")]
    Io {
        /// What was tried.
        doing: Box<str>,
        /// What came of it.
        source: io::Error,
    },
    /// The path is of no use. `Display` goes on behind the path, or behind the address that names it.
    #[error("{problem}")]
    Path {
        /// Why, and what would be right.
        problem: Box<str>,
    },
}

impl Error {
    pub(crate) fn io(doing: impl Into<Box<str>>, source: io::Error) -> Self {
        Self::Io { doing: doing.into(), source }
    }

    pub(crate) fn path(problem: impl Into<Box<str>>) -> Self {
        Self::Path { problem: problem.into() }
    }
}
