//! A node of a build without administration.

use tokio::sync::watch;

use super::{Node, StartError};
use crate::config;

/// What takes the place of a node's administration.
#[derive(Debug, Default)]
pub(super) struct Administered(());

impl Administered {
    pub(super) async fn begin(&self, _: &Node, admin: &config::Admin) -> Result<(), StartError> {
        // Awaited as the real one is.
        std::future::ready(match admin.socket.is_some() || admin.tcp.is_some() {
            true => Err(StartError::NoAdmin),
            false => Ok(()),
        })
        .await
    }

    pub(super) fn end(&self, over: watch::Sender<bool>) {
        over.send_replace(true);
    }
}
