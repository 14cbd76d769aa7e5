//! What the reading side of a conn remembers of what it heard, and how much nonsense it bears.

use std::time::Duration;

use bytes::Bytes;
use rumormill_transport_api::{Delivery, Info};
use tokio::time::Instant;

use crate::{
    crowd::Patience,
    frame::{Frame, Payload},
    hello::Nonce,
    ledger::Rejected,
    seal::{Opener, Refused, Require},
};

/// What the reading side of a conn remembers.
///
/// A stream on which too much is wrong ends: nobody but the peer can have sent it. Over datagrams
/// anybody can, in the peer's name. They do not end, but forged frames use up what may be verified.
pub(crate) struct Ear {
    is_lossy: bool,
    patience: Patience,
    /// When a frame was opened last, over datagrams.
    opened: Option<Instant>,
    late: Option<Late>,
}

/// What of a greeting may come once more over datagrams, when it is long over.
pub(crate) struct Late {
    /// The nonce of the Hello that was answered.
    pub(crate) hello: Nonce,
    /// The frame by which the dialer has proven itself,
    pub(crate) confirm: Bytes,
    /// and what was said to that: if it comes again, this got lost.
    pub(crate) shown: Bytes,
}

impl Ear {
    pub(crate) fn new(info: &Info, late: Option<Late>) -> Self {
        let (is_lossy, now) = (info.caps.delivery == Delivery::Datagram, Instant::now());
        let patience = match is_lossy {
            true => Patience::new(FORGED, FORGED, now),
            false => Patience::new(FAULTS, 1, now),
        };
        Self { is_lossy, patience, opened: is_lossy.then_some(now), late }
    }

    /// What to say again, if `whole` is the end of the greeting once more.
    pub(crate) fn said_before(&self, whole: &Bytes) -> Option<Bytes> {
        self.late.as_ref().filter(|late| late.confirm == *whole).map(|late| late.shown.clone())
    }

    /// Whether a Hello is a late double or a replay. The peer is here, or was just now: if it has
    /// begun again, it will repeat itself.
    pub(crate) fn is_replay(&self, hello: &Nonce) -> bool {
        let is_double = self.late.as_ref().is_some_and(|late| late.hello == *hello);
        is_double || self.opened.is_some_and(|opened| opened.elapsed() < QUIET)
    }

    pub(crate) fn open(
        &mut self,
        opener: &Opener,
        frame: &Frame,
        require: Require,
    ) -> Result<Vec<Payload>, Rejected> {
        if !self.is_lossy {
            return Ok(opener.open(frame, require)?);
        }
        opener.glance(frame, require)?;
        let now = Instant::now();
        if self.patience.is_over(now) {
            return Err(Rejected::Crowded);
        }
        let opened = opener.open(frame, require);
        match opened {
            Ok(_) => self.opened = Some(now),
            Err(Refused::Forged) => self.patience.fault(now),
            Err(_) => (),
        }
        Ok(opened?)
    }

    /// Notes that something was refused; tells whether the conn may go on.
    pub(crate) fn bears(&mut self, why: Rejected) -> bool {
        let now = Instant::now();
        // What another conn has left behind may come once more, and has done no harm.
        let is_fault = !matches!(why, Rejected::Replayed | Rejected::Old);
        if !self.is_lossy && is_fault {
            self.patience.fault(now);
        }
        self.is_lossy || !self.patience.is_over(now)
    }
}

/// Faults of a stream that are borne at once; and one a second.
const FAULTS: u32 = 16;
/// Forged frames of a conn of datagrams that are verified at once, and in each second: about 3 ms
/// of work.
const FORGED: u32 = 64;
/// How long a conn of datagrams has to be silent until its peer is believed to have begun again.
const QUIET: Duration = Duration::from_millis(100);
