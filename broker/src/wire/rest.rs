//! What is left of a frame while it is read.

use bytes::{Buf, Bytes, TryGetError};

/// Why bytes are no frame of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Bytes are left over behind it.
    #[error("there are bytes behind the end of the frame")]
    Long,
    /// It ends before it should.
    #[error("the frame is cut short")]
    Short,
    /// A text is no UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// Its first byte, or one that has few values, has none of them.
    #[error("{what} cannot be {value}")]
    Value {
        /// Which byte.
        what: &'static str,
        /// What it is.
        value: u8,
    },
}

impl From<TryGetError> for Malformed {
    fn from(_: TryGetError) -> Self {
        Self::Short
    }
}

/// The first `len` bytes, shared.
pub(super) fn take(rest: &mut Bytes, len: usize) -> Result<Bytes, Malformed> {
    match len <= rest.len() {
        true => Ok(rest.split_to(len)),
        false => Err(Malformed::Short),
    }
}

pub(super) fn array<const N: usize>(rest: &mut Bytes) -> Result<[u8; N], Malformed> {
    let mut array = [0; N];
    rest.try_copy_to_slice(&mut array)?;
    Ok(array)
}

/// A byte of length and so many of UTF-8, borrowed from `whole`, of which `rest` is the end.
pub(super) fn name<'a>(whole: &'a Bytes, rest: &mut Bytes) -> Result<&'a str, Malformed> {
    let len = rest.try_get_u8()? as usize;
    let at = whole.len() - rest.len();
    take(rest, len)?;
    let bytes = whole.get(at..at + len).ok_or(Malformed::Short)?;
    str::from_utf8(bytes).map_err(|_| Malformed::Text)
}

/// Two bytes of length and so many of UTF-8.
pub(super) fn text(rest: &mut Bytes) -> Result<Box<str>, Malformed> {
    let len = rest.try_get_u16()? as usize;
    let bytes = take(rest, len)?;
    str::from_utf8(&bytes).map(Into::into).map_err(|_| Malformed::Text)
}

pub(super) fn end<T>(value: T, rest: &Bytes) -> Result<T, Malformed> {
    match rest.is_empty() {
        true => Ok(value),
        false => Err(Malformed::Long),
    }
}
