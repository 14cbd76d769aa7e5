//! Transports that register themselves.

use rumormill_registry::Registry;
use rumormill_transport_api::{Caps, Factory, inventory};

const fn factory(scheme: &'static str) -> Factory {
    let build = |_: &_| Err(rumormill_transport_api::Error::Finished);
    Factory { scheme, provider: "submitted 1", caps: Caps::STREAM, options: &[], build }
}

const LAST: Factory = factory("z-last");

inventory::submit! { factory("m-middle") }
inventory::submit! { LAST }
inventory::submit! { factory("a-first") }

#[test]
fn what_was_submitted_is_found_in_order() {
    let registry = Registry::linked().unwrap();
    assert!(registry.schemes().eq(["a-first", "m-middle", "z-last"]));
}

#[test]
fn what_is_linked_may_be_registered_by_hand_too() {
    let mut registry = Registry::linked().unwrap();
    registry.register(LAST).unwrap();
    assert_eq!(registry.schemes().count(), 3);
}

#[test]
fn what_is_linked_may_not_be_given_twice_at_once() {
    let linked = inventory::iter::<Factory>.into_iter().copied();
    let error = Registry::of(linked.chain([LAST])).unwrap_err();
    let expected = "transport 'z-last' has several providers: submitted 1, submitted 1; \
                    keep one of them";
    assert_eq!(error.to_string(), expected);
}
