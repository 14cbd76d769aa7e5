//! What can be set for a TCP conn.

use std::{io, net::SocketAddr, time::Duration};

use rumormill_transport_api::{Caps, Error, Framing, OptionSpec, Options, Result};
use socket2::SockRef;
use tokio::net::TcpSocket;

/// Settings of a [`Tcp`](crate::Tcp) transport, or of one listener or dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Conns that may wait to be accepted, 1 to 65,535; dialers beyond it are slowed down or
    /// refused by the kernel, which also has a limit of its own.
    pub backlog: u32,
    /// The longest message, and how much is read or gathered at a time.
    pub framing: Framing,
    /// Silence after which the kernel asks whether the peer is still there, and the interval of its
    /// further questions, in whole seconds, at least one; `None`: it never asks. A peer that does
    /// not answer several in a row is cut off.
    pub keepalive: Option<Duration>,
    /// Whether small writes go out at once instead of waiting for the answer to earlier ones.
    pub nodelay: bool,
    /// Bytes that the kernel keeps for the reader; `None`: it adapts by itself, which is usually
    /// faster.
    pub recv_buffer: Option<u32>,
    /// Bytes that the kernel takes from the writer ahead of the peer; `None`: it adapts.
    pub send_buffer: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            backlog: 1024,
            framing: Framing::default(),
            keepalive: Some(Duration::from_secs(30)),
            nodelay: true,
            recv_buffer: None,
            send_buffer: None,
        }
    }
}

impl Settings {
    pub(crate) const OPTIONS: &[OptionSpec] = &[
        OptionSpec::new("backlog", "1024", "conns that may wait to be accepted, 1 to 65535"),
        Framing::BUFFER,
        OptionSpec::new(
            "keepalive",
            "30s",
            "silence after which the kernel probes the peer; 0s: never",
        ),
        Framing::MAX_MESSAGE,
        OptionSpec::new("nodelay", "true", "whether small writes go out at once"),
        OptionSpec::new(
            "recv_buffer",
            "0",
            "bytes that the kernel keeps for the reader; 0: it adapts",
        ),
        OptionSpec::new(
            "send_buffer",
            "0",
            "bytes that the kernel takes ahead of the peer; 0: it adapts",
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
        self.overridden(options)
    }

    /// As [`with`](Self::with), among options that others understand.
    pub(crate) fn overridden(self, options: &Options) -> Result<Self> {
        Ok(Self {
            backlog: options.number("backlog", 1..=65_535)?.unwrap_or(self.backlog),
            framing: self.framing.with(options)?,
            keepalive: keepalive(options)?.unwrap_or(self.keepalive),
            nodelay: options.flag("nodelay")?.unwrap_or(self.nodelay),
            recv_buffer: options.kernel_buffer("recv_buffer")?.unwrap_or(self.recv_buffer),
            send_buffer: options.kernel_buffer("send_buffer")?.unwrap_or(self.send_buffer),
        })
    }

    pub(crate) fn caps(&self) -> Caps {
        Caps::STREAM.with_max_message(self.framing.max_message)
    }

    /// A socket for an address of the family of `addr`, set up as far as that can be before it
    /// is bound or connected.
    pub(crate) fn socket(&self, addr: SocketAddr) -> io::Result<TcpSocket> {
        let socket = match addr {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if addr.is_ipv6() {
            SockRef::from(&socket).set_only_v6(true)?;
        }
        if let Some(bytes) = self.recv_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        if let Some(bytes) = self.send_buffer {
            socket.set_send_buffer_size(bytes)?;
        }
        Ok(socket)
    }
}

fn keepalive(options: &Options) -> Result<Option<Option<Duration>>> {
    let longest = Duration::from_secs(32_767);
    match options.duration("keepalive")? {
        Some(Duration::ZERO) => Ok(Some(None)),
        Some(silence) if silence < Duration::from_secs(1) || longest < silence => {
            Err(Error::option("keepalive", "is out of range; use 0s, or 1s to 32767s"))
        }
        silence => Ok(silence.map(Some)),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;

    fn with(options: &[(&str, &str)]) -> Result<Settings> {
        Settings::default().with(&options.iter().copied().collect())
    }

    #[test]
    fn options_override_settings() {
        let all = with(&[
            ("backlog", "7"),
            ("buffer", "32KiB"),
            ("keepalive", "10s"),
            ("max_message", "1MiB"),
            ("nodelay", "false"),
            ("recv_buffer", "128KiB"),
            ("send_buffer", "64KiB"),
        ]);
        let wanted = Settings {
            backlog: 7,
            framing: Framing { max_message: 1 << 20, buffer: NonZeroUsize::new(32 << 10).unwrap() },
            keepalive: Some(Duration::from_secs(10)),
            nodelay: false,
            recv_buffer: Some(128 << 10),
            send_buffer: Some(64 << 10),
        };
        assert_eq!(all.unwrap(), wanted);
        assert_eq!(with(&[]).unwrap(), Settings::default());
        assert_eq!(with(&[("keepalive", "0s")]).unwrap().keepalive, None);
    }

    #[test]
    fn documented_defaults_are_the_defaults() {
        let documented: Options =
            Settings::OPTIONS.iter().map(|option| (option.name, option.default)).collect();
        assert_eq!(Settings::default().with(&documented).unwrap(), Settings::default());
    }

    #[test]
    fn bad_options_are_refused_with_what_would_be_right() {
        for (key, value, way_out) in [
            ("no_delay", "true", "did you mean 'nodelay'?"),
            ("nodelay", "yes", "true or false"),
            ("keepalive", "30", "a duration such as 250ms, 5s or 2m"),
            ("keepalive", "10ms", "use 0s, or 1s to 32767s"),
            ("keepalive", "100h", "use 0s, or 1s to 32767s"),
            ("backlog", "0", "not within 1 and 65535"),
            ("backlog", "-1", "a whole number"),
            ("buffer", "1B", "not within 1024 and"),
            ("max_message", "5GiB", "not within 1 and 4294967295"),
            ("recv_buffer", "3GiB", "not within 0 and 2147483647"),
        ] {
            let message = with(&[(key, value)]).unwrap_err().to_string();
            assert!(message.contains(key) && message.contains(way_out), "{message}");
        }
    }
}
