//! Broadcasting, and who listens.

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{
    BroadcastError, Gossip, RumorId, Signer, Swim, Time,
    driver::{Command, hearing::Rumors},
};

/// Something that is to be broadcast, and who wants to know what became of it.
#[derive(Debug)]
pub(super) struct Saying {
    bytes: Bytes,
    told: oneshot::Sender<Result<RumorId, BroadcastError>>,
}

impl Saying {
    pub(super) fn say<S: Signer>(self, swim: &mut Swim<S>, now: Time) {
        // Whoever has stopped waiting does not want to know.
        self.told.send(swim.broadcast(now, self.bytes)).ok();
    }
}

impl Gossip {
    /// Says something to all members: whoever is connected with one that has heard it hears it once, or
    /// learns of a [`Gap`](crate::Gap). This node does not hear it itself. It may be empty, and has at
    /// most [`Dissemination::longest`](crate::Dissemination::longest) bytes.
    ///
    /// # Errors
    /// [`BroadcastError`]; nothing was sent.
    ///
    /// # Cancel safety
    /// Dropping the future leaves open whether it was broadcast.
    pub async fn broadcast(&self, bytes: impl Into<Bytes>) -> Result<RumorId, BroadcastError> {
        let (told, outcome) = oneshot::channel();
        let saying = Saying { bytes: bytes.into(), told };
        let command = Command::Broadcast(saying);
        self.commands.send(command).await.map_err(|_| BroadcastError::Over)?;
        outcome.await.unwrap_or(Err(BroadcastError::Over))
    }

    /// What others say to all, from now on.
    pub fn rumors(&self) -> Rumors {
        Rumors::new(&self.rumors)
    }
}
