//! Names that an authority vouches for, in place of nodes' keys.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::{
    keys::{Key, path},
    running::{Finished, Running, run},
};

/// The files of somebody whom an authority has given a certificate.
struct Member {
    folder: TempDir,
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    fn admit(&self, name: &str) -> Member {
        let (folder, key) = (tempfile::tempdir().expect("a folder"), KeyPair::generate());
        let (params, key) = (CertificateParams::new([name.to_owned()]), key.expect("a key"));
        let certificate = params.expect("a name").signed_by(&key, &self.issuer);
        let write = |file, text: String| fs::write(path(&folder, file), text).expect("a file");
        write("ca.pem", self.certificate.clone());
        write("cert.pem", certificate.expect("a certificate").pem());
        // What `keygen` makes, only its owner can read.
        let secret = path(&folder, "key.pem");
        assert_eq!(run(&["keygen", &secret]).code, Some(0));
        fs::write(secret, key.serialize_pem()).expect("a file");
        Member { folder }
    }
}

impl Member {
    fn file(&self, name: &str) -> String {
        path(&self.folder, name)
    }

    fn run(&self, args: &[&str]) -> Finished {
        run(&[args, &self.args().each_ref().map(String::as_str)].concat())
    }

    fn serve(&self, addr: &str) -> (Running, String) {
        let args = self.args();
        let args = [&[addr], &args.each_ref().map(String::as_str)[..]].concat();
        let (server, addrs) = Running::serve(&args);
        (server, addrs.concat())
    }

    fn args(&self) -> [String; 6] {
        ["--ca", "ca.pem", "--cert", "cert.pem", "--key", "key.pem"].map(|word| {
            match word.starts_with("--") {
                true => word.into(),
                false => self.file(word),
            }
        })
    }
}

fn schemes() -> Vec<&'static str> {
    let all = [(cfg!(feature = "quic"), "quic"), (cfg!(feature = "tls"), "tls")];
    all.iter().filter(|(on, _)| *on).map(|(_, scheme)| *scheme).collect()
}

fn check_refused(finished: &Finished, code: i32, expected: &str) {
    assert_eq!((finished.code, finished.lines.len()), (Some(code), 0), "{finished:?}");
    let expected = format!("error: {expected}");
    assert!(finished.messages.starts_with(&expected), "{expected}: {finished:?}");
    assert_eq!(finished.messages.lines().count(), 1, "{finished:?}");
}

#[test]
fn names_are_proven_by_the_authority() {
    let authority = Authority::new();
    let (server, client) = (authority.admit("localhost"), authority.admit("client.example"));
    for scheme in schemes() {
        let (_server, addr) = server.serve(&format!("{scheme}://127.0.0.1:0"));
        let named = client.run(&["ping", &addr, "-c", "1", "--expect-name", "localhost"]);
        assert_eq!((named.code, &*named.messages), (Some(0), ""), "{named:?}");

        let by_name = addr.replace("127.0.0.1", "localhost");
        let found = client.run(&["ping", &by_name, "-c", "1"]);
        let expected = format!("{by_name} proved to be localhost\n");
        assert_eq!((found.code, found.messages), (Some(0), expected));

        let bench = client.run(&["bench", &by_name, "--seconds", "0.1"]);
        assert_eq!(bench.code, Some(0), "{bench:?}");
    }
}

#[test]
fn another_name_and_another_authority_are_refused() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (server, client) = (authority.admit("localhost"), authority.admit("client.example"));
    let stranger = other.admit("client.example");
    for scheme in schemes() {
        let (_server, addr) = server.serve(&format!("{scheme}://127.0.0.1:0"));
        let unproven = format!("the peer at {addr} is not the one expected: ");
        let wrong = client.run(&["ping", &addr, "--expect-name", "somebody.example"]);
        check_refused(&wrong, 1, &unproven);
        let wrong = stranger.run(&["ping", &addr, "--expect-name", "localhost"]);
        check_refused(&wrong, 1, &unproven);
    }
}

#[test]
fn nodes_and_names_do_not_mix() {
    let (authority, alice) = (Authority::new(), Key::generate());
    let (server, client) = (authority.admit("localhost"), authority.admit("client.example"));
    for scheme in schemes() {
        let (_server, addr) = server.serve(&format!("{scheme}://127.0.0.1:0"));
        let node = client.run(&["ping", &addr, "--expect", &alice.node]);
        let expected = format!("proving anything but a name at {scheme}://, by an authority is");
        check_refused(&node, 2, &expected);
        let name = ["--identity", &alice.file, "--expect-name", "localhost"];
        let name = run(&[&["ping", &addr], &name[..]].concat());
        let expected = format!("proving anything but a node's key at {scheme}:// is not supported");
        check_refused(&name, 2, &expected);
    }
}

#[test]
fn files_that_are_of_no_use_are_named() {
    let authority = Authority::new();
    let (one, other) = (authority.admit("localhost"), authority.admit("localhost"));
    for scheme in schemes() {
        let addr = format!("{scheme}://127.0.0.1:0");
        let serve = |ca: &str, cert: &str, key: &str| {
            run(&["serve", &addr, "--ca", ca, "--cert", cert, "--key", key])
        };
        let [ca, cert, key] = ["ca.pem", "cert.pem", "key.pem"].map(|name| one.file(name));
        let (missing, others) = (one.file("missing.pem"), other.file("key.pem"));
        let checks = [
            (serve(&missing, &cert, &key), format!("reading {missing} failed: ")),
            (serve(&ca, &missing, &key), format!("reading {missing} failed: ")),
            (serve(&ca, &cert, &missing), format!("reading {missing} failed: ")),
            (serve(&key, &cert, &key), format!("{key} holds no certificates in PEM")),
            (serve(&ca, &cert, &others), format!("--cert {cert}, with --key {others}, ")),
        ];
        for (finished, expected) in checks {
            check_refused(&finished, 1, &expected);
        }
        #[cfg(unix)]
        check_refused(&serve(&ca, &cert, &cert), 1, &format!("{cert} is open to others"));
    }
}

#[cfg(feature = "tcp")]
#[test]
fn an_authority_is_of_no_use_where_nothing_is_proven() {
    let member = Authority::new().admit("localhost");
    for command in ["serve", "ping", "bench"] {
        let refused = member.run(&[command, "tcp://127.0.0.1:9"]);
        check_refused(&refused, 2, "--ca has no use: nothing is proven at tcp://127.0.0.1:9; ");
    }
}

#[test]
fn the_three_files_come_together() {
    for option in ["--ca", "--cert", "--key"] {
        let refused = run(&["ping", "x://y", option, "file"]);
        assert_eq!(refused.code, Some(2));
        assert!(refused.messages.contains("required arguments were not provided"), "{refused:?}");
    }
}
