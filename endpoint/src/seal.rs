//! Signing what goes to a peer, and opening what comes from one.
//!
//! A frame's signature covers, beside its bytes, the cluster and the (id, session) of both parties.
//! They are not sent: a frame that is replayed after a restart, to another node or into another
//! cluster does not verify there, without any clock.

use blake3::Hasher;
use bytes::{Bytes, BytesMut};
use rumormill_identity::{PublicKey, Purpose, SIGNATURE, SecretKey};
use rumormill_transport_api::NodeId;

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use crate::{
    frame::{
        Class, Frame, HEAD, Head, Kind, Lane, Malformed, PAYLOAD_HEAD, Payload, Tag,
        put_payload_head,
    },
    window::{Stale, Window},
};

/// A cluster, by a hash of its name: nodes of different clusters have nothing to say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cluster([u8; 32]);

/// A node in one of its sessions: between one start and the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Party {
    /// Who.
    pub node: NodeId,
    /// Drawn at random at every start.
    pub session: u64,
}

/// Why a frame was not opened. Nothing has changed, except that work was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// The signature is not the sender's, or not about this frame, these sessions, this cluster.
    #[error("the signature does not verify")]
    Forged,
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It is too old to tell whether it was opened before.
    #[error("the frame is below the window")]
    Old,
    /// It was opened before.
    #[error("the frame is a replay")]
    Replayed,
    /// It has no signature where there must be one.
    #[error("the frame is not signed")]
    Unsigned,
    /// It is from somebody else, or for somebody else or another session.
    #[error("the frame is not between these two")]
    Elsewhere,
}

impl Cluster {
    /// The cluster with this name.
    pub fn named(name: &str) -> Self {
        Self(blake3::derive_key("rumormill 1 cluster", name.as_bytes()))
    }

    pub(crate) fn id(&self) -> &[u8; 32] {
        &self.0
    }

    /// What a frame for `to` is marked with, so that another node, session or cluster sees without
    /// much work that it is not meant.
    pub fn tag(&self, to: Party) -> Tag {
        let mut hasher = Hasher::new_derive_key("rumormill 1 recipient");
        hasher.update(&self.0).update(&to.node.0).update(&to.session.to_be_bytes());
        let mut tag = Tag::default();
        tag.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        tag
    }

    /// The key of the hash of all frames from one party to another.
    fn key(&self, from: Party, to: Party) -> [u8; 32] {
        let mut hasher = Hasher::new_derive_key("rumormill 1 frame");
        hasher.update(&self.0);
        for party in [from, to] {
            hasher.update(&party.node.0).update(&party.session.to_be_bytes());
        }
        *hasher.finalize().as_bytes()
    }
}

/// Seals frames for one peer, in all lanes.
#[derive(Debug)]
pub struct Sealer {
    key: [u8; 32],
    tag: Tag,
    from: NodeId,
    /// The last counter of each lane.
    counters: [AtomicU64; 3],
}

impl Sealer {
    /// Seals what `from` sends to `to`. Two for the same parties would use counters twice.
    pub fn new(cluster: &Cluster, from: Party, to: Party) -> Self {
        let (key, tag) = (cluster.key(from, to), cluster.tag(to));
        Self { key, tag, from: from.node, counters: Default::default() }
    }

    /// What the frames are marked with.
    pub(crate) fn tag(&self) -> Tag {
        self.tag
    }

