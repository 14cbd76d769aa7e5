//! What the program does for the node's administration: it reads the configuration again on demand, and
//! shows messages.

use rumormill::{Node, endpoint::Message};

use super::life::Reloaded;

#[cfg(feature = "admin")]
pub(in crate::cli) use self::lent::{Hooks, Reload};
#[cfg(not(feature = "admin"))]
pub(in crate::cli) use self::none::{Hooks, Reload};

#[cfg(feature = "admin")]
mod lent {
    use rumormill::admin;
    use tokio::sync::mpsc::Receiver;

    use super::{Message, Node, Reloaded};

    /// What is lent to the administration, if the node has one.
    pub(in crate::cli) struct Hooks(Option<(admin::Hooks, Receiver<admin::Reload>)>);

    /// Somebody wants the configuration read again.
    pub(in crate::cli) struct Reload(admin::Reload);

    impl Hooks {
        pub(in crate::cli) fn of(node: &Node) -> Self {
            Self::lent(node.hooks())
        }

        /// The same for a broker.
        #[cfg(feature = "broker")]
        pub(in crate::cli) fn of_hub(hub: &rumormill::hub::Hub) -> Self {
            Self::lent(hub.hooks())
        }

        fn lent(hooks: Option<admin::Hooks>) -> Self {
            Self(hooks.map(|hooks| (hooks.clone(), hooks.reloads())))
        }

        /// Waits for the next. Cancel-safe.
        pub(in crate::cli) async fn next(&mut self) -> Option<Reload> {
            let Some((_, reloads)) = &mut self.0 else { return std::future::pending().await };
            reloads.recv().await.map(Reload)
        }

        pub(in crate::cli) fn mirror(&self, message: &Message) {
            if let Some((hooks, _)) = &self.0 {
                hooks.mirror(message);
            }
        }
    }

    impl Reload {
        pub(in crate::cli) fn is_dry_run(&self) -> bool {
            self.0.is_dry_run
        }

        /// Whoever has asked may have gone.
        pub(in crate::cli) fn answer(self, reloaded: Reloaded) {
            drop(self.0.answer.send(reloaded));
        }
    }
}

#[cfg(not(feature = "admin"))]
mod none {
    use super::{Message, Node, Reloaded};

    /// Nothing is lent: this build has no administration.
    pub(in crate::cli) struct Hooks;

    /// Nobody asks.
    pub(in crate::cli) enum Reload {}

    impl Hooks {
        pub(in crate::cli) fn of(_: &Node) -> Self {
            Self
        }

        #[cfg(feature = "broker")]
        pub(in crate::cli) fn of_hub(_: &rumormill::hub::Hub) -> Self {
            Self
        }

        pub(in crate::cli) async fn next(&mut self) -> Option<Reload> {
            std::future::pending().await
        }

        pub(in crate::cli) fn mirror(&self, _: &Message) {}
    }

    impl Reload {
        pub(in crate::cli) fn is_dry_run(&self) -> bool {
            match *self {}
        }

        pub(in crate::cli) fn answer(self, _: Reloaded) {
            match self {}
        }
    }
}
