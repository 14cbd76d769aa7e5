//! One instance per scheme, built when it is first asked for.

use std::{panic, sync::Barrier, thread};

use rumormill_registry::{Error, Registry};
use rumormill_transport_api::{self as api, Factory, Target, Transport};

use crate::toy::{Builds, factory};

fn counted(scheme: &'static str) -> (Registry, Builds) {
    let (registry, builds) = (Registry::of([factory(scheme)]), Builds::default());
    let registry = registry.expect("one scheme is no duplicate");
    registry.configure(scheme, builds.context()).expect("nothing was built");
    (registry, builds)
}

#[tokio::test]
async fn a_transport_is_built_once_for_all_its_users() {
    let (registry, builds) = counted("toy");
    assert_eq!(builds.get(), 0);
    let addr: api::Addr = "toy://x".parse().unwrap();
    registry.transport("toy").unwrap().caps();
    registry.listen(&addr).await.unwrap_err();
    registry.dial(&Target::new(addr)).await.unwrap_err();
    assert_eq!(builds.get(), 1);
}

#[test]
fn concurrent_first_users_share_one_instance() {
    fn shared<T: Send + Sync>(_: &T) {}
    let (registry, builds) = counted("toy");
    shared(&registry);
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                start.wait();
                registry.transport("toy").map(drop)
            });
        }
    });
    assert_eq!(builds.get(), 1);
}

#[test]
fn registries_do_not_share_instances() {
    let ((one, of_one), (other, of_other)) = (counted("toy"), counted("toy"));
    one.transport("toy").unwrap();
    other.transport("toy").unwrap();
    assert_eq!((of_one.get(), of_other.get()), (1, 1));
}

#[test]
fn a_build_that_fails_is_repeated_from_the_settings_of_then() {
    let (registry, builds) = counted("toy");
    let mut context = builds.context();
    context.options.insert("unknown", "1");
    registry.configure("toy", context).unwrap();
    for failures in 1..=2 {
        let error = registry.transport("toy").unwrap_err();
        assert!(matches!(error, Error::Transport(api::Error::Option { .. })), "{error}");
        assert_eq!(builds.get(), failures);
    }
    registry.configure("toy", builds.context()).unwrap();
    registry.transport("toy").unwrap();
    registry.transport("toy").unwrap();
    assert_eq!(builds.get(), 3);
}

#[test]
fn a_build_that_panics_leaves_the_registry_usable() {
    let build = |context: &api::Context| match context.options.is_empty() {
        true => panic!("a bug"),
        false => Err(api::Error::Finished),
    };
    let registry = Registry::of([Factory { build, ..factory("toy") }]).unwrap();
    let broken = || registry.transport("toy").map(drop);
    panic::catch_unwind(panic::AssertUnwindSafe(broken)).unwrap_err();

    let options = [("known", "1")].into_iter().collect();
    registry.configure("toy", api::Context { options, ..Default::default() }).unwrap();
    let error = registry.transport("toy").unwrap_err();
    assert!(matches!(error, Error::Transport(api::Error::Finished)), "{error}");
}

#[test]
fn settings_after_the_first_use_come_too_late() {
    let (registry, builds) = counted("toy");
    registry.transport("toy").unwrap();
    let error = registry.configure("toy", builds.context()).unwrap_err();
    let expected = "transport 'toy' is already built; configure it before its first use";
    assert_eq!(error.to_string(), expected);
    assert!(!error.is_retryable());
}

#[test]
fn registering_a_factory_again_keeps_its_instance() {
    let (mut registry, builds) = counted("toy");
    registry.transport("toy").unwrap();
    registry.register(factory("toy")).unwrap();
    registry.transport("toy").unwrap();
    assert_eq!(builds.get(), 1);
}

#[tokio::test]
async fn a_transports_own_error_passes_through() {
    let (registry, _) = counted("toy");
    let addr: api::Addr = "toy://x".parse().unwrap();
    let taken = registry.listen(&addr).await.unwrap_err();
    let nobody = registry.dial(&addr.into()).await.unwrap_err();
    assert_eq!(nobody.to_string(), "nobody answers at toy://x");
    assert!(!taken.is_retryable() && nobody.is_retryable());
    assert!(
        std::error::Error::source(&nobody)
            .is_some_and(|cause| cause.to_string().contains("refused"))
    );
}
