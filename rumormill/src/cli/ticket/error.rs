//! Why nothing was signed or shown.

use std::{io, path::PathBuf};

use rumormill::{endpoint::MAX_REVOKED, transport::NodeId};

/// Why nothing was signed or shown. Files are as before.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The list has no room for all of them.
    #[error(
        "{path} would hold {count} tickets, and {MAX_REVOKED} are the limit; let tickets expire sooner, or \
         change to another issuer, whose list is empty"
    )]
    Crowded { path: PathBuf, count: usize },
    /// The system refused.
    #[error("{doing} {path} failed")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    /// The list is another key's, or another cluster's.
    #[error(
        "{path} is not signed by this key for cluster '{cluster}'; name the right --cluster, --key or --list"
    )]
    Foreign { path: PathBuf, cluster: String },
    /// The file holds something else.
    #[error("{path} holds {problem}")]
    Malformed { path: PathBuf, problem: &'static str },
    /// The id could not be anybody's.
    #[error("{node} is no node: there is no such key; copy the id again")]
    NoKey { node: NodeId },
    /// Bytes would go where people read.
    #[error("a ticket is no text; name a file by --out, or send it on by `>`")]
    Terminal,
}

impl Error {
    /// Whether the same command line fails again, whatever files hold.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::NoKey { .. } | Self::Terminal)
    }

    pub(super) fn reading(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: "reading", path: path.into(), source }
    }

    pub(super) fn writing(path: &std::path::Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { doing: "writing", path: path.into(), source }
    }
}
