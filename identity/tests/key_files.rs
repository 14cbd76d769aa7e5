//! Files that keep keys: what is written, and what is refused.

#![cfg(unix)]

use std::{
    fs::{self, Permissions},
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::PathBuf,
    process::Command,
};

use rumormill_identity::{Error, SecretKey};
use tempfile::TempDir;

fn dir() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

/// A file with this content, which only its owner can read.
fn private(dir: &TempDir, content: &[u8]) -> PathBuf {
    let path = dir.path().join("some.key");
    fs::write(&path, content).expect("writing");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("permissions");
    path
}

fn refused(path: &PathBuf) -> Error {
    let error = SecretKey::load(path).expect_err("it is refused");
    assert!(error.to_string().contains(path.to_str().expect("UTF-8")), "{error}");
    error
}

#[test]
fn a_key_comes_back_from_its_file() {
    let (dir, key) = (dir(), SecretKey::generate());
    let path = dir.path().join("node.key");
    key.save(&path).unwrap();
    assert_eq!(SecretKey::load(&path).unwrap().node(), key.node());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert!(fs::read_to_string(&path).unwrap().starts_with("-----BEGIN PRIVATE KEY-----\n"));
}

#[test]
fn a_key_that_was_copied_by_hand_is_read() {
    let (dir, key) = (dir(), SecretKey::generate());
    let path = dir.path().join("node.key");
    key.save(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let (trimmed, crlf) = (text.trim_end(), text.replace('\n', "\r\n"));
    for copied in [trimmed, &format!("{text}\n"), &format!("\n {text} \n\n"), &crlf] {
        let copy = private(&dir, copied.as_bytes());
        assert_eq!(SecretKey::load(&copy).unwrap().node(), key.node(), "{copied:?}");
    }
}

#[test]
fn a_key_is_never_overwritten() {
    let (dir, first) = (dir(), SecretKey::generate());
    let path = dir.path().join("node.key");
    first.save(&path).unwrap();
    let error = SecretKey::generate().save(&path).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error:?}");
    let dangling = dir.path().join("link");
    symlink(dir.path().join("elsewhere"), &dangling).unwrap();
    let error = SecretKey::generate().save(&dangling).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error:?}");
    assert_eq!(SecretKey::load(&path).unwrap().node(), first.node());
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let (dir, key) = (dir(), SecretKey::generate());
    let path = dir.path().join("node.key");
    key.save(&path).unwrap();
    for mode in [0o604, 0o640, 0o620, 0o666, 0o601] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = refused(&path);
        assert!(matches!(error, Error::Exposed { .. }), "{mode:o}: {error:?}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    assert!(SecretKey::load(&path).is_ok());
}

#[test]
fn a_key_that_another_user_owns_is_refused() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can give a file away");
        return;
    }
    let (dir, key) = (dir(), SecretKey::generate());
    let path = dir.path().join("node.key");
    key.save(&path).unwrap();
    std::os::unix::fs::chown(&path, Some(12_345), None).unwrap();
    assert!(matches!(refused(&path), Error::Foreign { uid: 12_345, .. }));
}

#[test]
fn what_is_no_key_is_refused() {
    let dir = dir();
    for content in [
        &b""[..],
        b"hello",
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAAAA\n-----END PUBLIC KEY-----\n",
        &[0xff; 100],
        &[b'a'; 1 << 20],
    ] {
        let error = refused(&private(&dir, content));
        assert!(matches!(error, Error::Malformed { .. }), "{error:?}");
    }
}

#[test]
fn what_is_no_file_is_refused_without_waiting() {
    let dir = dir();
    assert!(matches!(refused(&dir.path().into()), Error::Malformed { .. }));
    assert!(matches!(refused(&dir.path().join("missing")), Error::Io { .. }));
    let pipe = dir.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo is part of every Unix");
    assert!(matches!(refused(&pipe), Error::Malformed { .. }));
}

#[test]
fn keys_of_openssl_are_read_and_ours_are_read_by_it() {
    let dir = dir();
    let path = dir.path().join("openssl.key");
    let openssl = |args: &[&str]| Command::new("openssl").args(args).arg(&path).output();
    let Ok(made) = openssl(&["genpkey", "-algorithm", "ed25519", "-out"]) else {
        eprintln!("skipped: there is no openssl");
        return;
    };
    assert!(made.status.success(), "{made:?}");
    let theirs = SecretKey::load(&path).unwrap();
    fs::remove_file(&path).unwrap();
    theirs.save(&path).unwrap();
    let public = openssl(&["pkey", "-pubout", "-outform", "DER", "-in"]).unwrap();
    assert!(public.status.success(), "{public:?}");
    assert!(public.stdout.ends_with(&theirs.node().0));
}
