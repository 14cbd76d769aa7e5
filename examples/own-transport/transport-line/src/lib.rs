//! Messages as lines of hexadecimal text over TCP: scheme `line`, addresses `line://host:port`.
//!
//! A message is one line of lower-case digits, two for each byte, so that a person with `nc` can
//! take part. It stands for any carrier with a format of its own; where yours is a plain stream of
//! bytes, return `FrameReader` and `FrameWriter` instead and leave out half of this crate.

mod listen;
mod reader;
mod writer;

pub use listen::LinePort;
pub use reader::LineReader;
pub use writer::LineWriter;

use std::{io, net::SocketAddr, sync::Arc};

use rumormill_transport_api::{
    Addr, AnyTransport, Caps, Conn, Counters, Error, Factory, HostPort, Info, OptionSpec, Options,
    Result, Target, Transport, inventory,
};
use tokio::net::{TcpStream, lookup_host};

/// How this crate is found by name.
pub const FACTORY: Factory = Factory {
    scheme: "line",
    provider: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
    caps: Caps::STREAM,
    options: &[OptionSpec::new("max_message", "10MiB", "the longest message, both ways")],
    build: |context| {
        let settings = Settings::default().with(&context.options)?;
        Ok(AnyTransport::new(Line { settings, counters: context.counters.clone() }))
    },
};

inventory::submit! { FACTORY }

/// The transport.
#[derive(Debug, Default)]
pub struct Line {
    settings: Settings,
    counters: Arc<Counters>,
}

/// What can be set for it.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The longest message in bytes, both ways.
    pub max_message: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_message: Caps::MAX_MESSAGE }
    }
}

impl Settings {
    fn with(self, options: &Options) -> Result<Self> {
        options.check(FACTORY.options)?;
        let max_message = options.size("max_message", 1..=1 << 30)?;
        Ok(Self { max_message: max_message.unwrap_or(self.max_message) })
    }

    fn caps(self) -> Caps {
        Caps::STREAM.with_max_message(self.max_message)
    }

    fn conn(self, stream: TcpStream, remote: SocketAddr) -> io::Result<LineConn> {
        stream.set_nodelay(true)?;
        let local = addr(stream.local_addr()?).map_err(io::Error::other)?;
        let remote = addr(remote).map_err(io::Error::other)?;
        let (read, write) = stream.into_split();
        Ok(Conn {
            info: Info::new(local, remote, self.caps()),
            reader: LineReader::new(read, self.max_message),
            writer: LineWriter::new(write, self.max_message),
        })
    }
}

type LineConn = Conn<LineReader, LineWriter>;

impl Transport for Line {
    type Reader = LineReader;
    type Writer = LineWriter;
    type Listener = LinePort;

    fn caps(&self) -> Caps {
        self.settings.caps()
    }

    async fn dial(&self, target: &Target) -> Result<LineConn> {
        // What cannot be honoured is refused, never ignored.
        target.refuse_expectation()?;
        target.refuse_from()?;
        let settings = self.settings.with(target.addr.options())?;
        let to = resolve(HostPort::parse_to_dial(&target.addr)?).await;
        let dialled = match to {
            Ok(to) => TcpStream::connect(to).await.and_then(|stream| settings.conn(stream, to)),
            Err(error) => Err(error),
        };
        dialled.map_err(|source| Error::Unreachable { addr: target.addr.clone(), source })
    }

    async fn listen(&self, at: &Addr) -> Result<LinePort> {
        let settings = self.settings.with(at.options())?;
        LinePort::bind(at, settings, self.counters.clone()).await
    }
}

/// The first address of a host. (The TCP transport of rumormill tries them all.)
async fn resolve(host_port: HostPort) -> io::Result<SocketAddr> {
    match host_port {
        HostPort::Socket(addr) => Ok(addr),
        HostPort::Name { host, port } => {
            lookup_host((&*host, port)).await?.next().ok_or(io::ErrorKind::NotFound.into())
        }
    }
}

fn addr(end: SocketAddr) -> Result<Addr> {
    Addr::new(FACTORY.scheme, &end.to_string())
}
