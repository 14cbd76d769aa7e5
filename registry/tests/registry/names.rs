//! What a registry says to a name, and which names it takes.

use std::error::Error as _;

use rumormill_registry::{Error, Registry};
use rumormill_transport_api::{Caps, Factory, Target};

use crate::toy::factory;

fn registry(schemes: &[&'static str]) -> Registry {
    Registry::of(schemes.iter().map(|scheme| factory(scheme))).expect("schemes are distinct")
}

/// A build that lacks quic, under another feature's name, and has none of `hidden`.
fn check(linked: &[&'static str], scheme: &str, expected: &str) {
    let registry = registry(linked).with_hints(&[("quic", "quic"), ("tls", "tcp-tls")]);
    let error = registry.transport(scheme).expect_err(scheme);
    assert_eq!(error.to_string(), expected);
    assert!(!error.is_retryable());
}

#[test]
fn a_misspelt_name_leads_to_the_nearest() {
    let all = &["unix", "tcp", "quic", "udp"];
    check(all, "quik", "no transport 'quik'; linked: quic, tcp, udp, unix; did you mean 'quic'?");
    check(all, "TCP", "no transport 'TCP'; linked: quic, tcp, udp, unix; did you mean 'tcp'?");
}

#[test]
fn a_name_that_was_not_compiled_in_leads_to_its_feature() {
    check(
        &["tcp", "mem"],
        "quic",
        "no transport 'quic' in this build; linked: mem, tcp; \
         enable the cargo feature 'quic' of rumormill",
    );
    check(
        &[],
        "tls",
        "no transport 'tls' in this build; linked: none; \
         enable the cargo feature 'tcp-tls' of rumormill",
    );
}

#[test]
fn a_misspelt_name_that_was_not_compiled_in_leads_to_both() {
    check(
        &["tcp", "mem"],
        "quick",
        "no transport 'quick'; linked: mem, tcp; did you mean 'quic'? \
         If so, enable the cargo feature 'quic' of rumormill",
    );
}

#[test]
fn a_name_like_no_other_leads_to_the_linking_line() {
    for (linked, shown) in [(&["tcp", "mem"][..], "mem, tcp"), (&[], "none")] {
        let expected = format!(
            "no transport 'my-carrier'; linked: {shown}; a transport crate that only Cargo.toml \
             lists is not linked: name it in code, as in `use my_transport as _;`, or pass its \
             FACTORY to Registry::of or Registry::register"
        );
        check(linked, "my-carrier", &expected);
    }
}

#[test]
fn a_strangers_name_is_shortened_and_escaped() {
    let hostile = format!("\u{1b}[2J\n\u{202e}{}", "x".repeat(1 << 20));
    let text = registry(&["tcp"]).transport(&hostile).unwrap_err().to_string();
    assert!(text.starts_with(r"no transport '\u{1b}[2J\n\u{202e}xxxxxxx"), "{text}");
    assert!(text.contains("xx…'; linked: tcp;"), "{text}");
    assert!(!text.contains(char::is_control) && text.len() < 400, "{text}");
}

#[tokio::test]
async fn a_scheme_that_nobody_serves_is_unknown_to_every_verb() {
    let registry = registry(&["tcp"]);
    let addr = "tpc://127.0.0.1:1".parse().unwrap();
    let errors = [
        registry.listen(&addr).await.unwrap_err(),
        registry.dial(&Target::new(addr)).await.unwrap_err(),
        registry.configure("tpc", Default::default()).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Unknown { nearest: Some("tcp"), .. }), "{error}");
    }
}

#[test]
fn two_providers_of_a_scheme_are_named_in_any_order() {
    let tcp = |provider| Factory { provider, ..factory("tcp") };
    let all = [tcp("b 0.2.0"), factory("udp"), tcp("c 0.1.0"), tcp("a 0.1.0"), factory("udp")];
    let mut reversed = all;
    reversed.reverse();
    for factories in [all, reversed] {
        let error = Registry::of(factories).unwrap_err();
        let expected = "transport 'tcp' has several providers: a 0.1.0, b 0.2.0, c 0.1.0; \
                        keep one of them";
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_second_provider_is_refused_and_changes_nothing() {
    let mut registry = registry(&["tcp"]);
    let error = registry.register(Factory { provider: "a 1", ..factory("tcp") }).unwrap_err();
    assert!(
        matches!(&error, Error::Duplicate { scheme: "tcp", providers } if *providers == ["a 1", "tcp"]),
        "{error}"
    );
    assert_eq!(registry.factories().map(|factory| factory.provider).collect::<Vec<_>>(), ["tcp"]);
}

#[test]
fn the_same_factory_may_be_registered_again() {
    let mut registry = registry(&["tcp"]);
    registry.register(factory("tcp")).unwrap();
    registry.register(factory("udp")).unwrap();
    assert!(registry.schemes().eq(["tcp", "udp"]));
}

#[test]
fn a_factory_that_can_do_something_else_is_not_the_same() {
    let mut registry = registry(&["tcp"]);
    let altered = [
        Factory { caps: Caps::DATAGRAM, ..factory("tcp") },
        Factory { options: &[], ..factory("tcp") },
    ];
    for factory in altered {
        let error = registry.register(factory).unwrap_err();
        assert!(matches!(error, Error::Duplicate { .. }), "{error}");
    }
}

#[test]
fn a_scheme_that_no_address_can_have_names_its_provider() {
    for scheme in ["", "Tcp", "9p", "my_carrier", "a b", "tcp://", &*"x".repeat(33).leak()] {
        let factory = Factory { scheme, provider: "odd 0.1.0", ..factory("tcp") };
        let error = Registry::of([factory]).unwrap_err();
        assert!(matches!(error, Error::Malformed { provider: "odd 0.1.0", .. }), "{error}");
        assert!(error.to_string().starts_with("odd 0.1.0 "), "{error}");
        assert!(error.source().is_some_and(|source| source.to_string().contains("scheme")));
    }
}

#[test]
fn transports_are_listed_in_order_and_unbuilt() {
    let panics = |scheme| Factory { build: |_| panic!("was built"), ..factory(scheme) };
    let registry = Registry::of(["udp", "mem", "tcp"].map(panics)).unwrap();
    assert!(registry.schemes().eq(["mem", "tcp", "udp"]));
    assert!(registry.factories().all(|factory| factory.caps == Caps::STREAM));
    assert!(registry.contains("mem") && !registry.contains("quic"));
    assert_eq!(format!("{registry:?}"), r#"Registry(["mem", "tcp", "udp"])"#);
}
