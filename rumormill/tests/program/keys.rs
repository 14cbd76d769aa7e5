//! `rumormill keygen` and `rumormill id`.

use std::fs;

use rumormill::identity::SecretKey;
use tempfile::TempDir;

use crate::running::run;

/// A folder with a key of a new node in it.
pub(crate) struct Key {
    folder: TempDir,
    pub(crate) file: String,
    /// The node id.
    pub(crate) node: String,
}

impl Key {
    pub(crate) fn generate() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = path(&folder, "node.key");
        let keygen = run(&["keygen", &file]);
        assert_eq!((keygen.code, &*keygen.messages, keygen.lines.len()), (Some(0), "", 1));
        Self { folder, file, node: keygen.lines.concat() }
    }

    /// A file beside the key.
    pub(crate) fn beside(&self, name: &str) -> String {
        path(&self.folder, name)
    }
}

pub(crate) fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).to_str().expect("a path in UTF-8").to_owned()
}

fn check_refused(args: &[&str], expected: &str) {
    let finished = run(args);
    assert_eq!((finished.code, finished.lines.len()), (Some(1), 0), "{finished:?}");
    assert!(finished.messages.starts_with(&format!("error: {expected}")), "{finished:?}");
    assert_eq!(finished.messages.lines().count(), 1, "{finished:?}");
}

#[test]
fn a_key_is_made_and_its_node_is_told() {
    let key = Key::generate();
    assert_eq!(SecretKey::load(&key.file).unwrap().node().to_string(), key.node);
    let id = run(&["id", &key.file]);
    assert_eq!((id.code, &*id.messages, id.lines), (Some(0), "", vec![key.node]));
}

#[test]
fn a_file_that_exists_is_never_overwritten() {
    let key = Key::generate();
    let before = fs::read(&key.file).unwrap();
    check_refused(&["keygen", &key.file], &format!("{} exists, and a key is never", key.file));
    assert_eq!(fs::read(&key.file).unwrap(), before);

    let (link, target) = (key.beside("link"), key.beside("target"));
    #[cfg(unix)]
    std::os::unix::fs::symlink(&target, &link).unwrap();
    #[cfg(unix)]
    check_refused(&["keygen", &link], &format!("{link} exists"));
    assert!(fs::metadata(target).is_err() && fs::metadata(link).is_err());
}

#[test]
fn a_folder_that_is_missing_is_named() {
    let key = Key::generate();
    let file = key.beside("missing/node.key");
    check_refused(&["keygen", &file], &format!("creating {file} failed: "));
}

#[test]
fn what_is_no_key_is_refused_by_name() {
    let key = Key::generate();
    let missing = key.beside("missing.key");
    check_refused(&["id", &missing], &format!("reading {missing} failed: "));
    let folder = key.beside("");
    check_refused(&["id", &folder], &format!("{folder} is no file"));
    // It has the mode of a key.
    fs::write(&key.file, "node1").unwrap();
    check_refused(&["id", &key.file], &format!("{} holds no Ed25519 key in PEM", key.file));
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_it_whatever_the_umask() {
    use std::{os::unix::fs::PermissionsExt, process::Command};

    let key = Key::generate();
    for umask in ["000", "022", "077"] {
        let file = key.beside(umask);
        let mut shell = Command::new("sh");
        shell.args(["-c", "umask $0; exec \"$@\"", umask]);
        shell.args([env!("CARGO_BIN_EXE_rumormill"), "keygen", &file]);
        assert!(shell.output().unwrap().status.success());
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o7777, 0o600, "{umask}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_read_is_refused() {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

    let key = Key::generate();
    fs::set_permissions(&key.file, Permissions::from_mode(0o640)).unwrap();
    let expected = format!("{0} is open to others (mode 0640); run `chmod 600 {0}`", key.file);
    check_refused(&["id", &key.file], &expected);
    // Even where no transport needs it: a file that is named is read.
    check_refused(&["ping", "mem://x", "--identity", &key.file], &expected);
}

#[test]
fn the_certificate_is_the_same_each_time() {
    let key = Key::generate();
    let certificate = || run(&["id", &key.file, "--certificate"]);
    let (first, second) = (certificate(), certificate());
    assert_eq!((first.code, &*first.messages), (Some(0), ""));
    assert_eq!(first.lines, second.lines);
    let expected = SecretKey::load(&key.file).unwrap().certificate_pem();
    assert_eq!(first.lines.join("\n"), expected.trim_end());
    assert!(expected.starts_with("-----BEGIN CERTIFICATE-----\n"), "{expected}");
}
