//! Why a broker could not start, or did not end as it should.

use rumormill::{RegistryError, broker::ListenError, hub::StartError};

/// Why a broker could not start, or did not end as it should. It has closed everything.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A second signal came while it stopped.
    #[error("ended by a second signal before all that waited was delivered")]
    CutShort,
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
            StartError::Listen(error) => match &*error.source {
                ListenError::Registry(error) => Some(error),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the same command line fails again.
    pub(crate) fn is_usage(&self) -> bool {
        let Self::Start(error) = self else { return false };
        match &**error {
            StartError::Address(_) | StartError::Broker(_) => true,
            StartError::Listen(error) => matches!(*error.source, ListenError::Datagram { .. }),
            _ => false,
        }
    }
}
