//! Messages between parts of one process, over links whose faults are programmed: scheme `mem`.
//!
//! Transports that share a [`Network`] reach each other, each from a host of its own. The links
//! between hosts are perfect until they are told to be slow, to lose or to repeat messages, or to
//! let nothing pass. Under tokio's paused clock a day of faults takes no time, and takes the same
//! course each time: see [`Network`].
//!
//! # Addresses
//! `mem://host`, `mem://host:name`, `mem://host/name`: the host ends at the first `:` or `/`, and
//! the whole is what a dial must match. An address without a host means the transport's own
//! ([`Settings::host`]). The name `:0` stands for a number that nobody has had before. One instance
//! may listen on any number of hosts; conns that it accepts there send from there.
//!
//! # Two modes
//! [`Settings::delivery`] chooses; the option `delivery=datagram` in an address does so for one
//! dial or listen. Streams and datagrams have names of their own, as TCP and UDP have ports.
//!
//! | | stream | datagram |
//! |---|---|---|
//! | a lost message | arrives later | is lost |
//! | order | kept | as they arrive |
//! | dial | takes a round trip; refused if nobody listens | at once, whoever is there |
//! | the listener learns of it | when the dial arrives | with the first message |
//! | a reader that stops | makes the writer wait ([`Settings::window`]) | loses what does not fit |
//! | the end | closed and dropped writers are told apart | none |
//! | [`Target::from`] | refused | a listener's address, which replies come to |
//!
//! Everything that ends a stream crosses the link like a message, behind what is on its way. So a
//! writer whose peer crashed learns nothing of it while the link back lets nothing pass.
//! Acknowledgements are not simulated: a link that lets nothing pass holds up one direction only.
//!
//! Nothing runs in the background: no task is spawned, and whoever receives or accepts waits for
//! the time at which what is in front arrives.
//!
//! ```
//! use std::time::Duration;
//!
//! use rumormill_transport_api::{Batch, Listener, Reader, Target, Transport, Writer};
//! use rumormill_transport_mem::{Link, Mem, Network, Settings};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> rumormill_transport_api::Result<()> {
//! let network = Network::new(7);
//! let on = |host: &str| Mem::new(network.clone(), Settings { host: host.into(), ..Settings::default() });
//! network.set_link("a", "b", Link { latency: Duration::from_millis(30), ..Link::default() });
//!
//! let mut listener = on("b").listen(&"mem://:7".parse()?).await?;
//! let mut dialed = on("a").dial(&Target::new("mem://b:7".parse()?)).await?;
//! let mut accepted = listener.accept().await?;
//!
//! let (sent, mut arrived) = (tokio::time::Instant::now(), Vec::new());
//! dialed.writer.send(&mut Batch::from_iter(["hello"])).await?;
//! accepted.reader.recv(&mut arrived).await?;
//! assert_eq!(arrived, ["hello"]);
//! assert_eq!(sent.elapsed(), Duration::from_millis(30));
//! # Ok(())
//! # }
//! ```

mod link;
mod network;
mod settings;

mod dial;
mod listen;

mod reader;
mod writer;

mod datagram;
mod stream;

mod door;
mod names;
mod place;

mod cable;
mod pipe;
mod wire;

mod dice;
mod event;
mod wait;

pub use event::{Event, EventKind};
pub use link::Link;
pub use listen::MemPort;
pub use network::Network;
pub use reader::MemReader;
pub use settings::Settings;
pub use writer::MemWriter;

use std::sync::Arc;

use place::Place;
use rumormill_transport_api::{
    Addr, AnyTransport, Caps, Conn, Context, Counters, Delivery, Factory, Result, Target,
    Transport, inventory,
};

/// Registers this crate under the scheme `mem`.
///
/// It takes the [`Network`] from [`Context::extensions`], and [`Network::shared`] if there is none.
pub const FACTORY: Factory = Factory {
    scheme: "mem",
    provider: concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION")),
    caps: Settings::CAPS,
    options: Settings::OPTIONS,
    build: |context| Ok(AnyTransport::new(build(context)?)),
};

inventory::submit! { FACTORY }

/// The transport within the process; clones are the same instance.
#[derive(Clone, Debug)]
pub struct Mem {
    network: Network,
    settings: Settings,
    counters: Arc<Counters>,
    instance: u64,
}

impl Mem {
    /// A transport on `network` with these settings, which an address's options override.
    ///
    /// An option cannot exceed what [`caps`](Transport::caps) promises: a longer message than the
    /// settings allow, or a stream where they say datagrams, is an
    /// [`Option`](rumormill_transport_api::Error::Option) error.
    pub fn new(network: Network, settings: Settings) -> Self {
        let instance = network.next_instance();
        Self { network, settings, counters: Arc::default(), instance }
    }

    /// The same, counting what is dropped with `counters`.
    #[must_use]
    pub fn counting(self, counters: Arc<Counters>) -> Self {
        Self { counters, ..self }
    }

    /// What it counts with what is dropped.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// The place under an address that suffices to dial it: a dial to the place alone would use the
    /// transport's own mode.
    fn named(&self, place: Place, delivery: Delivery) -> Result<Place> {
        match delivery == self.settings.delivery {
            true => Ok(place),
            false => place.naming(delivery),
        }
    }
}

impl Default for Mem {
    /// On the network that the whole process shares.
    fn default() -> Self {
        Self::new(Network::shared(), Settings::default())
    }
}

impl Transport for Mem {
    type Reader = MemReader;
    type Writer = MemWriter;
    type Listener = MemPort;

    fn caps(&self) -> Caps {
        self.settings.caps()
    }

    async fn dial(&self, target: &Target) -> Result<MemConn> {
        target.refuse_expectation()?;
        let settings = self.settings.within(target.addr.options())?;
        match settings.delivery {
            Delivery::Datagram => dial::datagram(self, target, &settings),
            Delivery::Stream => dial::stream(self, target, &settings).await,
        }
    }

    async fn listen(&self, addr: &Addr) -> Result<MemPort> {
        listen::bind(self, addr, self.settings.within(addr.options())?)
    }
}

/// One end of a conn of this transport.
type MemConn = Conn<MemReader, MemWriter>;

fn build(context: &Context) -> Result<Mem> {
    let network = context.extensions.get().cloned().unwrap_or_else(Network::shared);
    let settings = Settings::default().with(&context.options)?;
    Ok(Mem::new(network, settings).counting(context.counters.clone()))
}
