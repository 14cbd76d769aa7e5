//! The repository's files, as the rules see them.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// A text file of the repository.
#[derive(Clone, Debug)]
pub struct File {
    /// Path from the root of the repository, with forward slashes.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl File {
    /// A file that need not exist, for a rule to look at.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

/// The root of the repository.
pub fn root() -> PathBuf {
    // Asked at run time: clones that share a target folder share this very program, too.
    let package = env::var_os(PACKAGE).unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let root = Path::new(&package).parent();
    root.expect("invariant: this package is a folder of the repository").to_path_buf()
}

/// The path from the root of the repository, with forward slashes; unchanged if it lies outside.
pub fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap_or(path);
    path.to_string_lossy().replace('\\', "/")
}

/// The file at a path from the root of the repository; `None` if it cannot be read as text.
pub fn file(path: &str) -> Option<File> {
    let text = fs::read_to_string(root().join(path)).ok()?;
    Some(File::new(path, &text))
}

/// Every file that ends in `.extension`, sorted by path.
///
/// Build output, hidden folders and fixtures, which stand for other people's code, are left out.
pub fn files(extension: &str) -> Vec<File> {
    let mut paths = Vec::new();
    collect(&root(), extension, &mut paths);
    paths.sort();
    paths.iter().filter_map(|path| file(&relative(path))).collect()
}

fn collect(folder: &Path, extension: &str, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && is_ours(&path) {
            collect(&path, extension, into);
        } else if path.is_file() && path.extension().is_some_and(|found| found == extension) {
            into.push(path);
        }
    }
}

fn is_ours(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let is_output = name == "target" || folder.join("CACHEDIR.TAG").exists();
    !is_output && !name.starts_with('.') && name != "fixtures"
}

const PACKAGE: &str = "CARGO_MANIFEST_DIR";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_finds_this_file_and_no_build_output() {
        let paths: Vec<String> = files("rs").into_iter().map(|file| file.path).collect();
        assert!(paths.iter().any(|path| path == "tidy/src/tree.rs"), "{paths:?}");
        assert!(!paths.iter().any(|path| path.starts_with("target/")), "{paths:?}");
    }

    #[test]
    fn hidden_folders_fixtures_and_build_output_are_not_ours() {
        for folder in [".git", "target", "registry/tests/fixtures"] {
            assert!(!is_ours(Path::new(folder)), "{folder}");
        }
        assert!(is_ours(Path::new("registry/tests")));
    }
}
