//! A node or a broker of a build without administration.

use tokio::sync::watch;

use crate::config;

/// What takes the place of administration.
#[derive(Debug, Default)]
pub(crate) struct Administered(());

/// There is to be administration, and this build has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "administration is not part of this build; turn the feature admin on, or admin.socket and admin.tcp off"
)]
pub struct NoAdmin;

impl Administered {
    pub(crate) async fn begin<A>(
        &self,
        _: impl Fn() -> Option<A>,
        admin: &config::Admin,
    ) -> Result<(), NoAdmin> {
        // Awaited as the real one is.
        std::future::ready(match admin.socket.is_some() || admin.tcp.is_some() {
            true => Err(NoAdmin),
            false => Ok(()),
        })
        .await
    }

    pub(crate) fn end(&self, over: watch::Sender<bool>) {
        over.send_replace(true);
    }
}
