//! Messages that carry a number, so that an answer is matched with what it answers.

use bytes::Bytes;

/// A message of `size` bytes, at least [`SHORTEST`], that begins with `number`.
pub(crate) fn message(number: u64, size: usize) -> Bytes {
    let mut message = vec![0; size.max(SHORTEST)];
    message[..SHORTEST].copy_from_slice(&number.to_be_bytes());
    message.into()
}

/// The number of a message of `size` bytes; `None` if it has another length.
pub(crate) fn number(message: &[u8], size: usize) -> Option<u64> {
    let number = message.first_chunk().filter(|_| message.len() == size)?;
    Some(u64::from_be_bytes(*number))
}

/// Bytes of a number.
pub(crate) const SHORTEST: usize = size_of::<u64>();
