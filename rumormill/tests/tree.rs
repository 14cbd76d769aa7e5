//! What a build compiles, as cargo tells it: what is not asked for is not there.

use std::{collections::BTreeSet, process::Command};

#[test]
fn without_the_features_there_is_no_tls_no_quic_and_no_certificate() {
    for features in ["tcp", "cli,tcp", "cli,mem,tcp,udp,unix"] {
        let found: Vec<_> = packages(features).into_iter().filter(encrypts).collect();
        assert!(found.is_empty(), "{features}: {found:?}");
    }
}

#[test]
fn with_them_there_is_one_rustls_and_one_provider() {
    for features in ["tls", "quic", "cli,mem,quic,tcp,tls,udp,unix"] {
        let packages = packages(features);
        let count = |name: &str| packages.iter().filter(|package| package.name == name).count();
        assert_eq!((count("rustls"), count("ring")), (1, 1), "{features}: {packages:?}");
        let others = packages.iter().filter(|p| p.name.starts_with("aws-lc")).count();
        assert_eq!(others, 0, "{features}: {packages:?}");
    }
}

#[test]
fn each_carrier_comes_alone() {
    let has = |features, name: &str| packages(features).iter().any(|package| package.name == name);
    assert!(has("quic", "quinn") && !has("quic", "tokio-rustls"));
    assert!(has("tls", "tokio-rustls") && !has("tls", "quinn"));
}

#[test]
fn signing_comes_alone() {
    let has = |features, name: &str| packages(features).iter().any(|package| package.name == name);
    assert!(has("endpoint", "blake3") && !has("endpoint", "quinn"));
    assert!(!has("cli,mem,quic,tcp,tls,udp,unix", "blake3"));
}

#[test]
fn administration_comes_alone() {
    let has = |features, name: &str| packages(features).iter().any(|package| package.name == name);
    assert!(has("admin", "hyper") && !has("admin", "h2") && !has("cli,node,tcp", "hyper"));
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
}

/// All that is compiled for a program that depends on this crate with `features` alone.
fn packages(features: &str) -> BTreeSet<Package> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(["tree", "--locked", "--offline", "--color", "never", "--package", "rumormill"]);
    cargo.args(["--no-default-features", "--features", features]);
    cargo.args(["--edges", "normal,build", "--prefix", "none"]);
    let output = cargo.output().expect("cargo runs, since it runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("names are UTF-8");
    let package = |line: &str| {
        let mut words = line.split(' ').map(String::from);
        Some(Package { name: words.next()?, version: words.next()? })
    };
    let packages: BTreeSet<_> = tree.lines().filter_map(package).collect();
    assert!(packages.iter().any(|package| package.name == "tokio"), "{tree}");
    packages
}

fn encrypts(package: &Package) -> bool {
    // It only sends and receives datagrams, several to a system call.
    let is_exempt = package.name == "quinn-udp";
    !is_exempt && package.name.split(['-', '_']).any(|word| TRACES.contains(&word))
}

/// Words in the names of crates that encrypt, or read and write certificates and keys.
const TRACES: &[&str] = &[
    "aws", "blake3", "dalek", "der", "ed25519", "endpoint", "identity", "openssl", "pem", "pkcs8",
    "pki", "quic", "quinn", "rcgen", "ring", "rustls", "spki", "tls", "webpki", "x509", "yasna",
];
