//! Reading fixed layouts from bytes that a stranger wrote.

/// What is wrong with a message, record or accusation. Nothing of it was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// It has more of something, or something longer, than it may.
    #[error("a part of it is longer than allowed")]
    Long,
    /// It ends too early.
    #[error("it is cut short")]
    Short,
    /// A field has a value that means nothing, or bytes are left over.
    #[error("a field is without a meaning")]
    Unknown,
    /// It is of a version that this side does not speak.
    #[error("it is of another version")]
    Version,
}

/// What has not been read yet.
pub(crate) struct Rest<'a>(pub(crate) &'a [u8]);

impl<'a> Rest<'a> {
    pub(crate) fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (chunk, rest) = self.0.split_first_chunk().ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(*chunk)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        self.chunk::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.chunk().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.chunk().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        self.chunk().map(u64::from_be_bytes)
    }

    pub(crate) fn slice(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (slice, rest) = self.0.split_at_checked(len).ok_or(Malformed::Short)?;
        self.0 = rest;
        Ok(slice)
    }

    /// A slice with its length, one byte, before it.
    pub(crate) fn short_slice(&mut self, most: usize) -> Result<&'a [u8], Malformed> {
        let len = usize::from(self.byte()?);
        if most < len {
            return Err(Malformed::Long);
        }
        self.slice(len)
    }

    /// That nothing is left over.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed::Unknown) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    /// Calls `read` with every beginning of `whole`, and with each bit of it turned.
    ///
    /// That nothing panics is the first half of what hostile bytes must not do; `read` asserts the
    /// other half, which depends on what it reads.
    pub(crate) fn hostile(whole: &[u8], mut read: impl FnMut(&[u8])) {
        for len in 0..whole.len() {
            read(&whole[..len]);
        }
        for bit in 0..8 * whole.len() {
            let mut bent = whole.to_vec();
            bent[bit / 8] ^= 1 << (bit % 8);
            read(&bent);
        }
        let longer: Vec<u8> = whole.iter().copied().chain([0]).collect();
        read(&longer);
    }
}
