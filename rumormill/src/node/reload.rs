//! How a running node takes over another configuration.

use std::sync::{PoisonError, atomic::Ordering::Relaxed};

use bytes::Bytes;

use super::{
    Node, ReloadError,
    start::{metadata, profile},
};
use crate::config::{Change, Config, Difference, Files, Loaded};

impl Node {
    /// What [`reload`](Self::reload) would change.
    ///
    /// # Errors
    /// As for [`reload`](Self::reload), as far as it can be told beforehand.
    pub fn rehearse(&self, loaded: &Loaded) -> Result<Vec<Difference>, ReloadError> {
        let Loaded { config, files, .. } = loaded;
        self.check_key(config, files)?;
        let change = Change::between(&self.config(), config).into_live()?;
        #[cfg(feature = "broker")]
        if let Some(broker) = self.broker() {
            crate::hub::with_window(broker, config.broker.config.clone())?;
        }
        Ok(change)
    }

    /// Takes over another configuration while it runs, and what the files hold that it names: all of it,
    /// or nothing. Tells which keys are different.
    ///
    /// Two keys do nothing here: `log.level` is the program's, and `leave.deadline` is read when the node
    /// leaves.
    ///
    /// # Errors
    /// [`ReloadError`]; nothing has changed.
    ///
    /// # Cancel safety
    /// Dropping the future while somebody else changes what the node says of itself changes nothing;
    /// later, some of it may be in force.
    pub async fn reload(&self, loaded: &Loaded) -> Result<Vec<Difference>, ReloadError> {
        let Loaded { config, files, .. } = loaded;
        let mut current = self.0.profile.lock().await;
        if self.0.is_over.load(Relaxed) {
            return Err(ReloadError::Over);
        }
        let old = self.config();
        let change = self.rehearse(loaded)?;
        let metadata = match old.node.metadata == config.node.metadata {
            true => current.metadata.clone(),
            false => Bytes::copy_from_slice(metadata(config)),
        };
        let profile = profile(config, &self.0.addresses, metadata)?;
        #[cfg(feature = "broker")]
        if let Some(broker) = self.broker() {
            broker.reload(crate::hub::with_window(broker, config.broker.config.clone())?)?;
        }
        // A record shows the ticket, too.
        let is_news = profile != *current || files.ticket != self.0.endpoint.ticket();
        self.0.endpoint.set_ticket(files.ticket.clone());
        self.0.endpoint.set_admission(files.admission.clone());
        *self.0.token.write().unwrap_or_else(PoisonError::into_inner) = files.token.clone();
        *self.0.config() = config.clone();
        self.0.join.send_if_modified(|join| {
            let is_other = *join != config.join;
            join.clone_from(&config.join);
            is_other
        });
        if is_news {
            self.0.gossip.change(profile.clone()).await?;
            *current = profile;
        }
        Ok(change)
    }

    /// The key is the node, so that no other one can take its place.
    fn check_key(&self, config: &Config, files: &Files) -> Result<(), ReloadError> {
        match config.node.identity.is_some() && files.key.node() != self.id() {
            true => Err(ReloadError::AnotherKey(files.key.node())),
            false => Ok(()),
        }
    }
}
