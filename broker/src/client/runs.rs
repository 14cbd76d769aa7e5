//! Numbers that follow each other, as first and count.

use crate::wire::Request;

/// Numbers in the order in which they came, neighbours joined.
#[derive(Debug, Default)]
pub(super) struct Runs(Vec<(u64, u32)>);

impl Runs {
    /// Adds a number; false if there is no room, which only somebody meets who settles what was
    /// settled before.
    pub(super) fn push(&mut self, seq: u64) -> bool {
        if let Some((first, count)) = self.0.last_mut()
            && first.checked_add((*count).into()) == Some(seq)
            && *count < u32::MAX
        {
            *count += 1;
            return true;
        }
        let has_room = self.0.len() < MOST;
        if has_room {
            self.0.push((seq, 1));
        }
        has_room
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As many as one frame can hold, at a time.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Vec<(u64, u32)>> {
        self.0.chunks(Request::MOST_RUNS).map(<[_]>::to_vec)
    }
}

/// Runs that wait to be told.
const MOST: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_joined() {
        let mut runs = Runs::default();
        assert!(runs.is_empty());
        assert!([5, 6, 7, 9, 8, 9, u64::MAX, 0].into_iter().all(|seq| runs.push(seq)));
        let all: Vec<_> = runs.chunks().flatten().collect();
        assert_eq!(all, [(5, 3), (9, 1), (8, 2), (u64::MAX, 1), (0, 1)]);
    }
}
