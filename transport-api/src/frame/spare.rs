//! Buffers between two uses: one of each kind per thread.
//!
//! A conn that waits gives its buffer up, and the one that works next on that thread takes it. To
//! free and allocate it each time instead makes allocators return the memory to the system and
//! fetch it again, which costs more than sending what is in it.

use std::cell::Cell;

use bytes::BytesMut;

/// An empty buffer to read into, perhaps without capacity.
pub(super) fn take_read() -> BytesMut {
    READ.take()
}

/// Keeps an empty buffer of the usual capacity, unless somebody holds a message in it, or a long
/// message has made it grow.
pub(super) fn keep_read(mut buffer: BytesMut, usual: usize) {
    if !buffer.try_reclaim(2 * usual + 1) && buffer.try_reclaim(usual) {
        READ.set(buffer);
    }
}

/// An empty buffer to gather in, perhaps without capacity.
pub(super) fn take_gathered() -> Vec<u8> {
    GATHERED.take()
}

/// Keeps a buffer whose content is of no use any more.
pub(super) fn keep_gathered(mut buffer: Vec<u8>) {
    buffer.clear();
    GATHERED.set(buffer);
}

thread_local! {
    static READ: Cell<BytesMut> = Cell::default();
    static GATHERED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}
