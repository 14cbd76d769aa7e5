//! What was refused or dropped, by reason.

use crate::table::Refusal;

/// Counts since the start. Nothing is refused or dropped without one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Records of nodes that may not be members.
    pub denied: u64,
    /// Messages that could not be read, and rumors in messages that are of members alone.
    pub malformed: u64,
    /// Records, accusations and rumors whose signature is not that of whom they name.
    pub forged: u64,
    /// Records that are not newer than what is known, or than what was forgotten; accusations that
    /// change nothing. Most of what arrives in good order.
    pub stale: u64,
    /// Records of unknown members that are too old, or from the future.
    pub undated: u64,
    /// Records of newcomers for whom there was no room.
    pub full: u64,
    /// Accusations by or about somebody unknown.
    pub unknown: u64,
    /// Accusations of a node that had made too many already.
    pub excessive: u64,
    /// Requests to probe somebody, or to exchange state, beyond what is served at a time.
    pub unserved: u64,
    /// Metadata that nobody had asked for, or that are not what their member's record tells of.
    pub unwanted: u64,
    /// Messages that nobody polled.
    pub unsent: u64,
    /// Updates that were not spread to the end because there were too many.
    pub spread_dropped: u64,
    /// Rumors, and ids of rumors, of origins that are not known. Repair brings them.
    pub rumors_unknown: u64,
    /// Rumors that were heard or given up before, or are of an earlier start of their origin. Most of what
    /// arrives in good order.
    pub rumors_stale: u64,
    /// Rumors of an origin that had exceeded its quota. Repair brings them.
    pub rumors_excessive: u64,
    /// Rumors that were not spread to the end because there were too many. Repair brings them.
    pub rumors_unspread: u64,
    /// Rumors that were not kept as long as they should, because they were too many bytes.
    pub rumors_displaced: u64,
    /// Ids of rumors that were not asked for, because too much was asked of their announcer, or of all.
    pub rumors_unasked: u64,
    /// Ids of rumors that nobody sent who had said that he had them, or not in time.
    pub rumors_unanswered: u64,
    /// Questions about rumors by strangers, or beyond what is served at a time.
    pub rumors_unserved: u64,
    /// Rumors that were given up: the numbers in all [gaps](crate::Gap).
    pub rumors_lost: u64,
}

impl Counters {
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        match refusal {
            Refusal::Stale => self.stale += 1,
            Refusal::Undated => self.undated += 1,
            Refusal::Full => self.full += 1,
        }
    }
}
