//! What can be set for UDP sockets and conns.

use std::ops::RangeInclusive;

use rumormill_transport_api::{Caps, Error, OptionSpec, Options, Result};

/// Settings of a [`Udp`](crate::Udp) transport, or of one listener or dial.
///
/// The same names are options, in configuration and in addresses. The address of a dial takes only
/// those that concern one conn: [`max_message`](Self::max_message),
/// [`conn_messages`](Self::conn_messages) and [`conn_bytes`](Self::conn_bytes). A number out of
/// range is refused as an option, and as a field counts as the nearest one within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Newcomers at a listener that wait to be accepted, 1 to 65,536. One more takes the place of
    /// the one that has waited longest.
    pub backlog: usize,
    /// Bytes that wait for the reader of one conn, 128 KiB to 1 GiB, each message counted with 64
    /// bytes beyond its length. A message that does not fit is dropped.
    pub conn_bytes: usize,
    /// Messages that wait for the reader of one conn, 1 to 1,048,576. One more is dropped.
    pub conn_messages: usize,
    /// The longest message in bytes, both ways, 1 to 65,507. A longer one that arrives is dropped
    /// and counted as rejected.
    pub max_message: usize,
    /// Whether the system is given, and gives, many datagrams in one piece where it can (GSO and GRO
    /// on Linux), which is many times as fast. The same messages go and arrive without.
    pub offload: bool,
    /// Conns of one socket, dialled and accepted, 1 to 1,048,576. One more takes the place of the
    /// accepted one that was heard from least recently. An idle conn takes about two kilobytes.
    pub peers: usize,
    /// Bytes that the kernel keeps until a socket is read; `None`: its own default. The kernel
    /// silently takes less where its limit is lower (`net.core.rmem_max` on Linux).
    pub recv_buffer: Option<u32>,
    /// Bytes that the kernel takes from writers ahead of the network, likewise.
    pub send_buffer: Option<u32>,
    /// Bytes that wait for the readers of all conns of one socket together, 128 KiB to 1 GiB,
    /// counted like [`conn_bytes`](Self::conn_bytes). When they are used up, a message is dropped
    /// unless it is among the first 4 KiB of its own conn, which every conn has beyond this.
    pub socket_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            backlog: 128,
            conn_bytes: 1 << 20,
            conn_messages: 1024,
            max_message: LONGEST,
            offload: true,
            peers: 4096,
            recv_buffer: Some(1 << 20),
            send_buffer: None,
            socket_bytes: 32 << 20,
        }
    }
}

impl Settings {
    pub(crate) const OPTIONS: &[OptionSpec] = &[
        OptionSpec::new("backlog", "128", "newcomers that may wait to be accepted, 1 to 65536"),
        OptionSpec::new("conn_bytes", "1MiB", "bytes that may wait for one reader, 128KiB to 1GiB"),
        OptionSpec::new(
            "conn_messages",
            "1024",
            "messages that may wait for one reader, 1 to 1048576",
        ),
        OptionSpec::new("max_message", "65507", "the longest message, both ways, 1 to 65507 bytes"),
        OptionSpec::new("offload", "true", "give the system many datagrams in one piece"),
        OptionSpec::new(
            "peers",
            "4096",
            "conns of one socket, 1 to 1048576; one more evicts another",
        ),
        OptionSpec::new(
            "recv_buffer",
            "1MiB",
            "bytes that the kernel keeps for a socket; 0: its default",
        ),
        OptionSpec::new(
            "send_buffer",
            "0",
            "bytes that the kernel takes ahead of the network, likewise",
        ),
        OptionSpec::new(
            "socket_bytes",
            "32MiB",
            "bytes that may wait for all readers, 128KiB to 1GiB",
        ),
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
            backlog: options.number("backlog", BACKLOG)?.unwrap_or(self.backlog),
            conn_bytes: options.size("conn_bytes", BYTES)?.unwrap_or(self.conn_bytes),
            conn_messages: options.number("conn_messages", COUNT)?.unwrap_or(self.conn_messages),
            max_message: options.size("max_message", MESSAGE)?.unwrap_or(self.max_message),
            offload: options.flag("offload")?.unwrap_or(self.offload),
            peers: options.number("peers", COUNT)?.unwrap_or(self.peers),
            recv_buffer: options.kernel_buffer("recv_buffer")?.unwrap_or(self.recv_buffer),
            send_buffer: options.kernel_buffer("send_buffer")?.unwrap_or(self.send_buffer),
            socket_bytes: options.size("socket_bytes", BYTES)?.unwrap_or(self.socket_bytes),
        })
    }

    pub(crate) fn in_range(self) -> Self {
        let within =
            |value: usize, range: RangeInclusive<usize>| value.clamp(*range.start(), *range.end());
        Self {
            backlog: within(self.backlog, BACKLOG),
            conn_bytes: within(self.conn_bytes, BYTES),
            conn_messages: within(self.conn_messages, COUNT),
            max_message: within(self.max_message, MESSAGE),
            peers: within(self.peers, COUNT),
            socket_bytes: within(self.socket_bytes, BYTES),
            ..self
        }
    }

    /// What the best of conns can do: on a way within this machine even the longest message is one
    /// packet.
    pub(crate) fn caps(&self) -> Caps {
        self.caps_of(LONGEST)
    }

    /// What a conn can do whose way carries `packet` bytes as one packet.
    pub(crate) fn caps_of(&self, packet: usize) -> Caps {
        Caps { packet, ..Caps::DATAGRAM }.with_max_message(self.max_message)
    }
}

