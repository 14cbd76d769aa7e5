//! Names and families of addresses.

use rumormill_transport_api::{Error, Listener, Target, Transport};

use crate::{
    support::quic,
    talk::{addr, dial, echo, echoing, error, try_dial},
};

#[tokio::test]
async fn a_name_is_tried_at_all_of_its_addresses() {
    let server = echoing(&quic(), "").await;
    let port = server.addr().rest().rsplit(':').next().unwrap();
    // Where the name is ::1 too, nobody answers there.
    let mut conn = dial(&quic(), &addr(format!("quic://localhost:{port}"))).await;
    echo(&mut conn, "found").await;
}

#[tokio::test]
async fn an_unknown_name_is_unreachable() {
    let unknown = error(try_dial(&quic(), &addr("quic://nobody.invalid:1")).await);
    assert!(matches!(unknown, Error::Unreachable { .. }) && unknown.is_retryable(), "{unknown:?}");
}

#[tokio::test]
async fn a_listener_on_all_interfaces_is_dialled_at_the_loopback() {
    let mut listener = quic().listen(&addr("quic://0.0.0.0:0")).await.unwrap();
    let (dialled, accepted) = crate::talk::connect(&quic(), &mut listener).await;
    assert_eq!(dialled.info.remote, *listener.addr());
    // It knows which interface the dialer came in by.
    let port = listener.addr().rest().rsplit(':').next().unwrap();
    assert_eq!(accepted.info.local, addr(format!("quic://127.0.0.1:{port}")));
    assert_eq!(dialled.info.local, accepted.info.remote);
}

#[tokio::test]
async fn the_families_do_not_take_each_others_ports() {
    let Ok(mut six) = quic().listen(&addr("quic://[::1]:0")).await else {
        return; // This machine has no IPv6.
    };
    let dialer = quic();
    crate::talk::connect(&dialer, &mut six).await;
    let four = crate::talk::listen(&dialer, "").await;
    let target = Target { from: Some(four.addr().clone()), ..Target::new(six.addr().clone()) };
    let other_family = error(dialer.dial(&target).await);
    assert!(matches!(other_family, Error::Unsupported { .. }), "{other_family:?}");
}
