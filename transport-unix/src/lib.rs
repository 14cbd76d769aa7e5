//! Messages over Unix stream sockets: scheme `unix`, addresses `unix:///absolute/path`.
//!
//! The wire is the framing of `rumormill-transport-api`: four bytes of big-endian length, then the
//! payload, nothing before it and nothing between. Nothing leaves the machine, so nothing is
//! encrypted; the kernel tells each end which process it talks to ([`Proof::Process`](rumormill_transport_api::Proof)).
//!
//! # The socket file
//! - **Who may connect** is whom [`Settings::mode`] lets write to the file: 0660 unless set, whatever
//!   the umask. At no moment does the file have a permission beyond those, and nobody can connect
//!   before it has all of them.
//! - **Where**: the directory exists, belongs to this process's user or to root, and nobody else can
//!   write to it, unless its sticky bit keeps them from replacing what is not theirs, as in `/tmp`.
//!   The directories above it are the operator's to choose. A path has at most 107 bytes
//!   (103 outside of Linux). Relative paths and abstract sockets (`@name`) are refused: they mean
//!   something else in another directory or container, and an abstract socket has no permissions.
//! - **A live socket is never taken.** Beside the file lies `path.lock`, locked (flock(2)) as long
//!   as the listener lives: who finds it locked gets [`InUse`](rumormill_transport_api::Error::InUse),
//!   and so does who finds that somebody accepts connections there without holding the lock. Of many
//!   that start at once, one wins.
//! - **A stale one is replaced**: the file of a process that ended without removing it refuses
//!   connections. Anything else in the socket's place, be it a file, a directory or a symlink, is
//!   refused and left as it is.
//! - **Dropping the listener** removes the file and the lock, if they are still its own. A signal
//!   drops nothing by itself, and a library has no business handling signals: a program that is to
//!   leave nothing behind waits for SIGTERM and SIGINT and drops its listener. What a `kill -9`
//!   leaves is stale, and the next listener's to replace.
//!
//! # Dialling
//! - It is the kernel that connects, without the listener's program. Where the backlog is full, a
//!   dial is [`Busy`](rumormill_transport_api::Error::Busy); try again later.
//! - Who answers is whoever listened first at the path. To be sure of a user, expect
//!   [`Uid`](rumormill_transport_api::Expect::Uid); names and keys are not proven here.
//! - Dialers have no address: theirs is `unix://`, and whatever name a foreign one took is not
//!   repeated.
//!
//! # The end
//! Each direction ends by itself ([`End::Half`](rumormill_transport_api::End)). The kernel cannot
//! tell a dropped writer from a closed one, so both read as the end, unless the drop leaves half a
//! message behind. A conn that is dropped with unread input is read as cut off by the peer, after
//! everything that was sent.
//!
//! Settings and their defaults are the fields of [`Settings`]; the same names are options in
//! addresses and configuration. On systems without Unix sockets this crate is empty.

#![cfg(unix)]

mod conn;
mod dial;
mod listen;
mod path;
mod settings;

pub use listen::UnixPort;
pub use settings::Settings;

use std::sync::Arc;

use rumormill_transport_api::{
    Addr, AnyTransport, Caps, Conn, Counters, Factory, FrameReader, FrameWriter, Result, Target,
    Transport, inventory,
};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// The half of a Unix conn that receives.
pub type UnixReader = FrameReader<OwnedReadHalf>;
/// The half of a Unix conn that sends.
pub type UnixWriter = FrameWriter<OwnedWriteHalf>;
/// A Unix conn.
pub type UnixConn = Conn<UnixReader, UnixWriter>;

/// Registers this crate under the scheme `unix`.
pub const FACTORY: Factory = Factory {
    scheme: "unix",
    provider: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
    caps: settings::CAPS,
    options: Settings::OPTIONS,
    build: |context| {
        let settings = Settings::default().with(&context.options)?;
        Ok(AnyTransport::new(Unix { settings, counters: context.counters.clone() }))
    },
};

inventory::submit! { FACTORY }

/// The Unix transport.
#[derive(Clone, Debug, Default)]
pub struct Unix {
    settings: Settings,
    counters: Arc<Counters>,
}

impl Unix {
    /// A transport with these settings, which an address's options override.
    pub fn new(settings: Settings) -> Self {
        Self { settings, counters: Arc::default() }
    }
}

impl Transport for Unix {
    type Reader = UnixReader;
    type Writer = UnixWriter;
    type Listener = UnixPort;

    fn caps(&self) -> Caps {
        self.settings.caps()
    }

    async fn dial(&self, target: &Target) -> Result<UnixConn> {
        target.refuse_from()?;
        dial::dial(target, &self.settings.with(target.addr.options())?)
    }

    async fn listen(&self, addr: &Addr) -> Result<UnixPort> {
        UnixPort::bind(addr, self.settings.with(addr.options())?, self.counters.clone())
    }
}
