//! What is measured: a carrier, and the work that it is given.

use std::{fmt, iter};

/// One row of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) carrier: Carrier,
    pub(crate) work: Work,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    Tcp,
    Unix,
    Udp,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Messages of this many bytes in one direction, as fast as they go.
    Stream(usize),
    /// A message of [`PING`] bytes there and back, one at a time.
    RoundTrip,
    /// A conn for each round trip.
    Connect,
}

impl Case {
    pub(crate) fn all() -> Vec<Self> {
        let of = |carrier, work: &[Work]| -> Vec<Self> {
            work.iter().map(|&work| Self { carrier, work }).collect()
        };
        let sizes = [Work::Stream(64), Work::Stream(1 << 10), Work::Stream(64 << 10)];
        let waits = [Work::RoundTrip, Work::Connect];
        let streams = [sizes.as_slice(), &waits].concat();
        let packets = [Work::Stream(64), Work::Stream(1 << 10), Work::RoundTrip];
        [of(Carrier::Tcp, &streams), of(Carrier::Unix, &streams), of(Carrier::Udp, &packets)]
            .concat()
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|case| case.to_string() == name)
    }

    /// The bytes of one message.
    pub(crate) fn size(self) -> usize {
        match self.work {
            Work::Stream(size) => size,
            Work::RoundTrip | Work::Connect => PING,
        }
    }

    /// Who competes: the bare one first, ours last.
    pub(crate) fn rivals(self) -> impl Iterator<Item = Rival> {
        let has_codec = self.carrier != Carrier::Udp && matches!(self.work, Work::Stream(_));
        let codec = has_codec.then_some(Rival::Codec);
        iter::once(Rival::Bare).chain(codec).chain([Rival::Ours])
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.carrier.scheme())?;
        match self.work {
            Work::Stream(size) if size < 1 << 10 => write!(f, "{size}B"),
            Work::Stream(size) => write!(f, "{}KiB", size >> 10),
            Work::RoundTrip => f.write_str("round-trip"),
            Work::Connect => f.write_str("connect"),
        }
    }
}

impl Carrier {
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Unix => "unix",
            Self::Udp => "udp",
        }
    }
}

/// A way to do the work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rival {
    /// The sockets with nothing above them.
    Bare,
    /// tokio and tokio-util's `LengthDelimitedCodec`.
    Codec,
    /// rumormill, through the erased handles of the registry.
    Ours,
}

impl Rival {
    pub(crate) const ALL: [Self; 3] = [Self::Bare, Self::Codec, Self::Ours];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Codec => "codec",
            Self::Ours => "ours",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rival| rival.name() == name)
    }
}

/// The bytes of a message that is waited for.
pub(crate) const PING: usize = 64;
