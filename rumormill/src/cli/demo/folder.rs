//! A folder of the play's own, for keys and sockets.

use std::{
    env, fs, io,
    path::{self, Path, PathBuf},
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
        let path = place(env::temp_dir()).join(format!("{PREFIX}{tag}"));
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

/// Where it is made: in the usual place, but where a socket's path would be too long there, or no part of
/// an address, in the one that every Unix has.
fn place(usual: PathBuf) -> PathBuf {
    let usual = path::absolute(&usual).unwrap_or(usual);
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+".contains(letter);
    let is_fit = usual.to_str().is_some_and(|it| it.len() <= LONGEST && it.chars().all(is_plain));
    if cfg!(unix) && !is_fit { "/tmp".into() } else { usual }
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
/// Bytes of a path that leave room for a folder's and a socket's name: some systems take 103 for all.
const LONGEST: usize = 60;

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn sockets_have_room_wherever_files_usually_are() {
        let place = |usual: &str| place(usual.into());
        assert_eq!(place("/var/tmp"), Path::new("/var/tmp"));
        let here = env::current_dir().unwrap();
        assert_eq!(place("here"), place(here.join("here").to_str().unwrap()));
        for unfit in ["/var/tmp/with a blank", "/a?b", "/a%41", "/ä", &"/a".repeat(31)] {
            assert_eq!(place(unfit), Path::new("/tmp"), "{unfit}");
        }
    }
}
