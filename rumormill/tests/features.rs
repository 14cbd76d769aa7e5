//! A build has the transports of its cargo features, and says which feature brings another.

use rumormill::RegistryError;

#[test]
fn the_transports_are_those_of_the_features() {
    let registry = rumormill::registry().unwrap();
    let expected = TRANSPORTS.iter().filter(|(_, on)| *on).map(|(scheme, _)| *scheme);
    assert!(registry.schemes().eq(expected), "{registry:?}");
}

#[test]
fn a_transport_that_is_off_leads_to_its_feature() {
    let registry = rumormill::registry().unwrap();
    for (scheme, _) in TRANSPORTS.iter().filter(|(_, on)| !on) {
        let error = registry.transport(scheme).unwrap_err();
        let RegistryError::Unknown { feature, .. } = &error else { panic!("{error}") };
        assert_eq!(*feature, Some(*scheme), "{error}");
    }
}

#[test]
fn every_feature_is_a_transport_of_this_table() {
    let manifest = include_str!("../Cargo.toml");
    let (_, features) = manifest.split_once("[features]\n").unwrap();
    let (features, _) = features.split_once("\n[").unwrap();
    let names = features.lines().filter_map(|line| Some(line.split_once(" = ")?.0));
    let names = names.filter(|name| !LAYERS.contains(name));
    assert!(names.eq(TRANSPORTS.iter().map(|(name, _)| *name)));
}

/// Every transport of this crate, sorted, and whether its feature is on.
const TRANSPORTS: &[(&str, bool)] = &[
    ("mem", cfg!(feature = "mem")),
    ("quic", cfg!(feature = "quic")),
    ("tcp", cfg!(feature = "tcp")),
    ("tls", cfg!(feature = "tls")),
    ("udp", cfg!(feature = "udp")),
    ("unix", cfg!(feature = "unix")),
];

/// Every other feature of this crate.
const LAYERS: &[&str] =
    &["default", "admin", "broker", "cli", "demo", "endpoint", "gossip", "identity", "node"];
