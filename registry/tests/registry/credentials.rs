//! Who this node is, told to all transports at once.

use std::sync::Arc;

use rumormill_registry::Registry;
use rumormill_transport_api::{Context, Counters};

use crate::badge::{check, credentials, factory};

fn registry() -> Registry {
    Registry::of(["quic", "tcp", "tls"].map(factory)).expect("schemes are distinct")
}

#[tokio::test]
async fn every_transport_is_told_and_counts_for_itself() {
    let registry = registry().with_credentials(credentials(7));
    for before in 0..2 {
        for scheme in ["quic", "tcp", "tls"] {
            check(&registry, scheme, Some(7), before).await;
        }
    }
}

#[tokio::test]
async fn nobody_is_told_what_nobody_said() {
    check(&registry(), "tls", None, 0).await;
}

#[tokio::test]
async fn a_transport_registered_later_is_told_too() {
    let mut registry = registry().with_credentials(credentials(7));
    registry.register(factory("late")).unwrap();
    check(&registry, "late", Some(7), 0).await;
}

#[tokio::test]
async fn settings_without_credentials_get_them_and_stay_as_they_are() {
    for configure_first in [true, false] {
        let (mut registry, counters) = (registry(), Arc::<Counters>::default());
        counters.conns_vanished.add(5);
        let context = Context { counters: counters.clone(), ..Context::default() };
        if configure_first {
            registry.configure("tls", context.clone()).unwrap();
        }
        registry = registry.with_credentials(credentials(7));
        if !configure_first {
            registry.configure("tls", context).unwrap();
        }
        check(&registry, "tls", Some(7), 5).await;
        assert_eq!(counters.conns_vanished.get(), 6);
    }
}

#[tokio::test]
async fn settings_with_others_keep_them() {
    let registry = registry();
    let context = Context { credentials: Some(credentials(9)), ..Context::default() };
    registry.configure("tls", context).unwrap();
    let registry = registry.with_credentials(credentials(7));
    check(&registry, "tls", Some(9), 0).await;
    check(&registry, "quic", Some(7), 0).await;
}

#[tokio::test]
async fn what_was_built_before_goes_on_as_it_is() {
    let registry = registry().with_credentials(credentials(7));
    check(&registry, "tls", Some(7), 0).await;
    let registry = registry.with_credentials(credentials(8));
    check(&registry, "tls", Some(7), 1).await;
    check(&registry, "quic", Some(8), 0).await;
}
