//! What can be set for QUIC connections, and for the conns over them.

use std::{ops::RangeInclusive, time::Duration};

use rumormill_transport_api::{Caps, Error, Framing, OptionSpec, Options, Result};

/// Settings of a [`Quic`](crate::Quic) transport, or of one listener or dial.
///
/// The same names are options, in configuration and in addresses. The address of a dial takes only
/// those that concern one conn, `buffer` and `max_message`, since its connection may have other
/// conns. What is out of range is refused as an option, and as a field counts as the nearest value
/// within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Conns at a listener that wait to be accepted, 1 to 65,536. While there are so many, further
    /// ones wait in their connections.
    pub backlog: usize,
    /// Bytes that a peer may send on one conn ahead of its reader, 16 KiB to 1 GiB. A conn brings at
    /// most this much in each round trip.
    pub conn_window: u32,
    /// Connections that one listener has accepted and that are open, 1 to 1,048,576. One more is
    /// refused.
    pub connections: usize,
    /// Conns that a peer may have open on one connection that it dialled, 1 to 65,536. One more is
    /// [`Busy`](Error::Busy) at the peer. Every accepted connection holds about 40 bytes for each,
    /// open or not.
    pub conns: u32,
    /// The longest message of a conn, and how much is read or gathered at a time.
    pub framing: Framing,
    /// How long a handshake may take, 100 ms to 1 minute: a dial that nobody answers is
    /// [`Unreachable`](Error::Unreachable) after it, and a listener gives up a dialer.
    pub handshake: Duration,
    /// Handshakes that one listener has under way, 2 to 65,536, of which one source may have half.
    /// One more takes the place of one that has had half of its time, or is ignored, and sends
    /// again.
    pub handshakes: usize,
    /// Silence after which a connection is given up, 1 second to 1 hour; the smaller one of both
    /// ends holds. An accepted connection that has no conn for so long is closed, silent or not.
    pub idle: Duration,
    /// Silence after which a sign of life is sent, at least 100 ms; `None`: none is sent, and
    /// connections whose conns are silent for [`idle`](Self::idle) are cut.
    pub keep_alive: Option<Duration>,
    /// The largest UDP payload in bytes that the search for the path's limit tries, 1,200 to 9,000.
    /// At 1,200 there is no search.
    pub mtu: u16,
    /// Bytes that a peer may send on all conns of one connection together ahead of their readers,
    /// 64 KiB to 4 GiB − 1. When conns whose readers have stopped use it up, the others wait.
    pub peer_window: u32,
    /// Bytes that the kernel keeps until a socket is read; `None`: its own default. The kernel
    /// silently takes less where its limit is lower (`net.core.rmem_max` on Linux).
    pub recv_buffer: Option<u32>,
    /// Whether handshakes may build on earlier ones, which saves a signature and its check on each
    /// side. Each then proves what the first one proved.
    pub resumption: bool,
    /// Handshakes under way at a listener beyond which a dialer first has to show that its address
    /// is its own, which takes a round trip; 0: always.
    pub retry: usize,
    /// Bytes that the kernel takes ahead of the network, likewise.
    pub send_buffer: Option<u32>,
    /// Bytes on one connection that were sent and not yet acknowledged, 64 KiB to 1 GiB. Beyond it
    /// writers wait.
    pub send_window: u32,
    /// Connections that one source may have open at one listener, 1 to 1,048,576; one more is
    /// refused. A source is an IPv4 address, or the first 64 bits of one of IPv6.
    pub source_connections: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            backlog: 128,
            conn_window: 1 << 20,
            connections: 4096,
            conns: 1536,
            framing: Framing::default(),
            handshake: Duration::from_secs(5),
            handshakes: 1024,
            idle: Duration::from_secs(30),
            keep_alive: Some(Duration::from_secs(10)),
            mtu: 1452,
            peer_window: 64 << 20,
            recv_buffer: Some(2 << 20),
            resumption: true,
            retry: 64,
            send_buffer: Some(2 << 20),
            send_window: 8 << 20,
            source_connections: 2048,
        }
    }
}

