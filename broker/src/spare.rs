//! Buffers that are used again.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Bytes, BytesMut};

/// Long buffers that nobody uses any more, for whoever needs one next: to have the system map and clear
/// another one costs more than to copy a block into it. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spare(Arc<Mutex<Pile>>);

#[derive(Debug, Default)]
struct Pile {
    /// The one that was used last is at the back.
    buffers: VecDeque<BytesMut>,
    bytes: usize,
}

/// A buffer that is lent, and something that lives as long as that.
struct Lent<T> {
    buffer: BytesMut,
    spare: Spare,
    _with: T,
}

impl Spare {
    /// An empty buffer with room for `len` bytes; for not much more.
    pub(crate) fn buffer(&self, len: usize) -> BytesMut {
        if len < SHORT {
            return BytesMut::with_capacity(len);
        }
        let most = len + len / 4;
        let mut pile = self.pile();
        let fits = |buffer: &BytesMut| (len..=most).contains(&buffer.capacity());
        let at = pile.buffers.iter().rposition(fits);
        match at.and_then(|at| pile.buffers.remove(at)) {
            Some(buffer) => {
                pile.bytes -= buffer.capacity();
                buffer
            }
            None => {
                drop(pile);
                BytesMut::with_capacity(len.next_multiple_of(SHORT))
            }
        }
    }

    /// What is in the buffer, which comes back when the last clone or slice of it is dropped, with
    /// `with`.
    pub(crate) fn lend<T: Send + 'static>(&self, buffer: BytesMut, with: T) -> Bytes {
        Bytes::from_owner(Lent { buffer, spare: self.clone(), _with: with })
    }

    /// Takes a buffer that nobody uses any more.
    pub(crate) fn put(&self, mut buffer: BytesMut) {
        buffer.clear();
        let len = buffer.capacity();
        if !(SHORT..=LONG).contains(&len) {
            return;
        }
        let mut pile = self.pile();
        pile.bytes += len;
        pile.buffers.push_back(buffer);
        if MOST < pile.bytes {
            // The oldest, so that lengths that nobody asks for any more go.
            let oldest = pile.buffers.pop_front();
            pile.bytes -= oldest.as_ref().map_or(0, BytesMut::capacity);
            drop(pile);
        }
    }

    fn pile(&self) -> MutexGuard<'_, Pile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> AsRef<[u8]> for Lent<T> {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        self.spare.put(std::mem::take(&mut self.buffer));
    }
}

/// A shorter one costs little to make.
const SHORT: usize = 4 << 10;
/// A longer one is worth little, since its bytes cost more than it does.
const LONG: usize = 256 << 10;
/// Bytes that lie idle.
const MOST: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_when_its_last_slice_is_gone() {
        let spare = Spare::default();
        let mut buffer = spare.buffer(60_000);
        buffer.extend_from_slice(b"hello");
        let place = buffer.as_ptr();
        let whole = spare.lend(buffer, ());
        let slice = whole.slice(1..);
        drop(whole);
        assert_ne!(spare.buffer(60_000).as_ptr(), place);
        drop(slice);
        let again = spare.buffer(59_000);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }

    #[test]
    fn what_lies_idle_is_bounded_and_of_use() {
        let spare = Spare::default();
        let many: Vec<_> = (0..200).map(|_| spare.lend(spare.buffer(100_000), ())).collect();
        drop(many);
        assert!(spare.pile().bytes <= MOST && MOST / 2 < spare.pile().bytes);
        assert!(spare.buffer(10_000).capacity() < 100_000);
        drop(spare.lend(spare.buffer(LONG + 1), ()));
        drop(spare.lend(spare.buffer(10), ()));
        assert!(
            spare.pile().buffers.iter().all(|buffer| (SHORT..=LONG).contains(&buffer.capacity()))
        );
    }
}
