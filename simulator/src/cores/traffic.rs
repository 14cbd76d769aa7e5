//! What is sent, and what of it are signatures.

use std::ops::Sub;

/// Messages and their bytes, as they travel sealed and alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Messages, by the byte that tells their kind.
    pub kinds: [u64; KINDS],
    /// Bytes with seals.
    pub bytes: u64,
    /// Bytes of signatures, both of seals and of what is passed on.
    pub signatures: u64,
}

const KINDS: usize = 32;
/// What sealing adds to a message that travels alone: docs/wire.md, "sealed frames".
pub(super) const SEAL: usize = 51 + 13 + SIGNATURE;
const SIGNATURE: usize = 64;
const RECORD: u8 = 1;
const RUMOR: u8 = 3;
const ANNOUNCED: u8 = 4;
/// Bytes of the id of a rumor as an update, which nobody has signed.
const ANNOUNCED_LEN: usize = 1 + 24;
/// Bytes of an accusation as an update.
const ACCUSATION: usize = 1 + 1 + 8 + 8 + 4 + 8 + SIGNATURE;

impl Traffic {
    /// All messages.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.kinds.iter().sum()
    }

    /// Notes one that is sent.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        let kind = bytes.get(1).map_or(0, |kind| usize::from(*kind) % KINDS);
        self.kinds[kind] += 1;
        self.bytes += (bytes.len() + SEAL) as u64;
        self.signatures += (SIGNATURE * (1 + updates(bytes))) as u64;
    }
}

impl Sub for Traffic {
    type Output = Self;

    fn sub(mut self, before: Self) -> Self {
        self.kinds.iter_mut().zip(before.kinds).for_each(|(now, before)| *now -= before);
        self.bytes -= before.bytes;
        self.signatures -= before.signatures;
        self
    }
}

/// How many updates a message carries, each of which is signed.
fn updates(bytes: &[u8]) -> usize {
    let mut rest = bytes.get(body(bytes)..).unwrap_or_default();
    let mut count = 0;
    while let Some((kind, tail)) = rest.split_first() {
        let len = match (*kind, tail) {
            (RECORD, [high, low, ..]) => 3 + usize::from(u16::from_be_bytes([*high, *low])),
            (RUMOR, _) => rumor(tail),
            (ANNOUNCED, _) => ANNOUNCED_LEN,
            _ => ACCUSATION,
        };
        rest = rest.get(len..).unwrap_or_default();
        count += usize::from(*kind != ANNOUNCED);
    }
    count
}

/// Bytes of a rumor as an update, whose kind is before `tail`.
fn rumor(tail: &[u8]) -> usize {
    let len =
        tail.get(24..).and_then(|rest| rest.first_chunk()).map(|len| u32::from_be_bytes(*len));
    1 + 24 + 4 + len.unwrap_or_default() as usize + SIGNATURE
}

/// Bytes before the updates: docs/wire.md, "gossip".
fn body(bytes: &[u8]) -> usize {
    let prints = |at: usize| match bytes.get(at..at + 2) {
        Some([high, low]) => at + 2 + 8 * usize::from(u16::from_be_bytes([*high, *low])),
        _ => bytes.len(),
    };
    match bytes.get(1) {
        Some(1 | 4 | 10) => 2 + 4,
        Some(2) => 2 + 12,
        Some(3) => 2 + 36,
        Some(5 | 6 | 16) => 2,
        Some(7) => 2 + 12,
        Some(8) => prints(2 + 64),
        Some(9) => prints(2),
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &[u8], expected: usize) {
        assert_eq!(updates(message), expected, "{message:?}");
    }

    #[test]
    fn updates_are_counted_behind_every_kind_of_body() {
        let record = [1, 0, 3, 7, 7, 7];
        let mut accusation = [0; ACCUSATION];
        accusation[0] = 2;
        for (kind, len) in [(1, 4), (2, 12), (3, 36), (4, 4), (5, 0), (6, 0), (7, 12), (10, 4)] {
            let bare = [vec![1, kind], vec![9; len]].concat();
            check(&bare, 0);
            check(&[&bare[..], &record, &accusation, &record].concat(), 3);
        }
        let mut rumor = vec![7; 1 + 24 + 4 + 5 + SIGNATURE];
        rumor[0] = 3;
        rumor[25..29].copy_from_slice(&5_u32.to_be_bytes());
        let mut announced = vec![7; ANNOUNCED_LEN];
        announced[0] = 4;
        check(&[&[1, 5][..], &rumor, &announced, &record].concat(), 2);
        let mut state = vec![1, 9, 0, 2];
        state.extend([0; 16]);
        check(&[&state[..], &record].concat(), 1);
        check(&[], 0);
        check(&[1, 9, 255, 255, 1], 0);
        check(&[1, 200, 5, 5], 0);
    }
}
