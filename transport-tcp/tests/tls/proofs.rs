//! Who is there, as both sides learn it.

use rumormill_transport_api::{
    Caps, Context, Credentials, Delivery, End, Error, Expect, Listener, NodeId, Target, Transport,
};
use rumormill_transport_tcp::tls::FACTORY;

use crate::node::{Node, accept, beside, exchange};

#[tokio::test]
async fn both_sides_learn_whose_node_the_other_is() {
    let (server, client) = (Node::new(), Node::new());
    let mut listener = server.listen().await;
    let (mut dialled, mut accepted) = client.connect(&mut listener).await;
    assert_eq!(dialled.info.proof, server.proof());
    assert_eq!(accepted.info.proof, client.proof());
    for caps in [dialled.info.caps, accepted.info.caps, FACTORY.caps] {
        let Caps { delivery, end, secure, tells_cuts, .. } = caps;
        assert_eq!((delivery, end, secure, tells_cuts), (Delivery::Stream, End::Half, true, true));
    }
    exchange(&mut dialled, &mut accepted).await;
}

#[tokio::test]
async fn a_node_can_be_expected() {
    let (server, client) = (Node::new(), Node::new());
    let mut listener = server.listen().await;
    let addr = listener.addr().clone();
    let expected = client.dial_expecting(&addr, Expect::Node(server.id()));
    let (dialled, _accepted) = tokio::join!(expected, accept(&mut listener));
    assert_eq!(dialled.unwrap().info.proof, server.proof());
}

#[tokio::test]
async fn another_node_is_unproven() {
    let (server, client) = (Node::new(), Node::new());
    let mut listener = server.listen().await;
    let addr = listener.addr().clone();
    let dialling = client.dial_expecting(&addr, Expect::Node(NodeId([7; 32])));
    let error = beside(&mut listener, dialling).await.unwrap_err();
    assert!(matches!(error, Error::Unproven { .. }), "{error:?}");
    assert!(error.to_string().contains(&server.id().to_string()), "{error}");
    beside(&mut listener, server.vanished(1)).await;
    client.connect(&mut listener).await;
}

#[tokio::test]
async fn what_nobody_could_prove_is_refused_before_anything_is_opened() {
    let client = Node::new();
    // Nobody listens there: whoever tried would find out.
    let addr = "tls://127.0.0.1:1".parse().unwrap();
    for expect in [Expect::Name("example.org".into()), Expect::Uid(0)] {
        let error = client.dial_expecting(&addr, expect).await.unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    }
    let target = Target { from: Some(addr.clone()), ..Target::new(addr) };
    let error = client.transport.dial(&target).await.unwrap_err();
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
}

#[tokio::test]
async fn a_name_is_proven_by_the_node_behind_it() {
    let (server, client) = (Node::new(), Node::new());
    let mut listener = server.listen().await;
    let port = listener.addr().rest().rsplit(':').next().unwrap().to_string();
    let addr = format!("tls://localhost:{port}").parse().unwrap();
    let dialling = client.dial_expecting(&addr, Expect::Node(server.id()));
    let (dialled, accepted) = tokio::join!(dialling, accept(&mut listener));
    exchange(&mut dialled.unwrap(), &mut { accepted }).await;
}

#[test]
fn no_transport_without_credentials() {
    let without = (FACTORY.build)(&Context::default()).map(|_| ()).unwrap_err();
    assert!(matches!(without, Error::Unsupported { .. }), "{without:?}");
    let garbage = Credentials {
        node: NodeId([7; 32]),
        chain: vec![b"no certificate".to_vec()],
        key: Default::default(),
        authorities: Vec::new(),
    };
    let context = Context { credentials: Some(garbage.into()), ..Context::default() };
    let unusable = (FACTORY.build)(&context).map(|_| ()).unwrap_err();
    assert!(matches!(unusable, Error::Option { .. }), "{unusable:?}");
}

#[tokio::test]
async fn options_in_an_address_hold_for_that_conn() {
    let (server, client) = (Node::new(), Node::new());
    let mut listener = server.listen_at("tls://127.0.0.1:0?max_message=20&handshakes=3").await;
    assert!(listener.addr().options().is_empty(), "the bound address is one to dial");
    let addr = format!("{}?max_message=10&keepalive=5s&resumption=false", listener.addr());
    let addr = addr.parse().unwrap();
    let (dialled, accepted) = tokio::join!(client.dial(&addr), accept(&mut listener));
    let max = [dialled.unwrap().info.caps.max_message, accepted.info.caps.max_message];
    assert_eq!(max, [10, 20]);
}
