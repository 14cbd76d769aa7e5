//! Why a node could not start, or go on.

use std::{path::PathBuf, time::Duration};

use rumormill::{RegistryError, endpoint, node::StartError, transport::NodeId};

/// Why a node could not start, or go on. It has closed everything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A second signal came while it was leaving.
    #[error("ended by a second signal before the others had confirmed the goodbye")]
    CutShort,
    /// A file system that does not answer. What was to be read is not.
    #[error(
        "{} was not read within {within:?}; see whether its file system answers, and try again",
        .file.as_ref().map_or_else(
            || "what the configuration names".into(),
            |file| format!("{}, or what it names,", file.display()),
        )
    )]
    Hung { file: Option<PathBuf>, within: Duration },
    /// Another process says that it is this node.
    #[error(
        "another process has started with the key of {node} (session {session:016x}), and one of the two \
         has to stop: this one does; give each process its own key by node.identity"
    )]
    KeyInUse { node: NodeId, session: u64 },
    /// It could not start.
    #[error(transparent)]
    Start(Box<StartError>),
}

impl Error {
    /// What a transport has against an address or an option, if that is why.
    pub(crate) fn of_registry(&self) -> Option<&RegistryError> {
        let Self::Start(error) = self else { return None };
        match &**error {
            StartError::Registry(error) => Some(error),
            StartError::Endpoint(error) | StartError::Listen { source: error, .. } => {
                match &**error {
                    endpoint::Error::Registry(error) => Some(error),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_named() {
        let hung = |file| Error::Hung { file, within: Duration::from_secs(5) }.to_string();
        let hint = "was not read within 5s; see whether its file system answers, and try again";
        assert_eq!(hung(None), format!("what the configuration names {hint}"));
        assert_eq!(hung(Some("/a.toml".into())), format!("/a.toml, or what it names, {hint}"));
    }
}
