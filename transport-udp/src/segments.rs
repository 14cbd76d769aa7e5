//! Which messages go to the system together: it cuts them apart into datagrams later, or its network
//! card does.

use rumormill_transport_api::Batch;

use crate::settings::LONGEST;

/// What may go together to one peer.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// Messages; 1 where the system cannot cut.
    pub(crate) count: usize,
    /// The longest of them, since each must be one packet of the network.
    pub(crate) packet: usize,
}

/// How many messages go together, from `first` on: those of the same length, then perhaps one that
/// is shorter. At least 1.
pub(crate) fn together(batch: &Batch, first: usize, limits: Limits) -> usize {
    let len_of = |at: usize| batch.get(at).map_or(0, |message| message.len());
    let len = len_of(first);
    if len == 0 || limits.packet < len {
        return 1;
    }
    let most = limits.count.min(LONGEST / len);
    let equals = (first..).take(most).take_while(|at| len_of(*at) == len).count();
    let has_last = equals < most && (1..len).contains(&len_of(first + equals));
    (equals + usize::from(has_last)).max(1)
}

/// The bytes of `count` messages from `first` on, in one piece: `joined` has room for what is in
/// several.
pub(crate) fn contiguous<'a>(
    batch: &'a Batch,
    first: usize,
    count: usize,
    joined: &'a mut Vec<u8>,
) -> &'a [u8] {
    if let (1, Some([whole])) = (count, batch.get(first).map(|message| message.parts())) {
        return whole;
    }
    joined.clear();
    for message in (first..first + count).map_while(|at| batch.get(at)) {
        message.parts().iter().for_each(|part| joined.extend_from_slice(part));
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { count: 4, packet: 1000 };

    fn batch(lens: &[usize]) -> Batch {
        lens.iter().map(|len| vec![*len as u8; *len]).collect()
    }

    #[test]
    fn equal_messages_go_together_and_a_shorter_one_ends_them() {
        let check = |lens: &[usize], expected: &[usize]| {
            let (batch, mut counts) = (batch(lens), Vec::new());
            while counts.iter().sum::<usize>() < lens.len() {
                counts.push(together(&batch, counts.iter().sum(), LIMITS));
            }
            assert_eq!(counts, expected, "{lens:?}");
        };
        check(&[5, 5, 5], &[3]);
        check(&[5, 5, 3, 5], &[3, 1]);
        check(&[5, 7, 7], &[1, 2]);
        check(&[5, 5, 5, 5, 5, 5], &[4, 2]);
        check(&[5, 5, 5, 5, 3], &[4, 1]);
        check(&[5, 0, 0, 5], &[1, 1, 1, 1]);
        check(&[1000, 1000, 1001, 1001], &[2, 1, 1]);
    }

    #[test]
    fn together_they_are_no_longer_than_the_longest_message() {
        let limits = Limits { count: 64, packet: LONGEST };
        let equal = |len| batch(&[len; 64]);
        assert_eq!(together(&equal(LONGEST), 0, limits), 1);
        assert_eq!(together(&equal(1200), 0, limits), LONGEST / 1200);
        assert_eq!(together(&equal(64), 0, limits), 64);
        assert_eq!(together(&equal(64), 0, Limits { count: 1, packet: 1200 }), 1);
    }

    #[test]
    fn messages_and_their_parts_are_joined_in_order() {
        let mut batch: Batch = ["ab"].into_iter().collect();
        batch.push_parts(["c".into(), "d".into()]);
        let mut joined = b"left from before".to_vec();
        assert_eq!(contiguous(&batch, 0, 2, &mut joined), b"abcd");
        assert_eq!(contiguous(&batch, 1, 1, &mut joined), b"cd");
        assert_eq!(contiguous(&batch, 0, 1, &mut joined), b"ab");
    }
}
