//! Questions, and waiting for their answers.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use rumormill_transport_api::NodeId;
use tokio::time::{Instant, timeout_at};

use crate::{
    error::{RequestError, SendError},
    frame::{Class, Kind, Payload},
    hub::Hub,
    ledger::add,
    peer::{Answered, Peer},
};

/// Asks a peer up to `attempts` times, and waits for its answer until `deadline`.
pub(crate) async fn ask(
    hub: &Arc<Hub>,
    to: NodeId,
    question: Bytes,
    deadline: Instant,
    attempts: u32,
) -> Result<Bytes, RequestError> {
    let peer = hub.peer(to).ok_or(SendError::UnknownPeer)?;
    let asked = Asked { peer: &peer, number: hub.next_question() };
    for attempt in 1..=attempts {
        let answer = peer.ask(asked.number);
        let payload = Payload {
            class: Class::Bulk,
            kind: Kind::Request(asked.number),
            bytes: question.clone(),
        };
        match hub.send(to, payload) {
            // The question was sent before, and its answer may still come.
            Err(_) if 1 < attempt => (),
            sent => sent?,
        }
        let is_last = attempt == attempts;
        // What is lost on datagrams is known after that time, an answer among it.
        let patience = Instant::now() + hub.config.timeouts.read * 2 / 5;
        let until = if is_last { deadline } else { deadline.min(patience) };
        match timeout_at(until, answer).await {
            Ok(Ok(Answered::With(bytes))) => return Ok(bytes),
            Ok(Ok(Answered::Unreachable)) if attempt == 1 => return Err(RequestError::Unreachable),
            Ok(Ok(Answered::Lost | Answered::Unreachable)) | Ok(Err(_)) | Err(_) => (),
        }
        if is_last || deadline <= Instant::now() || peer.is_forgotten() || !may_repeat(hub) {
            break;
        }
        add(&hub.ledger.repeated, 1);
    }
    Err(RequestError::Uncertain)
}

/// Whether the budget of repetitions, which all of the endpoint shares, has one more.
fn may_repeat(hub: &Hub) -> bool {
    hub.budget.lock().unwrap_or_else(PoisonError::into_inner).spend()
}

/// A question that waits for its answer.
struct Asked<'a> {
    peer: &'a Peer,
    number: u64,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        self.peer.give_up(self.number);
    }
}
