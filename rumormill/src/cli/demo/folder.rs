//! A folder of the play's own, for keys and sockets.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

/// A folder that nobody else may enter; it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// A new one, named by something that nobody else has.
    ///
    /// # Errors
    /// Those of the system, and that it exists.
    pub(super) fn create(tag: &str) -> Result<Self, (PathBuf, io::Error)> {
        let path = env::temp_dir().join(format!("{PREFIX}{tag}"));
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&path) {
            Ok(()) => Ok(Self(path)),
            Err(error) => Err((path, error)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Removes it, and tells whether it is gone.
    pub(super) fn remove(&self) -> bool {
        remove(&self.0);
        !self.0.exists()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Removes such a folder, which others may do at the same time; nothing else is touched.
pub(super) fn remove(folder: &Path) {
    let name = folder.file_name().map(|name| name.to_string_lossy());
    if name.is_none_or(|name| !name.starts_with(PREFIX)) {
        return;
    }
    // Whoever has found it half removed tries again; the last one finds it whole, or gone.
    for _ in 0..ATTEMPTS {
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => (),
            _ => return,
        }
    }
}

const PREFIX: &str = "rumormill-demo-";
const ATTEMPTS: usize = 5;