impl Settings {
    pub(crate) const OPTIONS: &[OptionSpec] = &[
        OptionSpec::new("backlog", "128", "conns that may wait to be accepted, 1 to 65536"),
        Framing::BUFFER,
        OptionSpec::new("conn_window", "1MiB", "bytes that a conn brings ahead of its reader"),
        OptionSpec::new(
            "connections",
            "4096",
            "accepted connections, 1 to 1048576; more are refused",
        ),
        OptionSpec::new("conns", "1536", "conns on one accepted connection, 1 to 65536"),
        OptionSpec::new("handshake", "5s", "how long a handshake may take, 100ms to 1m"),
        OptionSpec::new("handshakes", "1024", "handshakes under way at a listener, 2 to 65536"),
        OptionSpec::new("idle", "30s", "silence that ends a connection, 1s to 1h"),
        OptionSpec::new("keep_alive", "10s", "silence before a sign of life; 0s: none is sent"),
        Framing::MAX_MESSAGE,
        OptionSpec::new("mtu", "1452", "the largest UDP payload to try, 1200 to 9000 bytes"),
        OptionSpec::new("peer_window", "64MiB", "bytes that all conns of a connection bring ahead"),
        OptionSpec::new("recv_buffer", "2MiB", "bytes that the kernel keeps; 0: its default"),
        OptionSpec::new("resumption", "true", "whether handshakes may build on earlier ones"),
        OptionSpec::new("retry", "64", "handshakes beyond which addresses have to be proven"),
        OptionSpec::new("send_buffer", "2MiB", "bytes that the kernel takes ahead; 0: its default"),
        OptionSpec::new("send_window", "8MiB", "bytes on a connection that are not acknowledged"),
        OptionSpec::new("source_connections", "2048", "accepted connections of one source address"),
    ];

    /// These settings, overridden by what `options` set.
    ///
    /// # Errors
    /// [`Error::Option`] for an unknown key, or a value that is malformed or out of range.
    pub fn with(self, options: &Options) -> Result<Self> {
        if options.is_empty() {
            return Ok(self);
        }
        options.check(Self::OPTIONS)?;
        Ok(Self {
            backlog: options.number("backlog", COUNT)?.unwrap_or(self.backlog),
            conn_window: window(options, "conn_window", CONN_WINDOW)?.unwrap_or(self.conn_window),
            connections: options.number("connections", MANY)?.unwrap_or(self.connections),
            conns: options.number("conns", CONNS)?.unwrap_or(self.conns),
            framing: self.framing.with(options)?,
            handshake: span(options, "handshake", HANDSHAKE)?.unwrap_or(self.handshake),
            handshakes: options.number("handshakes", HANDSHAKES)?.unwrap_or(self.handshakes),
            idle: span(options, "idle", IDLE)?.unwrap_or(self.idle),
            keep_alive: keep_alive(options)?.unwrap_or(self.keep_alive),
            mtu: options.number("mtu", MTU)?.unwrap_or(self.mtu),
            peer_window: window(options, "peer_window", PEER_WINDOW)?.unwrap_or(self.peer_window),
            recv_buffer: options.kernel_buffer("recv_buffer")?.unwrap_or(self.recv_buffer),
            resumption: options.flag("resumption")?.unwrap_or(self.resumption),
            retry: options.number("retry", 0..=usize::MAX)?.unwrap_or(self.retry),
            send_buffer: options.kernel_buffer("send_buffer")?.unwrap_or(self.send_buffer),
            send_window: window(options, "send_window", SEND_WINDOW)?.unwrap_or(self.send_window),
            source_connections: options
                .number("source_connections", MANY)?
                .unwrap_or(self.source_connections),
        })
    }

    /// These settings, overridden by what the address of a dial sets for its conn.
    ///
    /// # Errors
    /// [`Error::Option`], also for options of the connection: it may have other conns.
    pub(crate) fn with_dialled(self, options: &Options) -> Result<Self> {
        options.check(Self::OPTIONS)?;
        match options.iter().find(|(key, _)| !OF_A_CONN.contains(key)) {
            None => self.with(options),
            Some((key, _)) => Err(Error::option(
                key,
                format!(
                    "concerns a connection, which dials share; a dial takes {}",
                    OF_A_CONN.join(", ")
                ),
            )),
        }
    }

    pub(crate) fn in_range(self) -> Self {
        Self {
            backlog: within(self.backlog, COUNT),
            conn_window: within(self.conn_window, CONN_WINDOW),
            connections: within(self.connections, MANY),
            conns: within(self.conns, CONNS),
            handshake: within(self.handshake, HANDSHAKE),
            handshakes: within(self.handshakes, HANDSHAKES),
            idle: within(self.idle, IDLE),
            keep_alive: self.keep_alive.map(|silence| within(silence, KEEP_ALIVE)),
            mtu: within(self.mtu, MTU),
            peer_window: within(self.peer_window, PEER_WINDOW),
            send_window: within(self.send_window, SEND_WINDOW),
            source_connections: within(self.source_connections, MANY),
            ..self
        }
    }

    pub(crate) fn caps(&self) -> Caps {
        CAPS.with_max_message(self.framing.max_message)
    }
}

/// What a conn can do with the default settings.
pub(crate) const CAPS: Caps = Caps { secure: true, tells_cuts: true, ..Caps::STREAM };

