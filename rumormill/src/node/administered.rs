//! A node that can be asked and told things while it runs.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use super::{Node, StartError};
use crate::{
    admin::{Admin, Hooks},
    config,
};

/// The administration of a node, from its start to its end.
#[derive(Debug, Default)]
pub(super) struct Administered(Mutex<Option<Admin>>);

impl Node {
    /// What the program lends to the node's administration; `None` if it has none.
    pub fn hooks(&self) -> Option<Hooks> {
        self.0.administered.lock().as_ref().map(Admin::hooks)
    }

    /// The socket of the node's administration, if it has one.
    pub fn admin_socket(&self) -> Option<PathBuf> {
        self.0.administered.lock().as_ref()?.socket().map(Into::into)
    }

    /// Where the node's administration listens by TCP, as bound, if it does.
    pub fn admin_tcp(&self) -> Option<SocketAddr> {
        self.0.administered.lock().as_ref()?.tcp()
    }
}

impl Administered {
    pub(super) async fn begin(&self, node: &Node, admin: &config::Admin) -> Result<(), StartError> {
        if admin.socket.is_some() || admin.tcp.is_some() {
            let admin = Admin::start(node.downgrade(), admin).await?;
            *self.lock() = Some(admin);
        }
        Ok(())
    }

    /// Ends it, and says that the node is over once those have their answer who asked it to leave.
    pub(super) fn end(&self, over: watch::Sender<bool>) {
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
