//! What can be set for a TLS conn.

use std::{num::NonZeroUsize, time::Duration};

use rumormill_transport_api::{Caps, Error, OptionSpec, Options, Result};

use super::FACTORY;

/// Settings of a [`Tls`](super::Tls) transport, or of one listener or dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a dialer may take for its handshake with a listener, 1 ms to 1 h; then it is cut
    /// off. A dial has the deadline of its caller.
    pub handshake: Duration,
    /// Handshakes that may be pending at one listener, up to 65,535. When there are so many, a
    /// newcomer takes the place of another one: see
    /// [`Handshakes`](rumormill_transport_api::Handshakes).
    pub handshakes: NonZeroUsize,
    /// Whether sessions are kept, in memory, and resumed: a peer that was met before is proven by
    /// what it proved then, with one signature less at either side.
    pub resumption: bool,
    /// Those of the TCP conn beneath, and of the messages inside.
    pub tcp: crate::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            handshakes: const { NonZeroUsize::new(1024).unwrap() },
            resumption: true,
            tcp: crate::Settings::default(),
        }
    }
}

impl Settings {
    pub(crate) const OPTIONS: &[OptionSpec] = &{
        const TCP: &[OptionSpec] = crate::Settings::OPTIONS;
        const OWN: &[OptionSpec] = &[
            OptionSpec::new("handshake", "5s", "how long a dialer's handshake may take, 1ms to 1h"),
            OptionSpec::new("handshakes", "1024", "handshakes that may be pending, 1 to 65535"),
            OptionSpec::new("resumption", "true", "whether sessions are kept and resumed"),
        ];
        let mut all = [OWN[0]; TCP.len() + OWN.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = if at < TCP.len() { TCP[at] } else { OWN[at - TCP.len()] };
            at += 1;
        }
        all
    };

    /// These settings, overridden by what `options` set.
    ///
    /// # Errors
    /// [`Error::Option`] for an unknown key, or a value that is malformed or out of range.
    pub fn with(self, options: &Options) -> Result<Self> {
        if options.is_empty() {
            return Ok(self);
        }
        options.check(Self::OPTIONS)?;
        let handshakes = options.number("handshakes", 1..=65_535)?.and_then(NonZeroUsize::new);
        Ok(Self {
            handshake: handshake(options)?.unwrap_or(self.handshake),
            handshakes: handshakes.unwrap_or(self.handshakes),
            resumption: options.flag("resumption")?.unwrap_or(self.resumption),
            tcp: self.tcp.overridden(options)?,
        })
    }

    pub(super) fn caps(&self) -> Caps {
        FACTORY.caps.with_max_message(self.tcp.framing.max_message)
    }
}

fn handshake(options: &Options) -> Result<Option<Duration>> {
    let range = Duration::from_millis(1)..=Duration::from_secs(3600);
    match options.duration("handshake")? {
        Some(deadline) if !range.contains(&deadline) => {
            Err(Error::option("handshake", "is out of range; use 1ms to 1h"))
        }
        deadline => Ok(deadline),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(options: &[(&str, &str)]) -> Result<Settings> {
        Settings::default().with(&options.iter().copied().collect())
    }

    #[test]
    fn options_override_settings() {
        let all = with(&[
            ("handshake", "250ms"),
            ("handshakes", "7"),
            ("max_message", "1KiB"),
            ("nodelay", "false"),
            ("resumption", "false"),
        ]);
        let mut tcp = crate::Settings { nodelay: false, ..Default::default() };
        tcp.framing.max_message = 1024;
        let wanted = Settings {
            handshake: Duration::from_millis(250),
            handshakes: NonZeroUsize::new(7).unwrap(),
            resumption: false,
            tcp,
        };
        assert_eq!(all.unwrap(), wanted);
        assert_eq!(with(&[]).unwrap(), Settings::default());
    }

    #[test]
    fn documented_defaults_are_the_defaults() {
        let documented: Options =
            Settings::OPTIONS.iter().map(|option| (option.name, option.default)).collect();
        assert_eq!(documented.iter().count(), Settings::OPTIONS.len());
        assert_eq!(Settings::default().with(&documented).unwrap(), Settings::default());
    }

    #[test]
    fn bad_options_are_refused_with_what_would_be_right() {
        for (key, value, way_out) in [
            ("handshakes", "0", "not within 1 and 65535"),
            ("handshake", "0s", "use 1ms to 1h"),
            ("handshake", "2h", "use 1ms to 1h"),
            ("resumtion", "true", "did you mean 'resumption'?"),
            ("keepalive", "10ms", "use 0s, or 1s to 32767s"),
        ] {
            let message = with(&[(key, value)]).unwrap_err().to_string();
            assert!(message.contains(key) && message.contains(way_out), "{message}");
        }
    }
}
