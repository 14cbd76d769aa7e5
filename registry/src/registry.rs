//! The transports of a program, by the schemes of their addresses.

use std::{collections::BTreeMap, fmt, sync::Arc};

use rumormill_transport_api::{
    Addr, AnyConn, AnyListener, AnyTransport, Context, Credentials, Factory, Target, Transport,
    excerpt, inventory, nearest,
};

use crate::{Error, Result, slot::Slot};

/// The transports of a program, by the schemes of their addresses.
///
/// Which transports there are is settled before the registry is shared; from then on it is used by
/// reference from any thread. It holds one instance of each transport, so that all users of one
/// scheme share its sockets and tables. No transport is the default, and no order of linking or
/// registering makes a difference.
pub struct Registry {
    slots: BTreeMap<&'static str, Slot>,
    /// Schemes that a program may lack, and the cargo features that bring them.
    hints: BTreeMap<&'static str, &'static str>,
    /// Who this node is, for every transport that was not told by itself.
    credentials: Option<Arc<Credentials>>,
}

impl Registry {
    /// The transports whose crates this program links, and which registered themselves.
    ///
    /// It may be empty: see [how a transport gets in](crate#how-a-transport-gets-in).
    ///
    /// # Errors
    /// As for [`of`](Self::of).
    pub fn linked() -> Result<Self> {
        Self::of(inventory::iter::<Factory>.into_iter().copied())
    }

    /// These transports and no others.
    ///
    /// # Errors
    /// [`Error::Duplicate`] if two have the same scheme, [`Error::Malformed`] if one has a scheme
    /// that no address can have. Of several such faults it is the first by scheme, whatever the
    /// order of `factories`.
    pub fn of(factories: impl IntoIterator<Item = Factory>) -> Result<Self> {
        let mut factories: Vec<_> = factories.into_iter().collect();
        factories.sort_by_key(|factory| (factory.scheme, factory.provider));
        let slots = factories.chunk_by(|a, b| a.scheme == b.scheme).map(only_slot);
        let slots = slots.collect::<Result<_>>()?;
        Ok(Self { slots, hints: BTreeMap::new(), credentials: None })
    }

    /// Adds a transport.
    ///
    /// Adding one that is there already, with the same provider, capabilities and options, changes
    /// nothing. So a program may take what is [`linked`](Self::linked) and add what it depends on,
    /// and does the same wherever it is built. A factory that wraps another's `build` therefore
    /// needs a `provider` of its own.
    ///
    /// # Errors
    /// As for [`of`](Self::of). The registry is as before.
    pub fn register(&mut self, factory: Factory) -> Result<()> {
        let known = self.slots.get(factory.scheme).map(|slot| slot.factory);
        if known.is_some_and(|known| is_same(&known, &factory)) {
            return Ok(());
        }
        let all: Vec<_> = known.into_iter().chain([factory]).collect();
        let (scheme, slot) = only_slot(&all)?;
        self.slots.insert(scheme, slot);
        Ok(())
    }

    /// Adds hints: a scheme that this program may lack, and the cargo feature of rumormill that
    /// brings it. Errors about that scheme name the feature.
    #[must_use]
    pub fn with_hints(mut self, hints: &[(&'static str, &'static str)]) -> Self {
        self.hints.extend(hints.iter().copied());
        self
    }

