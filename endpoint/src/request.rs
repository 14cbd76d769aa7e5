//! Questions, and waiting for their answers.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use rumormill_transport_api::{Delivery, NodeId};
use tokio::time::{Instant, timeout_at};

use crate::{
    error::{RequestError, SendError},
    frame::{Class, Kind, Payload},
    hub::Hub,
    ledger::add,
    peer::{Answered, Peer},
    trail::Patience,
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
    // What is lost on datagrams is known after that time, an answer among it.
    let patience = Patience::of(Delivery::Datagram, hub.config.timeouts).silence();
    for attempt in 1..=attempts {
        let mut answer = peer.ask(asked.number);
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
        let until =
            if attempt < attempts { deadline.min(Instant::now() + patience) } else { deadline };
        let answered = timeout_at(until, &mut answer).await;
        match answered {
            Ok(Ok(Answered::With(bytes))) => return Ok(bytes),
            Ok(Ok(Answered::Unreachable)) if attempt == 1 => return Err(RequestError::Unreachable),
            Ok(_) | Err(_) => (),
        }
        let is_over = attempts <= attempt || deadline <= Instant::now() || peer.is_forgotten();
        if !is_over && may_repeat(hub) {
            add(&hub.ledger.repeated, 1);
            continue;
        }
        // It is not asked again, and what is only late may come yet.
        if answered.is_err()
            && let Ok(Ok(Answered::With(bytes))) = timeout_at(deadline, answer).await
        {
            return Ok(bytes);
        }
        break;
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
