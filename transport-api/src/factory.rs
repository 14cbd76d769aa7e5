//! What a transport crate registers, and what it is given when it is built.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    sync::Arc,
};

use zeroize::Zeroizing;

use crate::{AnyTransport, Caps, Counters, NodeId, OptionSpec, Options, Result};

/// How to build a transport: plain data that its crate exports as a `const` and also submits.
///
/// [The crate's first page](crate#writing-a-transport) shows one. `inventory::submit!` registers
/// the factory in every program that *links* the crate. A program links a crate only if it names
/// it: a line in Cargo.toml is not enough, `use my_transport as _;` is.
/// Where registration at start-up does not work (a `staticlib` in a C program, some wasm targets),
/// the program passes the constant to the registry itself.
#[derive(Clone, Copy, Debug)]
pub struct Factory {
    /// The name of the transport, and the scheme of its addresses: see [`Addr`](crate::Addr).
    pub scheme: &'static str,
    /// The crate and its version, for people: `concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"))`.
    pub provider: &'static str,
    /// What the transport can do with its default settings. Listing transports needs no instance.
    pub caps: Caps,
    /// The options that `build` and the transport's addresses understand.
    pub options: &'static [OptionSpec],
    /// Builds an instance.
    ///
    /// It opens nothing and does not wait. It refuses unknown options
    /// ([`Options::check`]) and unusable ones, with
    /// [`Error::Option`](crate::Error::Option).
    pub build: fn(&Context) -> Result<AnyTransport>,
}

inventory::collect!(Factory);

/// What a transport is built from.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// Its settings.
    pub options: Options,
    /// Who this node is, for carriers that prove it. One that needs them and has none refuses to be
    /// built, with [`Error::Unsupported`](crate::Error::Unsupported).
    pub credentials: Option<Arc<Credentials>>,
    /// Where the instance counts what nobody above can see.
    pub counters: Arc<Counters>,
    /// Things that only some transports know, by type: the network of a simulation, say.
    pub extensions: Extensions,
}

/// A node's identity in the form that TLS libraries take, and whose word it takes for others'.
///
/// The crate `rumormill-identity` makes them, from a node's key or from files of an authority.
pub struct Credentials {
    /// The node's key. Without authorities it is also the certificate's.
    pub node: NodeId,
    /// The certificate, and those that lead from it to an authority, DER (RFC 5280).
    pub chain: Vec<Vec<u8>>,
    /// The certificate's secret key, PKCS#8 DER (RFC 5958). Wiped from memory when dropped, never
    /// printed.
    pub key: Zeroizing<Vec<u8>>,
    /// The certificates of the authorities that peers are proven by, DER. None: a peer's
    /// certificate is signed by itself, and its key is the peer's [`NodeId`].
    pub authorities: Vec<Vec<u8>>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("node", &self.node).finish_non_exhaustive()
    }
}

/// Values by type, at most one of each.
#[derive(Clone, Default)]
pub struct Extensions(HashMap<TypeId, Arc<dyn Any + Send + Sync>>);

impl Extensions {
    /// Adds `value`, in place of any other of its type.
    pub fn insert<T: Any + Send + Sync>(&mut self, value: T) {
        self.0.insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// The value of type `T`.
    pub fn get<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extensions({})", self.0.len())
    }
}
