//! The transport as a program finds it: by name, with options as text.

use std::sync::Arc;

use rumormill_transport_api::{
    AnyTransport, Batch, Caps, Context, Counters, Delivery, Error, Extensions, Listener, Reader,
    Target, Transport, Writer,
};
use rumormill_transport_mem::{FACTORY, Mem, Network};

use crate::ends::{listen, on, recv, send, target};

fn context(network: Option<&Network>, options: &[(&str, &str)]) -> Context {
    let mut extensions = Extensions::default();
    network.into_iter().for_each(|network| extensions.insert(network.clone()));
    Context { options: options.iter().copied().collect(), extensions, ..Context::default() }
}

fn build(network: Option<&Network>, options: &[(&str, &str)]) -> AnyTransport {
    (FACTORY.build)(&context(network, options)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_network_comes_with_the_context() {
    let network = Network::new(1);
    let a = build(Some(&network), &[("host", "a")]);
    let b = build(Some(&network), &[("host", "b")]);
    let mut port = b.listen(&"mem://:7".parse().unwrap()).await.unwrap();
    assert_eq!(port.addr().to_string(), "mem://b:7");
    a.dial(&Target::new(port.addr().clone())).await.unwrap();
    let accepted = port.accept().await.unwrap();
    assert!(accepted.info.remote.rest().starts_with("a:"), "{:?}", accepted.info);
}

#[tokio::test(start_paused = true)]
async fn without_a_network_the_process_has_one() {
    let mut port = build(None, &[]).listen(&"mem://:0".parse().unwrap()).await.unwrap();
    let mut dialed = Mem::default().dial(&Target::new(port.addr().clone())).await.unwrap();
    send(&mut dialed, ["hello"]).await.unwrap();
    let mut arrived = Vec::new();
    port.accept().await.unwrap().reader.recv(&mut arrived).await.unwrap();
    assert_eq!(arrived, ["hello"]);
}

#[test]
fn unusable_options_are_refused() {
    for option in [("hots", "a"), ("host", "a:b"), ("delivery", "pigeon"), ("window", "-1")] {
        let refused = (FACTORY.build)(&context(None, &[option]));
        assert!(matches!(refused, Err(Error::Option { .. })), "{option:?}");
    }
}

#[test]
fn an_instance_tells_what_it_can_do() {
    let caps = |options: &[(&str, &str)]| build(None, options).caps();
    assert_eq!(caps(&[]), FACTORY.caps);
    assert_eq!(caps(&[("max_message", "1KiB")]), FACTORY.caps.with_max_message(1024));
    let datagram = Caps { local_only: true, ..Caps::DATAGRAM };
    assert_eq!(caps(&[("delivery", "datagram")]), datagram);
}

#[tokio::test(start_paused = true)]
async fn an_address_chooses_the_mode_and_keeps_it() {
    let network = Network::new(1);
    let mem = on(&network, "b", Delivery::Stream);
    let mut port = listen(&mem, "mem://:7?delivery=datagram&window=1KiB").await;
    assert_eq!(port.addr().to_string(), "mem://b:7?delivery=datagram");
    let mut dialed = mem.dial(&Target::new(port.addr().clone())).await.unwrap();
    assert_eq!(dialed.info.caps.delivery, Delivery::Datagram);
    assert_eq!(&dialed.info.remote, port.addr());
    send(&mut dialed, ["hello"]).await.unwrap();
    assert_eq!(recv(&mut port.accept().await.unwrap()).await.unwrap(), ["hello"]);
}

#[tokio::test(start_paused = true)]
async fn an_address_says_where_to_dial_from() {
    let network = Network::new(1);
    let mem = on(&network, "b", Delivery::Stream);
    let _port = listen(&mem, "mem://b:7").await;
    let dialed = mem.dial(&target("mem://b:7?host=c")).await.unwrap();
    assert!(dialed.info.local.rest().starts_with("c:"), "{:?}", dialed.info);
    for bad in ["mem://b:7?hots=c", "mem://b:7?max_message=1GiB"] {
        let refused = mem.dial(&target(bad)).await;
        assert!(matches!(refused, Err(Error::Option { .. })), "{refused:?}");
        let refused = mem.listen(&bad.parse().unwrap()).await;
        assert!(matches!(refused, Err(Error::Option { .. })), "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn counters_are_the_contexts() {
    let counters = Arc::new(Counters::default());
    let context = Context { counters: counters.clone(), ..context(None, &[]) };
    let mem = (FACTORY.build)(&context).unwrap();
    let mut dialed = mem.dial(&target("mem://nobody?delivery=datagram")).await.unwrap();
    dialed.writer.send(&mut Batch::from_iter(["lost"])).await.unwrap();
    assert_eq!(counters.messages_unsent.get(), 1);
}
