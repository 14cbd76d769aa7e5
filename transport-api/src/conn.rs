//! Open connections, born in halves, and what is known about them.

use crate::{Addr, Caps, Error, NodeId, Result};

/// An open connection: destructure it, and move each half to where it is used.
///
/// The halves are independent, and may live in different tasks and threads. Dropping the writer
/// cuts its direction off (see [`Writer`](crate::Writer)). Dropping the reader loses what the peer still
/// sends; the peer's `send` then waits for ever, or fails with [`Error::Cut`]. The carrier is
/// released when both are dropped, where its protocol has a farewell after that.
#[derive(Debug)]
pub struct Conn<R, W> {
    /// Who and where.
    pub info: Info,
    /// The half that receives.
    pub reader: R,
    /// The half that sends.
    pub writer: W,
}

/// What is known about a conn from the moment it is open.
#[derive(Clone, Debug)]
pub struct Info {
    /// This end: what the carrier knows of it, for an accepted conn at least the address that its
    /// listener is bound to.
    pub local: Addr,
    /// The other end: what was dialled, or where the peer dials from, which may be a socket that
    /// nobody listens on.
    pub remote: Addr,
    /// What the carrier itself proved about the peer. Never the peer's own word.
    pub proof: Option<Proof>,
    /// What this conn can do; never more than the transport's [`caps`](crate::Transport::caps).
    pub caps: Caps,
    /// Whether what arrives may have been replayed: data that came before the handshake was done.
    pub early: bool,
}

impl Info {
    /// A conn on which nothing was proven and nothing came early.
    pub fn new(local: Addr, remote: Addr, caps: Caps) -> Self {
        Self { local, remote, proof: None, caps, early: false }
    }
}

/// Whom to dial, and on what terms.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where.
    pub addr: Addr,
    /// Who must answer. A transport that cannot prove it refuses to dial.
    pub expect: Expect,
    /// The address of a listener of the same transport instance, as its
    /// [`addr`](crate::Listener::addr) tells it, whose socket to dial from. `None`: the
    /// transport's own choice. A transport whose dials have sockets of their own refuses it.
    pub from: Option<Addr>,
    /// Whether messages may be sent before the handshake is done, where an attacker can replay
    /// them. A transport without early data ignores it.
    pub early: bool,
}

impl Target {
    /// Whoever answers at `addr`.
    pub fn new(addr: Addr) -> Self {
        Self { addr, expect: Expect::Any, from: None, early: false }
    }

    /// Refuses what a transport cannot honour that proves nothing: every expectation but
    /// [`Expect::Any`].
    ///
    /// # Errors
    /// [`Error::Unsupported`]. To ignore an expectation would be to lie about security.
    pub fn refuse_expectation(&self) -> Result<()> {
        match self.expect {
            Expect::Any => Ok(()),
            _ => Err(Error::unsupported(
                format!("proving who answers at {}://", self.addr.scheme()),
                "dial a transport that proves identities, or expect anybody",
            )),
        }
    }

    /// Refuses [`from`](Self::from), for transports whose dials have sockets of their own.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub fn refuse_from(&self) -> Result<()> {
        match self.from {
            None => Ok(()),
            Some(_) => Err(Error::unsupported(
                format!("dialling {}:// from a listener's socket", self.addr.scheme()),
                "leave `from` empty",
            )),
        }
    }
}

impl Target {
    /// That [`from`](Self::from) names no listener of the transport, which is asked to dial from one.
    pub fn unknown_from(from: &Addr) -> Error {
        from.malformed("is no listener of this transport; dial from what `Listener::addr` returned")
    }

    /// That the socket of the listener at `from` reaches no address of the target, since it has
    /// addresses of another family.
    pub fn of_another_family(&self, from: &Addr) -> Error {
        Error::unsupported(
            format!("dialling {} from {from}, of another family of addresses,", self.addr),
            "listen on an address of its family too, and dial from there",
        )
    }
}

impl From<Addr> for Target {
    fn from(addr: Addr) -> Self {
        Self::new(addr)
    }
}

/// Who must answer a dial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Expect {
    /// Anybody.
    #[default]
    Any,
    /// The holder of a certificate for this name, by an authority that the transport trusts.
    Name(Box<str>),
    /// The holder of this key.
    Node(NodeId),
    /// A process of this user, on this machine.
    Uid(u32),
}

/// What a carrier proved about a peer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Proof {
    /// It holds a certificate for this name, by an authority that the transport trusts.
    Name(Box<str>),
    /// It holds this key.
    Node(NodeId),
    /// The kernel says that it was this process when the conn was opened.
    Process {
        /// User.
        uid: u32,
        /// Group.
        gid: u32,
        /// Process, where the kernel tells.
        pid: Option<u32>,
    },
}
