//! This node's side of handshakes, with sessions that are resumed or without.

use std::sync::Arc;

use rumormill_identity::tls::{Sessions, Tls};
use rumormill_transport_api::{Context, Result};
use rustls::{ServerConfig, server::StoresServerSessions};
use tokio_rustls::TlsConnector;

use super::PROTOCOL;

/// What dials and listeners of one node have in common.
pub(super) struct Side {
    pub(super) tls: Tls,
    pub(super) connector: TlsConnector,
    pub(super) server: Arc<ServerConfig>,
}

impl Side {
    /// Keeps sessions, and resumes them.
    pub(super) fn resuming(context: &Context) -> Result<Self> {
        let tls = Tls::new(context, PROTOCOL, Sessions::Resumed)?;
        let server = tls.server().clone();
        Ok(Self { connector: tls.client().clone().into(), tls, server })
    }

    /// Proves both sides anew each time.
    pub(super) fn forgetful(context: &Context) -> Result<Self> {
        let tls = Tls::new(context, PROTOCOL, Sessions::Never)?;
        let mut server = ServerConfig::clone(tls.server());
        // The dialer waits for a ticket when it closes; it is told that there is one, and it fits
        // nothing.
        server.send_tls13_tickets = 1;
        server.session_storage = Arc::new(Forgetful);
        Ok(Self { connector: tls.client().clone().into(), tls, server: server.into() })
    }
}

impl std::fmt::Debug for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Side").field(&self.tls).finish()
    }
}

/// Takes every session, and has none.
#[derive(Debug)]
struct Forgetful;

impl StoresServerSessions for Forgetful {
    fn put(&self, _: Vec<u8>, _: Vec<u8>) -> bool {
        true
    }

    fn get(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn take(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }

    fn can_cache(&self) -> bool {
        true
    }
}
