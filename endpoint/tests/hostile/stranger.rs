//! A peer made by hand, which can be told to say anything.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use rumormill_endpoint::{
    Class,
    frame::{Frame, Head, Kind, Lane, Payload, put_payload_head},
    hello::{Answer, Claim, Cookie, Greeting, Hello, MAX_GREETING, Nonce},
    seal::{Cluster, Opener, Party, Require, Sealer},
};
use rumormill_identity::{PublicKey, Purpose, SecretKey};
use rumormill_registry::Registry;
use rumormill_transport_api::{
    AnyReader, AnyWriter, Batch, Conn, Delivery, Reader, Target, Transport, Writer,
};
use tokio::time::timeout;

use crate::addr;

/// One end of a conn, before anything was said.
pub(crate) struct Wire {
    reader: AnyReader,
    writer: AnyWriter,
    arrived: Vec<Bytes>,
    is_lossy: bool,
    pub(crate) key: SecretKey,
    pub(crate) us: Party,
    pub(crate) cluster: Cluster,
}

/// A conn on which both sides have proven themselves.
pub(crate) struct Stranger {
    pub(crate) wire: Wire,
    pub(crate) them: Party,
    pub(crate) sealer: Sealer,
    /// The frame by which this side has proven itself.
    pub(crate) confirm: Bytes,
    /// The Hello that was answered.
    pub(crate) hello: Hello,
}

impl Wire {
    pub(crate) async fn dial(registry: &Registry, at: &str, seed: u8, session: u64) -> Self {
        let transport = registry.transport(addr(at).scheme()).expect("linked");
        let Conn { info, reader, writer } =
            transport.dial(&Target::new(addr(at))).await.expect("somebody listens");
        let is_lossy = info.caps.delivery == Delivery::Datagram;
        let key = SecretKey::from_bytes(&[seed; 32]);
        let us = Party { node: key.node(), session };
        let cluster = Cluster::named("test");
        Self { reader, writer, arrived: Vec::new(), is_lossy, key, us, cluster }
    }

    pub(crate) async fn say(&mut self, bytes: impl Into<Bytes>) -> bool {
        let mut batch = Batch::from_iter([bytes.into()]);
        self.writer.send(&mut batch).await.is_ok()
    }

    /// What comes next; `None` if the conn ends, or nothing comes for two seconds.
    pub(crate) async fn hear(&mut self) -> Option<Bytes> {
        while self.arrived.is_empty() {
            let heard = timeout(Duration::from_secs(2), self.reader.recv(&mut self.arrived)).await;
            if !matches!(heard, Ok(Ok(()))) && self.arrived.is_empty() {
                return None;
            }
        }
        Some(self.arrived.remove(0))
    }

    pub(crate) async fn hear_greeting(&mut self) -> Option<Greeting> {
        let whole = self.hear().await?;
        Greeting::parse(&whole).ok().flatten()
    }

    pub(crate) fn hello(&self, nonce: Nonce, cookie: Option<Cookie>) -> Hello {
        let (cluster, party) = (self.cluster.mark(), self.us);
        let claim = Claim { cluster, party, max_frame: 1 << 20, ticket: Bytes::new() };
        Hello { claim, nonce, cookie }
    }

    pub(crate) async fn say_hello(&mut self, hello: &Hello) -> bool {
        let padded = if self.is_lossy { MAX_GREETING } else { 0 };
        self.say(Greeting::Hello(hello.clone()).encode(padded)).await
    }

    /// Says Hello, over datagrams until the cookie is shown, and waits for the answer.
    pub(crate) async fn ask(&mut self) -> Option<(Hello, Answer)> {
        let mut hello = self.hello([self.us.session as u8; 16], None);
        for _ in 0..4 {
            self.say_hello(&hello).await;
            match self.hear_greeting().await? {
                Greeting::Challenge(challenge) => hello.cookie = Some(challenge.cookie),
                Greeting::Answer(answer) => return Some((hello, answer)),
                _ => return None,
            }
        }
        None
    }

    /// The whole greeting, as an honest peer does it.
    pub(crate) async fn greet(mut self, lane: Lane) -> Option<Stranger> {
        let (hello, answer) = self.ask().await?;
        let them = answer.claim.party;
        let sealer = Sealer::new(&self.cluster, self.us, them);
        let peer = PublicKey::of(them.node)?;
        let opener = Opener::new(&self.cluster, them, peer, self.us);
        let confirm = sealer.seal(lane, [nonce(lane, &answer.challenge)].iter(), Some(&self.key));
        self.say(confirm.clone()).await;
        let frame = Frame::parse(self.hear().await?).ok()?;
        let payloads = opener.open(&frame, Require::Signature).ok()?;
        let is_shown = payloads.iter().any(|payload| *payload.bytes == hello.nonce);
        is_shown.then_some(Stranger { wire: self, them, sealer, confirm, hello })
    }

    /// A frame with any counter, signed as docs/wire.md says.
    pub(crate) fn seal_by_hand(&self, to: Party, counter: u64, text: &str) -> Bytes {
        let cluster = blake3::derive_key("rumormill 1 cluster", b"test");
        let mut hasher = blake3::Hasher::new_derive_key("rumormill 1 frame");
        hasher.update(&cluster);
        for party in [self.us, to] {
            hasher.update(&party.node.0).update(&party.session.to_be_bytes());
        }
        let mut frame = BytesMut::new();
        let (lane, tag, from) = (Lane::Urgent, self.cluster.tag(to), self.us.node);
        Head { lane, tag, from, counter, is_signed: true }.put(&mut frame);
        put_payload_head(Class::Gossip, Kind::Message, text.len(), &mut frame);
        frame.put_slice(text.as_bytes());
        let digest = blake3::keyed_hash(hasher.finalize().as_bytes(), &frame);
        frame.put_slice(&self.key.sign(Purpose::Frame, digest.as_bytes()));
        frame.freeze()
    }
}

impl Stranger {
    pub(crate) async fn meet(registry: &Registry, at: &str, seed: u8, session: u64) -> Self {
        let wire = Wire::dial(registry, at, seed, session).await;
        wire.greet(Lane::Urgent).await.expect("an honest greeting")
    }

    /// A frame with a rumor.
    pub(crate) fn seal(&self, text: &'static str) -> Bytes {
        let payload = Payload::message(Class::Gossip, text);
        self.sealer.seal(Lane::Urgent, [payload].iter(), Some(&self.wire.key))
    }

    pub(crate) async fn say(&mut self, bytes: impl Into<Bytes>) -> bool {
        self.wire.say(bytes).await
    }
}

fn nonce(lane: Lane, nonce: &Nonce) -> Payload {
    let class = if lane == Lane::Bulk { Class::Bulk } else { Class::Control };
    Payload { class, kind: Kind::Confirm, bytes: Bytes::copy_from_slice(nonce) }
}

/// The frame with one bit turned.
pub(crate) fn bent(frame: &[u8], bit: usize) -> Bytes {
    let mut bent = frame.to_vec();
    bent[bit / 8] ^= 1 << (bit % 8);
    bent.into()
}

impl Stranger {
    /// Somebody else in the same session.
    pub(crate) fn other(us: Party) -> Party {
        Party { node: SecretKey::from_bytes(&[9; 32]).node(), ..us }
    }
}
