//! Rumors that were heard a short while ago, for those who have not heard them.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use crate::{
    rumor::{Rumor, RumorId},
    time::Time,
};

/// A bounded number of bytes of rumors; of more, the oldest go.
#[derive(Debug)]
pub(crate) struct Store {
    rumors: BTreeMap<RumorId, Rumor>,
    oldest: VecDeque<(Time, RumorId)>,
    bytes: usize,
    most: usize,
    /// Rumors that went before their time.
    pub(crate) displaced: u64,
}

/// What a rumor takes beside its bytes, about.
const OVERHEAD: usize = 256;

impl Store {
    pub(crate) fn new(most: usize) -> Self {
        let (rumors, oldest) = (BTreeMap::new(), VecDeque::new());
        Self { rumors, oldest, bytes: 0, most, displaced: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rumors.is_empty()
    }

    pub(crate) fn get(&self, id: RumorId) -> Option<&Rumor> {
        self.rumors.get(&id)
    }

    /// Keeps one that is not there; tells which had to go.
    pub(crate) fn put(&mut self, rumor: Rumor, now: Time) -> Vec<RumorId> {
        let (id, mut gone) = (rumor.id(), Vec::new());
        self.bytes += cost(&rumor);
        self.rumors.insert(id, rumor);
        self.oldest.push_back((now, id));
        while self.most < self.bytes
            && let Some(id) = self.pop()
        {
            self.displaced += 1;
            gone.push(id);
        }
        gone
    }

    /// Forgets what is older than `age`; tells what.
    pub(crate) fn expire(&mut self, now: Time, age: Duration) -> Vec<RumorId> {
        let mut gone = Vec::new();
        while self.oldest.front().is_some_and(|(since, _)| age <= now.since(*since)) {
            gone.extend(self.pop());
        }
        gone
    }

    fn pop(&mut self) -> Option<RumorId> {
        let (_, id) = self.oldest.pop_front()?;
        self.bytes -= self.rumors.remove(&id).as_ref().map_or(0, cost);
        Some(id)
    }
}

fn cost(rumor: &Rumor) -> usize {
    rumor.whole().len() + OVERHEAD
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rumor::tests::rumor;

    fn at(seconds: u64) -> Time {
        Time(Duration::from_secs(seconds))
    }

    #[test]
    fn the_oldest_go_by_age_and_by_bytes() {
        let all: Vec<Rumor> = (1..=5).map(|number| rumor(1, 1, number, &[0; 100])).collect();
        let mut store = Store::new(4 * cost(&all[0]));
        for (second, rumor) in (0..4).zip(&all) {
            assert_eq!(store.put(rumor.clone(), at(second)), []);
        }
        assert_eq!(store.expire(at(10), Duration::from_secs(10)), [all[0].id()]);
        assert_eq!(store.put(all[4].clone(), at(10)), []);
        assert_eq!((store.put(all[0].clone(), at(10)), store.displaced), (vec![all[1].id()], 1));
        assert!(store.get(all[1].id()).is_none() && store.get(all[4].id()) == Some(&all[4]));
        assert_eq!(store.expire(at(20), Duration::from_secs(10)).len(), 4);
        assert!(store.is_empty() && store.bytes == 0);
    }

    #[test]
    fn one_that_is_longer_than_everything_is_not_kept() {
        let (long, mut store) = (rumor(1, 1, 1, &[0; 100]), Store::new(50));
        assert_eq!(store.put(long.clone(), at(0)), [long.id()]);
        assert!(store.is_empty());
    }
}
