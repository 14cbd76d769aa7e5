//! What conns to a peer have left behind when they ended: it may have arrived, or not.

use std::{collections::VecDeque, sync::Arc};

use crate::{
    frame::{Lane, Payload},
    peer::Session,
    track::Lanes,
    trail::Kept,
};

/// Frames that conns have left behind, in order. They are sent again as they are, so that a peer
/// that has got them sees that it has.
#[derive(Debug, Default)]
pub(crate) struct Orphans {
    waiting: VecDeque<Orphan>,
    bytes: usize,
}

/// A frame that a conn has left behind.
#[derive(Debug)]
pub(crate) struct Orphan {
    /// The session that it was sealed for.
    pub(crate) session: Arc<Session>,
    pub(crate) kept: Kept,
}

impl Orphan {
    /// Whether the peer is known not to have opened it, and it can be sent anew.
    pub(crate) fn is_unopened(&self) -> bool {
        self.kept.is_unopened && self.kept.frame.is_some()
    }

    /// Its messages.
    pub(crate) fn messages(&self) -> impl Iterator<Item = Payload> {
        self.kept.payloads().into_iter().filter(Payload::is_message)
    }

    fn len(&self) -> usize {
        self.kept.frame.as_ref().map_or(0, |frame| frame.len())
    }
}

impl Orphans {
    /// Takes in what a conn has left; what there is no room for comes back.
    pub(crate) fn take_in(
        &mut self,
        session: &Arc<Session>,
        left: VecDeque<Kept>,
    ) -> VecDeque<Orphan> {
        // A probe was for the conn alone.
        for kept in left.into_iter().filter(|kept| kept.messages != [0; 3]) {
            let orphan = Orphan { session: session.clone(), kept };
            self.bytes += orphan.len();
            self.waiting.push_back(orphan);
        }
        let mut displaced = VecDeque::new();
        while MAX_ORPHANS < self.waiting.len() || MAX_BYTES < self.bytes {
            displaced.extend(self.pop(|_| true));
        }
        displaced
    }

    pub(crate) fn has(&self, lane: Lane) -> bool {
        self.waiting.iter().any(|orphan| orphan.kept.lane == lane)
    }

    /// The oldest of these lanes.
    pub(crate) fn next(&mut self, lanes: Lanes) -> Option<Orphan> {
        self.pop(|orphan| lanes.has(orphan.kept.lane))
    }

    /// All of one lane.
    pub(crate) fn take(&mut self, lane: Lane) -> Vec<Orphan> {
        std::iter::from_fn(|| self.pop(|orphan| orphan.kept.lane == lane)).collect()
    }

    fn pop(&mut self, is_it: impl Fn(&Orphan) -> bool) -> Option<Orphan> {
        let at = self.waiting.iter().position(is_it)?;
        let orphan = self.waiting.remove(at)?;
        self.bytes -= orphan.len();
        Some(orphan)
    }
}

/// Frames of one peer that wait to be sent again, and bytes of them. Of more, the oldest are given
/// up as uncertain.
const MAX_ORPHANS: usize = 2048;
const MAX_BYTES: usize = 8 << 20;