    /// Tells every transport who this node is, in place of what was said before.
    ///
    /// All that are built from now on get these credentials, those registered later included;
    /// only a transport that is [configured](Self::configure) with others keeps its own. One that
    /// proves nobody ignores them, and one that was built before goes on as it is.
    #[must_use]
    pub fn with_credentials(mut self, credentials: Arc<Credentials>) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// The schemes, sorted.
    pub fn schemes(&self) -> impl Iterator<Item = &'static str> {
        self.slots.keys().copied()
    }

    /// What each transport is and can do, sorted by scheme. Nothing is built for it.
    pub fn factories(&self) -> impl Iterator<Item = &Factory> {
        self.slots.values().map(|slot| &slot.factory)
    }

    /// Whether there is a transport for `scheme`.
    pub fn contains(&self, scheme: &str) -> bool {
        self.slots.contains_key(scheme)
    }

    /// Sets what the transport is built from, in place of what was set before.
    ///
    /// A transport that is never configured is built from [`Context::default`]. Either way, a
    /// context without credentials is given those of
    /// [`with_credentials`](Self::with_credentials). Whether the settings are any good shows when
    /// the transport is built.
    ///
    /// # Errors
    /// [`Error::Unknown`], and [`Error::AlreadyBuilt`] from the moment that the transport was used.
    pub fn configure(&self, scheme: &str, context: Context) -> Result<()> {
        self.slot(scheme)?.configure(context)
    }

    /// The one instance of the transport for `scheme`, which is built now if it is not there yet.
    ///
    /// Threads that ask at the same time get the same instance. A build that fails leaves nothing
    /// behind: the next call builds again, from what is configured then.
    ///
    /// # Errors
    /// [`Error::Unknown`], and [`Error::Transport`] if the transport refuses its settings.
    pub fn transport(&self, scheme: &str) -> Result<AnyTransport> {
        self.slot(scheme)?.transport(self.credentials.as_ref())
    }

    /// Opens a conn with the transport that `target`'s address names.
    ///
    /// # Errors
    /// As for [`transport`](Self::transport), and what the transport's
    /// [`dial`](Transport::dial) returns, in [`Error::Transport`].
    ///
    /// # Cancel safety
    /// Dropping the future closes whatever it had opened. The transport stays built.
    pub async fn dial(&self, target: &Target) -> Result<AnyConn> {
        Ok(self.transport(target.addr.scheme())?.dial(target).await?)
    }

    /// Binds `addr` with the transport that it names, and begins to accept.
    ///
    /// # Errors
    /// As for [`transport`](Self::transport), and what the transport's
    /// [`listen`](Transport::listen) returns, in [`Error::Transport`].
    ///
    /// # Cancel safety
    /// Dropping the future binds nothing. The transport stays built.
    pub async fn listen(&self, addr: &Addr) -> Result<AnyListener> {
        Ok(self.transport(addr.scheme())?.listen(addr).await?)
    }

    fn slot(&self, scheme: &str) -> Result<&Slot> {
        self.slots.get(scheme).ok_or_else(|| self.unknown(scheme))
    }

    fn unknown(&self, scheme: &str) -> Error {
        let hinted = self.hints.get(scheme).copied();
        let nearest = match hinted {
            Some(_) => None,
            None => nearest(&scheme.to_ascii_lowercase(), &self.names()),
        };
        Error::Unknown {
            scheme: excerpt(scheme).into(),
            linked: self.schemes().collect(),
            nearest,
            feature: hinted.or_else(|| self.feature(nearest?)),
        }
    }

    /// Every name that a user can have meant.
    fn names(&self) -> Vec<&'static str> {
        self.schemes().chain(self.hints.keys().copied()).collect()
    }

    /// The cargo feature that brings `scheme`, if this program lacks it.
    fn feature(&self, scheme: &str) -> Option<&'static str> {
        match self.contains(scheme) {
            true => None,
            false => self.hints.get(scheme).copied(),
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.slots.keys()).finish()
    }
}

/// The slot of the factory that alone has its scheme; `factories` all have the same.
fn only_slot(factories: &[Factory]) -> Result<(&'static str, Slot)> {
    let [factory] = factories else { return Err(Error::duplicate(factories)) };
    // The contract's own rules decide what a scheme is.
    Addr::new(factory.scheme, "").map_err(|source| Error::malformed(factory, source))?;
    Ok((factory.scheme, Slot::new(*factory)))
}

/// Whether two factories of one scheme are one. Their `build` does not tell: each crate that uses a
/// constant may have a copy of its functions, at an address of its own.
fn is_same(a: &Factory, b: &Factory) -> bool {
    (a.provider, a.caps, a.options) == (b.provider, b.caps, b.options)
}
