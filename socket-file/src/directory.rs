//! The directory of a socket file: whoever can write there can put a socket of their own in its
//! place, and be taken for the listener.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path};

use rustix::process::geteuid;

use crate::error::{Error, Result};

/// Refuses the directory of `path` if somebody else could replace a socket in it.
pub(crate) fn check(path: &Path) -> Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("/"));
    let shown = directory.display();
    let found = fs::metadata(directory).map_err(|source| failure(directory, source))?;
    if !found.is_dir() {
        return Err(Error::path(format!("lies in {shown}, which is no directory")));
    }
    match danger(found.uid(), found.mode(), geteuid().as_raw()) {
        None => Ok(()),
        Some(Danger::Owner) => Err(Error::path(format!(
            "lies in {shown}, whose owner (user {}) could replace the socket; choose a directory \
             that this user or root owns",
            found.uid()
        ))),
        Some(Danger::Writers) => Err(Error::path(format!(
            "lies in {shown}, where others can write (mode {:04o}) and could replace the socket; \
             take that from them (chmod go-w {shown}), or let them replace only what is theirs \
             (chmod +t {shown})",
            found.mode() & 0o7777
        ))),
    }
}

fn failure(directory: &Path, source: io::Error) -> Error {
    let shown = directory.display();
    match source.kind() {
        io::ErrorKind::NotFound => Error::path(format!(
            "lies in {shown}, which does not exist; create it (mkdir -p -m 700 {shown})"
        )),
        io::ErrorKind::NotADirectory => {
            Error::path(format!("lies in {shown}, which is no directory"))
        }
        _ => Error::io(format!("looking at {shown}"), source),
    }
}

/// Who else could replace a socket.
#[derive(Debug, PartialEq, Eq)]
enum Danger {
    /// Who owns the directory may replace whatever is in it, even if the sticky bit is set.
    Owner,
    /// Who can write to it may do so, unless the sticky bit is set.
    Writers,
}

fn danger(owner: u32, mode: u32, me: u32) -> Option<Danger> {
    if owner != ROOT && owner != me {
        return Some(Danger::Owner);
    }
    (mode & WRITABLE_BY_OTHERS != 0 && mode & STICKY == 0).then_some(Danger::Writers)
}

const ROOT: u32 = 0;
const STICKY: u32 = 0o1000;
const WRITABLE_BY_OTHERS: u32 = 0o022;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_and_this_user_may_replace_a_socket() {
        for (owner, mode, expected) in [
            (1000, 0o40700, None),
            (1000, 0o40755, None),
            (0, 0o40755, None),
            (0, 0o41777, None),
            (1000, 0o41770, None),
            (1000, 0o40777, Some(Danger::Writers)),
            (1000, 0o40775, Some(Danger::Writers)),
            (1000, 0o40702, Some(Danger::Writers)),
            (0, 0o42775, Some(Danger::Writers)),
            (1001, 0o40755, Some(Danger::Owner)),
            (1001, 0o41777, Some(Danger::Owner)),
        ] {
            assert_eq!(danger(owner, mode, 1000), expected, "user {owner}, mode {mode:o}");
        }
    }
}
