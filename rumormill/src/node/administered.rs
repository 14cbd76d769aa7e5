//! What can be asked and told things while it runs: a node, or a broker.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::Node;
use crate::{
    admin::{Admin, Asked, Error, Hooks},
    config,
};

/// The administration of a node or a broker, from its start to its end.
#[derive(Debug, Default)]
pub(crate) struct Administered(Mutex<Option<Admin>>);

impl Node {
    /// What the program lends to the node's administration; `None` if it has none.
    pub fn hooks(&self) -> Option<Hooks> {
        self.0.administered.hooks()
    }

    /// The socket of the node's administration, if it has one.
    pub fn admin_socket(&self) -> Option<PathBuf> {
        self.0.administered.socket()
    }

    /// Where the node's administration listens by TCP, as bound, if it does.
    pub fn admin_tcp(&self) -> Option<SocketAddr> {
        self.0.administered.tcp()
    }
}

impl Administered {
    pub(crate) async fn begin<A: Asked>(
        &self,
        asked: impl Fn() -> Option<A> + Send + Sync + 'static,
        admin: &config::Admin,
    ) -> Result<(), Error> {
        if admin.socket.is_some() || admin.tcp.is_some() {
            let admin = Admin::start(asked, admin).await?;
            *self.lock() = Some(admin);
        }
        Ok(())
    }

    pub(crate) fn hooks(&self) -> Option<Hooks> {
        self.lock().as_ref().map(Admin::hooks)
    }

    pub(crate) fn socket(&self) -> Option<PathBuf> {
        self.lock().as_ref()?.socket().map(Into::into)
    }

    pub(crate) fn tcp(&self) -> Option<SocketAddr> {
        self.lock().as_ref()?.tcp()
    }

    /// Ends it, and says that all is over once those have their answer who asked for the end.
    pub(crate) fn end(&self, over: watch::Sender<bool>) {
        let Some(mut admin) = self.lock().take() else {
            over.send_replace(true);
            return;
        };
        admin.end();
        tokio::spawn(async move {
            admin.ended().await;
            over.send_replace(true);
        });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Admin>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
