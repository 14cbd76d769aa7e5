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
    Tls,
    Unix,
    Udp,
    Quic,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Messages of this many bytes in one direction, as fast as they go.
    Stream(usize),
    /// A message of [`PING`] bytes there and back, one at a time.
    RoundTrip,
    /// A conn for each round trip; where there is a handshake, a full one.
    Connect,
    /// The same, each handshake built on the one before.
    Resume,
    /// The same as [`Connect`](Self::Connect), [`AT_ONCE`] of them at a time.
    Handshakes,
    /// A conn for each round trip, to a peer that there is a conn with already.
    Another,
}

impl Case {
    pub(crate) fn all() -> Vec<Self> {
        let of = |carrier, work: &[Work]| -> Vec<Self> {
            work.iter().map(|&work| Self { carrier, work }).collect()
        };
        let sizes = [Work::Stream(64), Work::Stream(1 << 10), Work::Stream(64 << 10)];
        let waits = [Work::RoundTrip, Work::Connect];
        let streams = [sizes.as_slice(), &waits].concat();
        let shakes = [Work::Resume, Work::Handshakes];
        let secure = [streams.as_slice(), &shakes].concat();
        let shared = [secure.as_slice(), &[Work::Another]].concat();
        let packets = [64, 1 << 10, 1200].map(Work::Stream);
        let packets = [&packets[..], &[Work::RoundTrip]].concat();
        [
            of(Carrier::Tcp, &streams),
            of(Carrier::Tls, &secure),
            of(Carrier::Unix, &streams),
            of(Carrier::Udp, &packets),
            of(Carrier::Quic, &shared),
        ]
        .concat()
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|case| case.to_string() == name)
    }

    /// The bytes of one message.
    pub(crate) fn size(self) -> usize {
        match self.work {
            Work::Stream(size) => size,
            _ => PING,
        }
    }

    /// Who competes: the bare one first, then ours, and what signs last.
    pub(crate) fn rivals(self) -> impl Iterator<Item = Rival> {
        let ours = iter::once(Rival::Bare).chain(self.second()).chain([Rival::Ours]);
        ours.chain(self.signed().iter().copied())
    }

    /// Who signs, or knows without signatures who sends.
    fn signed(self) -> &'static [Rival] {
        match (self.work, self.carrier) {
            (Work::Stream(64 | 1024), Carrier::Udp) => {
                &[Rival::Proof, Rival::Single, Rival::Signed]
            }
            (Work::Stream(64 | 1024), Carrier::Tls | Carrier::Quic) => {
                &[Rival::Single, Rival::Signed, Rival::Trusting]
            }
            (Work::Stream(64 | 1024), _) => &[Rival::Single, Rival::Signed],
            (Work::RoundTrip, _) => &[Rival::Signed],
            (_, _) => &[],
        }
    }

    /// Who competes beside the bare one and ours.
    pub(crate) fn second(self) -> Option<Rival> {
        match (self.work, self.carrier) {
            (Work::Stream(_), Carrier::Udp) => Some(Rival::Offload),
            (Work::Stream(_), _) => Some(Rival::Codec),
            (_, _) => None,
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.carrier.scheme())?;
        match self.work {
            Work::Stream(size) if size.is_multiple_of(1 << 10) => write!(f, "{}KiB", size >> 10),
            Work::Stream(size) => write!(f, "{size}B"),
            Work::RoundTrip => f.write_str("round-trip"),
            Work::Connect => f.write_str("connect"),
            Work::Resume => f.write_str("resume"),
            Work::Handshakes => f.write_str("handshakes"),
            Work::Another => f.write_str("another-conn"),
        }
    }
}

impl Work {
    /// Whether the figure that counts is how long one takes, not how many there are in a second.
    pub(crate) fn is_timed(self) -> bool {
        !matches!(self, Self::Stream(_) | Self::Handshakes)
    }
}

impl Carrier {
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Unix => "unix",
            Self::Udp => "udp",
            Self::Quic => "quic",
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
    /// Datagrams that the system cuts and puts together (GSO and GRO), through quinn-udp.
    Offload,
    /// rumormill, through the erased handles of the registry.
    Ours,
    /// A datagram for each message as with [`Bare`](Self::Bare), signed and verified by hand.
    Proof,
    /// rumormill's endpoint, which signs many messages at a time.
    Signed,
    /// The same, each message with a signature of its own.
    Single,
    /// rumormill's endpoint where the carrier has proven the peer, so that nothing is signed.
    Trusting,
}

impl Rival {
    pub(crate) const ALL: [Self; 8] = [
        Self::Bare,
        Self::Codec,
        Self::Offload,
        Self::Ours,
        Self::Proof,
        Self::Signed,
        Self::Single,
        Self::Trusting,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Codec => "codec",
            Self::Offload => "offload",
            Self::Ours => "ours",
            Self::Proof => "proof",
            Self::Signed => "signed",
            Self::Single => "single",
            Self::Trusting => "trusting",
        }
    }

    /// Whether it is rumormill's endpoint.
    pub(crate) fn is_endpoint(self) -> bool {
        matches!(self, Self::Signed | Self::Single | Self::Trusting)
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rival| rival.name() == name)
    }
}

/// Handshakes that are under way at a time, where they are counted and not timed.
pub(crate) const AT_ONCE: usize = 16;
/// The bytes of a message that is waited for.
pub(crate) const PING: usize = 64;
