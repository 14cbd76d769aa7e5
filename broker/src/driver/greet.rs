//! How a conn begins: Hello, Welcome, and the proof of who claims to be a node.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use rumormill_identity::{PublicKey, Purpose, SIGNATURE};
use rumormill_transport_api::{AnyReader, AnyWriter, Batch, Info, NodeId, Proof, Reader, Writer};

use super::Hub;
use crate::{
    Limits, Side, proof,
    wire::{Answer, Hello, Malformed, RefusedWhy, Request, Welcome},
};

/// Why somebody is not let in.
#[derive(Debug)]
pub(crate) enum Unwelcome {
    /// The carrier broke or ended.
    Gone,
    /// What came is no way to begin.
    Refused(RefusedWhy, &'static str),
}

/// Somebody who was let in.
pub(crate) struct Guest {
    /// Who it has proven to be.
    pub(crate) proofs: Box<[Proof]>,
    /// How long it may say nothing, as it was told.
    pub(crate) idle: Duration,
    /// What came behind the greeting.
    pub(crate) arrived: Vec<Bytes>,
}

/// Greets whoever opened a conn. The caller has a deadline.
pub(crate) async fn greet(
    hub: &Hub,
    info: &Info,
    reader: &mut AnyReader,
    writer: &mut AnyWriter,
) -> Result<Guest, Unwelcome> {
    let mut arrived = VecDeque::new();
    let Request::Hello(hello) = Request::decode(&next(reader, &mut arrived).await?)? else {
        return Err(Unwelcome::Refused(RefusedWhy::Unexpected, "a conn begins with a Hello"));
    };
    let limits = hub.limits();
    let welcome = welcome(hub, &hello, info, &limits);
    writer.send(&mut Batch::from_iter([Answer::Welcome(welcome.clone()).encode()])).await?;
    let mut proofs: Vec<_> = info.proof.iter().cloned().collect();
    if let Some(node) = hello.node.filter(|node| !proofs.contains(&Proof::Node(*node))) {
        let Request::Prove { signature } = Request::decode(&next(reader, &mut arrived).await?)?
        else {
            let text = "the node that the Hello named must be proven first";
            return Err(Unwelcome::Refused(RefusedWhy::Unexpected, text));
        };
        if !is_proven(node, &hello, &welcome, &signature) {
            return Err(Unwelcome::Refused(RefusedWhy::Unproven, ""));
        }
        proofs.push(Proof::Node(node));
    }
    Ok(Guest { proofs: proofs.into(), idle: limits.idle, arrived: arrived.into() })
}

fn welcome(hub: &Hub, hello: &Hello, info: &Info, limits: &Limits) -> Welcome {
    let nonce = rand::random();
    let broker = hub.key.as_ref().map(|key| {
        let node = key.node();
        let digest = proof(Side::Broker, hello.node, &hello.nonce, Some(node), &nonce);
        (node, key.sign(Purpose::Broker, &digest))
    });
    Welcome {
        nonce,
        max_frame: clamped(info.caps.max_message.min(Hub::longest_frame(limits))),
        publish_window: clamped(Hub::window(limits)),
        idle_ms: u32::try_from(limits.idle.as_millis()).unwrap_or(u32::MAX),
        broker,
    }
}

fn is_proven(node: NodeId, hello: &Hello, welcome: &Welcome, signature: &[u8; SIGNATURE]) -> bool {
    let broker = welcome.broker.map(|(broker, _)| broker);
    let digest = proof(Side::Client, Some(node), &hello.nonce, broker, &welcome.nonce);
    PublicKey::of(node).is_some_and(|key| key.verifies(Purpose::Broker, &digest, signature))
}

async fn next(reader: &mut AnyReader, arrived: &mut VecDeque<Bytes>) -> Result<Bytes, Unwelcome> {
    loop {
        if let Some(frame) = arrived.pop_front() {
            return Ok(frame);
        }
        let mut more = Vec::new();
        let received = reader.recv(&mut more).await;
        arrived.extend(more);
        if arrived.is_empty() {
            received?;
        }
    }
}

fn clamped(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

impl From<Malformed> for Unwelcome {
    fn from(_: Malformed) -> Self {
        Self::Refused(RefusedWhy::Malformed, "")
    }
}

impl From<rumormill_transport_api::Error> for Unwelcome {
    fn from(_: rumormill_transport_api::Error) -> Self {
        Self::Gone
    }
}