    /// One frame with these payloads, all of classes of `lane`; signed if there is a key.
    ///
    /// Several tasks may seal at once: each frame gets a counter of its own.
    pub fn seal<'a>(
        &self,
        lane: Lane,
        payloads: impl Iterator<Item = &'a Payload> + Clone,
        sign: Option<&SecretKey>,
    ) -> Bytes {
        self.seal_in(&mut BytesMut::new(), lane, payloads, sign).1
    }

    /// The same in the memory of earlier frames, where nobody holds those any more; with its
    /// counter.
    pub(crate) fn seal_in<'a>(
        &self,
        frame: &mut BytesMut,
        lane: Lane,
        payloads: impl Iterator<Item = &'a Payload> + Clone,
        sign: Option<&SecretKey>,
    ) -> (u64, Bytes) {
        let len = payloads.clone().map(|payload| PAYLOAD_HEAD + payload.bytes.len()).sum::<usize>();
        frame.reserve(HEAD + len + SIGNATURE);
        let counter = self.counters[lane as usize].fetch_add(1, Relaxed) + 1;
        let head =
            Head { lane, tag: self.tag, from: self.from, counter, is_signed: sign.is_some() };
        head.put(frame);
        for Payload { class, kind, bytes } in payloads {
            put_payload_head(*class, *kind, bytes.len(), frame);
            frame.extend_from_slice(bytes);
        }
        if let Some(secret) = sign {
            let digest = blake3::keyed_hash(&self.key, frame);
            frame.extend_from_slice(&secret.sign(Purpose::Frame, digest.as_bytes()));
        }
        (counter, frame.split().freeze())
    }
}

/// Opens frames from one peer, in all lanes.
#[derive(Debug)]
pub struct Opener {
    key: [u8; 32],
    tag: Tag,
    peer: PublicKey,
    windows: [Mutex<Window>; 3],
}

/// Whether frames without a signature are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Require {
    /// Never: only the signature tells who sent a frame.
    Signature,
    /// Yes: the carrier has proved that the peer is the sender, and lets nobody else write.
    Nothing,
}

impl Opener {
    /// Opens what `from`, whose key is `peer`, sends to `to`.
    pub fn new(cluster: &Cluster, from: Party, peer: PublicKey, to: Party) -> Self {
        let (key, tag) = (cluster.key(from, to), cluster.tag(to));
        Self { key, tag, peer, windows: Default::default() }
    }

    /// Checks everything that costs next to nothing: whether it is worth verifying.
    ///
    /// # Errors
    /// [`Refused`], but never [`Forged`](Refused::Forged).
    pub fn glance(&self, frame: &Frame, require: Require) -> Result<(), Refused> {
        self.is_between_these(frame, require)?;
        Ok(self.window(frame.lane, |window| window.check(frame.counter))?)
    }

    /// Opens `frame`: its payloads, in order.
    ///
    /// # Errors
    /// [`Refused`]. Only a frame that verifies, and can be read to its end, moves the window.
    ///
    /// Several tasks may open at once: of two that open the same frame, one gets it.
    pub fn open(&self, frame: &Frame, require: Require) -> Result<Vec<Payload>, Refused> {
        self.glance(frame, require)?;
        let payloads = self.verify(frame)?;
        self.window(frame.lane, |window| window.advance(frame.counter))?;
        Ok(payloads)
    }

    /// Opens a frame of a greeting, whatever its counter: that it is no replay is shown by the nonce
    /// in it.
    pub(crate) fn open_greeting(&self, frame: &Frame) -> Result<Vec<Payload>, Refused> {
        self.is_between_these(frame, Require::Signature)?;
        self.verify(frame)
    }

    fn is_between_these(&self, frame: &Frame, require: Require) -> Result<(), Refused> {
        if frame.tag != self.tag || frame.from != self.peer.node() {
            return Err(Refused::Elsewhere);
        }
        if frame.signature.is_none() && require == Require::Signature {
            return Err(Refused::Unsigned);
        }
        Ok(())
    }

    fn verify(&self, frame: &Frame) -> Result<Vec<Payload>, Refused> {
        if let Some(signature) = &frame.signature {
            let digest = blake3::keyed_hash(&self.key, frame.signed());
            if !self.peer.verifies(Purpose::Frame, digest.as_bytes(), signature) {
                return Err(Refused::Forged);
            }
        }
        Ok(frame.payloads().collect::<Result<_, _>>()?)
    }

    fn window<R>(&self, lane: Lane, look: impl FnOnce(&mut Window) -> R) -> R {
        look(&mut self.windows[lane as usize].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl From<Stale> for Refused {
    fn from(stale: Stale) -> Self {
        match stale {
            Stale::Old => Self::Old,
            Stale::Seen => Self::Replayed,
        }
    }
}

impl Payload {
    /// A message of a class.
    pub fn message(class: Class, bytes: impl Into<Bytes>) -> Self {
        Self { class, kind: Kind::Message, bytes: bytes.into() }
    }
}
