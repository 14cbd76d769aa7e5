//! Reasons, as numbers on the wire and as words.

use super::Malformed;

/// Makes an enum of reasons: each has a number on the wire, and words for people.
macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident, $what:literal, $($(#[$each:meta])* $reason:ident = $code:literal, $words:literal;)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
        pub enum $name {
            $($(#[$each])* #[error($words)] $reason = $code,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$reason),*];

            /// Its number on the wire.
            pub fn code(self) -> u8 {
                self as u8
            }

            /// The reason with this number.
            ///
            /// # Errors
            /// [`Malformed::Value`] if there is none.
            pub fn of(code: u8) -> Result<Self, Malformed> {
                let known = Self::ALL.iter().find(|reason| reason.code() == code);
                known.copied().ok_or(Malformed::Value { what: $what, value: code })
            }
        }
    };
}

reasons! {
    /// Why a broker did not do what a client asked.
    RefusedWhy, "the reason of a refusal",
    /// The conn has a subscription to the topic already.
    AlreadySubscribed = 1, "there is a subscription to this topic on this conn already";
    /// The queue is full, and refuses what is new.
    Full = 2, "the topic is full";
    /// The frame is none of this protocol; the conn is closed.
    Malformed = 3, "the frame is malformed";
    /// The broker holds as many bytes of messages as it may.
    Memory = 4, "the broker's memory for messages is full";
    /// The topic does not admit whoever asks.
    NotAllowed = 5, "not allowed for whoever this conn has proven to be";
    /// There is no subscription of this conn to the topic.
    NotSubscribed = 6, "there is no subscription to this topic on this conn";
    /// More was published than was granted.
    Overrun = 7, "more was published than the broker had granted";
    /// The broker stops, or the topic is being removed.
    Stopping = 8, "the broker stops";
    /// A message is longer than the topic takes.
    TooLarge = 9, "a message is longer than the topic takes";
    /// The conn has as many subscriptions as it may have.
    TooManySubscriptions = 10, "the conn has too many subscriptions";
    /// There is no topic of this name.
    UnknownTopic = 11, "there is no such topic";
    /// The signature is not that of the node that the Hello named; the conn is closed.
    Unproven = 12, "the signature does not prove the node that the Hello named";
    /// The frame comes at the wrong moment: before Hello, say; the conn is closed.
    Unexpected = 13, "the frame comes at the wrong moment";
    /// There are as many conns as there may be; the conn is closed.
    TooManyConns = 14, "the broker has too many conns";
    /// The text is no name of a topic.
    BadName = 15, "this is no name of a topic";
}

reasons! {
    /// Why a subscriber did not get messages.
    GapReason, "the reason of a gap",
    /// There was no room, and the topic's policy dropped them.
    Dropped = 1, "they were dropped, since the subscriber lags";
    /// They were published while the subscriber was away.
    Away = 2, "they were published while the subscriber was away";
    /// The topic began anew, and what was published between is not known.
    Restarted = 3, "the topic began anew";
}

reasons! {
    /// Why a subscription ended.
    EndReason, "the reason of an end",
    /// The subscriber asked for it.
    Unsubscribed = 1, "unsubscribed";
    /// The topic was removed from the configuration.
    Removed = 2, "the topic was removed";
    /// The subscriber lagged, and the topic's policy is to disconnect.
    Lagging = 3, "the subscriber lagged";
    /// The subscriber held up a topic that blocks.
    Blocking = 4, "the subscriber held up publishers for too long";
    /// The broker stops.
    Stopping = 5, "the broker stops";
    /// A reload took the permission away.
    NotAllowed = 6, "not allowed any more";
}
