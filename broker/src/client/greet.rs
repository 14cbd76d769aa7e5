//! The first frames of a conn: who is who.

use std::{sync::Arc, time::Duration};

use rand::Rng;
use rumormill_identity::{PublicKey, Purpose};
use rumormill_registry::Registry;
use rumormill_transport_api::{
    Addr, AnyReader, AnyWriter, Batch, Delivery, Info, NodeId, Proof, Reader, Target, Writer,
    excerpt,
};
use tokio::time::timeout;

use super::{
    error::{ConnectError, GreetError},
    lane::Allowed,
};
use crate::{
    ClientConfig, Side, proof,
    wire::{Answer, Hello, Malformed, NONCE, Request, Welcome},
};

/// A conn on which both sides have said who they are.
#[derive(Debug)]
pub(super) struct Greeted {
    pub(super) addr: Addr,
    pub(super) reader: AnyReader,
    pub(super) writer: AnyWriter,
    pub(super) broker: Option<NodeId>,
    pub(super) allowed: Allowed,
    pub(super) idle: Duration,
}

/// The first broker that answers, of all the addresses in turn.
pub(super) async fn first_of(
    registry: &Arc<Registry>,
    addrs: &[Addr],
    config: &ClientConfig,
) -> Result<Greeted, ConnectError> {
    let mut failed = Vec::new();
    for addr in addrs {
        match greet(registry, addr, config).await {
            Ok(greeted) => return Ok(greeted),
            Err(error) => failed.push((addr.clone(), error)),
        }
    }
    Err(match failed.is_empty() {
        true => ConnectError::NoAddress,
        false => ConnectError::Nobody(failed),
    })
}

/// Dials, and shakes hands. Cancel-safe: what was opened is closed.
async fn greet(
    registry: &Arc<Registry>,
    addr: &Addr,
    config: &ClientConfig,
) -> Result<Greeted, GreetError> {
    let target = Target { expect: config.expect.clone(), ..Target::new(addr.clone()) };
    let (dial, read) = (config.timeouts.dial, config.timeouts.read);
    let is_late = |doing, after| move |_| GreetError::Timeout { doing, after };
    let conn = timeout(dial, registry.dial(&target)).await.map_err(is_late("the dial", dial))??;
    if conn.info.caps.delivery != Delivery::Stream {
        return Err(GreetError::Datagrams { scheme: addr.scheme().into() });
    }
    let (reader, writer) = (conn.reader, conn.writer);
    let greeting = Greeting { config, info: conn.info, reader, writer };
    let greeted = timeout(read, greeting.exchange(addr.clone())).await;
    greeted.map_err(is_late("the broker's Welcome", read))?
}

struct Greeting<'a> {
    config: &'a ClientConfig,
    info: Info,
    reader: AnyReader,
    writer: AnyWriter,
}

impl Greeting<'_> {
    async fn exchange(mut self, addr: Addr) -> Result<Greeted, GreetError> {
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        // A carrier that proves nodes has proven this one too, and a broker wants no second proof.
        let is_proven = matches!(self.info.proof, Some(Proof::Node(_)));
        let key = self.config.key.as_ref().filter(|_| !is_proven);
        let node = key.map(|key| key.node());
        self.say(&Request::Hello(Hello { nonce, node })).await?;
        let welcome = self.welcome().await?;
        let broker = self.prove_broker(node, &nonce, &welcome)?;
        if let Some(key) = key {
            let named = welcome.broker.map(|(node, _)| node);
            let digest = proof(Side::Client, node, &nonce, named, &welcome.nonce);
            let signature = key.sign(Purpose::Broker, &digest);
            self.say(&Request::Prove { signature }).await?;
        }
        let frame = (welcome.max_frame as usize).min(self.info.caps.max_message);
        let allowed = Allowed { frame, window: welcome.publish_window.into() };
        let idle = Duration::from_millis(welcome.idle_ms.into()).max(SHORTEST);
        Ok(Greeted { addr, reader: self.reader, writer: self.writer, broker, allowed, idle })
    }

    async fn say(&mut self, request: &Request<'_>) -> Result<(), GreetError> {
        Ok(self.writer.send(&mut Batch::from_iter([request.encode()])).await?)
    }

    /// The broker's first frame; it says nothing more before it is asked.
    async fn welcome(&mut self) -> Result<Welcome, GreetError> {
        let mut frames = Vec::new();
        let ended = self.reader.recv(&mut frames).await;
        let Some(frame) = frames.first() else {
            return Err(ended.err().map_or(GreetError::Unexpected, GreetError::Carrier));
        };
        match Answer::decode(frame)? {
            Answer::Welcome(welcome) if frames.len() == 1 => Ok(welcome),
            Answer::Refused { why, text, .. } => {
                Err(GreetError::Refused { why, text: excerpt(&text).into() })
            }
            _ => Err(GreetError::Unexpected),
        }
    }

    /// Who the broker is, as far as that is proven; an error if it is not who it should be.
    fn prove_broker(
        &self,
        client: Option<NodeId>,
        nonce: &[u8; NONCE],
        welcome: &Welcome,
    ) -> Result<Option<NodeId>, GreetError> {
        let signed = match &welcome.broker {
            None => None,
            Some((node, signature)) => {
                let digest = proof(Side::Broker, client, nonce, Some(*node), &welcome.nonce);
                let key = PublicKey::of(*node).ok_or(GreetError::Unproven { expected: None })?;
                if !key.verifies(Purpose::Broker, &digest, signature) {
                    return Err(GreetError::Unproven { expected: None });
                }
                Some(*node)
            }
        };
        let carried = match &self.info.proof {
            Some(Proof::Node(node)) => Some(*node),
            _ => None,
        };
        let expected = self.config.expect_broker;
        match expected {
            Some(node) if ![signed, carried].contains(&Some(node)) => {
                Err(GreetError::Unproven { expected })
            }
            _ => Ok(expected.or(carried).or(signed)),
        }
    }
}

impl From<Malformed> for super::Lost {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// The shortest silence that a broker can mean.
const SHORTEST: Duration = Duration::from_millis(100);