fn within<T: Ord + Copy>(value: T, range: RangeInclusive<T>) -> T {
    value.clamp(*range.start(), *range.end())
}

fn window(options: &Options, key: &str, range: RangeInclusive<u32>) -> Result<Option<u32>> {
    let bytes = options.size(key, *range.start() as usize..=*range.end() as usize)?;
    Ok(bytes.and_then(|bytes| u32::try_from(bytes).ok()))
}

fn span(options: &Options, key: &str, range: RangeInclusive<Duration>) -> Result<Option<Duration>> {
    match options.duration(key)? {
        Some(span) if !range.contains(&span) => Err(Error::option(
            key,
            format!("is out of range; use {:?} to {:?}", range.start(), range.end()),
        )),
        span => Ok(span),
    }
}

fn keep_alive(options: &Options) -> Result<Option<Option<Duration>>> {
    match options.duration("keep_alive")? {
        Some(Duration::ZERO) => Ok(Some(None)),
        _ => Ok(span(options, "keep_alive", KEEP_ALIVE)?.map(Some)),
    }
}

/// What the address of a dial can set.
const OF_A_CONN: &[&str] = &["buffer", "max_message"];

const CONNS: RangeInclusive<u32> = 1..=1 << 16;
const CONN_WINDOW: RangeInclusive<u32> = 16 << 10..=1 << 30;
const COUNT: RangeInclusive<usize> = 1..=1 << 16;
const HANDSHAKE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);
const HANDSHAKES: RangeInclusive<usize> = 2..=1 << 16;
const IDLE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
const KEEP_ALIVE: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
const MANY: RangeInclusive<usize> = 1..=1 << 20;
/// From what every path carries (RFC 9000, section 14) to jumbo frames.
const MTU: RangeInclusive<u16> = 1200..=9000;
const PEER_WINDOW: RangeInclusive<u32> = 64 << 10..=u32::MAX;
const SEND_WINDOW: RangeInclusive<u32> = 64 << 10..=1 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn options(key: &str, value: &str) -> Options {
        [(key, value)].into_iter().collect()
    }

    #[test]
    fn documented_defaults_are_the_defaults() {
        let documented: Options =
            Settings::OPTIONS.iter().map(|option| (option.name, option.default)).collect();
        assert_eq!(Settings::default().with(&documented).unwrap(), Settings::default());
        assert_eq!(Settings::default().in_range(), Settings::default());
    }

    #[test]
    fn options_override_settings() {
        let set = |key, value| Settings::default().with(&options(key, value)).unwrap();
        let default = Settings::default;
        assert_eq!(set("conns", "7"), Settings { conns: 7, ..default() });
        assert_eq!(set("keep_alive", "0s"), Settings { keep_alive: None, ..default() });
        assert_eq!(set("recv_buffer", "0"), Settings { recv_buffer: None, ..default() });
        assert_eq!(set("peer_window", "1GiB"), Settings { peer_window: 1 << 30, ..default() });
        assert_eq!(set("retry", "0"), Settings { retry: 0, ..default() });
        let short = Duration::from_millis(250);
        assert_eq!(set("handshake", "250ms"), Settings { handshake: short, ..default() });
        assert_eq!(set("max_message", "9").caps().max_message, 9);
    }

    #[test]
    fn what_is_out_of_range_is_refused_as_an_option_and_moved_in_as_a_field() {
        for (key, value) in [
            ("backlog", "0"),
            ("conn_window", "1KiB"),
            ("connections", "0"),
            ("conns", "0"),
            ("conns", "70000"),
            ("handshake", "2m"),
            ("handshakes", "1"),
            ("idle", "0s"),
            ("keep_alive", "1ms"),
            ("max_message", "5GiB"),
            ("mtu", "1100"),
            ("mtu", "65535"),
            ("peer_window", "4GiB"),
            ("send_window", "1"),
            ("source_connections", "-1"),
        ] {
            let refused = Settings::default().with(&options(key, value));
            assert!(matches!(refused, Err(Error::Option { .. })), "{key}={value}");
        }
        let odd = Settings { conns: 0, mtu: 0, idle: Duration::ZERO, ..Settings::default() };
        let moved = Settings { conns: 1, mtu: 1200, idle: *IDLE.start(), ..Settings::default() };
        assert_eq!(odd.in_range(), moved);
    }

    #[test]
    fn a_dial_takes_options_of_conns_only() {
        let dialled = |key, value| Settings::default().with_dialled(&options(key, value));
        assert_eq!(dialled("max_message", "1200").unwrap().framing.max_message, 1200);
        for key in ["conns", "colour"] {
            let error = dialled(key, "1").unwrap_err();
            assert!(matches!(error, Error::Option { .. }), "{error}");
        }
    }
}
