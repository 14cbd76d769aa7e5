//! Where data and messages go.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use super::{Error, Result};

/// A line of data.
///
/// # Errors
/// [`Error::Output`]; `println!` would panic where a pipe is closed.
pub(crate) fn line(text: impl Display) -> Result<()> {
    writeln!(io::stdout().lock(), "{text}").map_err(|source| Error::Output { source })
}

/// A message to whoever runs the program. If nobody can read it, it is lost.
pub(crate) fn note(text: impl Display) {
    writeln!(io::stderr().lock(), "{text}").unwrap_or_default();
}

/// A message that the next one overwrites, if somebody is looking.
pub(crate) fn progress(text: impl Display) {
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        write!(stderr, "\r{text:<60}").unwrap_or_default();
    }
}

/// Removes what [`progress`] wrote.
pub(crate) fn end_progress() {
    progress("");
    let mut stderr = io::stderr().lock();
    if stderr.is_terminal() {
        write!(stderr, "\r").unwrap_or_default();
    }
}
