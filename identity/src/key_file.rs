//! Files that only their owner may read.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::{self, Read, Write},
    path::Path,
};

use zeroize::Zeroizing;

use crate::{Error, Result};

/// The text of a file that holds a secret.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<String>> {
    let (file, metadata) = open(path)?;
    check_owner(path, &metadata)?;
    text(path, file)
}

/// The text of a file that anybody may read.
#[cfg(feature = "tls")]
pub(crate) fn read_public(path: &Path) -> Result<Zeroizing<String>> {
    text(path, open(path)?.0)
}

/// Makes a file that only its owner can read. If it cannot be written whole, there is none.
pub(crate) fn create(path: &Path, text: &str) -> Result<()> {
    let mut file = private().open(path).map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => Error::Exists { path: path.into() },
        _ => failed("creating", path, source),
    })?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|source| {
        // What went wrong is told; that the rest of it could not be removed would only hide it.
        fs::remove_file(path).unwrap_or_default();
        failed("writing", path, source)
    })
}

pub(crate) fn malformed(path: &Path, problem: &'static str) -> Error {
    Error::Malformed { path: path.into(), problem }
}

fn failed(doing: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io { doing, path: path.into(), source }
}

/// Opens what is a file before and after: a pipe in its place would make this wait.
fn open(path: &Path) -> Result<(File, Metadata)> {
    let reading = |source| failed("reading", path, source);
    check_kind(path, &fs::metadata(path).map_err(reading)?)?;
    let file = File::open(path).map_err(reading)?;
    let metadata = file.metadata().map_err(reading)?;
    check_kind(path, &metadata)?;
    Ok((file, metadata))
}

fn check_kind(path: &Path, metadata: &Metadata) -> Result<()> {
    match metadata.is_file() {
        true => Ok(()),
        false => Err(malformed(path, "is no file")),
    }
}

fn text(path: &Path, file: File) -> Result<Zeroizing<String>> {
    // Of the right size at once, so that no copy is left behind by growing.
    let mut text = Zeroizing::new(String::with_capacity(LONGEST + 1));
    let read = file.take(LONGEST as u64 + 1).read_to_string(&mut text);
    match read {
        Ok(len) if LONGEST < len => Err(malformed(path, "is longer than 256 KiB, and so no key")),
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(malformed(path, "is no text; keys and certificates are read in PEM"))
        }
        Err(source) => Err(failed("reading", path, source)),
    }
}

#[cfg(unix)]
fn check_owner(path: &Path, metadata: &Metadata) -> Result<()> {
    use std::os::unix::fs::MetadataExt;

    let (mode, uid) = (metadata.mode() & 0o7777, metadata.uid());
    if mode & 0o077 != 0 {
        return Err(Error::Exposed { path: path.into(), mode });
    }
    match uid == 0 || uid == rustix::process::geteuid().as_raw() {
        true => Ok(()),
        false => Err(Error::Foreign { path: path.into(), uid }),
    }
}

#[cfg(not(unix))]
fn check_owner(_: &Path, _: &Metadata) -> Result<()> {
    Ok(())
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Bytes of a file that are read, at most: many certificates, and no disk.
const LONGEST: usize = 256 << 10;
