//! Sockets that a service manager has opened for the node.

use std::path::PathBuf;

use listenfd::ListenFd;
use rumormill::admin::inherit;

use crate::cli::{error::with_causes, output};

/// Where the administration's socket is, if there is one among them. All others are closed, and said so.
pub(super) fn socket() -> Option<PathBuf> {
    let mut given = ListenFd::from_env();
    let (count, mut path) = (given.len(), None);
    for at in 0..count {
        let taken = match given.take_unix_listener(at) {
            Ok(Some(listener)) if path.is_none() => {
                inherit(listener).map_err(|error| with_causes(&error))
            }
            Err(error) => Err(with_causes(&error)),
            Ok(_) => Err("one is enough for administration".into()),
        };
        match taken {
            Ok(there) => path = Some(there),
            Err(problem) => output::note(format_args!(
                "socket {at} of LISTEN_FDS is not used: {problem}; name a Unix socket for administration"
            )),
        }
    }
    path
}
