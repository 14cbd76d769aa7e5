//! What can be set for a conn within the process.

use std::{num::NonZeroUsize, ops::RangeInclusive};

use rumormill_transport_api::{Caps, Delivery, Error, OptionSpec, Options, Result, excerpt};

use crate::place::check_host;

/// Settings of a [`Mem`](crate::Mem) transport, or of one listener or dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Conns that may wait to be accepted. A dialer beyond it is refused as
    /// [`Busy`](Error::Busy); a datagram that would open one more conn is dropped, and the conn and
    /// the message are counted.
    pub backlog: NonZeroUsize,
    /// What happens to messages on the way: a reliable stream or datagrams.
    pub delivery: Delivery,
    /// The host that dials come from, and that addresses without a host mean: a letter or more, no
    /// `/` and no `:`. Links lie between hosts.
    pub host: String,
    /// The longest message in bytes, both ways; of datagrams at most 65,507. On a stream the lower
    /// value of the two ends holds for both, a longer datagram is dropped where it arrives and
    /// counted as rejected.
    pub max_message: usize,
    /// Bytes that one direction of a conn holds at this end: on their way or not yet read, each
    /// message counted with 64 bytes beyond its length. A single message may be longer. Beyond it
    /// a stream makes its writer wait, and a datagram is dropped and counted as overflowed.
    pub window: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            backlog: const { NonZeroUsize::new(1024).unwrap() },
            delivery: Delivery::Stream,
            host: "local".into(),
            max_message: Caps::MAX_MESSAGE,
            window: 256 << 10,
        }
    }
}

impl Settings {
    pub(crate) const OPTIONS: &[OptionSpec] = &[
        OptionSpec::new("backlog", "1024", "conns that may wait to be accepted, at least 1"),
        OptionSpec::new("delivery", "stream", "stream or datagram"),
        OptionSpec::new("host", "local", "the host that dials come from; links lie between hosts"),
        OptionSpec::new(
            "max_message",
            "10MiB",
            "the longest message, both ways; of datagrams 65507 bytes",
        ),
        OptionSpec::new(
            "window",
            "256KiB",
            "bytes on their way or unread, in one direction of a conn",
        ),
    ];

    pub(crate) const CAPS: Caps = Caps { local_only: true, tells_cuts: true, ..Caps::STREAM };

    /// These settings, overridden by what `options` set.
    ///
    /// # Errors
    /// [`Error::Option`] for an unknown key, or a value that is malformed or out of range.
    pub fn with(self, options: &Options) -> Result<Self> {
        options.check(Self::OPTIONS)?;
        let set = Self {
            backlog: options.number("backlog", BACKLOG)?.unwrap_or(self.backlog),
            delivery: delivery(options)?.unwrap_or(self.delivery),
            host: options.get("host").map_or(self.host, str::to_owned),
            max_message: options.size("max_message", ANY)?.unwrap_or(self.max_message),
            window: options.size("window", ANY)?.unwrap_or(self.window),
        };
        check_host(&set.host)?;
        Ok(set)
    }

    /// The settings of one dial or listen, whose address has these options. They go no further than
    /// [`Transport::caps`](rumormill_transport_api::Transport::caps) promised.
    pub(crate) fn within(&self, options: &Options) -> Result<Self> {
        let set = self.clone().with(options)?;
        if (self.delivery, set.delivery) == (Delivery::Datagram, Delivery::Stream) {
            return Err(Error::option("delivery", "is stream, on a transport built for datagrams"));
        }
        match self.caps().max_message < set.caps().max_message {
            true => Err(self.exceeded(set.max_message)),
            false => Ok(set),
        }
    }

    fn exceeded(&self, by: usize) -> Error {
        let most = self.caps().max_message;
        Error::option("max_message", format!("is {by}, and the transport was built for {most}"))
    }

    pub(crate) fn caps(&self) -> Caps {
        match self.delivery {
            Delivery::Stream => Self::CAPS.with_max_message(self.max_message),
            Delivery::Datagram => Caps { local_only: true, ..Caps::DATAGRAM }
                .with_max_message(self.max_message.min(Caps::DATAGRAM.max_message)),
        }
    }
}

fn delivery(options: &Options) -> Result<Option<Delivery>> {
    match options.get("delivery") {
        None => Ok(None),
        Some("stream") => Ok(Some(Delivery::Stream)),
        Some("datagram") => Ok(Some(Delivery::Datagram)),
        Some(other) => {
            let other = excerpt(other);
            Err(Error::option("delivery", format!("is '{other}', not stream or datagram")))
        }
    }
}

const ANY: RangeInclusive<usize> = 0..=usize::MAX;
const BACKLOG: RangeInclusive<NonZeroUsize> = NonZeroUsize::MIN..=NonZeroUsize::MAX;

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
    fn what_makes_no_sense_is_refused() {
        for (key, value) in [
            ("backlog", "0"),
            ("delivery", "Stream"),
            ("host", ""),
            ("host", "a:1"),
            ("max_message", "many"),
            ("wimdow", "1"),
        ] {
            let refused = Settings::default().with(&options(key, value));
            assert!(matches!(refused, Err(Error::Option { .. })), "{key}={value}");
        }
    }

    #[test]
    fn an_address_stays_within_what_the_transport_promised() {
        let stream = Settings { max_message: 1000, ..Settings::default() };
        let datagram = Settings { delivery: Delivery::Datagram, ..Settings::default() };
        for (settings, key, value, is_fine) in [
            (&stream, "max_message", "1000", true),
            (&stream, "max_message", "1001", false),
            (&stream, "delivery", "datagram", true),
            (&datagram, "delivery", "stream", false),
            (&datagram, "max_message", "1200", true),
        ] {
            assert_eq!(settings.within(&options(key, value)).is_ok(), is_fine, "{key}={value}");
        }
    }
}
