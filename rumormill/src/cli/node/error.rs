//! Why a node could not start, or go on.

use rumormill::{RegistryError, endpoint, node::StartError, transport::NodeId};

/// Why a node could not start, or go on. It has closed everything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A second signal came while it was leaving.
    #[error("ended by a second signal before the others had confirmed the goodbye")]
    CutShort,
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
