//! What nodes say to each other about rumors, as fields of messages.

use bytes::{BufMut, BytesMut};

use crate::{
    accusation::Brief,
    rest::{Malformed, Rest},
    rumor::RumorId,
};

/// What a node has heard of one start of one origin. Nobody has signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) by: Brief,
    pub(crate) epoch: u64,
    /// Up to this number it lacks nothing.
    pub(crate) prefix: u64,
    /// The highest number that it has heard.
    pub(crate) highest: u64,
}

/// Rumors of one start of one origin that a node asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) by: Brief,
    pub(crate) epoch: u64,
    pub(crate) first: u64,
    /// Which of the numbers from the first on, the lowest bit for the first.
    pub(crate) map: u64,
}

/// How far an origin had come when somebody joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) by: Brief,
    pub(crate) epoch: u64,
    pub(crate) highest: u64,
}

/// Part of a message that is a list of such.
pub(crate) trait Word: Copy {
    /// How many a message has at most.
    const MOST: usize;
    /// Bytes of each.
    const LEN: usize;
    fn put(self, into: &mut BytesMut);
    fn read(rest: &mut Rest<'_>) -> Result<Self, Malformed>;
}

pub(crate) fn put_all<W: Word>(into: &mut BytesMut, words: &[W]) {
    let words = words.get(..W::MOST).unwrap_or(words);
    into.put_u16(words.len() as u16);
    words.iter().for_each(|word| word.put(into));
}

/// Reads a list. Memory is taken for what arrived, never for what it claims.
pub(crate) fn read_all<W: Word>(rest: &mut Rest<'_>) -> Result<Vec<W>, Malformed> {
    let count = usize::from(rest.u16()?);
    if W::MOST < count {
        return Err(Malformed::Long);
    }
    let mut all = Rest(rest.slice(count * W::LEN)?);
    (0..count).map(|_| W::read(&mut all)).collect()
}

impl Word for Line {
    const MOST: usize = 64;
    const LEN: usize = 32;

    fn put(self, into: &mut BytesMut) {
        into.put_slice(&self.by);
        into.put_u64(self.epoch);
        into.put_u64(self.prefix);
        into.put_u64(self.highest);
    }

    fn read(rest: &mut Rest<'_>) -> Result<Self, Malformed> {
        let (by, epoch) = (rest.chunk()?, rest.u64()?);
        Ok(Self { by, epoch, prefix: rest.u64()?, highest: rest.u64()? })
    }
}

impl Word for Want {
    const MOST: usize = 64;
    const LEN: usize = 32;

    fn put(self, into: &mut BytesMut) {
        into.put_slice(&self.by);
        into.put_u64(self.epoch);
        into.put_u64(self.first);
        into.put_u64(self.map);
    }

    fn read(rest: &mut Rest<'_>) -> Result<Self, Malformed> {
        let (by, epoch) = (rest.chunk()?, rest.u64()?);
        Ok(Self { by, epoch, first: rest.u64()?, map: rest.u64()? })
    }
}

impl Word for Mark {
    const MOST: usize = 2048;
    const LEN: usize = 24;

    fn put(self, into: &mut BytesMut) {
        into.put_slice(&self.by);
        into.put_u64(self.epoch);
        into.put_u64(self.highest);
    }

    fn read(rest: &mut Rest<'_>) -> Result<Self, Malformed> {
        Ok(Self { by: rest.chunk()?, epoch: rest.u64()?, highest: rest.u64()? })
    }
}

impl Want {
    /// Asks for these, which are sorted.
    pub(crate) fn of(ids: &[RumorId]) -> Vec<Self> {
        let mut wants: Vec<(RumorId, Self)> = Vec::new();
        for id in ids {
            let last = wants.last_mut().and_then(|(first, want)| {
                let is_same = (first.origin, first.epoch) == (id.origin, id.epoch);
                let offset = id.number.checked_sub(first.number).filter(|offset| *offset < 64);
                offset.filter(|_| is_same).map(|offset| (want, offset))
            });
            match last {
                Some((want, offset)) => want.map |= 1 << offset,
                None => wants.push((*id, Self::one(*id))),
            }
        }
        wants.into_iter().map(|(_, want)| want).collect()
    }

    fn one(id: RumorId) -> Self {
        let RumorId { origin, epoch, number } = id;
        Self { by: crate::accusation::brief(origin), epoch, first: number, map: 1 }
    }

    /// The numbers that it asks for.
    pub(crate) fn numbers(self) -> impl Iterator<Item = u64> {
        let bits = (0..64_u64).filter(move |bit| self.map >> bit & 1 == 1);
        bits.filter_map(move |bit| self.first.checked_add(bit))
    }
}

#[cfg(test)]
mod tests {
    use rumormill_transport_api::NodeId;

    use super::*;

    fn id(byte: u8, epoch: u64, number: u64) -> RumorId {
        RumorId { origin: NodeId([byte; 32]), epoch, number }
    }

    #[test]
    fn a_question_has_exactly_what_is_asked() {
        let ids = [1, 2, 64, 65, 200, u64::MAX].map(|number| id(1, 1, number));
        let ids: Vec<_> = ids.into_iter().chain([id(1, 2, 201), id(2, 2, 202)]).collect();
        let wants = Want::of(&ids);
        let numbers: Vec<Vec<u64>> = wants.iter().map(|want| want.numbers().collect()).collect();
        let expected: [&[u64]; 6] = [&[1, 2, 64], &[65], &[200], &[u64::MAX], &[201], &[202]];
        assert_eq!(numbers, expected);
        assert_eq!((wants[4].epoch, wants[5].by), (2, [2; 8]));
        let all = Want { map: u64::MAX, ..wants[3] };
        assert_eq!(all.numbers().count(), 1, "there is nothing above");
    }
}
