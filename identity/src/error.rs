//! What can go wrong with keys and their files.

use std::{io, path::PathBuf};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a key or certificate could not be read or written. Files that were there are as before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is a file already, and a key is never overwritten.
    #[error("{path} exists, and a key is never overwritten; choose another name")]
    Exists {
        /// Where.
        path: PathBuf,
    },
    /// Others than its owner can read the file, so the key in it is no secret.
    #[error(
        "{path} is open to others (mode {mode:04o}); run `chmod 600 {path}`, or make a new key if somebody may have read it"
    )]
    Exposed {
        /// Where.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Another user owns the file, and can read and replace the key in it.
    #[error("{path} belongs to user {uid}, who can read and replace it; run `chown`, or copy it")]
    Foreign {
        /// Where.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// The system refused.
    #[error("{doing} {path} failed")]
    Io {
        /// What was attempted, as in "reading".
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// Its answer.
        source: io::Error,
    },
    /// The file holds something else.
    #[error("{path} {problem}")]
    Malformed {
        /// Where.
        path: PathBuf,
        /// What is wrong, and what would be right.
        problem: &'static str,
    },
}
