//! Sockets that a service manager has opened for the node.

use std::{
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
};

use listenfd::ListenFd;
use rumormill::{admin::inherit, transport::with_causes};

use crate::cli::output;

/// Where the administration's socket is, if there is one among them, and nobody has said that it is elsewhere
/// or nowhere. All others are closed, and said so.
pub(super) fn socket(said: Option<Option<&Path>>) -> Option<PathBuf> {
    let mut given = ListenFd::from_env();
    let (count, mut path) = (given.len(), None);
    for at in 0..count {
        let taken = match given.take_unix_listener(at) {
            Ok(Some(listener)) if said.is_some_and(|said| !is_at(&listener, said)) => {
                Err("admin.socket, or --admin, says another one or none".into())
            }
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

fn is_at(listener: &UnixListener, path: Option<&Path>) -> bool {
    let addr = listener.local_addr().ok();
    path.is_some() && addr.as_ref().and_then(|addr| addr.as_pathname()) == path
}
