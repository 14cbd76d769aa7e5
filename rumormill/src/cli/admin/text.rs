//! What is to be said, on the command line or behind it.

use std::{
    convert::Infallible,
    io::{self, Read},
    str::FromStr,
};

use crate::cli::{Error, Result};

/// What is to be said; `-` for what standard input says.
#[derive(Clone, Debug)]
pub(crate) struct Text(String);

impl FromStr for Text {
    type Err = Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Infallible> {
        Ok(Self(text.into()))
    }
}

impl Text {
    /// Its bytes.
    pub(crate) fn bytes(self) -> Result<Vec<u8>> {
        if self.0 != "-" {
            return Ok(self.0.into_bytes());
        }
        let mut bytes = Vec::new();
        let read = io::stdin().lock().take(LONGEST as u64 + 1).read_to_end(&mut bytes);
        read.map_err(|source| Error::Input { source })?;
        match bytes.len() <= LONGEST {
            true => Ok(bytes),
            false => Err(Error::LongInput { most: LONGEST }),
        }
    }
}

/// Bytes of standard input, at most: more than any node takes by default.
const LONGEST: usize = 64 << 20;
