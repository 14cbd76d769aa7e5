//! Transports that count how often they are built, and carry nothing.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread,
};

use rumormill_transport_api::{
    Addr, AnyConn, AnyListener, AnyReader, AnyTransport, AnyWriter, Caps, Context, Error, Factory,
    OptionSpec, Result, Target, Transport,
};

/// A factory for `scheme`, from a provider of the same name.
pub(crate) fn factory(scheme: &'static str) -> Factory {
    Factory { scheme, provider: scheme, caps: Caps::STREAM, options: OPTIONS, build }
}

/// How often a transport was built from the context that holds this.
#[derive(Clone, Default)]
pub(crate) struct Builds(Arc<AtomicU32>);

impl Builds {
    pub(crate) fn get(&self) -> u32 {
        self.0.load(Relaxed)
    }

    /// What counts here.
    pub(crate) fn context(&self) -> Context {
        let mut context = Context::default();
        context.extensions.insert(self.clone());
        context
    }
}

fn build(context: &Context) -> Result<AnyTransport> {
    // Long enough for others to get here, if they can.
    (0..100).for_each(|_| thread::yield_now());
    if let Some(Builds(count)) = context.extensions.get() {
        count.fetch_add(1, Relaxed);
    }
    context.options.check(OPTIONS)?;
    Ok(AnyTransport::new(Toy))
}

struct Toy;

impl Transport for Toy {
    type Reader = AnyReader;
    type Writer = AnyWriter;
    type Listener = AnyListener;

    fn caps(&self) -> Caps {
        Caps::STREAM
    }

    async fn dial(&self, target: &Target) -> Result<AnyConn> {
        let source = io::ErrorKind::ConnectionRefused.into();
        Err(Error::Unreachable { addr: target.addr.clone(), source })
    }

    async fn listen(&self, addr: &Addr) -> Result<AnyListener> {
        Err(Error::InUse { addr: addr.clone() })
    }
}

const OPTIONS: &[OptionSpec] = &[OptionSpec { name: "known", default: "1", doc: "Nothing." }];
