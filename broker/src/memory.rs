//! How many bytes of messages the broker holds, and may hold.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::{Bytes, BytesMut};

/// A budget of bytes that all topics share. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Memory(Arc<Budget>);

#[derive(Debug)]
struct Budget {
    limit: AtomicUsize,
    used: AtomicUsize,
}

impl Memory {
    /// What a stored buffer costs besides its bytes: its places in allocators, lists and trees. Without
    /// it empty messages would be free.
    pub(crate) const OVERHEAD: usize = 192;

    /// A budget of `limit` bytes, of which none are used.
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Budget { limit: AtomicUsize::new(limit), used: AtomicUsize::new(0) }))
    }

    /// Bytes that may be used.
    pub(crate) fn limit(&self) -> usize {
        self.0.limit.load(Ordering::Relaxed)
    }

    /// Bytes that are used.
    pub(crate) fn used(&self) -> usize {
        self.0.used.load(Ordering::Relaxed)
    }

    /// Changes the limit. What is used beyond a smaller one stays, and nothing is added to it.
    pub(crate) fn set_limit(&self, limit: usize) {
        self.0.limit.store(limit, Ordering::Relaxed);
    }

    /// Takes `bytes` until what it returns is dropped; `None` if there are not so many left.
    pub(crate) fn charge(&self, bytes: usize) -> Option<Charge> {
        let limit = self.limit();
        let more = |used: usize| used.checked_add(bytes).filter(|sum| *sum <= limit);
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        let charged = self.0.used.fetch_update(set, get, more).is_ok();
        charged.then(|| Charge { memory: self.clone(), bytes })
    }

    /// Room for a buffer of `len` bytes and for what goes with it.
    pub(crate) fn charge_for(&self, len: usize) -> Option<Charge> {
        self.charge(len.checked_add(Self::OVERHEAD)?)
    }
}

/// Bytes that are in use for as long as this lives.
#[derive(Debug)]
pub(crate) struct Charge {
    memory: Memory,
    bytes: usize,
}

impl Charge {
    /// The buffer, which gives the charge back when the last clone or slice of it is dropped.
    pub(crate) fn keep(self, buffer: BytesMut) -> Bytes {
        Bytes::from_owner(Stored { buffer, _charge: self })
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.memory.0.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

struct Stored {
    buffer: BytesMut,
    _charge: Charge,
}

impl AsRef<[u8]> for Stored {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_charge_lives_as_long_as_any_slice_of_its_buffer() {
        let memory = Memory::new(100);
        let charge = memory.charge(60).expect("room");
        assert!(memory.charge(41).is_none());
        let whole = charge.keep(BytesMut::from("hello"));
        let slice = whole.slice(1..2);
        drop(whole);
        assert_eq!((memory.used(), &*slice), (60, &b"e"[..]));
        drop(slice);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn a_smaller_limit_lets_nothing_in_until_there_is_room() {
        let memory = Memory::new(100);
        let held = memory.charge(80);
        memory.set_limit(50);
        assert!(memory.charge(1).is_none() && memory.charge(usize::MAX).is_none());
        drop(held);
        assert!(memory.charge(50).is_some());
    }
}
