//! The place of one transport: how to build it, and the one instance once it is built.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rumormill_transport_api::{AnyTransport, Context, Credentials, Factory};

use crate::{Error, Result};

/// The place of one transport.
pub(crate) struct Slot {
    pub(crate) factory: Factory,
    state: Mutex<State>,
}

enum State {
    Waiting(Context),
    Built(AnyTransport),
}

impl Slot {
    pub(crate) fn new(factory: Factory) -> Self {
        Self { factory, state: Mutex::new(State::Waiting(Context::default())) }
    }

    pub(crate) fn configure(&self, context: Context) -> Result<()> {
        match &mut *self.state() {
            State::Waiting(old) => *old = context,
            State::Built(_) => return Err(Error::AlreadyBuilt { scheme: self.factory.scheme }),
        }
        Ok(())
    }

    /// The instance, which is built with `credentials` unless its context has some.
    pub(crate) fn transport(&self, credentials: Option<&Arc<Credentials>>) -> Result<AnyTransport> {
        let mut state = self.state();
        let mut context = match &*state {
            State::Waiting(context) => context.clone(),
            State::Built(transport) => return Ok(transport.clone()),
        };
        context.credentials = context.credentials.or_else(|| credentials.cloned());
        // Locked meanwhile, so that concurrent first users share one instance. A build opens
        // nothing and does not wait.
        let transport = (self.factory.build)(&context)?;
        *state = State::Built(transport.clone());
        Ok(transport)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A build that panicked has changed nothing here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
