//! What a carrier can do: callers branch on this, never on a scheme.

/// What a transport can do at most, or what one conn can do.
///
/// Start from one of the constants, so that a field added later has a sensible value:
/// `Caps { secure: true, ..Caps::STREAM }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// What happens to messages on the way.
    pub delivery: Delivery,
    /// The longest message in bytes; longer ones are [`Error::TooLarge`](crate::Error::TooLarge).
    pub max_message: usize,
    /// The longest message in bytes that travels as one packet of the network, if that is known.
    /// Longer ones are split on the way, and one lost piece loses the message. It is a conn's that
    /// counts: of a transport whose conns go different ways this is the most that one of them can
    /// have. Streams cut as they please and repair what is lost: theirs equals `max_message`.
    pub packet: usize,
    /// What the carrier tells about the end of a conn.
    pub end: End,
    /// Whether the carrier encrypts, and proves at least one side to the other.
    pub secure: bool,
    /// Whether messages can not leave this machine.
    pub local_only: bool,
    /// Whether a peer that vanishes, or drops its writer, is read as
    /// [`Cut`](crate::Error::Cut). On plain TCP and pipes both look like a clean end: it is false,
    /// unless messages of the carrier's own mark the end. Where it is not, [`Closed`](crate::Error::Closed) may mean that
    /// too, and what must be complete needs an end of its own.
    pub tells_cuts: bool,
}

impl Caps {
    /// The longest message of a stream transport unless it is told otherwise: 10 MiB.
    pub const MAX_MESSAGE: usize = 10 << 20;

    /// A reliable byte stream over the network, in the clear: messages of at most
    /// [`MAX_MESSAGE`](Self::MAX_MESSAGE), each direction ending by itself, cuts not told.
    pub const STREAM: Self = Self {
        delivery: Delivery::Stream,
        max_message: Self::MAX_MESSAGE,
        packet: Self::MAX_MESSAGE,
        end: End::Half,
        secure: false,
        local_only: false,
        tells_cuts: false,
    };

    /// Packets over the network, in the clear, without an end. 65,507 bytes is what a UDP datagram over IPv4 can
    /// hold (RFC 768 and 791); 1,200 bytes pass every path of the Internet today (RFC 9000,
    /// section 14).
    pub const DATAGRAM: Self = Self {
        delivery: Delivery::Datagram,
        max_message: 65_507,
        packet: 1200,
        end: End::None,
        secure: false,
        local_only: false,
        tells_cuts: false,
    };

    /// The same, with messages of at most `max` bytes.
    #[must_use]
    pub const fn with_max_message(mut self, max: usize) -> Self {
        self.max_message = max;
        if matches!(self.delivery, Delivery::Stream) || max < self.packet {
            self.packet = max;
        }
        self
    }
}

/// What happens to messages between `send` and `recv`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// Each message arrives whole and unaltered, or not at all; perhaps twice, perhaps late.
    /// `send` never waits for the peer.
    Datagram,
    /// Every message arrives whole, once and in order, up to the point where the conn ends. A peer
    /// that does not read makes `send` wait.
    Stream,
}

/// What a carrier tells the reader about the end of a conn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Nothing: a peer that is gone is a peer that is silent, unless the network says that it is gone,
    /// which is read as [`Cut`](crate::Error::Cut).
    None,
    /// Both directions end at once: `close` ends the peer's writer too.
    Whole,
    /// Each direction ends by itself: after `close` the reader goes on.
    Half,
}