/// Refuses, for the address of a dial, options of the socket: it may have other conns.
///
/// # Errors
/// [`Error::Option`], also for unknown keys.
pub(crate) fn check_dialled(options: &Options) -> Result<()> {
    options.check(Settings::OPTIONS)?;
    match options.iter().find(|(key, _)| !OF_A_CONN.contains(key)) {
        Some((key, _)) => Err(Error::option(
            key,
            format!("concerns a socket, which dials share; a dial takes {}", OF_A_CONN.join(", ")),
        )),
        None => Ok(()),
    }
}

/// What the address of a dial can set.
const OF_A_CONN: &[&str] = &["conn_bytes", "conn_messages", "max_message"];

/// The longest message: what fits into a packet of IPv4 beside the smallest headers (65,535 − 20
/// − 8), and into one of IPv6 too.
pub(crate) const LONGEST: usize = Caps::DATAGRAM.max_message;

const BACKLOG: RangeInclusive<usize> = 1..=1 << 16;
/// The longest message fits where nothing else waits.
const BYTES: RangeInclusive<usize> = 128 << 10..=1 << 30;
const COUNT: RangeInclusive<usize> = 1..=1 << 20;
const MESSAGE: RangeInclusive<usize> = 1..=LONGEST;

#[cfg(test)]
mod tests {
    use super::*;

    fn options(key: &str, value: &str) -> Options {
        [(key, value)].into_iter().collect()
    }

    #[test]
    fn the_defaults_shown_are_the_defaults() {
        let shown = Settings::OPTIONS.iter().map(|spec| (spec.name, spec.default));
        let shown: Options = shown.collect();
        assert_eq!(Settings::default().with(&shown).unwrap(), Settings::default());
    }

    #[test]
    fn an_option_overrides_one_field() {
        let set = Settings::default().with(&options("peers", "7")).unwrap();
        assert_eq!(set, Settings { peers: 7, ..Settings::default() });
        let unset = Settings::default().with(&options("recv_buffer", "0")).unwrap();
        assert_eq!(unset.recv_buffer, None);
    }

    #[test]
    fn what_is_out_of_range_is_refused_as_an_option_and_moved_in_as_a_field() {
        for (key, value) in [
            ("backlog", "0"),
            ("conn_bytes", "1KiB"),
            ("conn_messages", "0"),
            ("max_message", "65508"),
            ("max_message", "0"),
            ("peers", "0"),
            ("peers", "2000000"),
            ("recv_buffer", "4GiB"),
            ("socket_bytes", "64KiB"),
        ] {
            let refused = Settings::default().with(&options(key, value));
            assert!(matches!(refused, Err(Error::Option { .. })), "{key}={value}");
        }
        let odd = Settings { max_message: 1 << 20, peers: 0, ..Settings::default() };
        let moved = Settings { max_message: LONGEST, peers: 1, ..Settings::default() };
        assert_eq!(odd.in_range(), moved);
    }

    #[test]
    fn a_dial_takes_options_of_conns_only() {
        assert!(check_dialled(&options("max_message", "1200")).is_ok());
        for key in ["peers", "per"] {
            let error = check_dialled(&options(key, "1")).unwrap_err();
            assert!(matches!(error, Error::Option { .. }), "{error}");
        }
    }
}
